-- One row a contact seen on orders or transactions: the newest snapshot, else the list's name and e-mail address.
create or replace temp table candidate as
with seen as (
    select
        (doc ->> '$.contactId') as id, (doc -> '$.contactSnapshot') as snapshot, null as name, null as email,
        instant(doc ->> '$.updatedAt') as seen_at, 1 as rank
    from raw.order_details where location_id = $location_id and is_current
    union all
    select
        (doc ->> '$.contactId'), null, (doc ->> '$.contactName'), (doc ->> '$.contactEmail'),
        instant(doc ->> '$.updatedAt'), 0
    from raw.orders where location_id = $location_id and is_current
    union all
    select
        (doc ->> '$.contactId'), null, (doc ->> '$.contactName'), (doc ->> '$.contactEmail'),
        instant(doc ->> '$.updatedAt'), 0
    from raw.transactions where location_id = $location_id and is_current
),

named as (
    select
        coalesce(a.contact_id, s.id) as contact_id,
        blank_to_null(snapshot ->> '$.firstName') as first_name,
        blank_to_null(snapshot ->> '$.lastName') as last_name,
        coalesce(
            blank_to_null(snapshot ->> '$.companyName'), blank_to_null(snapshot ->> '$.name'),
            blank_to_null(concat_ws(' ', (snapshot ->> '$.firstName'), (snapshot ->> '$.lastName'))), blank_to_null(s.name)
        ) as name,
        coalesce(blank_to_null(snapshot ->> '$.email'), blank_to_null(s.email)) as email,
        blank_to_null(snapshot ->> '$.phone') as phone,
        seen_at, rank
    from seen as s
    left join staging.contact_aliases as a on a.location_id = $location_id and a.alias_id = s.id
    where coalesce(s.id, '') <> ''
)

select
    $location_id as location_id,
    contact_id,
    coalesce(arg_max(name, (rank, seen_at)), arg_max(email, (rank, seen_at)), 'Contact ' || contact_id) as name,
    arg_max(first_name, (rank, seen_at)) as first_name,
    arg_max(last_name, (rank, seen_at)) as last_name,
    arg_max(email, (rank, seen_at)) as email,
    arg_max(phone, (rank, seen_at)) as phone,
    max(seen_at) as seen_at,
    null::json as payload
from named
group by contact_id;
