-- Orders as mappings see them: one row a readable, non-zero order, with `reason` set where no target could hold it.
create or replace temp table canonical_orders as
with parts as (
    select
        order_id, line_number as position, name, plain_decimal(quantity_text) as quantity,
        plain_decimal(price_text) as price, 'ghl:line:' || line_number as note
    from staging.order_items where location_id = $location_id
    union all
    select order_id, 1000001, 'Discount', 1, -plain_decimal(discount_text), 'ghl:line:discount'
    from staging.orders where location_id = $location_id and plain_decimal(discount_text) <> 0
    union all
    select order_id, 1000002, 'Tax', 1, plain_decimal(tax_text), 'ghl:line:tax'
    from staging.orders where location_id = $location_id and plain_decimal(tax_text) <> 0
    union all
    select order_id, 1000003, 'Shipping', 1, plain_decimal(shipping_text), 'ghl:line:shipping'
    from staging.orders where location_id = $location_id and plain_decimal(shipping_text) <> 0
),

gaps as (
    select
        o.order_id,
        plain_decimal(o.amount_text)::decimal(38, 9)
        - coalesce(sum(p.quantity::decimal(15, 6) * try_cast(p.price as decimal(21, 6))), 0)::decimal(38, 9) as gap
    from staging.orders as o
    left join parts as p on p.order_id = o.order_id
    where o.location_id = $location_id
    group by o.order_id, o.amount_text
),

all_parts as (
    from parts
    union all
    select order_id, 1000004, 'Adjustment', 1, gap, 'ghl:line:adjustment' from gaps where gap <> 0
),

lines as (
    select
        order_id,
        to_json(list(
            {name: name, quantity: plain_text(quantity), price: plain_text(price), note: note} order by position
        ))::varchar as lines
    from all_parts
    group by order_id
),

ordered as (
    select order_id, sum(plain_decimal(quantity_text)::decimal(18, 3)) as units
    from staging.order_items where location_id = $location_id
    group by order_id
),

shipped as (
    select
        order_id, sum(quantity) as units, min(created_at) as first_at,
        string_agg(nullif(trackings, ''), '; ' order by created_at, fulfillment_id) as tracking,
        '[' || string_agg(
            '{"id":' || to_json(fulfillment_id)::varchar || ',"items":' || items || '}', ','
            order by created_at, fulfillment_id
        ) || ']' as fulfillments
    from staging.fulfillments where location_id = $location_id
    group by order_id
),

subscribed as (
    select entity_id as order_id, string_agg(distinct status, ',' order by status) as statuses
    from staging.subscriptions
    where location_id = $location_id and live and entity_id is not null
    group by entity_id
)

select
    o.location_id, o.live, o.order_id, 'ghl:order:' || o.order_id as key, o.contact_id,
    'ghl:contact:' || o.contact_id as contact_key,
    o.amount_minor, o.amount_text, o.currency, major_text(o.amount_minor, c.exponent) as amount_plain,
    o.status, o.payment_status, o.fulfillment_status, b.statuses as subscription_status,
    s.tracking, s.fulfillments,
    case
        when s.units >= coalesce(d.units, 0) and s.units > 0 then 'fulfilled' when s.units > 0 then 'partly fulfilled'
    end as ship_status,
    s.first_at as ship_date, l.lines, o.created_at, o.updated_at, o.updated_text, o.source_name,
    case
        when o.amount_minor is null then 'the amount has more decimals than ' || o.currency || ' has'
        when o.contact_id is null then 'the order has no contact'
    end as reason
from staging.orders as o
left join ops.currencies as c on c.code = o.currency
left join lines as l on l.order_id = o.order_id
left join ordered as d on d.order_id = o.order_id
left join shipped as s on s.order_id = o.order_id
left join subscribed as b on b.order_id = o.order_id
where o.location_id = $location_id and o.amount_minor is distinct from 0;
