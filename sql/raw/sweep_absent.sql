-- After a sweep that found every row the API counts: months it did not have to read hold no rows any more. Rows held
-- there have left the lists (and are asked for by id before that counts), and their old certificates are void.
create or replace temp table unread_months as
select s.month
from raw.slices as s
where s.location_id = $location_id and s.stream = 'STREAM' and s.scanned_at <> $swept_at and (
    select bool_and(r.complete) from raw.slices as r
    where r.location_id = $location_id and r.stream = 'STREAM' and r.scanned_at = $swept_at
);

update raw.STREAM as t set absent_at = $swept_at
where t.location_id = $location_id and t.is_current and t.absent_at is null
    and t.month in (select month from unread_months);

update raw.slices as s set
    total_first = 0, total_last = 0, row_count = 0, unique_ids = 0, unidentified = 0, outside = 0, pages = 0, requests = 0,
    complete = true, reason = null, scanned_at = $swept_at
where s.location_id = $location_id and s.stream = 'STREAM' and s.month in (select month from unread_months);
