-- One row an order line, in the order of the detail document.
create or replace temp table candidate as
with lines as (
    select
        id as order_id,
        unnest(from_json((doc -> '$.items'), '["JSON"]')) as item,
        unnest(range(1, json_array_length(doc -> '$.items')::bigint + 1)) as line_number
    from raw.order_details
    where location_id = $location_id and is_current and json_type(doc -> '$.items') = 'ARRAY'
)

select
    $location_id as location_id,
    order_id,
    line_number::integer as line_number,
    coalesce((item ->> '$.name'), (item ->> '$.product.name'), 'Item') as name,
    (item ->> '$.price._id') as price_id,
    coalesce((item ->> '$.product._id'), (item ->> '$.price.product')) as product_id,
    (item ->> '$.product.productType') as product_type,
    coalesce((item ->> '$.qty'), '1') as quantity_text,
    coalesce((item ->> '$.price.amount'), '0') as price_text,
    coalesce(abs(plain_decimal(coalesce((item ->> '$.qty'), '1'))) < 1e9, false) as quantity_is_number,
    coalesce(abs(plain_decimal(coalesce((item ->> '$.price.amount'), '0'))) < 1e15, false) as price_is_number,
    item as payload
from lines;
