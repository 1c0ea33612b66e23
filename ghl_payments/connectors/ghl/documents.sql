-- Fulfillments of the orders that a delivery is known of, one row each, and the location's white-label providers.
-- A fulfillment carries the key of the delivery whose tracking number it has; case and blanks do not count there. At the
-- end: cash payments of the orders that a collection is known of.
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

create or replace temp table ghl_collected as
with collected as (
    select
        substr(min(order_key), 11) as order_id, collection_key as key,
        '[ghl_payments ' || collection_key || ']' as marker,
        plain_decimal(arg_min_null(amount_text, connection)) as amount,
        arg_min_null(currency, connection) as currency, min(collected_at) as collected_at
    from actual.collections
    where location_id = $only_location and order_key like 'ghl:order:%'
    group by collection_key
),

-- A request for it may have reached GHL: it was answered, or nobody knows.
requested as (
    select c.key, not bool_or(c.state in ('verified', 'refused')) as in_doubt
    from outbox.changes as c
    where c.connection = $connection and c.location_id = $only_location and c.record_type = 'order_payment' and (
        c.state in ('claimed', 'sent', 'unknown', 'verified')
        or c.change_id in (select change_id from outbox.attempts where outcome in ('sent', 'unknown'))
    )
    group by c.key
)

select c.*, r.key is not null as was_requested, coalesce(r.in_doubt, false) as in_doubt
from collected as c
left join requested as r on r.key = c.key;

-- What those orders' transactions are known as: asked for order by order, or by the extraction, each as last seen. A
-- marker counts wherever it was seen, because lists and details do not show the same.
create or replace temp table ghl_payments_seen as
with readings as (
    select order_id, unnest(from_json(docs, '["JSON"]')) as doc, read_at
    from (
        select native_id as order_id, (detail_doc -> '$.data') as docs, read_at from actual.documents
        where connection = $connection and record_type = 'order_payment' and present
    )
    where json_type(docs) = 'ARRAY'
    union all
    select (doc ->> '$.entityId'), doc, valid_from from raw.transactions
    where location_id = $only_location and is_current and absent_at is null and (doc ->> '$.entityType') = 'order'
    union all
    select (doc ->> '$.entityId'), doc, valid_from from raw.transaction_details
    where location_id = $only_location and is_current and (doc ->> '$.entityType') = 'order'
),

told as (
    select r.order_id, (r.doc ->> '$._id') as transaction_id, r.doc, r.read_at,
        concat_ws(' ', (r.doc ->> '$.notes'), (r.doc ->> '$.chargeSnapshot.notes'), (r.doc -> '$.meta')::varchar) as notes,
        lower(coalesce((r.doc ->> '$.chargeSnapshot.mode'), (r.doc ->> '$.paymentMethod.mode'))) as mode,
        coalesce((r.doc ->> '$.paymentProviderType'), (r.doc ->> '$.paymentProvider.type')) as provider,
        blank_to_null(r.doc ->> '$.chargeId') as charge_id,
        lower(r.doc ->> '$.liveMode') = 'true' and coalesce(lower(r.doc ->> '$.markAsTest'), '') <> 'true' as live
    from readings as r
    semi join ghl_collected as c on c.order_id = r.order_id
    where (r.doc ->> '$._id') is not null
)

select
    order_id, transaction_id, arg_max(doc, read_at) as doc, max(read_at) as read_at,
    (arg_max(doc, read_at) ->> '$.status') as status, (arg_max(doc, read_at) ->> '$.amount') as amount_text,
    (arg_max(doc, read_at) ->> '$.currency') as currency, instant(arg_max(doc, read_at) ->> '$.createdAt') as created_at,
    string_agg(notes, ' ') as notes, bool_and(coalesce(live, false)) as live,
    -- Cash says so; where no mode is shown, it is what neither a provider nor a charge stands behind.
    case when max(mode) is not null then max(mode) = 'cash' else max(provider) is null and max(charge_id) is null end as is_cash
from told
group by order_id, transaction_id
having (arg_max(doc, read_at) ->> '$.status') in ('succeeded', 'refunded');

create or replace temp table ghl_payments_marked as
select c.key, p.order_id, p.transaction_id
from ghl_payments_seen as p
inner join ghl_collected as c on c.order_id = p.order_id and contains(p.notes, c.marker)
where p.live;

