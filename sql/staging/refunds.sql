-- One row a refund, read off successive values of a transaction's cumulative amountRefunded.
create or replace temp table candidate as
with seen as (
    select
        t.location_id, s.live, t.id as transaction_id, s.currency, t.valid_from as seen_at,
        to_minor(coalesce((t.doc ->> '$.amountRefunded'), '0'), c.exponent) as refunded_minor
    from raw.transactions as t
    inner join staging.transactions as s on s.location_id = t.location_id and s.transaction_id = t.id
    inner join ops.currencies as c on c.code = s.currency
    where t.location_id = $location_id
),

steps as (
    select
        *,
        refunded_minor - coalesce(
            max(refunded_minor) over (
                partition by transaction_id order by seen_at rows between unbounded preceding and 1 preceding
            ), 0
        ) as step_minor
    from seen
)

select
    location_id, live, transaction_id,
    row_number() over (partition by transaction_id order by seen_at)::integer as refund_number,
    step_minor as amount_minor, currency, seen_at, null::json as payload
from steps
where step_minor > 0;
