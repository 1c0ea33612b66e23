-- Merged contacts: every id a contact has had -> the id it has now, along chains of merges.
create or replace temp table candidate as
with recursive merges as (
    select
        (doc ->> '$.mergedFromContactId') as alias_id,
        max_by((doc ->> '$.contactId'), (coalesce(instant(doc ->> '$.createdAt'), timestamp '1970-01-01'), id)) as contact_id
    from raw.transactions
    where location_id = $location_id and is_current
        and coalesce((doc ->> '$.mergedFromContactId'), '') <> '' and coalesce((doc ->> '$.contactId'), '') <> ''
        and (doc ->> '$.mergedFromContactId') <> (doc ->> '$.contactId')
    group by all
),

chains as (
    select alias_id, contact_id, 1 as depth from merges
    union all
    select c.alias_id, m.contact_id, c.depth + 1
    from chains as c inner join merges as m on c.contact_id = m.alias_id
    where c.depth < 10
)

select $location_id as location_id, alias_id, arg_max(contact_id, depth) as contact_id, null::json as payload
from chains
group by alias_id;
