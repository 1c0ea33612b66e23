create or replace temp table toy_deal_records as
select
    native_id, coalesce(detail_doc, list_doc) as doc, read_at, (coalesce(detail_doc, list_doc) ->> '$.reference') as key,
    (coalesce(detail_doc, list_doc) ->> '$.place') as location_id, null::varchar as currency, null::varchar as problem
from actual.documents
where connection = $connection and record_type = 'deal' and present;

create or replace temp table toy_dangling as
select native_id, ''::varchar as record_type, ''::varchar as key, ''::varchar as location_id from toy_deal_records where false;
