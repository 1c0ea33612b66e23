-- What a target's people say was delivered, one row a delivery of one order of ours; it flows back into GHL. What a test
-- account says never does: a copy of the real one carries the keys of live orders.
delete from actual.deliveries where connection = $connection;

insert into actual.deliveries by name
select $connection as connection, $system as system, t.*, now()::timestamp as read_at
from TARGET_deliveries as t
where $live and location_id is not null and delivery_key is not null and order_key is not null
    and blank_to_null(tracking) is not null
qualify row_number() over (partition by location_id, delivery_key order by native_order(native_id)) = 1;
