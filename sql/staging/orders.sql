-- One row an order: its newest list row, with what only the detail says (markAsTest, tax, shipping).
create or replace temp table candidate as
with listed as (
    select t.*
    from raw.orders as t
    where t.location_id = $location_id and t.is_current
        and not exists (
            select 1 from raw.lookups as k
            where t.absent_at is not null and k.location_id = t.location_id and k.stream = 'order_details'
                and k.id = t.id and k.status = 404 and k.looked_up_at >= t.absent_at
        )
),

detailed as (
    select * from raw.order_details as t
    where location_id = $location_id and is_current
        and not exists (
            select 1 from raw.lookups as k
            where k.location_id = t.location_id and k.stream = 'order_details' and k.id = t.id and k.status = 404
        )
),

joined as (
    select
        coalesce(l.id, d.id) as id,
        coalesce(l.doc, d.doc) as doc,
        d.doc as detail,
        d.id is not null as has_detail,
        d.id is not null and d.list_hash is not distinct from l.content_hash as detail_is_current,
        coalesce(l.content_hash, d.content_hash) as content_hash
    from listed as l full outer join detailed as d on l.id = d.id
)

select
    $location_id as location_id,
    coalesce(lower(j.doc ->> '$.liveMode') = 'true', false)
    and not coalesce(lower(j.detail ->> '$.markAsTest') = 'true', false) as live,
    j.id as order_id,
    coalesce(a.contact_id, blank_to_null(j.doc ->> '$.contactId')) as contact_id,
    to_minor((j.doc ->> '$.amount'), c.exponent) as amount_minor,
    (j.doc ->> '$.amount') as amount_text,
    (j.doc ->> '$.currency') as currency,
    (j.doc ->> '$.status') as status,
    (j.doc ->> '$.paymentStatus') as payment_status,
    (j.doc ->> '$.fulfillmentStatus') as fulfillment_status,
    coalesce((j.detail ->> '$.amountSummary.subtotal'), (j.doc ->> '$.subtotal')) as subtotal_text,
    coalesce((j.detail ->> '$.amountSummary.discount'), (j.doc ->> '$.discount')) as discount_text,
    (j.detail ->> '$.amountSummary.tax') as tax_text,
    (j.detail ->> '$.amountSummary.shipping') as shipping_text,
    coalesce((j.doc ->> '$.sourceType'), (j.detail ->> '$.source.type')) as source_type,
    coalesce((j.doc ->> '$.sourceName'), (j.detail ->> '$.source.name')) as source_name,
    instant(j.doc ->> '$.createdAt') as created_at,
    coalesce(instant(j.doc ->> '$.updatedAt'), instant(j.doc ->> '$.createdAt')) as updated_at,
    (j.doc ->> '$.updatedAt') as updated_text,
    j.has_detail,
    j.detail_is_current,
    j.content_hash,
    amount_state((j.doc ->> '$.amount'), c.exponent) as amount_state,
    json_type(j.doc -> '$.status') as status_type,
    case when lower(j.detail ->> '$.markAsTest') = 'true' then json_merge_patch(j.doc, '{"markAsTest": true}') else j.doc end
        as payload
from joined as j
left join ops.currencies as c on c.code = (j.doc ->> '$.currency')
left join staging.contact_aliases as a on a.location_id = $location_id and a.alias_id = (j.doc ->> '$.contactId');
