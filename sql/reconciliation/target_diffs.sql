-- One location against one target connection: every disagreement, in one pass over desired and actual rows.
-- Precedence for a record: unverifiable, duplicate, test record, deleted, then missing or differing.
create or replace temp table target_found as
select
    record_type, key, count(*) as copies, list(native_id order by native_order(native_id)) as native_ids,
    bool_or(problem is not null) as unreadable, any_value(problem) as problem,
    any_value(hash) as hash, any_value(fields) as fields, arg_min(native_id, native_order(native_id)) as native_id,
    arg_min_null(amount_minor, native_order(native_id)) as first_minor,
    case when count(amount_minor) = count(*) then sum(amount_minor)::bigint end as sum_minor,
    arg_min_null(currency, native_order(native_id)) as currency
from actual.records
where connection = $connection and location_id = $location_id and key is not null
group by record_type, key;

create or replace temp table target_wanted as
with unpaid as (
    select t.record_type, s.key
    from canonical_shipments as s
    cross join target_types as t
    where t.canonical = 'shipments' and s.live = $live and s.amount_due_minor > 0
)

-- Keys may stand in another list than their record (cross-references), so a list counts only if all of them do.
select
    d.*,
    s.record_type is not null and (
        select bool_and(r.complete) from actual.reads as r where r.connection = $connection
    ) as read_complete,
    -- What was read again by id since it changed need not wait for lists to settle. What somebody is to pay at the door
    -- does: the order's charge may show a moment after the order.
    d.source_updated_at > $as_of::timestamp - to_seconds($lag_seconds::bigint)
    and (u.key is not null or not coalesce(d.source_updated_at <= g.updated_at, false)) as is_recent
from reconciliation.desired as d
left join raw.refreshed as g on g.location_id = d.location_id and g.key = d.key
left join unpaid as u on u.record_type = d.record_type and u.key = d.key
left join actual.reads as s on s.connection = d.connection and s.record_type = d.record_type
where d.connection = $connection and d.location_id = $location_id;

-- What GHL itself says of a key that stands in the target: quarantined, test, there but not wanted, or gone (404).
create or replace temp table target_sources as
with keys as (select distinct key from target_found where record_type not in (
    select record_type from target_types where source = 'contact'
)),

unreadable as (
    select key, bool_or(live = $live) as is_ours, bool_or(live <> $live and is_itself) as is_test
    from (
        select case table_name
                when 'staging.orders' then 'ghl:order:' when 'staging.subscriptions' then 'ghl:sub:' else 'ghl:txn:'
            end || record_key as key,
            is_live(payload) as live, true as is_itself
        from staging.quarantine
        where owner = $location_id
            and table_name in ('staging.orders', 'staging.transactions', 'staging.subscriptions')
        union all
        select concat_ws(':', 'ghl', (payload ->> '$.entityType'), (payload ->> '$.entityId')), is_live(payload), false
        from staging.quarantine where owner = $location_id and table_name = 'staging.transactions'
    )
    group by key
),

parcels as (
    select 'ghl:fulfillment:' || f.fulfillment_id as key, bool_or(o.live) as live
    from staging.fulfillments as f
    inner join staging.orders as o on o.location_id = f.location_id and o.order_id = f.order_id
    where f.location_id = $location_id
    group by f.fulfillment_id
)

select distinct
    k.key,
    coalesce(q.is_ours, false) as quarantined,
    coalesce(not o.live, not t.live, not b.live, not p.live, q.is_test, false) as is_test,
    case
        when o.order_id is not null then 'GHL has the order, and it asks for no such record'
        when t.transaction_id is not null then 'GHL has the transaction, and its status is ' || coalesce(t.status, 'unknown')
        when b.subscription_id is not null then 'GHL has the subscription, and it asks for no such record'
        when g.status = 404 then 'GHL has no such record (asked for by id)'
        when i.invoice_key is null and split_part(k.key, ':', 2) = 'invoice' and a.complete
            then 'no GHL transaction pays this GHL invoice'
        when p.key is not null then 'GHL has the fulfillment, and it asks for no such record'
        when split_part(k.key, ':', 2) = 'fulfillment' and u.complete then 'no order in GHL has such a fulfillment'
    end as orphan_reason
