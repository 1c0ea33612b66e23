-- A target's landing file (lists or single documents) -> actual.documents. Bodies are bare arrays or envelopes with
-- exactly one list beside `columns`; the client has made sure of that before the page was kept.
create or replace temp table read_pages as
select
    (envelope ->> '$.record_type') as record_type, (envelope ->> '$.kind') as kind,
    (envelope ->> '$.native_id') as asked_id, (envelope ->> '$.status')::integer as status,
    -- The member that holds a list row's native id, where it is not called `id`.
    '$.' || (envelope ->> '$.id_name') as id_path,
    coalesce((envelope ->> '$.attempt')::integer, 1) as attempt, body
from read_json(
    $landing, format = 'newline_delimited', compression = 'zstd', maximum_object_size = 16777216,
    columns = {envelope: 'JSON', body: 'JSON', text: 'VARCHAR'}
);

create or replace temp table read_rows as
with lists as (
    select record_type, id_path, case
        when json_type(body) = 'ARRAY' then body
        else json_extract(body, '$."' || list_extract(
            list_filter(json_keys(body), lambda k: k <> 'columns' and json_type(body -> ('$."' || k || '"')) = 'ARRAY'), 1
        ) || '"')
    end as items
    from read_pages as p
    where kind = 'list' and body is not null
        and attempt = (select max(attempt) from read_pages as q where q.record_type = p.record_type and q.kind = 'list')
),

listed as (select record_type, id_path, unnest(from_json(items, '["JSON"]')) as doc from lists),

single as (
    select record_type, asked_id, case when json_type(body) = 'ARRAY' and json_array_length(body) = 1 then (body -> '$[0]') else body end as doc
    from read_pages
    where kind <> 'list' and body is not null and coalesce(status, 200) = 200
)

select record_type, native_id, false as is_detail, any_value(doc) as doc
from (select record_type, doc, coalesce((doc ->> '$.id'), (doc ->> id_path)) as native_id from listed)
group by record_type, native_id
union all
select record_type, coalesce(asked_id, doc ->> '$.id'), true, any_value(doc)
from single where doc is not null group by record_type, coalesce(asked_id, doc ->> '$.id');

-- A list that was begun before a record was read singly (and so perhaps written) knows less than that reading.
insert into actual.documents
select
    $connection, record_type, native_id, doc, md5(doc::varchar), null::json, null::varchar, true, false, $read_at
from read_rows where not is_detail and native_id is not null
on conflict do update set
    list_doc = excluded.list_doc, list_hash = excluded.list_hash, present = true, absent_confirmed = false,
    read_at = excluded.read_at
where documents.read_at < $listed_from;

insert into actual.documents
select $connection, record_type, native_id, null::json, null::varchar, doc, null::varchar, true, false, $read_at
from read_rows where is_detail and native_id is not null
on conflict do update set
    detail_doc = excluded.detail_doc, detail_list_hash = documents.list_hash, present = true, absent_confirmed = false,
    read_at = excluded.read_at;

update actual.documents as t set present = false, read_at = $read_at
where t.connection = $connection and t.record_type = $whole and t.present and t.read_at < $listed_from
    and t.native_id not in (select native_id from read_rows where record_type = $whole and native_id is not null);

-- Asked for by id and answered 404: only now is it certain that the record is gone.
insert into actual.documents
select distinct $connection, record_type, asked_id, null::json, null::varchar, null::json, null::varchar, false, true, $read_at
from read_pages where kind <> 'list' and status = 404 and asked_id is not null
on conflict do update set present = false, absent_confirmed = true, read_at = excluded.read_at;

select count(*) from read_rows;
