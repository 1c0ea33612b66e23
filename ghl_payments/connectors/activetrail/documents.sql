-- ActiveTrail's documents as one row a record. A contact's key and location stand in two of its slots, an order's id is
-- GHL's own and its location stands in ext9. Without a location neither is ours.
create or replace temp table activetrail_documents as
select
    connection, record_type, native_id, read_at, present, absent_confirmed,
    -- Contacts come as list rows only, orders as single answers only.
    coalesce(list_doc, detail_doc) as doc
from actual.documents
where connection = $connection;

-- A slot of the account's contact fields, by the option that names it.
create or replace temp macro activetrail_text(d, o) as blank_to_null(d ->> ('$.' || option(o)));
-- Dates have no zone: they are compared as days. The first day of the calendar is how the vendor's platform says none.
create or replace temp macro activetrail_date(t) as nullif(left(blank_to_null(t), 10), '0001-01-01');
create or replace temp macro activetrail_day(d, o) as activetrail_date(d ->> ('$.' || option(o)));
create or replace temp macro activetrail_whole(t) as case when regexp_full_match(t, '-?[0-9]{1,18}(\.0+)?')
    then try_cast(split_part(t, '.', 1) as bigint) end;
create or replace temp macro activetrail_number(d, o) as activetrail_whole(activetrail_text(d, o));

create or replace temp table activetrail_contacts as
select
    native_id, doc, read_at, present, coalesce(lower(doc ->> '$.is_deleted') = 'true', false) as is_deleted,
    case when activetrail_text(doc, 'slot_contact_key') like 'ghl:contact:%'
        then activetrail_text(doc, 'slot_contact_key') end as own_key,
    activetrail_text(doc, 'slot_location') as location_id
from activetrail_documents
where record_type = 'contact' and doc is not null;

-- A merged contact keeps its record: an old contact id counts as the id it has now.
create or replace temp table activetrail_contact_records as
select
    c.native_id, c.doc, c.read_at,
    case when c.location_id is not null then coalesce('ghl:contact:' || a.contact_id, c.own_key) end as key,
    c.location_id, null::varchar as currency, null::integer as exponent, null::integer as own_exponent,
    null::varchar as problem,
    activetrail_text(c.doc, 'slot_last_order') as last_order_id,
    activetrail_text(c.doc, 'slot_billing_status') as billing_status,
    activetrail_text(c.doc, 'slot_currency') as rollup_currency,
    activetrail_text(c.doc, 'slot_lifetime_text') as lifetime_text,
    activetrail_text(c.doc, 'slot_amount_due_text') as amount_due_text,
    activetrail_number(c.doc, 'slot_order_count') as order_count,
    activetrail_number(c.doc, 'slot_lifetime') as lifetime,
    activetrail_number(c.doc, 'slot_amount_due') as amount_due,
    activetrail_day(c.doc, 'slot_last_order_date') as last_order_date,
    activetrail_day(c.doc, 'slot_next_billing') as next_billing_date,
    activetrail_day(c.doc, 'slot_first_order_date') as first_order_date
from activetrail_contacts as c
left join staging.contact_aliases as a
    on a.location_id = c.location_id and c.own_key = 'ghl:contact:' || a.alias_id
where c.present and not c.is_deleted;

-- Names of an order's fields are taken in any case, as the vendor documents them in two.
create or replace temp table activetrail_orders as
select
    native_id, doc, read_at,
    map_from_entries(list_transform(
        list_distinct(list_transform(json_keys(doc), lambda k: lower(k))),
        lambda n: {k: n, v: doc ->> ('$."' || list_filter(json_keys(doc), lambda k: lower(k) = n)[1] || '"')}
    )) as fields
from activetrail_documents
where record_type = 'commerce_order' and present;

-- An amount is compared with the decimals of the currency it should have (`exponent`), so that a wrong currency is one
-- difference only; what stands in the target is stated with the decimals of its own currency (`own_exponent`).
create or replace temp table activetrail_commerce_order_records as
select
    o.native_id, o.doc, o.fields, o.read_at,
    case when blank_to_null(o.fields['ext9']) is not null then 'ghl:order:' || o.native_id end as key,
    blank_to_null(o.fields['ext9']) as location_id,
    y.code as currency, coalesce(w.exponent, y.exponent) as exponent, coalesce(y.exponent, w.exponent) as own_exponent,
    case when plain_decimal(o.fields['totalamount']) is null then 'totalAmount is not a number' end as problem
from activetrail_orders as o
left join ops.currencies as y on y.code = upper(blank_to_null(o.fields['ext2']))
left join (
    select d.location_id, d.key, e.exponent
    from reconciliation.desired as d inner join ops.currencies as e on e.code = d.currency
    where d.connection = $connection and d.record_type = 'commerce_order' and d.representable
) as w on w.location_id = blank_to_null(o.fields['ext9']) and w.key = 'ghl:order:' || o.native_id;

-- A contact in the bin is still listed: it is asked for by id, which is what proves that it is gone.
create or replace temp table activetrail_dangling as
select 'contact' as record_type, native_id, own_key as key, location_id
from activetrail_contacts
where is_deleted and own_key is not null and location_id is not null;
