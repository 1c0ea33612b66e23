-- Parcels as mappings see them: one row a readable fulfillment of an order that could be read, in test mode where that is.
create or replace temp table canonical_fulfillments as
select
    f.location_id, o.live, f.fulfillment_id, 'ghl:fulfillment:' || f.fulfillment_id as key,
    f.order_id, 'ghl:order:' || f.order_id as order_key, o.contact_id, 'ghl:contact:' || o.contact_id as contact_key,
    nullif(f.trackings, '') as tracking, f.items, plain_text(f.quantity) as quantity,
    null::bigint as amount_minor, null::varchar as currency, null::varchar as reason,
    f.created_at, coalesce(f.updated_at, f.created_at) as updated_at
from staging.fulfillments as f
inner join staging.orders as o on o.location_id = f.location_id and o.order_id = f.order_id
where f.location_id = $location_id;
