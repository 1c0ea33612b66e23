-- Per system, record type, currency and month (UTC, of the GHL record): what GHL wants, what the target holds, matched.
create or replace view reports.reconciliation_summary as
with disputed as (
    select distinct connection, location_id, record_type, key from reconciliation.diffs
    where state = 'open' and kind not in ('not_representable')
),

held as (
    select connection, location_id, record_type, key, count(*) as copies, min(currency) as currency,
        case when min(currency) = max(currency) then sum(amount_minor)::bigint end as amount_minor
    from actual.records where key is not null group by connection, location_id, record_type, key
)

select
    w.location_id, w.system, w.connection, w.record_type, w.currency,
    date_trunc('month', w.source_created_at)::date as month,
    count(*) as wanted, sum(w.amount_minor)::bigint as wanted_minor,
    count(h.key) as held, sum(h.amount_minor) filter (where h.currency = w.currency)::bigint as held_minor,
    count(*) filter (where h.copies = 1 and x.key is null) as matched,
    round(count(*) filter (where h.copies = 1 and x.key is null) / count(*), 4) as match_rate
from reconciliation.desired as w
left join held as h
    on h.connection = w.connection and h.location_id = w.location_id and h.record_type = w.record_type and h.key = w.key
left join disputed as x
    on x.connection = w.connection and x.location_id = w.location_id and x.record_type = w.record_type and x.key = w.key
where w.representable
group by all;
