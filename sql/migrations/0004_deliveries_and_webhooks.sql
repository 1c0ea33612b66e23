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
-- An id tells the deliveries of one sender apart; `connection` is '' where none is known.
create table raw.webhook_events (
    system varchar not null, connection varchar not null, delivery_id varchar not null, location_id varchar,
    event varchar, event_at timestamp, received_at timestamp not null, verified varchar not null, records json not null,
    copies integer not null, inbox_file varchar not null, inbox_offset bigint not null,
    primary key (system, connection, delivery_id)
);
-- A hint of a connection that locations share is taken up by each of them.
create table raw.webhooks_taken_up (
    location_id varchar not null, system varchar not null, connection varchar not null, delivery_id varchar not null,
    taken_up_at timestamp not null, primary key (location_id, system, connection, delivery_id)
);
create table ops.inbox (cursor varchar not null);
create table raw.refreshed (
    location_id varchar not null, key varchar not null, updated_at timestamp, refreshed_at timestamp not null,
    primary key (location_id, key)
);

-- Systems that tell only what changed: until when they were asked, and which keys were asked for one by one. Where a
-- parcel can be followed.
create table actual.change_cursors (
    connection varchar not null, record_type varchar not null, read_until timestamp not null,
    primary key (connection, record_type)
);
create table actual.lookups (
    connection varchar not null, record_type varchar not null, key varchar not null, looked_up_at timestamp not null,
    primary key (connection, record_type, key)
);
alter table actual.deliveries add column tracking_url varchar;
-- Why GHL cannot be told of a delivery, where the system that made it leaves that open.
alter table actual.deliveries add column problem varchar;

-- Backfills: one that was not ended is gone on with, leaving out the slices read completely since it began.
create table ops.backfills (
    location_id varchar not null, first_month date not null, last_month date not null, begun_at timestamp not null,
    ended_at timestamp, primary key (location_id, first_month, last_month, begun_at)
);