from keys as k
left join staging.orders as o
    on o.location_id = $location_id and k.key = 'ghl:order:' || o.order_id
left join staging.transactions as t
    on t.location_id = $location_id and k.key = 'ghl:txn:' || t.transaction_id
left join staging.subscriptions as b
    on b.location_id = $location_id and k.key = 'ghl:sub:' || b.subscription_id
left join unreadable as q on q.key = k.key
left join parcels as p on p.key = k.key
left join raw.lookups as g
    on g.location_id = $location_id and g.status = 404 and (
        (g.stream = 'order_details' and k.key = 'ghl:order:' || g.id)
        or (g.stream = 'transaction_details' and k.key = 'ghl:txn:' || g.id)
        or (g.stream = 'subscription_details' and k.key = 'ghl:sub:' || g.id)
    )
left join (select distinct invoice_key from canonical_charges where live = $live) as i on i.invoice_key = k.key
cross join (
    select coalesce(bool_and(complete), false) as complete from raw.slices
    where location_id = $location_id and stream = 'transactions'
) as a
cross join (
    -- A parcel's key does not name its order: it is gone when every order that GHL lists was asked for its parcels.
    select coalesce(bool_and(complete), false) and not exists (
        select 1 from raw.orders as l
        where l.location_id = $location_id and l.is_current and l.absent_at is null and not exists (
            select 1 from raw.fulfillments as f where f.location_id = l.location_id and f.id = l.id and f.is_current
        )
    ) as complete
    from raw.slices where location_id = $location_id and stream = 'orders'
) as u;

create or replace temp table target_gone as
select g.record_type, g.key, g.native_id,
    case
        when starts_with(g.native_id, 'removed/') then 'the target says that a person removed it'
        else 'a cross-reference names it, and it is gone (404 by id)'
    end as reason
from TARGET_dangling as g
inner join actual.documents as d
    on d.connection = $connection and d.record_type = g.record_type and d.native_id = g.native_id and d.absent_confirmed
where g.location_id = $location_id
union
select k.record_type, k.key, k.native_id, 'it was there before, and it is gone (404 by id)'
from actual.known_keys as k
inner join actual.documents as d
    on d.connection = k.connection and d.record_type = k.record_type and d.native_id = k.native_id
where k.connection = $connection and k.location_id = $location_id and not d.present and d.absent_confirmed;

