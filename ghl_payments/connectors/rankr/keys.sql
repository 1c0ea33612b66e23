-- For a receiver without a list: asked for is what GHL lists now, and what was once seen there under our key, by the
-- native id that it had. `read_back.per_run` bounds how many are asked for again without cause, those checked longest
-- ago first; what was never asked for, or changed in GHL since, is always asked for.
with candidates as (
    select 'order' as record_type, 'ghl:order:' || id as key, valid_from as changed_at
    from raw.orders
    where is_current and absent_at is null and location_id in (select location_id from target_locations)
        and coalesce(plain_decimal(doc ->> '$.amount') <> 0, true)
    union all
    select 'transaction', 'ghl:txn:' || id, valid_from
    from raw.transactions
    where is_current and absent_at is null and location_id in (select location_id from target_locations)
        and (doc ->> '$.status') in ('succeeded', 'refunded') and coalesce(plain_decimal(doc ->> '$.amount') > 0, true)
    union all
    select 'subscription', 'ghl:sub:' || id, valid_from
    from raw.subscriptions
    where is_current and absent_at is null and location_id in (select location_id from target_locations)
    union all
    select 'fulfillment', 'ghl:fulfillment:' || fulfillment_id, coalesce(updated_at, created_at)
    from staging.fulfillments
    where location_id in (select location_id from target_locations)
    union all
    select record_type, key, null from actual.known_keys where connection = $connection
),

known as (
    select record_type, split_part(native_id, '#', 1) as key, arg_max(native_id, read_at) as native_id,
        max(read_at) as read_at
    from actual.documents
    where connection = $connection
    group by all
),

asked as (
    select c.record_type, c.key, max(c.changed_at) as changed_at, any_value(k.native_id) as native_id,
        any_value(k.read_at) as read_at
    from candidates as c
    left join known as k on k.record_type = c.record_type and k.key = c.key
    group by c.record_type, c.key
),

ranked as (
    select *, read_at is null or coalesce(changed_at > read_at, false) as is_due,
        row_number() over (
            partition by read_at is null or coalesce(changed_at > read_at, false) order by read_at, record_type, key
        ) as place
    from asked
)

select record_type, coalesce(native_id, key) as native_id
from ranked
where capability('read_back') = 'get'
    and (is_due or place <= coalesce((option('read_back')::json ->> '$.per_run')::bigint, place))
order by all;
