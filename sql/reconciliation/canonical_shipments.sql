-- What has to be brought to somebody: one row a readable order with physical items, whatever it costs. `reason` where no
-- target can hold it, `shippable_reason` where nobody should set out with it (any more), `address` null where it has none.
create or replace temp table canonical_shipments as
with physical as (
    select
        order_id, line_number, name, price_id, plain_decimal(quantity_text)::decimal(18, 6) as quantity,
        plain_decimal(price_text)::decimal(18, 6) as price
    from staging.order_items
    where location_id = $location_id and coalesce(product_type, 'PHYSICAL') ilike '%PHYSICAL%'
),

sent_lines as (
    select id as order_id, unnest(from_json(coalesce((parcel -> '$.items'), '[]'::json), '["JSON"]')) as item
    from (
        select
            id,
            unnest(from_json(case when json_type(doc) = 'OBJECT' then (doc -> '$.data') else doc end, '["JSON"]')) as parcel
        from raw.fulfillments
        where location_id = $location_id and is_current and absent_at is null
    )
),

sent as (
    select
        order_id, coalesce((item ->> '$.price._id'), (item ->> '$._id')) as price_id,
        sum(plain_decimal(item ->> '$.qty')::decimal(18, 6)) as units
    from sent_lines
    group by all
),

-- What is left of each line: lines of the same price cannot be told apart in a fulfillment, so that the first ones were
-- sent first; lines without a price are in none.
open_lines as (
    select
        p.*, p.quantity - greatest(0, least(p.quantity, coalesce(s.units, 0) + p.quantity - sum(p.quantity) over (
            partition by p.order_id, p.price_id order by p.line_number
        ))) as open_units
    from physical as p
    left join sent as s on s.order_id = p.order_id and s.price_id = p.price_id and p.price_id <> ''
),

goods as (
    select
        order_id, sum(open_units * price) as value,
        coalesce(to_json(list({
            line_id: order_id || ':' || line_number, price_id: price_id, name: name, quantity: plain_text(open_units),
            unit_price: plain_text(price)
        } order by line_number) filter (where open_units <> 0 or quantity = 0))::varchar, '[]') as goods
    from open_lines
    group by order_id
),

ordered as (
    select order_id, coalesce(price_id, '') as price_id, sum(quantity) as units, sum(open_units) as open_units
    from open_lines
    group by all
),

units as (
    select
        order_id,
        to_json(list({price_id: price_id, quantity: plain_text(open_units)} order by price_id)
            filter (where open_units <> 0))::varchar as goods_units
    from ordered
    group by order_id
),

progress as (
    select
        o.order_id, bool_and(o.units <= greatest(coalesce(s.units, 0), 0)) as is_complete,
        bool_or(coalesce(s.units, 0) > 0) as is_begun
    from ordered as o
    left join sent as s on s.order_id = o.order_id and s.price_id = o.price_id
    where o.price_id <> ''
    group by o.order_id
),

-- What an order was paid by its own charges, whoever paid; renewals pay invoices of their own.
paid as (
    select
        live, invoice_key, currency,
        case when count(amount_minor - refund_minor) = count(*) then sum(amount_minor - refund_minor)::bigint end as net_minor,
        bool_or(refund_minor > 0) as has_refund
    from canonical_charges
    group by live, invoice_key, currency
),

paid_otherwise as (
    select c.live, o.order_id, min(c.currency) as currency
    from canonical_charges as c
    inner join staging.orders as o
        on o.location_id = $location_id and c.invoice_key = 'ghl:order:' || o.order_id and c.live = o.live
        and c.currency <> o.currency
    group by c.live, o.order_id
),

unread as (
    select distinct (payload ->> '$.entityId') as order_id, is_live(payload) as live
    from staging.quarantine
    where owner = $location_id and table_name = 'staging.transactions' and (payload ->> '$.entityType') = 'order'
),

snapshots as (
    select id as order_id, (doc -> '$.contactSnapshot') as doc
    from raw.order_details
    where location_id = $location_id and is_current
),

people as (
    select
        order_id, blank_to_null(doc ->> '$.companyName') as company,
        coalesce(
            blank_to_null(doc ->> '$.name'),
            blank_to_null(concat_ws(' ', blank_to_null(doc ->> '$.firstName'), blank_to_null(doc ->> '$.lastName')))
        ) as name,
        blank_to_null(doc ->> '$.email') as email, blank_to_null(doc ->> '$.phone') as phone,
        blank_to_null(doc ->> '$.address1') as street, blank_to_null(doc ->> '$.city') as city,
        blank_to_null(doc ->> '$.state') as state, blank_to_null(doc ->> '$.postalCode') as postal_code,
        blank_to_null(doc ->> '$.country') as country
    from snapshots
),

