-- Details that open pushable diffs rest on and that are missing or out of date: markAsTest stands only there.
with touched as (
    select distinct split_part(key, ':', 2) as kind, split_part(key, ':', 3) as id
    from reconciliation.diffs
    where location_id = $location_id and state = 'open' and pushable and connection is not null
        and key like 'ghl:%'
)

select 'transaction_details' as stream, t.transaction_id as id
from staging.transactions as t
inner join touched as d on d.kind = 'txn' and d.id = t.transaction_id
where t.location_id = $location_id and not t.detail_is_current
union
select 'subscription_details', s.subscription_id
from staging.subscriptions as s
inner join touched as d on d.kind = 'sub' and d.id = s.subscription_id
where s.location_id = $location_id and not s.detail_is_current
union
select 'order_details', o.order_id
from staging.orders as o
inner join touched as d on d.kind = 'order' and d.id = o.order_id
where o.location_id = $location_id and not o.detail_is_current
union
select 'order_details', o.order_id
from staging.fulfillments as f
inner join touched as d on d.kind = 'fulfillment' and d.id = f.fulfillment_id
inner join staging.orders as o on o.location_id = f.location_id and o.order_id = f.order_id
where f.location_id = $location_id and not o.detail_is_current
order by 1, 2;
