-- Every change with its last word: what was to be written, how often it was tried, and how it stands.
create or replace view reports.push_log as
select
    c.change_id, c.location_id, c.system, c.connection, c.record_type, c.key, c.operation,
    coalesce(c.irreversible, false) as irreversible, c.fields, c.state, c.reason,
    c.native_id, c.amount_minor, c.currency, c.attempts, c.not_before, c.planned_at, c.moved_at,
    (select max(a.attempted_at) from outbox.attempts as a where a.change_id = c.change_id) as last_attempt_at
from outbox.changes as c;
