-- Halo's documents as one row a record: key, location, currency, the client's key, and what makes a row unreadable.
-- Keys come from ExternalLink (tables 2 client, 4 user, 995 invoice, 996 sales order) or the record's own field.
create or replace temp table halo_documents as
with bodies as (
    select
        connection, record_type, native_id, read_at, present, absent_confirmed, is_current,
        case when is_current then detail_doc else list_doc end as doc
    from (
        -- A detail counts only as long as the list row it belongs to has not changed.
        select *, detail_doc is not null and detail_list_hash is not distinct from list_hash as is_current
        from actual.documents
    )
    where connection = $connection
)

select *, case when record_type = 'sales_order' then map_from_entries(list_transform(
    list_filter(
        from_json((doc -> '$.customfields'), '[{"name": "VARCHAR", "value": "VARCHAR"}]'), lambda f: f.name is not null
    ),
    lambda f: {k: f.name, v: blank_to_null(f.value)}
)) end as custom
from bodies;

create or replace temp table halo_currencies as
select (doc ->> '$.id') as currency_id, upper(doc ->> '$.code') as code, e.exponent
from halo_documents
left join ops.currencies as e on e.code = upper(doc ->> '$.code')
where record_type = 'currency' and present;

-- An amount is compared with the decimals of the currency it should have (`exponent`), so that a wrong currency is one
-- difference only; what stands in the target is stated with the decimals of its own currency (`own_exponent`).
create or replace temp table halo_wanted as
select d.location_id, d.record_type, d.key, d.currency, e.exponent
from reconciliation.desired as d inner join ops.currencies as e on e.code = d.currency
where d.connection = $connection and d.representable
union all
select t.location_id, 'invoice_payment', 'ghl:txn:' || t.transaction_id, t.currency, e.exponent
from staging.transactions as t inner join ops.currencies as e on e.code = t.currency
anti join reconciliation.desired as d
    on d.connection = $connection and d.representable and d.location_id = t.location_id
    and d.record_type = 'invoice_payment' and d.key = 'ghl:txn:' || t.transaction_id;

-- Cross-references from their own list, and from records that were read singly after that list (just written ones).
create or replace temp table halo_links as
with listed as (
    select native_id as link_id, doc from halo_documents where record_type = 'external_link' and present
),

embedded as (
    select (link ->> '$.id') as link_id, link as doc, record_type, native_id
    from (
        select record_type, native_id, unnest(from_json((doc -> '$.external_links'), '["JSON"]')) as link
        from halo_documents
        where present and json_type((doc -> '$.external_links')) = 'ARRAY' and read_at > coalesce((
            select read_at from actual.reads where connection = $connection and record_type = 'external_link'
        ), timestamp '1970-01-01')
    )
)

select
    link_id, (doc ->> '$.table_id')::integer as table_id, (doc ->> '$.halo_id') as halo_id,
    (doc ->> '$.third_party_id') as key, blank_to_null((doc ->> '$.third_party_secondary_id')) as location_id
from listed
where (doc ->> '$.third_party_id') like 'ghl:%'
union
select
    link_id,
    coalesce((doc ->> '$.table_id')::integer, case record_type
        when 'client' then 2 when 'user' then 4 when 'invoice' then 995 when 'sales_order' then 996
    end),
    native_id, (doc ->> '$.third_party_id'), blank_to_null((doc ->> '$.third_party_secondary_id'))
from embedded
where (doc ->> '$.third_party_id') like 'ghl:%';

-- A merged contact keeps its record: an old contact id counts as the id it has now.
create or replace temp table halo_keys as
select
    l.link_id, l.table_id, l.halo_id, coalesce('ghl:contact:' || a.contact_id, l.key) as key,
    coalesce(l.location_id, $only_location) as location_id
from halo_links as l
left join staging.contact_aliases as a
    on a.location_id = coalesce(l.location_id, $only_location) and l.key = 'ghl:contact:' || a.alias_id
where regexp_full_match(l.key, case
    when l.table_id in (2, 4) then 'ghl:contact:.+' when l.table_id = 996 then 'ghl:order:.+'
    else 'ghl:(order|invoice|txn):.+'
end);

-- One link a record: the first by id; further links on the same record would only repeat it.
create or replace temp table halo_linked as
select table_id, halo_id, arg_min(key, link_id::bigint) as key, arg_min(location_id, link_id::bigint) as location_id
from halo_keys
group by table_id, halo_id;

create or replace temp table halo_client_records as
select
    d.native_id, d.doc, d.read_at, l.key, coalesce(l.location_id, $only_location) as location_id,
    null::varchar as currency, null::integer as exponent, null::integer as own_exponent, l.key as client_key, null::varchar as problem
from halo_documents as d
left join halo_linked as l on l.table_id = 2 and l.halo_id = d.native_id
where d.record_type = 'client' and d.present;

create or replace temp table halo_user_records as
select
    d.native_id, d.doc, d.read_at, l.key, coalesce(l.location_id, c.location_id, $only_location) as location_id,
    null::varchar as currency, null::integer as exponent, null::integer as own_exponent, c.key as client_key, null::varchar as problem
from halo_documents as d
left join halo_linked as l on l.table_id = 4 and l.halo_id = d.native_id
left join halo_client_records as c on c.native_id = (d.doc ->> '$.client_id')
where d.record_type = 'user' and d.present;

