-- One row a subscription: its newest list row, with markAsTest from the detail where one was fetched.
create or replace temp table candidate as
with listed as (
    select t.*
    from raw.subscriptions as t
    where t.location_id = $location_id and t.is_current
        and not exists (
            select 1 from raw.lookups as k
            where t.absent_at is not null and k.location_id = t.location_id and k.stream = 'subscription_details'
                and k.id = t.id and k.status = 404 and k.looked_up_at >= t.absent_at
        )
),

detailed as (select * from raw.subscription_details where location_id = $location_id and is_current)

select
    $location_id as location_id,
    coalesce(lower(l.doc ->> '$.liveMode') = 'true', false)
    and not coalesce(lower(d.doc ->> '$.markAsTest') = 'true', false) as live,
    l.id as subscription_id,
    blank_to_null(l.doc ->> '$.subscriptionId') as provider_subscription_id,
    coalesce(a.contact_id, blank_to_null(l.doc ->> '$.contactId')) as contact_id,
    to_minor((l.doc ->> '$.amount'), c.exponent) as amount_minor,
    (l.doc ->> '$.amount') as amount_text,
    (l.doc ->> '$.currency') as currency,
    (l.doc ->> '$.status') as status,
    (l.doc ->> '$.entityType') as entity_type,
    blank_to_null(l.doc ->> '$.entityId') as entity_id,
    instant(l.doc ->> '$.createdAt') as created_at,
    coalesce(instant(l.doc ->> '$.updatedAt'), instant(l.doc ->> '$.createdAt')) as updated_at,
    d.id is not null as has_detail,
    d.id is not null and d.list_hash is not distinct from l.content_hash as detail_is_current,
    l.content_hash,
    amount_state((l.doc ->> '$.amount'), c.exponent) as amount_state,
    json_type(l.doc -> '$.status') as status_type,
    l.doc as payload
from listed as l
left join detailed as d on d.id = l.id
left join ops.currencies as c on c.code = (l.doc ->> '$.currency')
left join staging.contact_aliases as a on a.location_id = $location_id and a.alias_id = (l.doc ->> '$.contactId');
