-- Several targets: what an account was found to be able to do, deliveries that flow back into GHL, declared providers,
-- and records whose system cannot list them.
create table ops.capabilities (
    connection varchar not null, capability varchar not null, level varchar not null, evidence varchar not null,
    forced boolean not null, probed_at timestamp not null,
    primary key (connection, capability)
);
create table ops.declared_providers (
    location_id varchar not null, unique_name varchar not null, title varchar, provider varchar, description varchar,
    image_url varchar,
    primary key (location_id, unique_name)
);
create table actual.deliveries (
    connection varchar not null, system varchar not null, location_id varchar not null, delivery_key varchar not null,
    order_key varchar not null, tracking varchar not null, carrier varchar, delivered_at timestamp, items json,
    native_id varchar not null, read_at timestamp not null,
    primary key (connection, location_id, delivery_key)
);
alter table actual.reads add column limits varchar;
alter table actual.reads add column keyed boolean;
