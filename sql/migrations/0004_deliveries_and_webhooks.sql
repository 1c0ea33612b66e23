-- Deliveries and webhooks: what flows back into GHL beside fulfillments, what cannot be undone, and what told of it.

-- Cash that was collected at the door, and changes that no system can take back.
create table actual.collections (
    connection varchar not null, system varchar not null, location_id varchar not null, collection_key varchar not null,
    order_key varchar not null, amount_text varchar, currency varchar, collected_at timestamp, mode varchar,
    native_id varchar not null, read_at timestamp not null,
    primary key (connection, location_id, collection_key)
);
alter table outbox.changes add column irreversible boolean;
-- Receivers that know a repeated request: which state of its record a change is (1 is the first), how often it was
-- tried in vain, and until when it waits.
alter table outbox.changes add column revision integer;
alter table outbox.changes add column tries integer;
alter table outbox.changes add column not_before timestamp;

-- Webhooks: which deliveries were taken in (their bodies stay in the inbox), how far, and what was read again since.
create table raw.webhook_events (
    system varchar not null, delivery_id varchar not null, connection varchar, location_id varchar, event varchar,
    event_at timestamp, received_at timestamp not null, verified varchar not null, records json not null,
    copies integer not null, inbox_file varchar not null, inbox_offset bigint not null,
    primary key (system, delivery_id)
);
create table ops.inbox (cursor varchar not null);
create table raw.refreshed (
    location_id varchar not null, key varchar not null, updated_at timestamp, refreshed_at timestamp not null,
    primary key (location_id, key)
);
