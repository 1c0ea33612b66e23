-- Orders whose fulfillments must be read: changed since the last reading; and on a warm scan, because no contract
-- promises that a fulfillment touches its order, those that are recent or not yet fully fulfilled.
with listed as (
    select *, instant(doc ->> '$.createdAt') as created_at
    from raw.orders where location_id = $location_id and is_current and absent_at is null
),

progress as (
    select o.id,
        coalesce((
            select sum(try_cast((i ->> '$.qty') as double))
            from (select unnest(from_json((o.doc -> '$.items'), '["JSON"]')) as i)
            where coalesce((i ->> '$.product.productType'), 'PHYSICAL') = 'PHYSICAL'
        ), 0) as units,
        coalesce((
            select sum(f.quantity) from staging.fulfillments as f
            where f.location_id = $location_id and f.order_id = o.id
        ), 0) as shipped
    from raw.order_details as o where o.location_id = $location_id and o.is_current
)

select l.id
from listed as l
left join raw.fulfillments as f on f.location_id = $location_id and f.id = l.id and f.is_current
left join progress as p on p.id = l.id
where f.id is null or f.list_hash is distinct from l.content_hash
    or ($warm and (p.shipped < p.units or l.created_at > $as_of::timestamp - interval 30 days))
order by 1;
