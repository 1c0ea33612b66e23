-- GHL against itself: orders against their own charges, charges against their orders. Live and test rows are judged
-- apart, and only where complete slices stand behind the judgement.
create or replace temp table invariant_rows as
with scope as (
    select
        coalesce(bool_and(complete) filter (where stream = 'transactions'), false) as transactions_complete,
        min(month) filter (where stream = 'transactions') as transactions_from,
        count(*) filter (where stream = 'transactions') = datediff(
            'month', min(month) filter (where stream = 'transactions'), max(month) filter (where stream = 'transactions')
        ) + 1 as transactions_gapless,
        coalesce(bool_and(complete) filter (where stream = 'orders'), false) as orders_complete,
        -- A full sweep that found every row the API counts proves that months without a slice are empty.
        coalesce((
            select s.sum_of_slices = s.unfiltered_total from raw.sweeps as s
            where s.location_id = $location_id and s.stream = 'transactions'
        ), false) as transactions_whole
    from raw.slices where location_id = $location_id
),

unreadable as (
    select (payload ->> '$.entityId') as order_id
    from staging.quarantine where owner = $location_id and table_name = 'staging.transactions'
        and (payload ->> '$.entityType') = 'order'
    union
    select entity_id from staging.transactions
    where location_id = $location_id and entity_type = 'order' and (amount_minor is null or refunded_minor is null)
),

charged as (
    select live, entity_id as order_id, count(*) as charges, sum(amount_minor)::bigint as paid_minor,
        sum(case when status = 'refunded' and refunded_minor = 0 then amount_minor else refunded_minor end)
            ::bigint as refunded_minor,
        min(currency) as lowest_currency, max(currency) as highest_currency
    from staging.transactions
    where location_id = $location_id and entity_type = 'order' and status in ('succeeded', 'refunded') and not is_renewal
        and coalesce(amount_minor, 0) >= 0
    group by live, entity_id
),

judged as (
    select o.location_id, o.live, 'ghl:order:' || o.order_id as key, o.amount_minor, o.currency,
        o.payment_status, c.charges, coalesce(c.paid_minor, 0) as paid_minor,
        coalesce(c.refunded_minor, 0) as refunded_minor,
        c.charges > 0 and (c.lowest_currency <> o.currency or c.highest_currency <> o.currency) as mixed
    from staging.orders as o
    left join charged as c on c.order_id = o.order_id and c.live = o.live
    cross join scope as s
    where o.location_id = $location_id and o.amount_minor <> 0
        and o.updated_at <= $as_of::timestamp - to_seconds($lag_seconds::bigint)
        and o.order_id not in (select order_id from unreadable where order_id is not null)
        and s.transactions_complete and (s.transactions_whole or (
            s.transactions_gapless and s.transactions_from <= date_trunc('month', o.created_at)
        ))
),

named as (
    select *,
        case
            when charges is null and payment_status in ('paid', 'partially_paid', 'refunded')
                then 'paid_without_transaction'
            when charges > 0 and (
                mixed or (payment_status in ('paid', 'refunded') and paid_minor <> amount_minor)
                or paid_minor > amount_minor
            ) then 'amount_not_tied'
            when (payment_status = 'unpaid' and paid_minor > 0)
                or (payment_status = 'partially_paid' and paid_minor = amount_minor)
                or (payment_status = 'paid' and paid_minor > 0 and refunded_minor = paid_minor)
                or (payment_status = 'refunded' and charges > 0 and refunded_minor < paid_minor)
                then 'payment_status_disagrees'
        end as kind
    from judged
)

select location_id, live, 'order' as record_type, key, kind,
    case when kind = 'amount_not_tied' and not mixed then abs(paid_minor - amount_minor) else amount_minor end
        as amount_minor,
    currency,
    case kind
        when 'paid_without_transaction' then 'payment status ' || payment_status || ', no charge'
        when 'amount_not_tied' then case when mixed then 'a charge is in another currency'
            else 'charges add up to ' || paid_minor || ' of ' || amount_minor || ' minor units' end
        when 'payment_status_disagrees' then 'payment status ' || payment_status || ', charged ' || paid_minor
            || ', refunded ' || refunded_minor || ' of ' || amount_minor || ' minor units'
    end as reason
from named
where kind is not null
union all
select t.location_id, t.live, 'transaction', 'ghl:txn:' || t.transaction_id, 'transaction_without_order',
    t.amount_minor, case when t.amount_minor is not null then t.currency end,
    'GHL has no order ' || t.entity_id || ' (asked for by id)'
from staging.transactions as t
inner join raw.lookups as k
    on k.location_id = t.location_id and k.stream = 'order_details' and k.id = t.entity_id and k.status = 404
cross join scope as s
where t.location_id = $location_id and t.entity_type = 'order' and t.status in ('succeeded', 'refunded')
    and plain_decimal(t.amount_text) > 0 and s.orders_complete
    and t.updated_at <= $as_of::timestamp - to_seconds($lag_seconds::bigint)
    and not exists (
        select 1 from staging.orders as o where o.location_id = t.location_id and o.order_id = t.entity_id
    )
    and not exists (
        select 1 from staging.quarantine as q
        where q.owner = t.location_id and q.table_name = 'staging.orders' and q.record_key = t.entity_id
    );

delete from reconciliation.invariants where location_id = $location_id;
insert into reconciliation.invariants
select location_id, live, 'ghl', record_type, key, kind, amount_minor, currency, reason from invariant_rows;
