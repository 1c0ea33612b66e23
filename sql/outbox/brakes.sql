-- An empty or shrunken answer of a target holds all creates of its connection, until the answer recovers or a person
-- releases the brake. The baseline is the last read that was not braked.
create or replace temp table brake_verdicts as
with accepted as (
    select record_type, arg_max(rows, read_at) as rows from actual.read_history
    where connection = $connection and complete
    group by record_type
)

select
    r.record_type, r.rows as observed, coalesce(b.baseline, a.rows) as baseline, a.rows as accepted, r.read_at, r.complete,
    case
        when not r.complete then null
        when r.rows = 0 and t.record_type is not null and not coalesce(r.keyed, false)
            and coalesce(a.rows, case when t.may_start_empty then 0 else 1 end) > 0 then 'empty_answer'
        -- Cross-references and the like may well be none at first, but not once records carry our keys; those that were
        -- written after the list was read say nothing about it.
        when r.rows = 0 and not coalesce(r.keyed, false) and not coalesce(t.may_start_empty, false) and (a.rows > 0 or exists (
            select 1 from actual.records as k where k.connection = $connection and k.key is not null and k.read_at <= r.read_at
        )) and coalesce(a.rows, 1) > 0 then 'empty_answer'
        when a.rows >= 5 and not coalesce(r.keyed, false) and r.rows < a.rows * $shrink_share then 'shrunken_answer'
    end as brake
from actual.reads as r
left join target_types as t on t.record_type = r.record_type
left join accepted as a on a.record_type = r.record_type
left join outbox.brakes as b on b.connection = $connection and b.record_type = r.record_type and b.active
where r.connection = $connection;

update outbox.brakes as b set active = false
from brake_verdicts as v
where b.connection = $connection and b.record_type = v.record_type and b.active and v.complete
    and v.brake is distinct from b.brake;

insert or replace into outbox.brakes
select $connection, v.brake, v.record_type,
    case v.brake
        when 'empty_answer' then 'the list of ' || v.record_type || ' came back empty; missing rights look the same'
        else 'the list of ' || v.record_type || ' fell from ' || v.baseline || ' to ' || v.observed
    end,
    v.observed, v.baseline, true, null, $as_of
from brake_verdicts as v
where v.brake is not null and not exists (
    select 1 from outbox.brakes as b
    where b.connection = $connection and b.record_type = v.record_type and b.active and b.brake = v.brake
);

insert into actual.read_history
select $connection, r.record_type, r.rows, r.complete, r.read_at
from actual.reads as r
inner join brake_verdicts as v on v.record_type = r.record_type and v.brake is null
left join actual.read_history as h
    on h.connection = $connection and h.record_type = r.record_type and h.read_at = r.read_at
where r.connection = $connection and r.complete and h.read_at is null
    -- That a list may be empty is for a person to say, by releasing its brake.
    and (r.rows > 0 or v.accepted = 0 or r.record_type in (select record_type from target_types where may_start_empty));

select brake, record_type from outbox.brakes where connection = $connection and active order by all;
