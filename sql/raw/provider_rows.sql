-- The providers' landing file -> rows; the API answers a list or, by its documentation, a single object.
create or replace temp table slice_rows as
with documents as (
    select unnest(from_json(
        case json_type(body -> '$.providers')
            when 'ARRAY' then (body -> '$.providers')
            when 'OBJECT' then json_array(body -> '$.providers')
            else case when json_type(body) = 'ARRAY' then body else '[]'::json end
        end, '["JSON"]'
    )) as doc
    from read_json(
        $landing, format = 'newline_delimited', compression = 'zstd', maximum_object_size = 16777216,
        columns = {envelope: 'JSON', body: 'JSON', text: 'VARCHAR'}
    )
    where body is not null
)

select
    (doc ->> '$._id') as id, any_value(doc) as doc, md5(any_value(doc)::varchar) as content_hash, $month as month,
    instant(any_value(doc ->> '$.updatedAt')) as updated_at
from documents
group by (doc ->> '$._id');
