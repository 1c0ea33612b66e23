-- Open differences of live records in money, by where they are and what they are. The same order can stand behind a
-- sales order, an invoice and a payment, so sums are per record type and never across them.
create or replace view reports.money_at_risk as
select
    d.location_id, d.system, d.record_type, d.kind, d.class, d.currency, count(*) as differences,
    sum(d.amount_minor)::bigint as amount_minor, min(d.first_seen) as oldest
from reconciliation.diffs as d
where d.state = 'open' and d.live and d.amount_minor is not null
group by all;
