-- A missing record whose required parent neither stands alone in the target nor is about to be written must wait.
create or replace temp table blocked as
with coming as (
    select record_type, key from target_diffs
    where kind = 'missing_in_target' and pushable and (record_type, key) not in (
        -- A parent that the target refused does not come by itself.
        select (record_type, key) from outbox.changes
        where connection = $connection and location_id = $location_id and state = 'refused' and operation = 'create'
    )
)

select t.record_type, t.key, min(p.parent_type) as parent_type
from target_diffs as t
inner join target_wanted as w on w.record_type = t.record_type and w.key = t.key and w.representable
inner join target_parents as p on p.record_type = t.record_type
left join target_found as f on f.record_type = p.parent_type and f.key = (w.parents ->> p.parent_type)
left join coming as m on m.record_type = p.parent_type and m.key = (w.parents ->> p.parent_type)
where t.kind = 'missing_in_target' and t.record_type = $record_type
    and not (coalesce(f.copies, 0) = 1 or m.key is not null)
group by t.record_type, t.key;

update target_diffs as t set pushable = false, reason = 'waits for its ' || b.parent_type || ', which cannot be written yet'
from blocked as b
where t.record_type = b.record_type and t.key = b.key and t.kind = 'missing_in_target';
