-- Live orders of GHL that nobody can bring to anybody, and why; what was cancelled or given back is left out.
create or replace view reports.not_deliverable as
with goods as (
    select location_id, order_id, count(*) filter (where coalesce(product_type, 'PHYSICAL') ilike '%PHYSICAL%') as physical
    from staging.order_items
    group by location_id, order_id
),

homes as (
    select
        location_id, id as order_id,
        coalesce(trim(doc ->> '$.contactSnapshot.address1'), '') <> '' and (
            coalesce(trim(doc ->> '$.contactSnapshot.city'), '') <> ''
            or coalesce(trim(doc ->> '$.contactSnapshot.postalCode'), '') <> ''
        ) as has_address
    from raw.order_details
    where is_current
)

select
    o.location_id, o.order_id, o.contact_id, o.created_at, o.status, o.payment_status, o.amount_minor, o.currency,
    case when g.physical = 0 then 'it has no physical item' else 'it has no address to bring it to' end as reason
from staging.orders as o
inner join goods as g on g.location_id = o.location_id and g.order_id = o.order_id
left join homes as h on h.location_id = o.location_id and h.order_id = o.order_id
where o.live and (g.physical = 0 or not coalesce(h.has_address, false))
    and coalesce(lower(o.status), '') not in ('canceled', 'cancelled', 'failed', 'refunded', 'expired')
    and coalesce(lower(o.payment_status), '') <> 'refunded';
