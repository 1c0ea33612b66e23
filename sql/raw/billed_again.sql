-- Of the named orders and invoices those that are billed again and again, with the subscription a charge names, if any.
select (doc ->> '$.entityId') as entity_id, nullif(doc ->> '$.subscriptionId', '') as subscription_id
from raw.transactions
where location_id = $location_id and is_current and list_contains($ids::varchar[], (doc ->> '$.entityId'))
    and coalesce((doc ->> '$.subscriptionId'), '') <> ''
union
select id, null
from raw.order_details
where location_id = $location_id and is_current and list_contains($ids::varchar[], id)
    and list_contains((doc ->> '$.items[*].price.type'), 'recurring')
union
select (doc ->> '$.entityId'), null
from raw.subscriptions
where location_id = $location_id and is_current and list_contains($ids::varchar[], (doc ->> '$.entityId'))
order by 1, 2;
