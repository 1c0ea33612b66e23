-- GHL answers fulfillments order by order: asked for are the orders of deliveries whose tracking number no fulfillment
-- is known to carry. An order that is gone, or of which nothing is left, is asked for again after half a day. So are the
-- payments of orders whose cash GHL is not known to have: lists do not show all by which a payment is known again. Where
-- nobody knows what became of a request, its order is always asked for.
with ordered as (
    select i.order_id, sum(plain_decimal(i.quantity_text)) as units
    from staging.order_items as i
    where i.location_id in (select location_id from target_locations)
        and coalesce(i.product_type, 'PHYSICAL') ilike '%PHYSICAL%' and i.price_id is not null
    group by i.order_id
),

sent as (
    select p.order_id, sum(plain_decimal(i.item ->> '$.qty')) as units
    from ghl_parcels as p, unnest(from_json((p.doc -> '$.items'), '["JSON"]')) as i (item)
    group by p.order_id
)

select distinct 'fulfillment' as record_type, w.order_id as native_id
from ghl_wanted as w
inner join target_locations as l on l.location_id = w.location_id
anti join ghl_trackings as t on t.order_id = w.order_id and t.number = w.number
left join ghl_readings as r on r.order_id = w.order_id
left join ordered as o on o.order_id = w.order_id
left join sent as s on s.order_id = w.order_id
where not coalesce(
    r.read_at > (now() at time zone 'UTC') - interval 12 hours and (r.absent_confirmed or s.units >= o.units), false
)
union
select 'order_payment', c.order_id
from ghl_collected as c
anti join (select key from ghl_payments_marked union select key from ghl_payments_taken) as k on k.key = c.key
left join actual.documents as d
    on d.connection = $connection and d.record_type = 'order_payment' and d.native_id = c.order_id
where c.in_doubt or not coalesce(d.read_at > (now() at time zone 'UTC') - interval 12 hours, false)
order by all;
