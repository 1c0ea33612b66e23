-- What was just read again completely, so that the lag window need not be waited out: list row and detail of the named
-- orders agree, and so do those of the charges and subscriptions that belong to them.
create or replace temp table read_again as
with orders as (
    select 'ghl:order:' || o.id as key, (o.doc ->> '$.contactId') as contact_id, instant(o.doc ->> '$.updatedAt') as updated_at
    from raw.orders as o
    inner join raw.order_details as d
        on d.location_id = o.location_id and d.id = o.id and d.is_current and d.list_hash = o.content_hash
    inner join raw.lookups as k
        on k.location_id = o.location_id and k.stream = 'order_details' and k.id = o.id and k.status = 200
        and k.looked_up_at >= $since
    where o.location_id = $location_id and o.is_current and o.absent_at is null and list_contains($named::varchar[], o.id)
        -- A list that lags behind the detail is not believed.
        and not coalesce(instant(o.doc ->> '$.updatedAt') < instant(d.doc ->> '$.updatedAt'), false)
),

charges as (
    select 'ghl:txn:' || t.id as key, (t.doc ->> '$.contactId') as contact_id, instant(t.doc ->> '$.updatedAt') as updated_at
    from raw.transactions as t
    inner join raw.transaction_details as d
        on d.location_id = t.location_id and d.id = t.id and d.is_current and d.list_hash = t.content_hash
    where t.location_id = $location_id and t.is_current and t.absent_at is null
        and list_contains($named::varchar[], (t.doc ->> '$.entityId'))
),

subscriptions as (
    select 'ghl:sub:' || s.id as key, (s.doc ->> '$.contactId') as contact_id, instant(s.doc ->> '$.updatedAt') as updated_at
    from raw.subscriptions as s
    inner join raw.subscription_details as d
        on d.location_id = s.location_id and d.id = s.id and d.is_current and d.list_hash = s.content_hash
    where s.location_id = $location_id and s.is_current and s.absent_at is null
        and list_contains($named::varchar[], (s.doc ->> '$.entityId'))
),

found as (from orders union all from charges union all from subscriptions)

select key, updated_at from found
union all
-- An invoice is a record of its own, that its charges pay.
select distinct 'ghl:invoice:' || (t.doc ->> '$.entityId'), instant(t.doc ->> '$.updatedAt')
from raw.transactions as t
where t.location_id = $location_id and t.is_current and (t.doc ->> '$.entityType') = 'invoice'
    and list_contains($named::varchar[], (t.doc ->> '$.entityId')) and 'ghl:txn:' || t.id in (select key from charges)
union all
select 'ghl:contact:' || coalesce(a.contact_id, f.contact_id), f.updated_at
from found as f
left join staging.contact_aliases as a on a.location_id = $location_id and a.alias_id = f.contact_id
where coalesce(f.contact_id, '') <> '';

insert into raw.refreshed
select $location_id, key, max(updated_at), $refreshed_at from read_again group by key
on conflict do update set
    updated_at = greatest(refreshed.updated_at, excluded.updated_at), refreshed_at = excluded.refreshed_at;

select count(*) from read_again;
