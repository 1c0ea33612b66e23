-- Track-POD's orders as one row a record. Ours are deliveries whose Number is `GHL-` and an order's id, and whose
-- CustomerReferenceId is a location; neither Number nor Id is unique there, so that both may be doubled.
create or replace temp table trackpod_documents as
select native_id, list_doc as doc, read_at, absent_confirmed, present and list_doc is not null as present
from actual.documents
where connection = $connection and record_type = 'order';

create or replace temp table trackpod_named as
select
    native_id, doc, read_at, blank_to_null(doc ->> '$.CustomerReferenceId') as location_id,
    blank_to_null(doc ->> '$.Id') as own_id, coalesce((doc ->> '$.Type'), '0') = '0' as is_delivery,
    case when (doc ->> '$.Number') like 'GHL-_%' then substr(trim(doc ->> '$.Number'), 5) end as order_id
from trackpod_documents
where present;

create or replace temp table trackpod_orders as
with ours as (
    select * from trackpod_named
    where is_delivery and location_id is not null and location_id = coalesce($only_location, location_id)
),

-- A copy that somebody made may keep the Id and have a Number of its own.
known as (
    select location_id, order_id from ours where order_id is not null
    union
    select location_id, order_id from staging.orders
),

-- GHL has a fulfillment with its TrackId: something of it was handed over, whatever it shows now.
handed_over as (
    select distinct
        location_id, unnest(regexp_extract_all(upper(trackings), '[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}')) as track_id
    from staging.fulfillments
)

select
    n.native_id, n.doc, n.read_at,
    case
        when o.native_id is null then null
        when o.order_id is not null then 'ghl:order:' || o.order_id
        when k.order_id is not null then 'ghl:order:' || k.order_id
    end as key,
    n.location_id,
    -- Once the driver has dealt with an order, Track-POD holds what was and not what should be.
    coalesce((n.doc ->> '$.StatusId') in ('2', '3', '4', '5'), false) as is_settled,
    -- What is planned anew holds what a dispatcher left of it, after what was handed over or paid at the door.
    coalesce(try_cast((n.doc ->> '$.RescheduledTimes') as integer), 0) > 0 or h.track_id is not null
    or (blank_to_null(n.doc ->> '$.CODActual') is not null
        and coalesce(plain_decimal(n.doc ->> '$.CODActual') > 0, true)) as is_replanned,
    (n.doc ->> '$.StatusId') as status_id, blank_to_null(n.doc ->> '$.COD') as cod_text,
    timezone('UTC', timezone(coalesce(option('timezone'), 'UTC'), try_cast((n.doc ->> '$.StatusDate') as timestamp)))
        as status_at,
    coalesce(try_cast((n.doc ->> '$.RescheduledTimes') as integer), 0) as times
from trackpod_named as n
left join ours as o on o.native_id = n.native_id
left join known as k on k.location_id = n.location_id and k.order_id = n.own_id
left join handed_over as h on h.location_id = n.location_id and h.track_id = upper(n.native_id);

create or replace temp table trackpod_lines as
select
    native_id, coalesce(blank_to_null(line ->> '$.GoodsId'), '') as price_id, (line ->> '$.Quantity') as quantity,
    blank_to_null(line ->> '$.QuantityFact') as fact, coalesce((line ->> '$.Cost'), '0') as cost
from (
    select native_id, unnest(from_json((doc -> '$.GoodsList'), '["JSON"]')) as line
    from trackpod_orders
    where key is not null and json_type(doc -> '$.GoodsList') = 'ARRAY'
);

create or replace temp table trackpod_goods as
with summed as (
    select
        native_id, price_id, sum(coalesce(plain_decimal(quantity), 0)::decimal(18, 6)) as units,
        sum(coalesce(plain_decimal(quantity), 0)::decimal(18, 6) * coalesce(plain_decimal(cost), 0)::decimal(18, 6)) as value
    from trackpod_lines
    group by native_id, price_id
)

select
    native_id, sum(value) as value,
    to_json(list({price_id: price_id, quantity: plain_text(units)} order by price_id) filter (where units <> 0))::varchar
        as goods_units
from summed
group by native_id;

-- Track-POD has no currency: amounts are in that of GHL's order.
create or replace temp table trackpod_order_records as
with staged as (
    select *, case
        when is_settled and (is_replanned or coalesce(option('force_update'), 'false') <> 'true') then 'settled'
        when is_settled then 'forced'
        when is_replanned then 'replanned'
        else 'open' end as state
    from trackpod_orders
)

