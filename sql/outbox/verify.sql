-- Read-back: each change in `to_verify` against the record as it stands now, field by field, only the fields written.
-- An unknown create that is not there was not applied and may be sent again; an unequal record after a 2xx is refused.
-- What can never be taken back is not sent again by the push that sent it (`sent_now`): it stays unknown.
-- `told` names the fields that such a record tells, null where it tells all: what nothing told of is never `verified`.
create or replace temp table read_backs as
with held as (
    select c.change_id, c.operation, c.state, c.system, c.record_type, c.payload, c.fields as changed, c.diff_ids,
        c.connection, c.location_id, c.key, coalesce(c.revision, 1) as revision,
        coalesce(c.irreversible, false) and v.sent_now as must_wait,
        coalesce(a.native_id, b.native_id) as native_id, coalesce(a.fields, b.fields) as found,
        coalesce(a.key, b.key) is distinct from c.key as lost_key
    from outbox.changes as c
    inner join to_verify as v on v.change_id = c.change_id
    left join actual.records as a
        on a.connection = c.connection and a.record_type = c.record_type and a.native_id = c.native_id
    left join (
        select connection, location_id, record_type, key, arg_min(native_id, native_order(native_id)) as native_id,
            arg_min(fields, native_order(native_id)) as fields
        from actual.records where key is not null group by all
    ) as b
        on b.connection = c.connection and b.location_id = c.location_id and b.record_type = c.record_type
        and b.key = c.key and c.operation = 'create'
    where c.state in ('sent', 'unknown')
),

opened as (
    select h.change_id, h.operation, r.field, r.class, r.compare, r.tolerance,
        coalesce((h.payload -> '$.fields' ->> r.field), '') as wanted, coalesce((h.found ->> r.field), '') as got
    from held as h
    inner join reconciliation.field_rules as r
        on r.system = h.system and r.record_type = h.record_type and r.compare <> 'never'
        and (r.write <> 'never' or r.via is not null)
        and (
            h.operation = 'create'
            or coalesce(r.via, r.field) in (select unnest(from_json(h.changed, '["VARCHAR"]')))
        )
    where h.found is not null
),

unequal as (
    select change_id, string_agg(field, ', ' order by field) as fields
    from opened
    where differs(compare, tolerance, wanted, got)
    group by change_id
),

-- What the receiver had accepted before, so that also what is never compared counts as changed when it did.
earlier as (
    select h.change_id, arg_max(p.payload -> '$.fields', coalesce(p.revision, 1)) as fields
    from held as h
    inner join outbox.changes as p
        on p.connection = h.connection and p.location_id = h.location_id and p.record_type = h.record_type
        and p.key = h.key and coalesce(p.revision, 1) < h.revision and p.state in ('verified', 'delivered_unverified')
    where $told::varchar[] is not null and h.operation = 'update'
    group by h.change_id
),

said as (
    select change_id, field from opened
    where $told::varchar[] is not null and (operation = 'update' or class in ('amount', 'status'))
    union
    select h.change_id, n.field
    from held as h
    inner join earlier as e on e.change_id = h.change_id,
        unnest(json_keys(h.payload -> '$.fields')) as n(field)
    where (h.payload -> '$.fields' ->> n.field) is distinct from (e.fields ->> n.field)
),

-- The digest of a record and when it changed say nothing beside the fields that they stand for.
shown as (
    select h.change_id,
        string_agg(s.field, ', ' order by s.field) filter (where not list_contains($told::varchar[], s.field)) as untold,
        count(s.field) filter (where list_contains($told::varchar[], s.field)) as told
    from held as h
    left join said as s on s.change_id = h.change_id and s.field not in ('content_hash', 'updated_at')
    group by h.change_id
),

proven as (
    select h.change_id, s.untold,
        $told::varchar[] is null or (s.told > 0 and (h.operation = 'create' or s.untold is null)) as is_proven
    from held as h
    inner join shown as s on s.change_id = h.change_id
)

select h.change_id, h.state, h.native_id,
    case
        when h.found is not null and u.change_id is null and not h.lost_key
            then case when p.is_proven then 'verified' else 'delivered_unverified' end
        when h.state = 'unknown' and (h.found is null or h.operation = 'update')
            then case when h.must_wait then 'unknown' else 'approved' end
        else 'unequal'
    end as verdict,
    case
        when h.found is null then 'not found when read back'
        when u.change_id is not null then 'differs when read back: ' || u.fields
        when h.lost_key then 'it does not carry its key when read back'
        when not p.is_proven then 'accepted; reading back does not tell ' || coalesce(p.untold, 'anything of it')
    end as detail
from held as h
inner join proven as p on p.change_id = h.change_id
left join unequal as u on u.change_id = h.change_id;

-- While the target may still be settling, an unequal read-back proves nothing yet.
update outbox.changes as c set
    state = case b.verdict when 'unequal' then 'refused' else b.verdict end, moved_at = $as_of,
    native_id = coalesce(b.native_id, c.native_id),
    reason = case b.verdict
        when 'unequal' then 'not_converging: ' || b.detail
        when 'delivered_unverified' then b.detail
        when 'unknown' then 'the answer was lost and nothing shows that it was applied; as it can never be taken back, '
            || 'a later run looks again before it is sent again'
        when 'approved' then coalesce(
            case when c.not_before is not null then c.reason end,
            'the answer was lost and nothing was applied; it is sent again'
        )
    end
from read_backs as b
where c.change_id = b.change_id and (b.verdict <> 'unequal' or $settled);

insert into outbox.attempts
select b.change_id, c.attempts, 'read_back', case b.verdict when 'unequal' then 'refused' else b.verdict end, null,
    b.native_id, b.detail, $as_of
from read_backs as b inner join outbox.changes as c on c.change_id = b.change_id
where b.verdict <> 'unequal' or $settled;

select verdict, count(*) from read_backs group by verdict order by verdict;
