-- Every open difference with its money, its age and what a person can do about it.
create or replace view reports.open_diffs as
select
    d.location_id, d.live, d.system, d.connection, d.record_type, d.key, d.kind, d.class, d.reason, d.fields,
    d.native_ids, d.amount_minor, d.currency,
    case when d.amount_minor is not null
        then (d.amount_minor / ([1, 10, 100, 1000, 10000][c.exponent + 1])::decimal(9, 0))::decimal(20, 4) end as amount,
    d.pushable, d.first_seen, d.last_seen, date_diff('day', d.first_seen, d.last_seen) as age_days,
    k.meaning, k.remedy, d.diff_id
from reconciliation.diffs as d
left join ops.diff_kinds as k on k.kind = d.kind
left join ops.currencies as c on c.code = d.currency
where d.state = 'open';
