-- One row a fulfillment, with its trackings and items as canonical texts.
create or replace temp table candidate as
with parcels as (
    select
        id as order_id,
        unnest(from_json(case when json_type(doc) = 'OBJECT' then (doc -> '$.data') else doc end, '["JSON"]')) as parcel
    from raw.fulfillments
    where location_id = $location_id and is_current
)

select
    $location_id as location_id,
    order_id,
    (parcel ->> '$._id') as fulfillment_id,
    array_to_string(list_filter(list_transform(
        from_json(coalesce((parcel -> '$.trackings'), '[]'::json), '["JSON"]'),
        lambda t: trim(coalesce((t ->> '$.shippingCarrier'), '') || ' ' || coalesce((t ->> '$.trackingNumber'), ''))
    ), lambda t: t <> ''), '; ') as trackings,
    '[' || array_to_string(list_transform(
        from_json(coalesce((parcel -> '$.items'), '[]'::json), '["JSON"]'),
        lambda i: '{"price":' || coalesce((i -> '$.price._id')::varchar, 'null') || ',"qty":'
            || coalesce(regexp_replace((i ->> '$.qty'), '\.0+$', ''), 'null') || '}'
    ), ',') || ']' as items,
    list_sum(list_transform(
        from_json(coalesce((parcel -> '$.items'), '[]'::json), '["JSON"]'), lambda i: try_cast((i ->> '$.qty') as double)
    )) as quantity,
    len(list_filter(
        from_json(coalesce((parcel -> '$.items'), '[]'::json), '["JSON"]'),
        lambda i: coalesce(plain_decimal(i ->> '$.qty') < 0, true)
    )) = 0 as quantity_is_number,
    instant(parcel ->> '$.createdAt') as created_at,
    instant(parcel ->> '$.updatedAt') as updated_at,
    parcel as payload
from parcels;
