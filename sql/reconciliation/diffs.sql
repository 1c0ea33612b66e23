-- found_diffs -> reconciliation.diffs: new ones open, vanished ones close, ones that were there keep their age.
-- A diff that could not be judged this time (its target's list was incomplete) stays as it is.
update reconciliation.diffs as d set
    connection = f.connection, fields = f.fields, native_ids = f.native_ids, amount_minor = f.amount_minor,
    currency = f.currency, reason = f.reason, pushable = f.pushable, last_seen = $as_of,
    first_seen = case when d.state = 'closed' then $as_of else d.first_seen end,
    state = case when d.state = 'closed' then 'open' else d.state end, closed_at = null
from found_diffs as f
where d.diff_id = f.diff_id;

insert into reconciliation.diffs
select diff_id, location_id, live, system, connection, record_type, key, kind, class, fields, native_ids, amount_minor,
    currency, reason, pushable, $as_of, $as_of, 'open', null
from found_diffs as f
where not exists (select 1 from reconciliation.diffs as d where d.diff_id = f.diff_id);

update reconciliation.diffs as d set state = 'closed', closed_at = $as_of
where d.location_id = $location_id and d.system = $system and d.connection is not distinct from $connection
    and d.state in ('open', 'ignored') and d.diff_id not in (select diff_id from found_diffs)
    and (
        -- What changed within the lag was not judged, and what was not judged is not settled.
        ($connection is null and $ghl_complete and not exists (
            select 1 from staging.orders as o
            where o.location_id = $location_id and d.key = 'ghl:order:' || o.order_id and o.updated_at > $judged_until
        ))
        or coalesce((
            select bool_and(r.complete) from actual.reads as r where r.connection = d.connection
        ), false)
    );

select kind, count(*) from found_diffs group by kind order by kind;
