-- Open pushable diffs -> changes, one a record. A plan that still says the same keeps its change; one that says
-- something else replaces it; what a target refused is not planned again until the wish or the mapping changes.
create or replace temp table wanted_changes as
with open_diffs as (
    select * from reconciliation.diffs
    where location_id = $location_id and connection = $connection and state = 'open' and (
        -- What is switched off is planned all the same, for a person to see.
        pushable or (record_type, reason) in (select (record_type, off_reason) from target_types where off_reason is not null)
    )
),

written as (
    select d.record_type, d.key, r.field, r.via
    from open_diffs as d
    inner join reconciliation.field_rules as r on r.system = d.system and r.record_type = d.record_type
    where d.kind = 'field_differs' and (r.write = 'always' or r.via is not null)
        and r.field in (select unnest(from_json(d.fields, '[{"field": "VARCHAR"}]')).field)
),

fields as (
    select record_type, key, list_sort(list_distinct(list(coalesce(via, field)))) as fields
    from written group by record_type, key
),

grouped as (
    select record_type, key,
        case when bool_or(kind = 'missing_in_target') then 'create' else 'update' end as operation,
        list(diff_id order by diff_id) as diff_ids,
        max(amount_minor) as amount_minor, any_value(currency) as currency,
        any_value(native_ids ->> '$[0]') as native_id
    from open_diffs
    group by record_type, key
)

select
    g.record_type, g.key, w.live, g.operation, case when g.operation = 'update' then g.native_id end as native_id,
    case when g.operation = 'create' then '[]' else to_json(coalesce(f.fields, [])) end::json as fields,
    json_object('fields', w.fields, 'parents', w.parents) as payload,
    case when g.operation = 'update' then a.fields end as pre_image,
    w.hash as desired_hash, to_json(g.diff_ids) as diff_ids, g.amount_minor, g.currency,
    md5(concat_ws('|', g.operation, f.fields, w.fields, w.parents)) as wish
from grouped as g
inner join reconciliation.desired as w
    on w.connection = $connection and w.location_id = $location_id and w.representable
    and w.record_type = g.record_type and w.key = g.key
left join fields as f on f.record_type = g.record_type and f.key = g.key
left join actual.records as a
    on a.connection = $connection and a.record_type = g.record_type and a.native_id = g.native_id
where not exists (
        select 1 from outbox.changes as c
        where c.connection = $connection and c.location_id = $location_id and c.record_type = g.record_type
            and c.key = g.key and (
                c.state in ('claimed', 'sent', 'unknown')
                or (
                    c.state = 'refused' and c.operation = g.operation
                    and ((c.desired_hash = w.hash and c.mapping_hash = $mapping_hash) or (
                        -- Something was created and did not come out as sent: one more would not either.
                        c.operation = 'create' and c.native_id is not null
                    ))
                )
            )
    )
    and not (g.operation = 'create' and exists (
        select 1 from actual.records as h
        where h.connection = $connection and h.location_id = $location_id and h.record_type = g.record_type
            and h.key = g.key
    ));

update outbox.changes as c set state = 'superseded', moved_at = $as_of, reason = 'the plan changed before it was sent'
where c.connection = $connection and c.location_id = $location_id and c.state in ('planned', 'approved', 'held')
    and not exists (
        select 1 from wanted_changes as w
        where w.record_type = c.record_type and w.key = c.key
            and md5(concat_ws('|', c.operation,
                case when c.operation = 'update' then from_json(c.fields, '["VARCHAR"]') end,
                (c.payload -> '$.fields'), (c.payload -> '$.parents'))) = w.wish
    );

-- The number of earlier changes of the record is part of the id, so that a later drift back gets a change of its own.
insert into outbox.changes by name
with counted as (
    select w.*, (
        select count(*) from outbox.changes as p
        where p.connection = $connection and p.location_id = $location_id and p.record_type = w.record_type
            and p.key = w.key
    ) as earlier
    from wanted_changes as w
),

named as (
    select *, md5(concat_ws('|', $connection, $location_id, record_type, key, wish, earlier)) as change_id from counted
)

select
    change_id, $connection as connection, $location_id as location_id, live, $live as connection_live, $system as system,
    record_type, key, operation, native_id, fields, payload, pre_image, desired_hash, $mapping_hash as mapping_hash,
    '[]'::json as depends_on, diff_ids, amount_minor, currency, 'planned' as state, null::varchar as reason,
    change_id as token, 0 as attempts, $as_of as planned_at, $as_of as moved_at, $turn_id as turn_id,
    record_type in (select record_type from target_types where irreversible) as irreversible, earlier + 1 as revision
from named as w
where not exists (
    select 1 from outbox.changes as c
    where c.connection = $connection and c.location_id = $location_id and c.record_type = w.record_type
        and c.key = w.key and c.state in ('planned', 'approved', 'held')
);

update outbox.changes as c set depends_on = coalesce((
    select to_json(list(p.change_id order by p.change_id))
    from outbox.changes as p
    where p.connection = c.connection and p.location_id = c.location_id and p.operation = 'create'
        and p.state in ('planned', 'approved', 'held', 'claimed', 'sent', 'unknown')
        and p.key = ((c.payload -> '$.parents') ->> p.record_type)
), '[]'::json)
where c.connection = $connection and c.location_id = $location_id and c.state in ('planned', 'approved', 'held')
    and c.operation = 'create';

-- Policy and brakes decide who may leave: `auto` approves by itself, a brake holds every create.
update outbox.changes set state = 'approved', moved_at = $as_of, reason = null
where connection = $connection and location_id = $location_id and $policy = 'auto'
    and (state = 'planned' or (state = 'held' and not $braked))
    and record_type not in (select record_type from target_types where off_reason is not null);

update outbox.changes set state = 'planned', moved_at = $as_of, reason = null
where connection = $connection and location_id = $location_id and $policy <> 'auto' and (
    (state = 'held' and not $braked) or state = 'approved'
);

update outbox.changes set state = 'held', moved_at = $as_of, reason = $brake_reason
where connection = $connection and location_id = $location_id and $braked and operation = 'create'
    and state in ('planned', 'approved');

-- An endpoint that said it is gone is sent nothing at all.
update outbox.changes set state = 'held', moved_at = $as_of, reason = $brake_reason
where connection = $connection and location_id = $location_id and $gone and state in ('planned', 'approved');

-- What is switched off is shown, and leaves under no policy.
update outbox.changes as c set state = 'planned', moved_at = $as_of, reason = t.off_reason
from target_types as t
where c.connection = $connection and c.location_id = $location_id and t.record_type = c.record_type
    and t.off_reason is not null and c.state in ('planned', 'approved', 'held')
    and (c.state <> 'planned' or c.reason is distinct from t.off_reason);

update outbox.changes as c set reason = null
where c.connection = $connection and c.location_id = $location_id and c.state = 'planned'
    and starts_with(c.reason, 'off by default')
    and c.record_type in (select record_type from target_types where off_reason is null);

select state, count(*) from outbox.changes
where connection = $connection and location_id = $location_id group by state order by state;