joined as (
    select
        o.*, g.goods, coalesce(u.goods_units, '[]') as goods_units,
        cast(round(g.value::decimal(38, 9) * minor_factor(c.exponent)) as bigint) as goods_minor,
        p.company, p.street, p.city, p.state, p.postal_code, p.country,
        coalesce(p.name, n.name) as contact_name, coalesce(p.email, n.email) as email, coalesce(p.phone, n.phone) as phone,
        case when r.is_complete then 'fulfilled' when r.is_begun then 'partly fulfilled' end as fulfillment,
        o.amount_minor - case when s.invoice_key is null then 0 else s.net_minor end as unpaid_minor,
        q.order_id is not null as has_unread, f.currency as other_currency, coalesce(s.has_refund, false) as has_refund,
        coalesce(lower(o.status) in ('canceled', 'cancelled', 'failed', 'refunded', 'expired'), false)
        or coalesce(lower(o.payment_status) = 'refunded', false) as is_dead
    from staging.orders as o
    inner join goods as g on g.order_id = o.order_id
    left join units as u on u.order_id = o.order_id
    left join progress as r on r.order_id = o.order_id
    left join people as p on p.order_id = o.order_id
    left join staging.contacts as n on n.location_id = o.location_id and n.contact_id = o.contact_id
    left join paid as s on s.invoice_key = 'ghl:order:' || o.order_id and s.live = o.live and s.currency = o.currency
    left join paid_otherwise as f on f.order_id = o.order_id and f.live = o.live
    left join unread as q on q.order_id = o.order_id and q.live = o.live
    left join ops.currencies as c on c.code = o.currency
    where o.location_id = $location_id
),

-- Nobody may be asked at the door for what they have paid: where there is a sign of it, a person says what is due.
doubted as (
    select joined.*, case
        when has_unread then 'a charge of it is in quarantine'
        when amount_minor is not null and unpaid_minor is null then 'a charge or refund of it is not exact'
        when unpaid_minor > 0 and other_currency is not null
            then 'it was paid in ' || other_currency || ' too, and its amount is in ' || currency
                || '. Record in GHL what that paid of it, or have the order entered by hand'
        when unpaid_minor > 0 and lower(payment_status) = 'paid'
            then 'GHL says that it is paid, and its charges do not cover its amount. '
                || 'Record the payment in GHL, or have the order entered by hand'
        when unpaid_minor > 0 and has_refund
            then 'something was paid back, and nothing says whether it is owed again. '
                || 'Have a person decide, and the order entered by hand'
        when unpaid_minor > 0 and not r.complete
            then 'the transactions of the location are not completely read; the next complete reading settles it'
    end as doubt
    from joined
    cross join (
        select coalesce(bool_and(complete), false) as complete from raw.slices
        where location_id = $location_id and stream = 'transactions'
    ) as r
)

select
    location_id, live, order_id, 'ghl:order:' || order_id as key, contact_id, 'ghl:contact:' || contact_id as contact_key,
    coalesce(contact_name, email, 'Contact ' || contact_id, 'GHL order ' || order_id) as name, company,
    coalesce(company, contact_name, email, contact_id, 'GHL order ' || order_id) as client, email, phone,
    case when street is not null and coalesce(city, postal_code) is not null
        then concat_ws(', ', street, city, state, postal_code, country) end as address,
    street, city, state, postal_code, country, goods, goods_units, goods_minor, amount_minor, amount_text, currency,
    case when doubt is null and unpaid_minor is not null then greatest(unpaid_minor, 0) end as amount_due_minor,
    status, payment_status, fulfillment, created_at, updated_at,
    case
        when is_dead then 'GHL says that the order is ' || case
            when coalesce(lower(payment_status) = 'refunded', false) then 'refunded' else lower(status) end
        when fulfillment = 'fulfilled' then 'GHL has all of it as fulfilled'
    end as shippable_reason,
    case
        when amount_minor is null then 'the amount has more decimals than ' || currency || ' has'
        when doubt is not null then 'what is due cannot be told: ' || doubt
    end as reason
from doubted;
