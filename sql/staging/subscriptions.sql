-- One row a subscription: its newest list row, with what only the detail says where one was fetched: markAsTest, what is
-- sold at which interval, the schedule, and when it was cancelled.
create or replace temp macro billing_interval(unit, steps) as
    case when unit in ('day', 'week', 'month', 'year') and regexp_full_match(coalesce(steps, '1'), '[1-9][0-9]{0,2}')
        then coalesce(steps, '1') || ' ' || unit || case when coalesce(steps, '1') = '1' then '' else 's' end end;
create or replace temp macro sold_interval(d) as billing_interval(
    lower(d ->> '$.recurringProduct.price.recurring.interval'), d ->> '$.recurringProduct.price.recurring.intervalCount'
);
create or replace temp macro scheduled_interval(d) as billing_interval(
    case lower(d ->> '$.schedule.rrule.intervalType')
        when 'daily' then 'day' when 'weekly' then 'week' when 'monthly' then 'month' when 'yearly' then 'year'
    end,
    d ->> '$.schedule.rrule.interval'
);
create or replace temp macro plain_date(t) as
    case when regexp_full_match(t, '[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t as date) end;

create or replace temp table candidate as
with listed as (
    select t.*
    from raw.subscriptions as t
    where t.location_id = $location_id and t.is_current
        and not exists (
            select 1 from raw.lookups as k
            where t.absent_at is not null and k.location_id = t.location_id and k.stream = 'subscription_details'
                and k.id = t.id and k.status = 404 and k.looked_up_at >= t.absent_at
        )
),

detailed as (select * from raw.subscription_details where location_id = $location_id and is_current),

typed as (
    select
        $location_id as location_id,
        coalesce(lower(l.doc ->> '$.liveMode') = 'true', false)
        and not coalesce(lower(d.doc ->> '$.markAsTest') = 'true', false) as live,
        l.id as subscription_id,
        blank_to_null(l.doc ->> '$.subscriptionId') as provider_subscription_id,
        coalesce(a.contact_id, blank_to_null(l.doc ->> '$.contactId')) as contact_id,
        to_minor((l.doc ->> '$.amount'), c.exponent) as amount_minor,
        (l.doc ->> '$.amount') as amount_text,
        (l.doc ->> '$.currency') as currency,
        (l.doc ->> '$.status') as status,
        (l.doc ->> '$.entityType') as entity_type,
        blank_to_null(l.doc ->> '$.entityId') as entity_id,
        instant(l.doc ->> '$.createdAt') as created_at,
        coalesce(instant(l.doc ->> '$.updatedAt'), instant(l.doc ->> '$.createdAt')) as updated_at,
        d.id is not null as has_detail,
        d.id is not null and d.list_hash is not distinct from l.content_hash as detail_is_current,
        l.content_hash,
        amount_state((l.doc ->> '$.amount'), c.exponent) as amount_state,
        json_type(l.doc -> '$.status') as status_type,
        coalesce(
            blank_to_null(l.doc ->> '$.recurringProduct.product.name'),
            blank_to_null(d.doc ->> '$.recurringProduct.product.name')
        ) as plan,
        coalesce(
            sold_interval(l.doc), sold_interval(d.doc), scheduled_interval(l.doc), scheduled_interval(d.doc)
        ) as interval_text,
        coalesce(
            plain_date(l.doc ->> '$.schedule.rrule.startDate'), plain_date(d.doc ->> '$.schedule.rrule.startDate')
        ) as start_date,
        coalesce(
            plain_date(l.doc ->> '$.schedule.rrule.endDate'), plain_date(d.doc ->> '$.schedule.rrule.endDate')
        )::timestamp as ends_at,
        coalesce((l.doc ->> '$.schedule.rrule.dayOfMonth'), (d.doc ->> '$.schedule.rrule.dayOfMonth')) as day_text,
        coalesce((l.doc ->> '$.schedule.rrule.numOfWeek'), (d.doc ->> '$.schedule.rrule.numOfWeek')) as week_text,
        coalesce(instant(l.doc ->> '$.canceledAt'), instant(d.doc ->> '$.canceledAt')) as cancelled_at,
        l.doc as payload
    from listed as l
    left join detailed as d on d.id = l.id
    left join ops.currencies as c on c.code = (l.doc ->> '$.currency')
    left join staging.contact_aliases as a on a.location_id = $location_id and a.alias_id = (l.doc ->> '$.contactId')
),

-- A start date has neither a time nor a time zone: within a day of the creation it says no more than createdAt does.
started as (
    select
        *,
        case when abs(datediff('day', created_at::date, start_date)) > 1 then start_date::timestamp else created_at end
            as starts_at,
        split_part(interval_text, ' ', 1)::bigint as steps,
        rtrim(split_part(interval_text, ' ', 2), 's') as unit
    from typed
),

charged as (
    select live, subscription_id, max(created_at) as charged_at
    from staging.transactions
    where location_id = $location_id and status in ('succeeded', 'refunded') and subscription_id is not null
    group by live, subscription_id
),

-- The next billing is the first cycle after the last charge, wherever the clock stands; a charge that came early by up to
-- a tenth of the interval paid the cycle before which it came. Without any charge it is the first cycle to come.
judged as (
    select
        s.*,
        greatest(
            coalesce(
                greatest(o.charged_at, p.charged_at) + to_seconds(
                    steps * 8640 * case unit when 'day' then 1 when 'week' then 7 when 'month' then 30 else 365 end
                ),
                getvariable('as_of')::timestamp, (select max(updated_at) from typed)
            ),
            starts_at - interval 1 microsecond
        ) as settled_until,
        steps * case unit when 'month' then 1 when 'year' then 12 end as months,
        steps * case unit when 'day' then 1 when 'week' then 7 end as days,
        case when day_text = '-1' then 31 when regexp_full_match(day_text, '[1-9]|1[0-9]|2[0-8]') then day_text::bigint
            else day(starts_at) end as anchor_day
    from started as s
    left join charged as o on o.live = s.live and o.subscription_id = s.subscription_id
    left join charged as p on p.live = s.live and p.subscription_id = s.provider_subscription_id
),

-- Each cycle is counted from the start, never from the cycle before: the 31st stays the last day of every month.
cycled as (
    select
        subscription_id,
        starts_at - date_trunc('day', starts_at) as time_of_day,
        date_trunc('month', starts_at) + to_months((months * unnest([0, 1]) + months * (
            greatest(datediff('month', starts_at, settled_until), 0) // months
        ))::integer) as month_of,
        starts_at + to_days((days * unnest([0, 1]) + days * (
            greatest(datediff('microsecond', starts_at, settled_until), 0) // (days * 86400000000)
        ))::integer) as day_of,
        anchor_day, settled_until, ends_at
    from judged
    where status in ('active', 'trialing') and interval_text is not null and starts_at is not null
        and not (months is not null and coalesce(regexp_full_match(week_text, '-?[0-9]+'), false))
),

upcoming as (
    select subscription_id, min(billed_at) as next_billing_at
    from (
        select
            subscription_id, settled_until, ends_at,
            coalesce(day_of, month_of + to_days(least(anchor_day, day(last_day(month_of)))::integer - 1) + time_of_day)
                as billed_at
        from cycled
    )
    where billed_at > settled_until and (ends_at is null or billed_at < ends_at + interval 1 day)
    group by subscription_id
)

select s.* exclude (start_date, day_text, week_text), u.next_billing_at
from started as s
left join upcoming as u on u.subscription_id = s.subscription_id;