-- Cash without any marker of ours is taken for a collection of just that amount in its order, if it is not older than
-- that by more than a day (clocks and time zones differ): one payment for one collection, in their order.
create or replace temp table ghl_cash_taken as
with open_ones as (
    select c.*, row_number() over (
        partition by c.order_id, c.amount order by c.collected_at nulls last, c.key
    ) as place, min(c.collected_at) over (partition by c.order_id, c.amount) as first_at
    from ghl_collected as c
    anti join ghl_payments_marked as m on m.key = c.key
    where c.amount > 0
),

unclaimed as (
    select p.order_id, p.transaction_id, p.currency, p.created_at, plain_decimal(p.amount_text) as amount
    from ghl_payments_seen as p
    where p.is_cash and p.live and p.status = 'succeeded' and not contains(coalesce(p.notes, ''), '[ghl_payments ')
),

young as (
    select u.*, row_number() over (partition by u.order_id, u.amount order by u.created_at, u.transaction_id) as place
    from unclaimed as u
    semi join open_ones as o
        on o.order_id = u.order_id and o.amount = u.amount
        and coalesce(u.created_at >= o.first_at - interval 1 day, o.first_at is null)
)

select o.key, y.order_id, y.transaction_id
from open_ones as o
inner join young as y on y.order_id = o.order_id and y.amount = o.amount and y.place = o.place
where coalesce(o.currency, y.currency) = y.currency
    and coalesce(y.created_at >= o.collected_at - interval 1 day, o.collected_at is null);

-- What GHL shows of a payment that was recorded by hand is not documented. Once one was asked for, any other payment of
-- just that amount counts too, whatever its kind: better that a person looks than that the cash is recorded twice.
create or replace temp table ghl_payments_taken as
with open_ones as (
    select c.*, row_number() over (
        partition by c.order_id, c.amount order by c.collected_at nulls last, c.key
    ) as place, min(c.collected_at) over (partition by c.order_id, c.amount) as first_at
    from ghl_collected as c
    anti join (select key from ghl_payments_marked union select key from ghl_cash_taken) as k on k.key = c.key
    where c.amount > 0 and c.was_requested
),

young as (
    select
        p.order_id, p.transaction_id, p.currency, p.created_at, o.amount, row_number() over (
            partition by p.order_id, o.amount order by p.created_at, p.transaction_id
        ) as place
    from ghl_payments_seen as p
    inner join (select distinct order_id, amount, first_at from open_ones) as o
        on o.order_id = p.order_id and o.amount = plain_decimal(p.amount_text)
        and coalesce(p.created_at >= o.first_at - interval 1 day, o.first_at is null)
    anti join ghl_cash_taken as t on t.order_id = p.order_id and t.transaction_id = p.transaction_id
    where p.status = 'succeeded' and not contains(coalesce(p.notes, ''), '[ghl_payments ')
)

select * from ghl_cash_taken
union all
select o.key, y.order_id, y.transaction_id
from open_ones as o
inner join young as y on y.order_id = o.order_id and y.amount = o.amount and y.place = o.place
where coalesce(o.currency, y.currency) = y.currency
    and coalesce(y.created_at >= o.collected_at - interval 1 day, o.collected_at is null);

create or replace temp table ghl_order_payment_records as
with keyed as (
    select * from ghl_payments_marked
    union all
    select * from ghl_payments_taken
)

select
    p.order_id || '/' || p.transaction_id as native_id, p.doc, p.read_at, k.key, $only_location as location_id,
    p.currency, e.exponent, e.exponent as own_exponent,
    case when k.key is not null and to_minor(p.amount_text, e.exponent) is null
        then 'the amount of the payment cannot be read exactly' end as problem,
    to_minor(p.amount_text, e.exponent) as amount_minor
from ghl_payments_seen as p
left join keyed as k on k.order_id = p.order_id and k.transaction_id = p.transaction_id
left join ops.currencies as e on e.code = p.currency
where k.key is not null or (p.is_cash and p.live);

create or replace temp table ghl_dangling as
select null::varchar as record_type, null::varchar as native_id, null::varchar as key, null::varchar as location_id
where false;
