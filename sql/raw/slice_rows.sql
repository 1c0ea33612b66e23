-- One slice's landing file -> its rows, those of the last attempt only; a row seen on two pages counts once.
create or replace temp table slice_rows as
with pages as (
    select body, (envelope ->> '$.attempt')::integer as attempt
    from read_json(
        $landing, format = 'newline_delimited', compression = 'zstd', maximum_object_size = 16777216,
        columns = {envelope: 'JSON', body: 'JSON', text: 'VARCHAR'}
    )
    where (envelope ->> '$.kind') = 'list' and body is not null
),

documents as (
    select unnest(from_json((body -> '$.data'), '["JSON"]')) as doc
    from pages
    where attempt = (select max(attempt) from pages)
),

read as (select doc, json_extract_string(doc, ['$._id', '$.createdAt', '$.updatedAt']) as texts from documents),

single as (
    select texts[1] as id, any_value(doc) as doc, any_value(texts) as texts
    from read where coalesce(texts[1], '') <> '' group by texts[1]
    union all
    select null, doc, any_value(texts) from read where coalesce(texts[1], '') = '' group by doc
)

select
    id, doc, md5(doc::varchar) as content_hash, date_trunc('month', instant(texts[2]))::date as month,
    instant(texts[3]) as updated_at
from single;
