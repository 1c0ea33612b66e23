-- Fulfillments of the orders that a delivery is known of, one row each, and the location's white-label providers.
-- A fulfillment carries the key of the delivery whose tracking number it has; case and blanks do not count there.
create or replace temp table ghl_wanted as
select
    location_id, substr(order_key, 11) as order_id, upper(regexp_replace(tracking, '\s', '', 'g')) as number,
    min(delivery_key) as key, arg_min_null(blank_to_null(carrier), delivery_key) as carrier
from actual.deliveries
where location_id = $only_location and order_key like 'ghl:order:%'
group by all;

-- What is known of an order's fulfillments last counts: read as a target, or by the extraction.
create or replace temp table ghl_readings as
with readings as (
    select native_id as order_id, present, absent_confirmed, (detail_doc -> '$.data') as docs, read_at
    from actual.documents
    where connection = $connection and record_type = 'fulfillment'
    union all
    select id, true, false, case when json_type(doc) = 'OBJECT' then (doc -> '$.data') else doc end, valid_from
    from raw.fulfillments
    where location_id = $only_location and is_current and absent_at is null
)

select r.*
from readings as r
semi join ghl_wanted as w on w.order_id = r.order_id
qualify row_number() over (partition by r.order_id order by r.read_at desc, r.present) = 1;

create or replace temp table ghl_parcels as
select order_id, read_at, unnest(from_json(docs, '["JSON"]')) as doc
from ghl_readings
where present and json_type(docs) = 'ARRAY';

create or replace temp table ghl_trackings as
with stated as (
    select order_id, (doc ->> '$._id') as fulfillment_id, unnest(from_json((doc -> '$.trackings'), '["JSON"]')) as tracking
    from ghl_parcels
    where json_type(doc -> '$.trackings') = 'ARRAY'
)

select
    s.order_id, s.fulfillment_id, w.number, w.key,
    case when w.carrier is not null then any_value(s.tracking ->> '$.shippingCarrier') end as carrier
from stated as s
inner join ghl_wanted as w
    on w.order_id = s.order_id and w.number = upper(regexp_replace((s.tracking ->> '$.trackingNumber'), '\s', '', 'g'))
group by s.order_id, s.fulfillment_id, w.number, w.key, w.carrier;

create or replace temp table ghl_fulfillment_records as
select
    p.order_id || '/' || (p.doc ->> '$._id') as native_id, p.doc, p.read_at, t.key, $only_location as location_id,
    null::varchar as currency, null::integer as exponent, null::integer as own_exponent, null::varchar as problem,
    t.carrier
from ghl_parcels as p
left join ghl_trackings as t on t.order_id = p.order_id and t.fulfillment_id = (p.doc ->> '$._id')
where (p.doc ->> '$._id') is not null;

create or replace temp table ghl_provider_records as
select
    d.native_id, coalesce(d.list_doc, d.detail_doc) as doc, d.read_at, 'ghl:provider:' || w.unique_name as key,
    $only_location as location_id, null::varchar as currency, null::integer as exponent, null::integer as own_exponent,
    null::varchar as problem
from actual.documents as d
left join ops.declared_providers as w
    on w.location_id = $only_location and w.unique_name = (coalesce(d.list_doc, d.detail_doc) ->> '$.route')
where d.connection = $connection and d.record_type = 'provider' and d.present;

create or replace temp table ghl_dangling as
select null::varchar as record_type, null::varchar as native_id, null::varchar as key, null::varchar as location_id
where false;
