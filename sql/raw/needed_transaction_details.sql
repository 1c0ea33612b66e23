-- Transactions whose detail must be fetched before a change may rest on them (markAsTest stands only there): charges
-- that a target lacks or shows differently, those that left a complete list, and keys a target holds that no list has.
with listed as (select * from raw.transactions where location_id = $location_id and is_current),

charges as (
    select l.*,
        case
            when (l.doc ->> '$.entityType') in ('order', 'invoice')
                then 'ghl:' || (l.doc ->> '$.entityType') || ':' || (l.doc ->> '$.entityId')
        end as entity_key
    from listed as l
    where (l.doc ->> '$.status') in ('succeeded', 'refunded') and lower(l.doc ->> '$.liveMode') = 'true'
        and coalesce(plain_decimal(l.doc ->> '$.amount') <> 0, true)
),

held as (
    select key, any_value(amount_minor) as amount_minor, any_value(currency) as currency,
        any_value(instant(fields ->> '$.date')) as dated
    from actual.records where location_id = $location_id and key is not null
    group by key
)

select c.id
from charges as c
left join raw.transaction_details as d on d.location_id = $location_id and d.id = c.id and d.is_current
left join ops.currencies as e on e.code = (c.doc ->> '$.currency')
left join held as h on h.key = 'ghl:txn:' || c.id
left join held as i on i.key = c.entity_key
where (d.id is null or d.list_hash is distinct from c.content_hash) and (
        h.key is null or (c.entity_key is not null and i.key is null)
        or h.amount_minor is distinct from to_minor((c.doc ->> '$.amount'), e.exponent)
        or h.dated <> instant(c.doc ->> '$.createdAt')
    )
union
-- A test order may be marked in its detail only; then its charges are marked in theirs only.
select c.id
from charges as c
inner join raw.order_details as o
    on o.location_id = $location_id and o.is_current and o.id = (c.doc ->> '$.entityId')
    and lower((o.doc ->> '$.markAsTest')) = 'true'
left join raw.transaction_details as d on d.location_id = $location_id and d.id = c.id and d.is_current
where d.id is null or d.list_hash is distinct from c.content_hash
union
select id from listed where absent_at is not null
union
select split_part(key, ':', 3) from held
where key like 'ghl:txn:%' and split_part(key, ':', 3) not in (select id from listed where id is not null)
order by 1;
