-- Act!'s documents as one row a record: key, location, currency, the contact's key, and what makes a row unreadable.
-- Custom values stand under internal names, which `field` documents tell; columns of custom tables in any case.
create or replace temp table act_documents as
select
    connection, record_type, native_id, read_at, present, absent_confirmed,
    case
        -- A record read singly counts only as long as its list row has not changed.
        when detail_doc is not null and detail_list_hash is not distinct from list_hash then detail_doc else list_doc
    end as doc
from actual.documents
where connection = $connection;

-- The object inside a history's details, which Act! may show as markup.
create or replace temp macro act_details(t) as list_transform([regexp_extract(
    replace(replace(replace(replace(replace(
        regexp_replace(t, '<[^>]*>', '', 'g'), '&quot;', '"'), '&#34;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&'
    ), '\{.*\}', 0, 's'
)], lambda x: case when json_valid(x) then x::json end)[1];
create or replace temp macro act_key(t, kind) as
    case when starts_with(t, 'ghl:' || kind || ':') and length(t) > length(kind) + 5 then t end;

-- Where each record keeps its members of ours, and whose names they have there.
create or replace temp table act_places as
select
    record_type, native_id, read_at, doc,
    case
        when record_type = 'contact' then 'contact'
        when json_type(doc -> '$.customFields') = 'OBJECT' then 'opportunity'
        when (doc ->> '$.regarding') is not null then 'history' else record_type
    end as kept_as,
    case
        when record_type = 'contact' or json_type(doc -> '$.customFields') = 'OBJECT' then (doc -> '$.customFields')
        when (doc ->> '$.regarding') is not null then coalesce(act_details(doc ->> '$.details'), '{}'::json)
        else doc
    end as members
from act_documents
where record_type in ('contact', 'opportunity', 'subscription', 'payment') and present;

-- The names of ours under which records show them: as `field` documents tell, in the case that most records have.
create or replace temp table act_names as
with told as (
    select (doc ->> '$.owner') as owner, (doc ->> '$.field') as field, (doc ->> '$.name') as name
    from act_documents where record_type = 'field' and present and (doc ->> '$.name') is not null
),

shown as (
    select kept_as, name, count(*) as times
    from (select kept_as, unnest(json_keys(members)) as name from act_places where json_type(members) = 'OBJECT')
    group by all
)

select t.owner, t.field, coalesce(arg_max(s.name, (s.times, s.name)), any_value(t.name)) as name
from told as t
left join shown as s on s.kept_as = t.owner and lower(s.name) = lower(t.name)
group by t.owner, t.field;

-- As session variables they are constants, so that all members of a document are taken out of it at once.
set variable act_fields = (
    select map_from_entries(list({k: owner, v: fields}))
    from (select owner, list(field order by field) as fields from act_names group by owner)
);
set variable act_paths = (
    select map_from_entries(list({k: owner, v: paths})) from (
        select owner, list('$."' || name || '"' order by field) as paths from act_names group by owner
    )
);
create or replace temp macro act_texts(members, paths) as
    list_transform(json_extract_string(members, paths), lambda t: blank_to_null(t));
create or replace temp macro act_own(members, owner) as map(
    coalesce(getvariable('act_fields')[owner], []::varchar[]),
    act_texts(members, coalesce(getvariable('act_paths')[owner], []::varchar[]))
);

-- What a record should be, for amounts compared with the decimals of the currency it should have, so that a wrong
-- currency is one difference only; what stands in the target is stated with the decimals of its own.
create or replace temp table act_wanted as
select d.location_id, d.record_type, d.key, d.currency, e.exponent, (d.parents ->> '$.contact') as contact_key
from reconciliation.desired as d left join ops.currencies as e on e.code = d.currency
where d.connection = $connection and d.representable;

create or replace temp table act_contact_records as
with named as (
    select native_id, doc, read_at, act_own(members, 'contact') as custom
    from act_places
    where record_type = 'contact'
),

located as (
    select *, act_key(custom['ghl_key'], 'contact') as own_key,
        coalesce(custom['ghl_location'], $only_location) as location_id
    from named
)

-- A merged contact keeps its record: an old contact id counts as the id it has now.
select
    l.native_id, l.doc, l.read_at, coalesce('ghl:contact:' || a.contact_id, l.own_key) as key, l.location_id,
    null::varchar as currency, null::integer as exponent, null::integer as own_exponent, null::varchar as problem
from located as l
left join staging.contact_aliases as a on a.location_id = l.location_id and l.own_key = 'ghl:contact:' || a.alias_id;

-- Whose an opportunity, payment or subscription is: the keys of all contacts it is linked to.
create or replace temp table act_owners as
with linked as (
    select record_type, native_id, unnest(from_json((doc -> '$.contacts'), '[{"id": "VARCHAR"}]')).id as contact_id
    from act_documents
    where present and json_type(doc -> '$.contacts') = 'ARRAY'
)

select
    l.record_type, l.native_id, list(c.key order by c.key) as contact_keys, min(c.location_id) as location_id
from linked as l
inner join act_contact_records as c on lower(c.native_id) = lower(l.contact_id)
where c.key is not null
group by l.record_type, l.native_id;

-- Records of all other types in one shape: `custom` holds our fields by our names, however the record is kept.
create or replace temp table act_kept as
with named as (
    select *, case kept_as
        when 'opportunity' then act_own(members, 'opportunity')
        when 'payment' then act_own(members, 'payment')
        when 'subscription' then act_own(members, 'subscription')
        else map(
            ['amount', 'currency', 'refunded', 'status', 'paid_at', 'reference', 'ghl_location', 'ghl_key'],
            act_texts(members, [
                '$.amount', '$.currency', '$.refunded', '$.status', '$.paid_at', '$.reference', '$.location'
            ]) || [(doc ->> '$.regarding')]
        )
    end as fields
    from act_places
    where record_type <> 'contact'
),

keyed as (
    select
        record_type, native_id, doc, read_at, kept_as,
        case
            when record_type = 'subscription' and kept_as = 'opportunity' then map {
                'amount': fields['ghl_amount'], 'currency': fields['ghl_currency'], 'status': fields['ghl_status'],
                'plan': fields['ghl_plan'], 'billing_interval': fields['ghl_billing_interval'],
                'cancelled_at': fields['ghl_cancelled_at'], 'next_billing_at': fields['ghl_next_billing_at'],
                'starts_at': (doc ->> '$.openDate'), 'ends_at': (doc ->> '$.estimatedCloseDate')
            }
            else fields
        end as custom,
        list_extract(list_filter([
            act_key(case when kept_as = 'opportunity' then (doc ->> '$.sourceId') end, kind),
            act_key(fields['ghl_key'], kind)
        ], lambda k: k is not null), 1) as key,
        fields['ghl_location'] as place
    from (
        select *, case record_type when 'opportunity' then 'order' when 'payment' then 'txn' else 'sub' end as kind
        from named
    )
),

placed as (
    select k.*, coalesce(k.place, o.location_id, $only_location) as location_id, o.contact_keys
    from keyed as k
    left join act_owners as o on o.record_type = k.record_type and o.native_id = k.native_id
)

select
    p.record_type, p.native_id, p.doc, p.read_at, p.kept_as, p.custom, p.key, p.location_id,
    upper(coalesce(p.custom['currency'], p.custom['ghl_currency'])) as currency,
    coalesce(w.exponent, e.exponent) as exponent, coalesce(e.exponent, w.exponent) as own_exponent,
    coalesce(w.currency, upper(p.custom['ghl_currency'])) as wanted_currency,
    case when list_contains(p.contact_keys, w.contact_key) then w.contact_key else p.contact_keys[1] end as contact_key,
    case
        when p.kept_as <> 'opportunity' then null
        when regexp_full_match((p.doc ->> '$.status'), '[0-3]') then (p.doc ->> '$.status')
        else (list_position(['open', 'won', 'lost', 'inactive'], lower(p.doc ->> '$.status')) - 1)::varchar
    end as status_number
from placed as p
left join act_wanted as w
    on w.record_type = p.record_type and w.key = p.key and w.location_id = p.location_id
left join ops.currencies as e on e.code = upper(coalesce(p.custom['currency'], p.custom['ghl_currency']));

create or replace temp table act_opportunity_records as
select
    *,
    case
        when wanted_currency = capability('database_currency')
            then to_minor_rounded((doc ->> '$.productTotal'), exponent)
    end as total_minor,
    coalesce(
        to_minor(custom['ghl_amount'], own_exponent),
        case
            when currency = capability('database_currency')
                then to_minor_rounded((doc ->> '$.productTotal'), own_exponent)
        end
    ) as own_minor,
    case
        when plain_decimal(number_text((doc -> '$.productTotal'))) is null then 'productTotal is not a number'
    end as problem
from act_kept
where record_type = 'opportunity';

create or replace temp table act_subscription_records as
select
    *, to_minor_rounded(custom['amount'], own_exponent) as own_minor,
    case when plain_decimal(custom['amount']) is null then 'amount is not a number' end as problem
from act_kept
where record_type = 'subscription';

create or replace temp table act_payment_records as
select
    *, to_minor_rounded(custom['amount'], own_exponent) as own_minor,
    case when plain_decimal(custom['amount']) is null then 'amount is not a number' end as problem
from act_kept
where record_type = 'payment';

-- Act! has no cross-references that could outlive a record.
create or replace temp table act_dangling as
select null::varchar as record_type, null::varchar as native_id, null::varchar as key, null::varchar as location_id
where false;
