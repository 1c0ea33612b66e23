-- What other systems' people delivered, one row a tracking number of an order, as GHL should have it as a fulfillment:
-- the units still open by price id, or the reason why GHL cannot be given it. `items` of a delivery, where it states
-- any, are [{"price_id": ..., "quantity": ...}]; the same parcel told by two systems is one delivery.
create or replace temp table canonical_deliveries as
with delivered as (
    select
        order_key, substr(order_key, 11) as order_id, upper(regexp_replace(tracking, '\s', '', 'g')) as number,
        min(delivery_key) as key, arg_min_null(trim(tracking), delivery_key) as tracking,
        arg_min_null(blank_to_null(carrier), delivery_key) as carrier,
        arg_min_null(blank_to_null(tracking_url), delivery_key) as tracking_url, min(delivered_at) as delivered_at,
        arg_min_null(items, delivery_key) as stated, arg_min_null(problem, delivery_key) as problem, min(read_at) as read_at
    from actual.deliveries
    where location_id = $location_id and order_key like 'ghl:order:%'
    group by order_key, number
),

-- What is known of an order's fulfillments last counts: read as a target, or by the extraction.
readings as (
    select native_id as order_id, case when present then (detail_doc -> '$.data') end as docs, read_at
    from actual.documents
    where record_type = 'fulfillment' and ends_with(connection, '/' || $location_id)
    union all
    select id, case when json_type(doc) = 'OBJECT' then (doc -> '$.data') else doc end, valid_from
    from raw.fulfillments
    where location_id = $location_id and is_current and absent_at is null
),

newest as (
    select r.order_id, r.docs
    from readings as r
    semi join delivered as d on d.order_id = r.order_id
    qualify row_number() over (partition by r.order_id order by r.read_at desc) = 1
),

parcels as (
    select order_id, unnest(from_json(docs, '["JSON"]')) as doc from newest where json_type(docs) = 'ARRAY'
),

seen as (
    select distinct order_id, upper(regexp_replace(tracking, '\s', '', 'g')) as number
    from (select order_id, unnest(doc ->> '$.trackings[*].trackingNumber') as tracking from parcels)
),

sent_lines as (
    select order_id, unnest(from_json(coalesce((doc -> '$.items'), '[]'::json), '["JSON"]')) as item from parcels
),

sent as (
    select
        order_id, coalesce((item ->> '$.price._id'), (item ->> '$._id')) as price_id,
        sum(plain_decimal(item ->> '$.qty')::decimal(18, 6)) as units,
        bool_or(plain_decimal(item ->> '$.qty') is null) as is_unreadable
    from sent_lines
    group by all
),

ordered as (
    -- Lines of the same price cannot be told apart in a fulfillment; what is not physical is never sent.
    select i.order_id, i.price_id, sum(plain_decimal(i.quantity_text)::decimal(18, 6)) as units
    from staging.order_items as i
    semi join delivered as d on d.order_id = i.order_id
    where i.location_id = $location_id and i.price_id is not null
        and coalesce(i.product_type, 'PHYSICAL') ilike '%PHYSICAL%'
    group by i.order_id, i.price_id
),

remaining as (
    select o.order_id, o.price_id, o.units - greatest(coalesce(s.units, 0), 0) as units
    from ordered as o
    left join sent as s on s.order_id = o.order_id and s.price_id = o.price_id
),

known as (
    select distinct key from actual.known_keys where record_type = 'fulfillment' and location_id = $location_id
),

stated as (
    select
        s.key, (s.item ->> '$.price_id') as price_id, bool_and(regexp_full_match((s.item ->> '$.quantity'), '[0-9]+')) as is_whole,
        sum(plain_decimal(s.item ->> '$.quantity')::decimal(18, 6)) as units
    from (select key, unnest(from_json(stated, '["JSON"]')) as item from delivered where json_type(stated) = 'ARRAY') as s
    group by all
),

broken as (select distinct key from stated where not coalesce(is_whole, false)),

-- What GHL does not have yet and may be given.
waiting as (
    select d.*, json_type(d.stated) is not distinct from 'ARRAY' as is_stated
    from delivered as d
    anti join seen as g on g.order_id = d.order_id and g.number = d.number
    anti join known as k on k.key = d.key
    anti join broken as b on b.key = d.key
    where not regexp_matches(d.tracking, '[,;|\n]') and d.problem is null
),

-- Deliveries of one order that say what they hold take of what is open one after the other.
takes as (
    select
        w.order_id, w.key, s.price_id,
        greatest(0, least(s.units, r.units - coalesce(sum(s.units) over (
            partition by w.order_id, s.price_id order by w.delivered_at nulls last, w.key
            rows between unbounded preceding and 1 preceding
        ), 0))) as units
    from waiting as w
    inner join stated as s on s.key = w.key
    inner join remaining as r on r.order_id = w.order_id and r.price_id = s.price_id
    where w.is_stated
),

shares as (
    select order_id, key, price_id, units from takes
    union all
    select w.order_id, w.key, r.price_id, r.units - coalesce(t.units, 0)
    from waiting as w
    inner join remaining as r on r.order_id = w.order_id
    left join (select order_id, price_id, sum(units) as units from takes group by all) as t
        on t.order_id = r.order_id and t.price_id = r.price_id
    where not w.is_stated
),

lines as (
    select
        key, to_json(list({price_id: price_id, quantity: plain_text(units)} order by price_id))::varchar as items
    from shares
    where units > 0
    group by key
),

-- Of deliveries that do not say what they hold, the first one not yet in GHL holds all that is open.
turns as (
    select
        d.key,
        first_value(d.key) over (partition by d.order_id order by d.delivered_at nulls last, d.key) as first_key
    from waiting as d
    where not d.is_stated
)

select
    $location_id as location_id, true as live, d.key, d.order_key, d.order_id, d.tracking, d.carrier, d.tracking_url,
    d.delivered_at,
    case when g.number is null then l.items end as items,
    null::bigint as amount_minor, null::varchar as currency,
    coalesce(o.created_at, d.delivered_at, d.read_at) as created_at,
    coalesce(d.delivered_at, o.updated_at, d.read_at) as updated_at,
    case
        when g.number is not null then null
        when o.order_id is null then 'GHL has no order that could be read with the id of this delivery'
        when not o.live then 'its order is in test mode'
        when regexp_matches(d.tracking, '[,;|\n]') then 'it names several tracking numbers; a delivery has one'
        when k.key is not null then 'it was written to GHL before, and no fulfillment has its tracking number any more'
        when d.problem is not null then d.problem
        when b.key is not null then 'a delivered quantity is not a whole number'
        when not o.has_detail then 'the items of its order have not been read yet'
        when u.order_id is not null then 'a quantity in a fulfillment of its order is not a number'
        when p.order_id is null then 'its order has no physical item with a price id'
        when l.items is null then 'nothing of it is left to fulfil in GHL, and no fulfillment has its tracking number'
        when t.first_key <> d.key then 'another delivery of its order (' || t.first_key || ') holds all that is open'
    end as reason
from delivered as d
left join seen as g on g.order_id = d.order_id and g.number = d.number
left join staging.orders as o on o.location_id = $location_id and o.order_id = d.order_id
left join lines as l on l.key = d.key
left join turns as t on t.key = d.key
left join (select distinct order_id from ordered) as p on p.order_id = d.order_id
left join (select distinct order_id from sent where is_unreadable) as u on u.order_id = d.order_id
left join known as k on k.key = d.key
left join broken as b on b.key = d.key;
