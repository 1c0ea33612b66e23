-- Subscriptions as mappings see them: one row a readable subscription, with `reason` set where no target could hold it.
-- A target has its contacts from orders and charges, so a subscription of somebody without either has nobody to stand at.
create or replace temp table canonical_subscriptions as
with begun as (
    select *, case when entity_type = 'order' then entity_id end as order_id
    from staging.subscriptions
    where location_id = $location_id
),

owned as (
    select s.*, coalesce(s.contact_id, o.contact_id) as owner_id
    from begun as s
    left join staging.orders as o on o.location_id = s.location_id and o.order_id = s.order_id and o.live = s.live
)

select
    s.location_id, s.live, s.subscription_id, 'ghl:sub:' || s.subscription_id as key,
    s.owner_id as contact_id, 'ghl:contact:' || s.owner_id as contact_key,
    s.order_id, case when o.reason is null then o.key end as order_key,
    s.amount_minor, s.amount_text, major_text(s.amount_minor, c.exponent) as amount_plain, s.currency, s.status,
    s.plan, s.interval_text, s.starts_at, s.ends_at, s.cancelled_at, s.next_billing_at,
    s.provider_subscription_id, s.created_at, s.updated_at,
    case
        when s.amount_minor is null then 'the amount has more decimals than ' || s.currency || ' has'
        when s.owner_id is null then 'the subscription has no contact'
        when n.key is null then 'the contact has neither an order nor a charge'
    end as reason
from owned as s
left join ops.currencies as c on c.code = s.currency
left join canonical_orders as o on o.order_id = s.order_id and o.live = s.live
left join canonical_contacts as n on n.contact_id = s.owner_id and n.live = s.live;
