-- One slice's landing file -> its rows, those of the last attempt only; a row seen on two pages counts once.
create or replace temp table slice_rows as
with pages as (
    select envelope, body, (envelope ->> '$.attempt')::integer as attempt
    from read_json(
        $landing, format = 'newline_delimited', compression = 'zstd', maximum_object_size = 16777216,
        columns = {envelope: 'JSON', body: 'JSON', text: 'VARCHAR'}
    )
    where (envelope ->> '$.kind') = 'list' and body is not null
),

documents as (
    select
        unnest(from_json((body -> '$.data'), '["JSON"]')) as doc,
        (envelope ->> '$.offset')::bigint as page_offset
    from pages
    where attempt = (select max(attempt) from pages)
)

select
    (doc ->> '$._id') as id,
    any_value(doc order by page_offset) as doc,
    md5(any_value(doc order by page_offset)::varchar) as content_hash,
    date_trunc('month', instant(any_value((doc ->> '$.createdAt') order by page_offset)))::date as month,
    instant(any_value((doc ->> '$.updatedAt') order by page_offset)) as updated_at
from documents
group by case when coalesce((doc ->> '$._id'), '') = '' then md5(doc::varchar) else (doc ->> '$._id') end, (doc ->> '$._id');
