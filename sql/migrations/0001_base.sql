-- The first layout of the warehouse. All *_at columns are UTC instants held as TIMESTAMP.
create schema if not exists ops;
create schema if not exists raw;
create schema if not exists staging;
create schema if not exists actual;
create schema if not exists reconciliation;
create schema if not exists outbox;
create schema if not exists reports;

create table ops.sources (kind varchar, name varchar, value varchar, primary key (kind, name));
create table ops.currencies (code varchar primary key, exponent tinyint not null);
create table ops.diff_kinds (
    kind varchar primary key, scope varchar, pushable boolean, meaning varchar, remedy varchar
);
create table ops.turns (
    turn_id varchar, run_id varchar, location_id varchar, started_at timestamp, ended_at timestamp, summary json,
    primary key (turn_id, location_id)
);

create table raw.slices (
    location_id varchar not null,
    stream varchar not null,
    month date not null,
    asked_from varchar,
    asked_to varchar,
    total_first bigint,
    total_last bigint,
    row_count bigint not null,
    unique_ids bigint not null,
    unidentified bigint not null,
    outside bigint not null,
    pages integer not null,
    requests integer not null,
    attempts integer not null,
    complete boolean not null,
    reason varchar,
    landing varchar,
    scanned_at timestamp not null,
    primary key (location_id, stream, month)
);

create table raw.sweeps (
    location_id varchar not null,
    stream varchar not null,
    unfiltered_total bigint,
    sum_of_slices bigint,
    filter_verdict varchar,
    swept_at timestamp not null,
    primary key (location_id, stream)
);

create table raw.lookups (
    location_id varchar not null,
    stream varchar not null,
    id varchar not null,
    status integer not null,
    looked_up_at timestamp not null,
    primary key (location_id, stream, id)
);

create table raw.orders (
    location_id varchar not null, id varchar not null, content_hash varchar not null, doc json not null,
    valid_from timestamp not null, is_current boolean not null, month date, list_hash varchar, absent_at timestamp,
    landing varchar
);
create table raw.order_details as select * from raw.orders limit 0;
create table raw.fulfillments as select * from raw.orders limit 0;
create table raw.transactions as select * from raw.orders limit 0;
create table raw.transaction_details as select * from raw.orders limit 0;
create table raw.subscriptions as select * from raw.orders limit 0;
create table raw.subscription_details as select * from raw.orders limit 0;
create table raw.integration_providers as select * from raw.orders limit 0;

create table staging.quarantine (
    table_name varchar not null,
    owner varchar not null,
    record_key varchar not null,
    rule varchar not null,
    remedy varchar not null,
    payload json,
    first_seen timestamp not null,
    last_seen timestamp not null,
    primary key (table_name, owner, record_key, rule)
);

create table staging.orders (
    location_id varchar, live boolean, order_id varchar, contact_id varchar, amount_minor bigint,
    amount_text varchar, currency varchar, status varchar, payment_status varchar, fulfillment_status varchar,
    subtotal_text varchar, discount_text varchar, tax_text varchar, shipping_text varchar,
    source_type varchar, source_name varchar, created_at timestamp, updated_at timestamp, updated_text varchar,
    has_detail boolean, detail_is_current boolean, content_hash varchar
);
create table staging.order_items (
    location_id varchar, order_id varchar, line_number integer, name varchar, price_id varchar, product_id varchar,
    product_type varchar, quantity_text varchar, price_text varchar
);
create table staging.fulfillments (
    location_id varchar, order_id varchar, fulfillment_id varchar, trackings varchar, items varchar, quantity double,
    created_at timestamp, updated_at timestamp
);
create table staging.transactions (
    location_id varchar, live boolean, transaction_id varchar, contact_id varchar, merged_from_contact_id varchar,
    amount_minor bigint, amount_text varchar, refunded_minor bigint, refunded_text varchar, currency varchar,
    status varchar, entity_type varchar, entity_id varchar, subscription_id varchar, charge_id varchar,
    provider varchar, is_renewal boolean, created_at timestamp, updated_at timestamp,
    has_detail boolean, detail_is_current boolean, content_hash varchar
);
create table staging.refunds (
    location_id varchar, live boolean, transaction_id varchar, refund_number integer, amount_minor bigint,
    currency varchar, seen_at timestamp
);
create table staging.subscriptions (
    location_id varchar, live boolean, subscription_id varchar, provider_subscription_id varchar, contact_id varchar,
    amount_minor bigint, amount_text varchar, currency varchar, status varchar, entity_type varchar,
    entity_id varchar, created_at timestamp, updated_at timestamp,
    has_detail boolean, detail_is_current boolean, content_hash varchar
);
create table staging.contacts (
    location_id varchar, contact_id varchar, name varchar, first_name varchar, last_name varchar, email varchar,
    phone varchar, seen_at timestamp
);
create table staging.contact_aliases (location_id varchar, alias_id varchar, contact_id varchar);
create table staging.integration_providers (
    location_id varchar, provider_id varchar, unique_name varchar, title varchar, provider varchar
);

