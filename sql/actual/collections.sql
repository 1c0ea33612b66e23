-- What a target's people collected in cash at the door, one row a collection for one order of ours; it flows back into
-- GHL as a payment. What a test account says never does: a copy of the real one carries the keys of live orders.
delete from actual.collections where connection = $connection;

insert into actual.collections by name
select
    $connection as connection, $system as system, location_id, collection_key, order_key, amount_text,
    upper(blank_to_null(currency)) as currency, collected_at, lower(blank_to_null(mode)) as mode, native_id,
    now()::timestamp as read_at
from TARGET_collections
where $live and location_id is not null and collection_key is not null and order_key is not null
qualify row_number() over (partition by location_id, collection_key order by native_order(native_id)) = 1;
