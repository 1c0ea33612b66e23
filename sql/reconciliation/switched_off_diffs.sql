-- What a person has not switched on is found and shown like any other difference, and can close by no change.
update target_diffs as t set pushable = false, reason = o.off_reason
from target_types as o
where o.record_type = t.record_type and o.off_reason is not null and t.pushable;
