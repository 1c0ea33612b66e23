-- Charges as mappings see them: succeeded or refunded, above zero, gross; `reason` where no target could hold one.
create or replace temp table canonical_charges as
with charges as (
    select
        t.*,
        coalesce(t.contact_id, o.contact_id) as payer_id,
        case
            when t.is_renewal then 'ghl:txn:' || t.transaction_id
            when t.entity_type = 'order' and t.entity_id is not null then 'ghl:order:' || t.entity_id
            when t.entity_type = 'invoice' and t.entity_id is not null then 'ghl:invoice:' || t.entity_id
            else 'ghl:txn:' || t.transaction_id
        end as invoice_key
    from staging.transactions as t
    left join staging.orders as o
        -- A condition on the left table alone would make this a nested loop.
        on o.location_id = t.location_id and o.live and o.order_id = case when t.entity_type = 'order' then t.entity_id end
    where t.location_id = $location_id and t.status in ('succeeded', 'refunded')
        and plain_decimal(t.amount_text) > 0
),

judged as (
    select *, case
        when amount_minor is null then 'the amount has more decimals than ' || currency || ' has'
        when payer_id is null then 'the charge has no contact'
    end as own_reason
    from charges
),

-- An invoice has one currency, that of its first charge; a target's payment has none of its own.
grouped as (
    select *, first_value(currency) over (
        partition by live, invoice_key, own_reason is null order by created_at, transaction_id
    ) as invoice_currency
    from judged
)

select
    location_id, live, transaction_id, 'ghl:txn:' || transaction_id as key, payer_id as contact_id,
    'ghl:contact:' || payer_id as contact_key, invoice_key, amount_minor, amount_text, currency,
    refunded_minor, status, entity_type, entity_id, subscription_id, charge_id, provider, is_renewal,
    created_at, updated_at,
    coalesce(
        own_reason,
        case when currency <> invoice_currency
            then 'the charge is in ' || currency || ', its invoice in ' || invoice_currency end
    ) as reason,
    case
        when status = 'refunded' and refunded_minor = 0 then amount_minor
        else refunded_minor
    end as refund_minor,
    status = 'refunded' or plain_decimal(refunded_text) is distinct from 0 as is_refunded
from grouped;

-- A charge or refund that no target record can hold, one row a transaction.
create or replace temp table canonical_exceptions as
select
    location_id, live, transaction_id, key, contact_key, currency, created_at, updated_at,
    case when reason is null then refund_minor else amount_minor end as amount_minor,
    concat_ws(
        '; ', reason,
        case when is_refunded then 'a refund has no settled form of its own in the target' end
    ) as reason
from canonical_charges
where reason is not null or is_refunded;
