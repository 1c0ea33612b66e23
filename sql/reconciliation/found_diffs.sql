-- The diffs of this turn, from the target comparisons (`target_diffs`) and the invariants, with their identity.
create or replace temp table found_diffs as
select
    md5(concat_ws('|', location_id, live, system, record_type, key, kind, coalesce(class, ''))) as diff_id, *
from (
    select $location_id as location_id, $live as live, $system as system, $connection as connection, record_type, key,
        kind, class, fields, to_json(native_ids) as native_ids, amount_minor, currency, reason, pushable
    from target_diffs
);
