-- Contacts that an order or a charge of the location needs; `updated_at` is the earliest need, so that a contact
-- of an old order is not taken for a new one.
create or replace temp table canonical_contacts as
with needed as (
    select location_id, live, contact_id, created_at, updated_at from canonical_orders where reason is null
    union all
    select location_id, live, contact_id, created_at, updated_at from canonical_charges where reason is null
)

select
    n.location_id, n.live, n.contact_id, 'ghl:contact:' || n.contact_id as key,
    coalesce(any_value(c.name), 'Contact ' || n.contact_id) as name,
    any_value(c.first_name) as first_name, any_value(c.last_name) as last_name,
    any_value(c.email) as email, any_value(c.phone) as phone, min(n.created_at) as created_at, min(n.updated_at) as updated_at
from needed as n
left join staging.contacts as c on c.location_id = n.location_id and c.contact_id = n.contact_id
group by n.location_id, n.live, n.contact_id;
