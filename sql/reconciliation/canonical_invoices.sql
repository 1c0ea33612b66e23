-- Charges grouped by what they pay for: one row an order, a GHL invoice, or a charge that stands alone.
create or replace temp table canonical_invoices as
with firsts as (
    select
        location_id, live, invoice_key, arg_min(currency, (created_at, transaction_id)) as currency,
        arg_min(contact_id, (created_at, transaction_id)) as contact_id,
        arg_min(coalesce(charge_id, transaction_id), (created_at, transaction_id)) as reference,
        min(created_at) as created_at, max(updated_at) as updated_at
    from canonical_charges
    where reason is null
    group by location_id, live, invoice_key
),

sums as (
    select f.invoice_key, f.live, sum(c.amount_minor)::bigint as charged_minor
    from firsts as f
    inner join canonical_charges as c
        on c.invoice_key = f.invoice_key and c.live = f.live and c.currency = f.currency and c.reason is null
    group by f.invoice_key, f.live
),

joined as (
    select
        f.location_id, f.live, f.invoice_key as key, f.currency, f.reference, f.created_at, f.updated_at,
        coalesce(case when o.reason is null then o.contact_id end, f.contact_id) as contact_id,
        case when o.reason is null then o.key end as order_key,
        case when o.amount_minor <> 0 and o.currency = f.currency then o.amount_minor else s.charged_minor end
            as amount_minor,
        'GHL ' || case split_part(f.invoice_key, ':', 2)
            when 'txn' then 'transaction' else split_part(f.invoice_key, ':', 2)
        end || ' ' || split_part(f.invoice_key, ':', 3) as title
    from firsts as f
    inner join sums as s on s.invoice_key = f.invoice_key and s.live = f.live
    left join canonical_orders as o on o.key = f.invoice_key and o.live = f.live
)

select
    j.*, 'ghl:contact:' || j.contact_id as contact_key,
    to_json([{name: j.title, quantity: '1', price: major_text(j.amount_minor, c.exponent)}])::varchar as lines
from joined as j
left join ops.currencies as c on c.code = j.currency;