create or replace temp table target_verdicts as
with
unverifiable as (
    select record_type, key, 'unverifiable' as kind, null::bigint as amount_minor, null::varchar as currency,
        problem as reason, native_ids
    from target_found where unreadable
    union all
    select r.record_type, 'ghl:' || r.source || ':' || q.record_key, 'unverifiable', null, null,
        'its GHL row is in quarantine: ' || q.rule, coalesce(f.native_ids, [])
    from (
        select table_name, record_key, min(rule) as rule from staging.quarantine
        where owner = $location_id
            and table_name in ('staging.orders', 'staging.transactions', 'staging.subscriptions')
            and is_live(payload) = $live
        group by table_name, record_key
    ) as q
    inner join target_types as r
        on (r.source = 'order' and q.table_name = 'staging.orders')
        or (r.source = 'txn' and q.table_name = 'staging.transactions')
        or (r.source = 'sub' and q.table_name = 'staging.subscriptions')
    left join target_found as f
        on f.record_type = r.record_type and f.key = 'ghl:' || r.source || ':' || q.record_key
    where not coalesce(f.unreadable, false)
    union all
    -- A parcel that cannot be read would otherwise be taken out of the target.
    select distinct r.record_type, 'ghl:order:' || o.order_id, 'unverifiable', null::bigint, null::varchar,
        'a fulfillment of it is in quarantine', coalesce(f.native_ids, [])
    from staging.quarantine as q
    inner join staging.orders as o
        on o.location_id = q.owner and o.live = $live and starts_with(q.record_key, o.order_id || '/')
    inner join target_types as r on r.source = 'order'
    inner join target_wanted as w
        on w.record_type = r.record_type and w.key = 'ghl:order:' || o.order_id and w.representable
    left join target_found as f on f.record_type = w.record_type and f.key = w.key
    where q.owner = $location_id and q.table_name = 'staging.fulfillments' and not coalesce(f.unreadable, false)
    union all
    select r.record_type, 'ghl:fulfillment:' || split_part(q.record_key, '/', 2), 'unverifiable', null, null,
        'its GHL row is in quarantine: ' || min(q.rule), coalesce(any_value(f.native_ids), [])
    from staging.quarantine as q
    inner join staging.orders as o
        on o.location_id = q.owner and o.live = $live and o.order_id = split_part(q.record_key, '/', 1)
    inner join target_types as r on r.source = 'fulfillment'
    left join target_found as f
        on f.record_type = r.record_type and f.key = 'ghl:fulfillment:' || split_part(q.record_key, '/', 2)
    where q.owner = $location_id and q.table_name = 'staging.fulfillments' and not coalesce(f.unreadable, false)
    group by r.record_type, q.record_key
    union all
    select f.record_type, f.key, 'unverifiable', null, null, 'its GHL row is in quarantine', f.native_ids
    from target_found as f
    inner join target_sources as s on s.key = f.key and s.quarantined
    inner join target_types as r on r.record_type = f.record_type and r.source = 'any'
    where not f.unreadable and not exists (
        select 1 from target_wanted as w where w.record_type = f.record_type and w.key = f.key and w.representable
    )
),

-- It was in the target's list once, is not any more, and nobody could ask for it by id: neither there nor gone.
lost as (
    select k.record_type, k.key, 'unverifiable' as kind, null::bigint as amount_minor, null::varchar as currency,
        'it left the list of the target, and it was not asked for by id' as reason, []::varchar[] as native_ids
    from actual.known_keys as k
    inner join actual.documents as d
        on d.connection = k.connection and d.record_type = k.record_type and d.native_id = k.native_id
    left join target_found as f on f.record_type = k.record_type and f.key = k.key
    where k.connection = $connection and k.location_id = $location_id and not d.present and not d.absent_confirmed
        and f.key is null
    group by k.record_type, k.key
),

duplicates as (
    select record_type, key, 'duplicate_in_target' as kind, sum_minor - first_minor as amount_minor, currency,
        copies || ' records carry this key' as reason, native_ids
    from target_found where copies > 1
),

tests as (
    select f.record_type, f.key, 'test_record_in_live' as kind, f.first_minor as amount_minor, f.currency,
        'the GHL record is in test mode' as reason, f.native_ids
    from target_found as f inner join target_sources as s on s.key = f.key
    where $live and s.is_test
),

gone as (
    select g.record_type, g.key, 'deleted_in_target' as kind, any_value(w.amount_minor) as amount_minor,
        any_value(w.currency) as currency, any_value(g.reason) as reason, []::varchar[] as native_ids
    from target_gone as g
    left join target_found as f on f.record_type = g.record_type and f.key = g.key
    inner join target_wanted as w on w.record_type = g.record_type and w.key = g.key and w.representable
    where f.key is null
    group by g.record_type, g.key
),

first_of as (
    select * from (
        select *, row_number() over (partition by record_type, key order by rank) as place
        from (
            select *, 1 as rank from unverifiable union all select *, 1 from lost union all select *, 2 from duplicates
            union all select *, 3 from tests union all select *, 4 from gone
        )
    ) where place = 1
)

select record_type, key, kind, case when currency is not null then amount_minor end as amount_minor,
    case when amount_minor is not null then currency end as currency, reason, native_ids
from first_of;

