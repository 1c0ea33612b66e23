-- Cash that other systems' people collected at the door, one row a collection, as GHL should have it as a payment of its
-- order, or the reason why GHL cannot be given it. A collection that states no currency is in its order's. Nothing of
-- this can be taken back once GHL has it, so that every doubt is a reason.
create or replace temp table canonical_collections as
with collected as (
    select
        collection_key as key, min(order_key) as order_key, substr(min(order_key), 11) as order_id,
        arg_min_null(amount_text, connection) as amount_text, arg_min_null(currency, connection) as currency,
        arg_min_null(mode, connection) as mode, min(collected_at) as collected_at, min(read_at) as read_at
    from actual.collections
    where location_id = $location_id and order_key like 'ghl:order:%'
    group by collection_key
),

charged as (
    select
        t.entity_id as order_id, sum(t.amount_minor)::bigint as paid_minor, min(t.currency) as lowest_currency,
        max(t.currency) as highest_currency, bool_or(t.amount_minor is null or t.refunded_minor is null) as is_inexact,
        bool_or(t.status = 'refunded' or t.refunded_minor > 0) as is_refunded
    from staging.transactions as t
    semi join collected as c on c.order_id = t.entity_id
    where t.location_id = $location_id and t.live and t.entity_type = 'order' and t.status in ('succeeded', 'refunded')
        and not t.is_renewal and coalesce(t.amount_minor, 0) >= 0
    group by t.entity_id
),

unreadable as (
    select distinct (payload ->> '$.entityId') as order_id
    from staging.quarantine where owner = $location_id and table_name = 'staging.transactions'
),

recorded as (
    select key, min(currency) as currency from actual.records
    where system = 'ghl' and record_type = 'order_payment' and location_id = $location_id and key is not null
    group by key
),

known as (
    select distinct key from actual.known_keys where record_type = 'order_payment' and location_id = $location_id
),

sized as (
    select
        c.*, o.order_id is not null as is_known, o.live as order_live, o.has_detail, o.created_at as order_created_at,
        o.updated_at as order_updated_at, o.currency as order_currency, o.payment_status, lower(o.status) as order_status,
        o.amount_minor as order_minor, coalesce(c.currency, o.currency, r.currency) as told_currency, e.exponent,
        amount_state(c.amount_text, e.exponent) as amount_state, to_minor(c.amount_text, e.exponent) as amount_minor,
        o.amount_minor - coalesce(p.paid_minor, 0) as due_minor, p.lowest_currency, p.highest_currency,
        coalesce(p.is_inexact, false) or u.order_id is not null as is_inexact, coalesce(p.is_refunded, false) as is_refunded,
        r.key is not null as is_recorded, k.key is not null as was_recorded
    from collected as c
    left join staging.orders as o on o.location_id = $location_id and o.order_id = c.order_id
    left join recorded as r on r.key = c.key
    left join ops.currencies as e on e.code = coalesce(c.currency, o.currency, r.currency)
    left join charged as p on p.order_id = c.order_id
    left join unreadable as u on u.order_id = c.order_id
    left join known as k on k.key = c.key
),

judged as (
    select *, case
        when is_recorded then null
        when not is_known then 'GHL has no order that could be read with the id of this collection'
        when not order_live then 'its order is in test mode'
        when was_recorded then 'it was recorded in GHL before, and no payment of its order shows it any more'
        when coalesce(mode, 'cash') <> 'cash' then 'it was not collected in cash'
        when told_currency <> order_currency
            then 'it was collected in ' || told_currency || ', its order is in ' || order_currency
        when amount_state = 'sub_minor' then 'the amount collected has more decimals than ' || told_currency || ' has'
        when amount_state <> 'exact' then 'the amount collected cannot be read'
        when amount_minor <= 0 then 'the amount collected is not above zero'
        when order_minor is null then 'the amount of its order has more decimals than ' || order_currency || ' has'
        when not has_detail then 'its order has not been read in full yet'
        when order_status in ('canceled', 'cancelled') then 'its order was cancelled'
        when is_inexact then 'a payment of its order cannot be read exactly'
        when lowest_currency <> order_currency or highest_currency <> order_currency
            then 'a payment of its order is in another currency'
        when is_refunded or payment_status = 'refunded' then 'a payment of its order was paid back; a person must say what is due'
        when payment_status = 'paid' or due_minor <= 0 then 'its order is already paid in GHL'
        when amount_minor > due_minor
            then 'more was collected (' || amount_minor || ' minor units) than is due in GHL (' || due_minor || ')'
    end as own_reason
    from sized
),

-- Of several collections of one order the earlier ones come first; those beyond what is due are for a person.
summed as (
    select *, sum(case when not is_recorded and own_reason is null then amount_minor else 0 end) over (
        partition by order_id order by collected_at nulls last, key rows unbounded preceding
    )::bigint as together_minor
    from judged
)

select
    $location_id as location_id, true as live, key, order_key, order_id, amount_minor, amount_text,
    major_text(amount_minor, exponent) as amount_plain, told_currency as currency,
    greatest(due_minor, 0)::bigint as due_minor, coalesce(mode, 'cash') as mode, collected_at,
    'Cash collected on delivery' as note, coalesce(order_created_at, collected_at, read_at) as created_at,
    coalesce(collected_at, order_updated_at, read_at) as updated_at,
    coalesce(own_reason, case
        when not is_recorded and together_minor > due_minor
            then 'with the other collections of its order more was collected (' || together_minor
                || ' minor units) than is due in GHL (' || due_minor || ')'
    end) as reason
from summed;