create table actual.reads (
    connection varchar not null, record_type varchar not null, turn_id varchar, rows bigint not null,
    unique_ids bigint not null, declared bigint, pages integer not null, attempts integer not null,
    complete boolean not null, reason varchar, read_at timestamp not null,
    primary key (connection, record_type)
);
create table actual.read_history (
    connection varchar not null, record_type varchar not null, rows bigint not null, complete boolean not null,
    read_at timestamp not null
);
create table actual.documents (
    connection varchar not null, record_type varchar not null, native_id varchar not null,
    list_doc json, list_hash varchar, detail_doc json, detail_list_hash varchar, present boolean not null,
    absent_confirmed boolean not null, read_at timestamp not null,
    primary key (connection, record_type, native_id)
);
create table actual.records (
    connection varchar not null, location_id varchar, live boolean not null, system varchar not null,
    record_type varchar not null, key varchar, native_id varchar not null, fields json not null, hash varchar not null,
    amount_minor bigint, currency varchar, problem varchar, read_at timestamp not null
);

-- Every native id that ever carried a key of ours: a record that was there and is gone was deleted, not missed.
create table actual.known_keys (
    connection varchar not null, record_type varchar not null, native_id varchar not null, key varchar not null,
    location_id varchar not null,
    primary key (connection, record_type, native_id, key, location_id)
);

create table reconciliation.desired (
    connection varchar not null, location_id varchar not null, live boolean not null, system varchar not null,
    record_type varchar not null, key varchar not null, representable boolean not null, reason varchar,
    fields json not null, hash varchar not null, parents json not null, amount_minor bigint, currency varchar,
    source_created_at timestamp, source_updated_at timestamp
);
create table reconciliation.field_rules (
    system varchar, record_type varchar, field varchar, class varchar, compare varchar, tolerance bigint,
    owner varchar, write varchar, via varchar
);
create table reconciliation.diffs (
    diff_id varchar primary key, location_id varchar not null, live boolean not null, system varchar not null,
    connection varchar, record_type varchar not null, key varchar not null, kind varchar not null, class varchar,
    fields json not null, native_ids json not null, amount_minor bigint, currency varchar, reason varchar,
    pushable boolean not null, first_seen timestamp not null, last_seen timestamp not null, state varchar not null,
    closed_at timestamp
);
create table reconciliation.invariants (
    location_id varchar not null, live boolean not null, system varchar not null, record_type varchar not null,
    key varchar not null, kind varchar not null, amount_minor bigint, currency varchar, reason varchar
);

create table outbox.changes (
    change_id varchar primary key, connection varchar not null, location_id varchar not null, live boolean not null,
    connection_live boolean not null,
    system varchar not null, record_type varchar not null, key varchar not null, operation varchar not null,
    native_id varchar, fields json not null, payload json not null, pre_image json, desired_hash varchar not null,
    mapping_hash varchar not null, depends_on json not null, diff_ids json not null, amount_minor bigint,
    currency varchar, state varchar not null, reason varchar, token varchar not null, attempts integer not null,
    planned_at timestamp not null, moved_at timestamp not null, turn_id varchar,
    check (live = connection_live)
);
create table outbox.attempts (
    change_id varchar not null, attempt integer not null, step varchar not null, outcome varchar not null,
    status integer, native_id varchar, detail varchar, attempted_at timestamp not null
);
create table outbox.brakes (
    connection varchar not null, brake varchar not null, record_type varchar not null, reason varchar not null,
    observed bigint, baseline bigint, active boolean not null, released_at timestamp, set_at timestamp not null,
    primary key (connection, brake, record_type)
);
