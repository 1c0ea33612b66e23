-- The gate: a change may leave only while its diff is open, its target was read completely, its GHL detail is the
-- current one, nothing brakes it, and every parent it needs has one known native id. Binds those ids.
create or replace temp table parent_ids as
select record_type, key, any_value(native_id) as native_id
from (
    select record_type, key, native_id from actual.records
    where connection = $connection and location_id = $location_id and key is not null
    union
    select record_type, key, native_id from outbox.changes
    where connection = $connection and location_id = $location_id and native_id is not null
        and state in ('verified', 'delivered_unverified')
        and (record_type, native_id) not in (
            select (record_type, native_id) from actual.documents
            where connection = $connection and absent_confirmed
        )
)
group by record_type, key
having count(distinct native_id) = 1;

-- Per change: the native ids of all parents that are known, and how many of the required ones are.
create or replace temp table bound_parents as
with named as (
    select c.change_id, p.parent_type, ((c.payload -> '$.parents') ->> p.parent_type) as parent_key, p.required
    from outbox.changes as c
    inner join target_all_parents as p on p.record_type = c.record_type
    where c.connection = $connection and c.location_id = $location_id and c.state = 'approved'
)

select
    n.change_id,
    count(*) filter (where n.required and i.native_id is null) as missing,
    to_json(map_from_entries(
        list({k: n.parent_type, v: i.native_id}) filter (where i.native_id is not null)
    )) as native_ids
from named as n
left join parent_ids as i on i.record_type = n.parent_type and i.key = n.parent_key
group by n.change_id;

create or replace temp table claimable as
with waiting as (
    select c.*, coalesce(b.missing, 0) as parents_missing, b.native_ids as parent_ids
    from outbox.changes as c
    left join bound_parents as b on b.change_id = c.change_id
    where c.connection = $connection and c.location_id = $location_id and c.state = 'approved'
        and $policy in ('auto', 'review') and c.live = $live
        and c.record_type not in (select record_type from target_types where off_reason is not null)
        and json_array_length(c.depends_on) = (
            select count(*) from outbox.changes as d
            where d.change_id in (select unnest(from_json(c.depends_on, '["VARCHAR"]')))
                and d.state in ('verified', 'delivered_unverified')
        )
        and not (c.operation = 'create' and exists (
            select 1 from outbox.brakes as b where b.connection = $connection and b.active
        ))
        and not exists (
            select 1 from outbox.brakes as b
            where b.connection = $connection and b.active and b.brake = 'endpoint_gone'
        )
        and coalesce(c.not_before <= $as_of, true)
        and exists (
            select 1 from reconciliation.diffs as d
            where d.diff_id in (select unnest(from_json(c.diff_ids, '["VARCHAR"]'))) and d.state = 'open' and d.pushable
        )
        and exists (
            select 1 from actual.reads as r
            where r.connection = $connection and r.record_type = c.record_type and r.complete
        )
        and not exists (
            -- Neither a list that was not whole nor one of yesterday says what may be written today.
            select 1 from actual.reads as r
            where r.connection = $connection and (not r.complete or r.read_at < $as_of::timestamp - interval 12 hours)
        )
        and not (c.operation = 'create' and exists (
            select 1 from actual.records as h
            where h.connection = $connection and h.location_id = $location_id and h.record_type = c.record_type
                and h.key = c.key
        ))
        and not exists (
            select 1 from staging.orders as o
            where o.location_id = $location_id and c.key = 'ghl:order:' || o.order_id and not o.detail_is_current
        )
        and not exists (
            select 1 from staging.transactions as t
            where t.location_id = $location_id and c.key = 'ghl:txn:' || t.transaction_id and not t.detail_is_current
        )
        and not exists (
            select 1 from staging.fulfillments as f
            inner join staging.orders as o on o.location_id = f.location_id and o.order_id = f.order_id
            where f.location_id = $location_id and c.key = 'ghl:fulfillment:' || f.fulfillment_id
                and not o.detail_is_current
        )
        and not exists (
            select 1 from staging.subscriptions as b
            where b.location_id = $location_id and c.key = 'ghl:sub:' || b.subscription_id and not b.detail_is_current
        )
)

select * from waiting
where operation = 'update' or parents_missing = 0
order by planned_at, change_id
limit $batch;

update outbox.changes as c set
    state = 'claimed', moved_at = $as_of, attempts = c.attempts + 1
from claimable as k
where c.change_id = k.change_id;

insert into outbox.attempts
select change_id, attempts, 'claim', 'claimed', null, native_id, null, $as_of
from outbox.changes where change_id in (select change_id from claimable);

select c.change_id, c.record_type, c.key, c.operation, c.native_id, c.fields::varchar, (c.payload -> '$.fields')::varchar,
    coalesce(k.parent_ids, '{}'::json)::varchar, c.attempts, coalesce(c.revision, 1), coalesce(c.tries, 0)
from outbox.changes as c inner join claimable as k on k.change_id = c.change_id
order by c.planned_at, c.change_id;
