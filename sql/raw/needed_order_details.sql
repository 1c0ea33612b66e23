-- Orders whose detail must be fetched: new or changed since the last one, gone from a complete list, carried as a key
-- by a target's record, or named by a charge, without GHL's list having them.
with targets as (
    select distinct split_part(key, ':', 3) as id from actual.records
    where location_id = $location_id and key like 'ghl:order:%'
),

charges as (
    select distinct (doc ->> '$.entityId') as id from raw.transactions
    where location_id = $location_id and is_current and (doc ->> '$.entityType') = 'order'
        and (doc ->> '$.status') in ('succeeded', 'refunded')
),

listed as (select * from raw.orders where location_id = $location_id and is_current)

select l.id
from listed as l
left join raw.order_details as d on d.location_id = $location_id and d.id = l.id and d.is_current
where d.id is null or d.list_hash is distinct from l.content_hash or l.absent_at is not null
union
select k.id
from (from targets union from charges) as k
where coalesce(k.id, '') <> '' and k.id not in (select id from listed where id is not null)
order by 1;
