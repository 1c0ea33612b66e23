-- Subscriptions whose detail must be fetched: some target wants their plan and dates, which stand only there; their
-- order's record in a target lacks their status or shows another; they left a complete list; or a target holds their key.
with listed as (select * from raw.subscriptions where location_id = $location_id and is_current)

select l.id
from listed as l
left join raw.subscription_details as d on d.location_id = $location_id and d.id = l.id and d.is_current
where l.absent_at is not null or (
    (d.id is null or d.list_hash is distinct from l.content_hash)
    and lower(l.doc ->> '$.liveMode') = 'true' and ($detailed or (l.doc ->> '$.entityType') = 'order')
    and ($detailed or not exists (
        select 1 from actual.records as r
        where r.location_id = $location_id and r.key = 'ghl:order:' || (l.doc ->> '$.entityId')
            and (r.fields ->> '$.subscription_status') = (l.doc ->> '$.status')
    ))
)
union
select split_part(key, ':', 3) from actual.records
where location_id = $location_id and key like 'ghl:sub:%'
    and split_part(key, ':', 3) not in (select id from listed where id is not null)
order by 1;
