-- One row a contact: what it ordered, paid, owes and subscribes to. A total is null where it would add up two currencies
-- (`currency` is then 'mixed') or where a refund cannot be held exactly: an unknown total is not a smaller one.
create or replace temp table canonical_rollups as
with ordered as (
    select
        live, contact_id, arg_max(order_id, (created_at, order_id)) as last_order_id, count(*) as order_count,
        min(created_at) as first_order_at, max(created_at) as last_order_at, max(updated_at) as updated_at
    from canonical_orders
    where reason is null
    group by live, contact_id
),

-- A charge in another currency than its invoice counts: no target can hold it, but the contact did pay it.
taken as (
    select live, contact_id, invoice_key, currency, amount_minor - refund_minor as net_minor, updated_at
    from canonical_charges
    where amount_minor is not null and contact_id is not null
),

paid as (
    select live, contact_id, case when count(net_minor) = count(*) then sum(net_minor)::bigint end as net_minor,
        max(updated_at) as updated_at
    from taken
    group by live, contact_id
),

-- What an order was paid by its own charges, whoever paid; renewals pay invoices of their own.
settled as (
    select live, invoice_key, currency, case when count(net_minor) = count(*) then sum(net_minor)::bigint end as net_minor
    from taken
    group by live, invoice_key, currency
),

-- Nothing is due on an order that was cancelled or paid back as a whole.
owed as (
    select
        o.live, o.contact_id,
        case when s.invoice_key is not null and s.net_minor is null then null
            else greatest(o.amount_minor - coalesce(s.net_minor, 0), 0) end as due_minor
    from canonical_orders as o
    left join settled as s on s.live = o.live and s.invoice_key = o.key and s.currency = o.currency
    where o.reason is null and coalesce(lower(o.status), '') not in ('canceled', 'cancelled')
        and o.payment_status is distinct from 'refunded'
),

due as (
    select live, contact_id, case when count(due_minor) = count(*) then sum(due_minor)::bigint end as due_minor
    from owed
    group by live, contact_id
),

currencies as (
    select live, contact_id, case when count(distinct currency) = 1 then min(currency) else 'mixed' end as currency
    from (
        select live, contact_id, currency from canonical_orders where reason is null
        union all
        select live, contact_id, currency from taken
    )
    group by live, contact_id
),

-- First what a person must look into, then what is alive, then what is over; a status unknown to us is not over.
ranks as (
    select unnest(['past_due', 'unpaid', 'incomplete', 'pending', 'trialing', 'active', 'paused', 'expired', 'canceled'])
            as status,
        unnest([1, 2, 3, 4, 5, 6, 7, 9, 10]) as rank
),

subscribed as (
    select
        s.live, s.contact_id, arg_min(s.status, (coalesce(r.rank, 8), s.status)) as status,
        min(s.next_billing_at) as next_billing_at, max(s.updated_at) as updated_at
    from (
        select live, contact_id, next_billing_at, updated_at,
            case lower(status) when 'cancelled' then 'canceled' else lower(status) end as status
        from canonical_subscriptions
    ) as s
    left join ranks as r on r.status = s.status
    where s.contact_id is not null
    group by s.live, s.contact_id
)

select
    n.location_id, n.live, n.contact_id, n.key, n.name, n.first_name, n.last_name, n.email, n.phone,
    o.last_order_id, coalesce(o.order_count, 0) as order_count, k.currency,
    case when k.currency <> 'mixed' and p.contact_id is null then 0 when k.currency <> 'mixed' then p.net_minor end
        as lifetime_minor,
    case when k.currency <> 'mixed'
        then major_text(case when p.contact_id is null then 0 else p.net_minor end, c.exponent) end as lifetime_text,
    case when k.currency <> 'mixed' and d.contact_id is null then 0 when k.currency <> 'mixed' then d.due_minor end
        as amount_due_minor,
    coalesce(s.status, 'none') as billing_status, s.next_billing_at, o.last_order_at, o.first_order_at,
    n.created_at, n.updated_at, greatest(o.updated_at, p.updated_at, s.updated_at) as rollup_updated_at
from canonical_contacts as n
left join ordered as o on o.live = n.live and o.contact_id = n.contact_id
left join paid as p on p.live = n.live and p.contact_id = n.contact_id
left join due as d on d.live = n.live and d.contact_id = n.contact_id
left join currencies as k on k.live = n.live and k.contact_id = n.contact_id
left join subscribed as s on s.live = n.live and s.contact_id = n.contact_id
left join ops.currencies as c on c.code = k.currency;
