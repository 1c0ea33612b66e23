-- What a receiver of events holds, one row a record, all record types in one form. What it does not tell counts as the
-- last event that it accepted said it, and as it should be where it was told of by nobody: there is nothing to compare.
create or replace temp macro rankr_told(n) as coalesce(
    capability('read_back') = 'none' or (option('read_back')::json -> '$.map' ->> n) is not null, false
);

create or replace temp table rankr_rows as
select
    record_type, native_id, read_at, coalesce(list_doc, detail_doc) as doc,
    case when (coalesce(list_doc, detail_doc) ->> '$.key') like 'ghl:%' then (coalesce(list_doc, detail_doc) ->> '$.key') end
        as key
from actual.documents
where connection = $connection and present and coalesce(list_doc, detail_doc) is not null
    -- What was only delivered proves nothing once the receiver can be read; while it cannot, the newest knowledge counts.
    and (capability('read_back') = 'none' or not starts_with(native_id, 'delivered:'))
qualify capability('read_back') is distinct from 'none'
    or key is null or row_number() over (partition by record_type, key order by read_at desc, native_id) = 1;

create or replace temp table rankr_accepted as
select
    location_id, record_type, key,
    arg_max(payload -> '$.fields' ->> '$.content_hash', (moved_at, revision)) as content_hash
from outbox.changes
where connection = $connection and state in ('sent', 'verified', 'delivered_unverified')
group by location_id, record_type, key;

create or replace temp table rankr_records as
with placed as (
    select
        r.*,
        coalesce(
            blank_to_null(r.doc ->> '$.location_id'), $only_location,
            -- GHL's ids are unique, so that a receiver need not tell whose a record is.
            w.location_id
        ) as location_id,
        w.fields as wanted, w.currency as wanted_currency
    from rankr_rows as r
    left join (
        select record_type, key, any_value(location_id) as location_id, any_value(fields) as fields,
            any_value(currency) as currency
        from reconciliation.desired where connection = $connection and representable
        group by record_type, key
    ) as w on w.record_type = r.record_type and w.key = r.key
),

-- An amount is compared with the decimals of the currency it should have (`exponent`), so that a wrong currency is one
-- difference only; what stands in the target is stated with the decimals of its own currency (`own_exponent`).
valued as (
    select
        p.*, upper(blank_to_null(p.doc ->> '$.currency')) as told_currency, y.code as own_currency,
        coalesce(v.exponent, y.exponent) as exponent, coalesce(y.exponent, v.exponent) as own_exponent,
        blank_to_null(p.doc ->> '$.amount') as amount_text
    from placed as p
    left join ops.currencies as y on y.code = upper(blank_to_null(p.doc ->> '$.currency'))
    left join ops.currencies as v on v.code = p.wanted_currency
)

select
    v.record_type, v.native_id, v.doc, v.read_at, v.key, v.location_id,
    coalesce(v.own_currency, case when not rankr_told('currency') then v.wanted_currency end) as currency,
    v.exponent, v.own_exponent,
    case when v.key is not null and v.amount_text is not null and not is_number(v.amount_text)
        then 'its amount is not a number' end as problem,
    case when rankr_told('amount') then to_minor_rounded(v.amount_text, v.own_exponent) end as own_amount,
    case when rankr_told('amount') then to_minor_rounded(v.amount_text, v.exponent)
        else try_cast(v.wanted ->> '$.amount' as bigint) end as amount,
    case when rankr_told('currency') then v.told_currency else (v.wanted ->> '$.currency') end as told_currency,
    case when rankr_told('status') then blank_to_null(v.doc ->> '$.status') else (v.wanted ->> '$.status') end as status,
    case
        when rankr_told('hash') then blank_to_null(v.doc ->> '$.hash')
        else coalesce(a.content_hash, (v.wanted ->> '$.content_hash'))
    end as content_hash
from valued as v
left join rankr_accepted as a
    on a.location_id = v.location_id and a.record_type = v.record_type and a.key = v.key;

create or replace temp table rankr_order_records as from rankr_records where record_type = 'order';
create or replace temp table rankr_transaction_records as from rankr_records where record_type = 'transaction';
create or replace temp table rankr_subscription_records as from rankr_records where record_type = 'subscription';
create or replace temp table rankr_fulfillment_records as from rankr_records where record_type = 'fulfillment';

create or replace temp table rankr_dangling as
select record_type, native_id, key, location_id from rankr_records where false;