select
    o.native_id, o.doc, o.read_at, o.key, case when o.key is not null then o.location_id end as location_id,
    null::varchar as currency, e.exponent, null::integer as own_exponent,
    o.state, o.state in ('settled', 'replanned') as is_history,
    to_minor_rounded(coalesce(o.cod_text, '0'), e.exponent) as cod_minor, coalesce(g.goods_units, '[]') as goods_units,
    cast(round(coalesce(g.value, 0)::decimal(38, 9) * minor_factor(e.exponent)) as bigint) as goods_minor,
    case when o.key is not null and plain_decimal(coalesce(o.cod_text, '0')) is null then 'COD is not a number' end as problem
from staged as o
left join trackpod_goods as g on g.native_id = o.native_id
left join staging.orders as w on w.location_id = o.location_id and o.key = 'ghl:order:' || w.order_id
left join ops.currencies as e on e.code = w.currency;

-- To be asked for one by one: orders of ours that the last reading of their days did not show. Those that a person
-- removed before they were ever read are known by their key only.
create or replace temp table trackpod_dangling as
with reading as (
    select read_at, timezone(coalesce(option('timezone'), 'UTC'), timezone('UTC', coalesce(getvariable('as_of'), read_at)))::date as today
    from actual.reads
    where connection = $connection and record_type = 'order' and complete
)

select 'order' as record_type, o.native_id, o.key, o.location_id
from trackpod_orders as o
cross join reading as r
where o.key is not null and o.read_at < r.read_at and (
    try_cast((o.doc ->> '$.Date') as date)
        between r.today - coalesce(option('scan_days'), '90')::integer and r.today + coalesce(option('days_ahead'), '14')::integer
    or try_cast((o.doc ->> '$.RouteDate') as date)
        between r.today - coalesce(option('scan_days'), '90')::integer and r.today + coalesce(option('days_ahead'), '14')::integer
)
union all
select 'order', d.native_id, w.key, w.location_id
from trackpod_documents as d
inner join (select location_id, 'ghl:order:' || order_id as key from staging.orders) as w
    on d.native_id = 'removed/' || w.key
where d.absent_confirmed;

-- A second delivery of the same order is one of its own. Track-POD counts how often it was planned anew. What does not
-- say what was handed over, or of which of several orders, is for a person: GHL's fulfillments cannot be taken back.
create or replace temp table trackpod_deliveries as
with brought as (
    select *, native_id || case when times > 0 then '#' || times else '' end as tracking
    from (
        select *, count(*) over (partition by location_id, key) as copies from trackpod_orders where key is not null
    )
    where status_id in ('3', '4')
),

listed as (
    select native_id, bool_or(price_id <> '') as has_price from trackpod_lines group by native_id
),

told as (
    select
        b.native_id, b.status_id, l.price_id,
        plain_decimal(case when b.status_id = '3' then coalesce(l.fact, l.quantity) else coalesce(l.fact, '0') end) as units
    from brought as b
    inner join trackpod_lines as l on l.native_id = b.native_id and l.price_id <> ''
),

summed as (
    select
        native_id, price_id,
        case when bool_or(units is null or units < 0) then 'unreadable' else plain_text(sum(units::decimal(18, 6))) end
            as quantity
    from told
    group by native_id, price_id
),

held as (
    select
        native_id,
        to_json(list({price_id: price_id, quantity: quantity} order by price_id) filter (where quantity <> '0')) as items
    from summed
    group by native_id
)

select
    b.location_id, 'trackpod:order:' || b.tracking as delivery_key, b.key as order_key, b.tracking, 'Track-POD' as carrier,
    b.status_at as delivered_at,
    coalesce(h.items, '[]'::json) as items, b.native_id, blank_to_null(b.doc ->> '$.TrackLink') as tracking_url,
    case
        when b.copies > 1 then 'Track-POD has ' || b.copies || ' orders of this key; remove those that are too many'
        when l.native_id is null then 'Track-POD lists no goods of it: enter in GHL by hand what was handed over'
        when not l.has_price then 'no line of it has a GoodsId in Track-POD: enter in GHL by hand what was handed over'
        when h.items is null then 'no line of it says in Track-POD that anything was handed over'
    end as problem
from brought as b
left join listed as l on l.native_id = b.native_id
left join held as h on h.native_id = b.native_id;

-- Cash that the driver took, in the currency that drivers collect if a person said so, else in the order's. What cannot
-- be read is told as well, for a person.
create or replace temp table trackpod_collections as
select
    location_id, 'trackpod:order:' || native_id as collection_key, key as order_key,
    blank_to_null(doc ->> '$.CODActual') as amount_text, option('currency') as currency, status_at as collected_at,
    'cash' as mode, native_id
from trackpod_orders
where key is not null and status_id in ('3', '4') and blank_to_null(doc ->> '$.CODActual') is not null
    and coalesce(plain_decimal(blank_to_null(doc ->> '$.CODActual')) > 0, true);
