-- At the start of a push: whatever was claimed or sent and has no verdict was cut off; nobody knows its outcome.
update outbox.changes set state = 'unknown', moved_at = $as_of, reason = 'the push was cut off before the answer was recorded'
where connection = $connection and location_id = $location_id and state in ('claimed', 'sent');

select c.change_id, c.record_type, c.key, c.operation, c.native_id, c.attempts
from outbox.changes as c
where c.connection = $connection and c.location_id = $location_id and c.state = 'unknown'
order by c.planned_at, c.change_id;