create or replace temp table target_fields as
with pairs as (
    select w.record_type, w.key, w.amount_minor as wanted_minor, w.currency as wanted_currency, w.is_recent,
        w.fields as wanted, f.fields as found, f.native_ids, f.native_id
    from target_wanted as w
    inner join target_found as f on f.record_type = w.record_type and f.key = w.key
    where w.representable and f.copies = 1 and w.hash <> f.hash
        and not exists (select 1 from target_verdicts as v where v.record_type = w.record_type and v.key = w.key)
),

opened as (
    select p.*, r.field, r.class, r.compare, r.tolerance, r.write, r.via, r.owner,
        coalesce((p.wanted ->> r.field), '') as desired_text, coalesce((p.found ->> r.field), '') as actual_text
    from pairs as p
    inner join reconciliation.field_rules as r
        on r.system = $system and r.record_type = p.record_type and r.compare <> 'never'
)

select *
from opened
where differs(compare, tolerance, desired_text, actual_text);

create or replace temp table target_diffs as
with missing as (
    select w.record_type, w.key,
        case when w.is_recent then 'pending' else 'missing_in_target' end as kind,
        null::varchar as class, '[]'::json as fields, []::varchar[] as native_ids, w.amount_minor, w.currency,
        null::varchar as reason, not w.is_recent as pushable
    from target_wanted as w
    left join target_found as f on f.record_type = w.record_type and f.key = w.key
    where w.representable and f.key is null and w.read_complete
        and not exists (select 1 from target_verdicts as v where v.record_type = w.record_type and v.key = w.key)
),

judged as (
    select *, is_recent as is_lagging,
        bool_or(class = 'currency') over (partition by record_type, key) as currency_differs,
        case when not is_recent then class end as diff_class
    from target_fields
),

differing as (
    select record_type, key, case when bool_or(is_lagging) then 'pending' else 'field_differs' end as kind,
        diff_class as class,
        case when bool_or(is_lagging) then '[]'::json else to_json(list(
            {field: field, desired: nullif(desired_text, ''), actual: nullif(actual_text, '')} order by field
        )) end as fields,
        any_value(native_ids) as native_ids,
        case
            when bool_or(is_lagging) or diff_class = 'currency' then any_value(wanted_minor)
            when diff_class = 'amount' and bool_or(currency_differs) and bool_or(compare = 'minor')
                then any_value(wanted_minor)
            when diff_class = 'amount' then coalesce(max(
                abs(try_cast(desired_text as bigint) - try_cast(actual_text as bigint))
            ) filter (where compare = 'minor'), 0)
        end as amount_minor,
        any_value(wanted_currency) as currency,
        case when not bool_or(write = 'always' or via is not null) then 'the target owns these fields' end as reason,
        not bool_or(is_lagging) and bool_or(write = 'always' or via is not null) as pushable
    from judged
    group by record_type, key, diff_class
),

orphans as (
    select f.record_type, f.key, 'missing_in_source' as kind, null as class, '[]'::json as fields, f.native_ids,
        case when f.currency is not null then f.first_minor end as amount_minor, f.currency, s.orphan_reason as reason,
        false as pushable
    from target_found as f
    inner join target_sources as s on s.key = f.key
    inner join actual.reads as c
        on c.connection = $connection and c.record_type = f.record_type and c.complete
    where s.orphan_reason is not null
        and not exists (select 1 from target_wanted as w where w.record_type = f.record_type and w.key = f.key)
        and not exists (select 1 from target_verdicts as v where v.record_type = f.record_type and v.key = f.key)
        and not exists (
            select 1 from canonical_charges as n
            where n.invoice_key = f.key and n.live = $live and n.reason is not null and f.record_type = 'invoice'
        )
),

unheld as (
    select record_type, key, 'not_representable' as kind, null as class, '[]'::json as fields, []::varchar[] as native_ids,
        amount_minor, currency, reason, false as pushable
    from target_wanted where not representable
)

select record_type, key, kind, class, fields, native_ids, amount_minor,
    case when amount_minor is not null then currency end as currency, reason, pushable
from (
    from missing union all from differing union all from orphans union all from unheld
    union all
    select record_type, key, kind, null, '[]'::json, native_ids, amount_minor, currency, reason, false
    from target_verdicts
);
