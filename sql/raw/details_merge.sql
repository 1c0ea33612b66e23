-- A landing file of single documents -> versions in raw.STREAM, and what each look-up by id was answered.
create or replace temp table detail_rows as
select
    (envelope ->> '$.id') as id,
    (envelope ->> '$.status')::integer as status,
    any_value(body) as doc,
    md5(any_value(body)::varchar) as content_hash,
    max(instant(envelope ->> '$.fetched_at')) as fetched_at
from read_json(
    $landing, format = 'newline_delimited', compression = 'zstd', maximum_object_size = 16777216,
    columns = {envelope: 'JSON', body: 'JSON', text: 'VARCHAR'}
)
where (envelope ->> '$.kind') = 'detail'
group by (envelope ->> '$.id'), (envelope ->> '$.status')::integer;

-- Another run may have asked later and loaded sooner: what it was answered stands.
delete from detail_rows as r
using raw.lookups as k
where k.location_id = $location_id and k.stream = 'STREAM' and k.id = r.id and k.looked_up_at > r.fetched_at;

insert or replace into raw.lookups
select $location_id, 'STREAM', id, status, coalesce(fetched_at, $scanned_at) from detail_rows where status in (200, 404);

create or replace temp table detail_docs as
select r.*, l.content_hash as list_hash, l.month
from detail_rows as r
left join LIST_TABLE as l on l.location_id = $location_id and l.id = r.id and l.is_current
where r.status = 200 and r.doc is not null;

update raw.STREAM as t set list_hash = p.list_hash
from detail_docs as p
where t.location_id = $location_id and t.id = p.id and t.is_current and t.content_hash = p.content_hash
    and t.list_hash is distinct from p.list_hash;

create or replace temp table detail_news as
select p.*
from detail_docs as p
left join raw.STREAM as t on t.location_id = $location_id and t.id = p.id and t.is_current
where t.id is null or t.content_hash <> p.content_hash;

update raw.STREAM as t set is_current = false
from detail_news as p
where t.location_id = $location_id and t.id = p.id and t.is_current;

insert into raw.STREAM (location_id, id, content_hash, doc, valid_from, is_current, month, list_hash, landing)
select $location_id, id, content_hash, doc, $scanned_at, true, month, list_hash, $landing from detail_news;

select count(*) from detail_news;
