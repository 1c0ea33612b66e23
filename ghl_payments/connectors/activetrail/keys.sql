-- ActiveTrail cannot list orders: asked for are the orders that GHL lists now, and those once seen here under our key.
-- An account without a commerce area is not asked. `orders_per_run` bounds how many are asked for again without cause,
-- those checked longest ago first; what was never asked for, or changed in GHL since, is always asked for.
with candidates as (
    select id as native_id, max(valid_from) as changed_at
    from raw.orders
    where is_current and absent_at is null and location_id in (select location_id from target_locations)
    group by id
    union all
    select native_id, null from actual.known_keys
    where connection = $connection and record_type = 'commerce_order'
),

asked as (
    select c.native_id, max(c.changed_at) as changed_at, any_value(d.read_at) as read_at
    from candidates as c
    left join actual.documents as d
        on d.connection = $connection and d.record_type = 'commerce_order' and d.native_id = c.native_id
    group by c.native_id
),

ranked as (
    select *, read_at is null or coalesce(changed_at > read_at, false) as is_due,
        row_number() over (
            partition by read_at is null or coalesce(changed_at > read_at, false) order by read_at, native_id
        ) as place
    from asked
)

select 'commerce_order' as record_type, native_id
from ranked
where capability('commerce') = 'available' and (is_due or place <= coalesce(option('orders_per_run')::bigint, place))
order by all;
