-- Inbox lines (the temp table inbox_lines) -> raw.webhook_events, one row a delivery: the first one counts, later copies
-- are only counted.
with firsts as (
    select
        system, connection, delivery_id, location_id, event, event_at, received_at, verified, records,
        count(*) over (partition by system, connection, delivery_id)::integer as copies, inbox_file, inbox_offset
    from inbox_lines
    qualify row_number() over (partition by system, connection, delivery_id order by inbox_file, inbox_offset) = 1
)

insert into raw.webhook_events
select * from firsts
on conflict do update set copies = webhook_events.copies + excluded.copies;
