-- What every verdict rests on: slices of GHL, lists of targets, and rows in quarantine.
create or replace view reports.completeness as
select 'ghl slice' as kind, location_id as owner, stream as name, month, row_count as rows, complete, reason,
    scanned_at as checked_at
from raw.slices
union all
select 'ghl total', location_id, stream, null, sum_of_slices, sum_of_slices = unfiltered_total,
    'date filter: ' || coalesce(filter_verdict, 'not judged'), swept_at
from raw.sweeps
union all
select 'target list', connection, record_type, null, rows, complete, coalesce(reason, limits), read_at
from actual.reads
union all
select 'quarantine', owner, table_name, null, count(*), false, rule, max(last_seen)
from staging.quarantine group by owner, table_name, rule;
