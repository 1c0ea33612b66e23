-- What came back for each sent change: `sent` (2xx), `refused`, `unknown`, or `approved` again (nothing was applied).
update outbox.changes as c set
    state = r.outcome, moved_at = $as_of, native_id = coalesce(r.native_id, c.native_id), reason = r.detail,
    tries = coalesce(r.tries, c.tries), not_before = r.not_before
from send_results as r
where c.change_id = r.change_id and c.state = 'claimed';

insert into outbox.attempts
select r.change_id, c.attempts, 'send', r.outcome, r.status, r.native_id, r.detail, $as_of
from send_results as r inner join outbox.changes as c on c.change_id = r.change_id;
