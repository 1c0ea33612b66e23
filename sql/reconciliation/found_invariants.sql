-- The invariants of this turn in the shape of diffs.
create or replace temp table found_diffs as
select
    md5(concat_ws('|', location_id, live, system, record_type, key, kind, '')) as diff_id,
    location_id, live, system, null::varchar as connection, record_type, key, kind, null::varchar as class,
    '[]'::json as fields, '[]'::json as native_ids, amount_minor,
    case when amount_minor is not null then currency end as currency, reason, false as pushable
from reconciliation.invariants
where location_id = $location_id;