create or replace temp table halo_sales_order_records as
select
    d.native_id, d.doc, d.custom, d.read_at,
    coalesce(l.key, case when (d.doc ->> '$.po_number') like 'ghl:order:%' then (d.doc ->> '$.po_number') end) as key,
    coalesce(l.location_id, c.location_id, $only_location) as location_id,
    y.code as currency, coalesce(w.exponent, y.exponent) as exponent, coalesce(y.exponent, w.exponent) as own_exponent, c.key as client_key,
    case
        when plain_decimal(number_text((d.doc -> '$.total'))) is null then 'total is not a number'
        when not d.is_current then 'its custom fields could not be read'
    end as problem
from halo_documents as d
left join halo_linked as l on l.table_id = 996 and l.halo_id = d.native_id
left join halo_client_records as c on c.native_id = (d.doc ->> '$.client_id')
left join halo_currencies as y on y.currency_id = (d.doc ->> '$.currency_code')
left join halo_wanted as w
    on w.record_type = 'sales_order' and w.key = coalesce(l.key, (d.doc ->> '$.po_number'))
    and w.location_id = coalesce(l.location_id, c.location_id, $only_location)
where d.record_type = 'sales_order' and d.present;

create or replace temp table halo_invoice_records as
select
    d.native_id, d.doc, d.read_at,
    coalesce(
        l.key,
        case
            when regexp_full_match((d.doc ->> '$.thirdpartyinvoicenumber'), 'ghl:(order|invoice|txn):.+')
                then (d.doc ->> '$.thirdpartyinvoicenumber')
        end
    ) as key,
    coalesce(l.location_id, s.location_id, c.location_id, $only_location) as location_id,
    y.code as currency, coalesce(w.exponent, y.exponent) as exponent, coalesce(y.exponent, w.exponent) as own_exponent, c.key as client_key,
    case when plain_decimal(number_text((d.doc -> '$.total'))) is null then 'total is not a number' end as problem
from halo_documents as d
left join halo_linked as l on l.table_id = 995 and l.halo_id = d.native_id
left join halo_sales_order_records as s on s.native_id = (d.doc ->> '$.salesorder_id')
left join halo_client_records as c on c.native_id = (d.doc ->> '$.client_id')
left join halo_currencies as y on y.currency_id = (d.doc ->> '$.currency_code')
left join halo_wanted as w
    on w.record_type = 'invoice' and w.key = coalesce(l.key, (d.doc ->> '$.thirdpartyinvoicenumber'))
    and w.location_id = coalesce(l.location_id, s.location_id, c.location_id, $only_location)
where d.record_type = 'invoice' and d.present;

create or replace temp table halo_invoice_payment_records as
select
    d.native_id, d.doc, d.read_at,
    case
        when (d.doc ->> '$.intent_id') like 'ghl:txn:%' then (d.doc ->> '$.intent_id')
        when (d.doc ->> '$.thirdpartyid') like 'ghl:txn:%' then (d.doc ->> '$.thirdpartyid')
    end as key,
    coalesce(i.location_id, c.location_id, $only_location) as location_id,
    coalesce(i.currency, w.currency) as currency, coalesce(w.exponent, i.exponent) as exponent,
    coalesce(i.own_exponent, w.exponent) as own_exponent,
    coalesce(i.client_key, c.key) as client_key,
    case when plain_decimal(number_text((d.doc -> '$.amount'))) is null then 'amount is not a number' end as problem
from halo_documents as d
left join halo_invoice_records as i on i.native_id = (d.doc ->> '$.invoice_id')
left join halo_client_records as c on c.native_id = (d.doc ->> '$.client_id')
left join halo_wanted as w
    on w.record_type = 'invoice_payment' and w.location_id = coalesce(i.location_id, c.location_id, $only_location)
    and w.key = case
        when (d.doc ->> '$.intent_id') like 'ghl:txn:%' then (d.doc ->> '$.intent_id') else (d.doc ->> '$.thirdpartyid')
    end
where d.record_type = 'invoice_payment' and d.present;

-- Cross-references of ours whose record is gone: proof that the record was there.
create or replace temp table halo_dangling as
select
    case l.table_id when 2 then 'client' when 4 then 'user' when 995 then 'invoice' when 996 then 'sales_order' end
        as record_type,
    l.halo_id as native_id, l.key, l.location_id
from halo_keys as l
left join halo_documents as d
    on d.native_id = l.halo_id and d.present
    and d.record_type = case l.table_id
        when 2 then 'client' when 4 then 'user' when 995 then 'invoice' when 996 then 'sales_order'
    end
where l.table_id in (2, 4, 995, 996) and d.native_id is null;

-- What the tenant's people note as delivered, in custom fields of their own that the connection's options name.
create or replace temp table halo_deliveries as
select
    location_id, 'halo:sales_order:' || native_id as delivery_key, key as order_key,
    trim(custom[option('delivery_tracking_field')]) as tracking, blank_to_null(custom[option('delivery_carrier_field')]) as carrier,
    null::timestamp as delivered_at, null::json as items, native_id
from halo_sales_order_records
where key like 'ghl:order:%' and blank_to_null(custom[option('delivery_tracking_field')]) is not null;
