-- slice_rows -> versions in raw.STREAM. A row older than the one held (a stale answer) changes nothing.
create or replace temp table slice_news as
select p.*
from slice_rows as p
left join raw.STREAM as t on t.location_id = $location_id and t.id = p.id and t.is_current
where coalesce(p.id, '') <> ''
    and (t.id is null or (
        t.content_hash <> p.content_hash
        and not coalesce(p.updated_at < instant(t.doc ->> '$.updatedAt'), false)
    ));

update raw.STREAM as t set is_current = false
from slice_news as p
where t.location_id = $location_id and t.id = p.id and t.is_current;

insert into raw.STREAM (location_id, id, content_hash, doc, valid_from, is_current, month, landing)
select $location_id, id, content_hash, doc, $scanned_at, true, month, $landing from slice_news;

update raw.STREAM as t set absent_at = null
where t.location_id = $location_id and t.is_current and t.absent_at is not null
    and t.id in (select id from slice_rows where id is not null);

select count(*) from slice_news;
