-- Webhooks against what was polled, one row a location and event type. `expected`: orders created (OrderCreate) and
-- changes of an order's status (OrderStatusUpdate) that reading GHL has shown since the location's first delivery;
-- `delivered` of them are told by a webhook, `waiting` were seen less than 15 minutes ago, the rest is `lost`.
-- `received` counts deliveries, `copies` their repetitions; `delay_*` is from GHL's timestamp to the receipt, in seconds.
create or replace view reports.webhook_health as
with deliveries as (
    select system, coalesce(location_id, '') as location_id, coalesce(event, '') as event, event_at, received_at, copies, records
    from raw.webhook_events
),

told as (
    select d.location_id, d.event, d.event_at, d.received_at, r.id
    from deliveries as d, unnest(from_json(d.records, '[{"record_type": "VARCHAR", "id": "VARCHAR"}]')) as u(r)
    where d.system = 'ghl' and r.record_type = 'order'
),

-- Both in GHL's clock: an order or a change before the first delivery was made before anybody listened.
listening as (
    select location_id, min(coalesce(event_at, received_at)) as since
    from deliveries where system = 'ghl' group by location_id
),

versions as (
    select
        o.location_id, o.id, o.valid_from, try_cast((o.doc ->> '$.createdAt') as timestamp) as created_at,
        coalesce(try_cast((o.doc ->> '$.updatedAt') as timestamp), try_cast((o.doc ->> '$.createdAt') as timestamp)) as updated_at,
        (o.doc ->> '$.status') as status,
        lag(o.doc ->> '$.status') over w as status_before,
        lag(coalesce(try_cast((o.doc ->> '$.updatedAt') as timestamp), try_cast((o.doc ->> '$.createdAt') as timestamp))) over w as updated_before,
        row_number() over w as version
    from raw.orders as o
    window w as (partition by o.location_id, o.id order by o.valid_from, updated_at)
),

expected as (
    select v.location_id, 'OrderCreate' as event, v.id, v.valid_from as seen_at, v.created_at as since
    from versions as v
    inner join listening as l on l.location_id = v.location_id
    where v.version = 1 and v.created_at >= l.since
    union all
    select v.location_id, 'OrderStatusUpdate', v.id, v.valid_from, v.updated_before
    from versions as v
    inner join listening as l on l.location_id = v.location_id
    where v.version > 1 and v.status is distinct from v.status_before and v.updated_at >= l.since
),

judged as (
    select
        e.location_id, e.event, e.seen_at > make_timestamp(epoch_us(current_timestamp)) - interval 15 minutes as is_young,
        exists (
            select 1 from told as t
            where t.location_id = e.location_id and t.event = e.event and t.id = e.id
                and (e.event = 'OrderCreate' or t.event_at is null or t.event_at >= e.since)
        ) as is_told
    from expected as e
),

counted as (
    select
        location_id, 'ghl' as system, event, count(*) as expected, count(*) filter (where is_told) as delivered,
        count(*) filter (where not is_told and is_young) as waiting,
        count(*) filter (where not is_told and not is_young) as lost
    from judged group by location_id, event
),

received as (
    select
        location_id, system, event, count(*) as received, sum(copies - 1)::bigint as copies,
        quantile_cont(epoch(received_at - event_at), [0.5, 0.9, 0.99]) as delays,
        min(received_at) as first_received_at, max(received_at) as last_received_at
    from deliveries group by location_id, system, event
)

select
    coalesce(r.location_id, c.location_id) as location_id, coalesce(r.system, c.system) as system,
    coalesce(r.event, c.event) as event, c.expected, c.delivered, c.waiting, c.lost,
    case when c.expected > c.waiting then round(c.lost / (c.expected - c.waiting), 4) end as loss_share,
    coalesce(r.received, 0) as received, coalesce(r.copies, 0) as copies,
    round(r.delays[1], 3) as delay_p50, round(r.delays[2], 3) as delay_p90, round(r.delays[3], 3) as delay_p99,
    r.first_received_at, r.last_received_at
from received as r
full outer join counted as c on c.location_id = r.location_id and c.system = r.system and c.event = r.event;
