-- One row a transaction: its newest list row, with markAsTest from the detail where one was fetched.
create or replace temp table candidate as
with listed as (
    select t.*
    from raw.transactions as t
    where t.location_id = $location_id and t.is_current
        and not exists (
            select 1 from raw.lookups as k
            where t.absent_at is not null and k.location_id = t.location_id and k.stream = 'transaction_details'
                and k.id = t.id and k.status = 404 and k.looked_up_at >= t.absent_at
        )
),

detailed as (
    select * from raw.transaction_details as t
    where location_id = $location_id and is_current
        and not exists (
            select 1 from raw.lookups as k
            where k.location_id = t.location_id and k.stream = 'transaction_details' and k.id = t.id and k.status = 404
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
),

typed as (
    select
        $location_id as location_id,
        coalesce(lower(j.doc ->> '$.liveMode') = 'true', false)
        and not coalesce(lower(j.detail ->> '$.markAsTest') = 'true', false) as live,
        j.id as transaction_id,
        coalesce(a.contact_id, blank_to_null(j.doc ->> '$.contactId')) as contact_id,
        blank_to_null(j.doc ->> '$.mergedFromContactId') as merged_from_contact_id,
        to_minor((j.doc ->> '$.amount'), c.exponent) as amount_minor,
        (j.doc ->> '$.amount') as amount_text,
        to_minor(coalesce(blank_to_null(j.doc ->> '$.amountRefunded'), '0'), c.exponent) as refunded_minor,
        coalesce(blank_to_null(j.doc ->> '$.amountRefunded'), '0') as refunded_text,
        (j.doc ->> '$.currency') as currency,
        (j.doc ->> '$.status') as status,
        (j.doc ->> '$.entityType') as entity_type,
        blank_to_null(j.doc ->> '$.entityId') as entity_id,
        blank_to_null(j.doc ->> '$.subscriptionId') as subscription_id,
        blank_to_null(j.doc ->> '$.chargeId') as charge_id,
        coalesce((j.doc ->> '$.paymentProviderType'), (j.doc ->> '$.paymentProvider.type')) as provider,
        instant(j.doc ->> '$.createdAt') as created_at,
        coalesce(instant(j.doc ->> '$.updatedAt'), instant(j.doc ->> '$.createdAt')) as updated_at,
        j.has_detail,
        j.detail_is_current,
        j.content_hash,
        amount_state((j.doc ->> '$.amount'), c.exponent) as amount_state,
        json_type(j.doc -> '$.status') as status_type,
        case when lower(j.detail ->> '$.markAsTest') = 'true' then json_merge_patch(j.doc, '{"markAsTest": true}') else j.doc end
            as payload
    from joined as j
    left join ops.currencies as c on c.code = (j.doc ->> '$.currency')
    left join staging.contact_aliases as a on a.location_id = $location_id and a.alias_id = (j.doc ->> '$.contactId')
)

select
    *,
    subscription_id is not null and status in ('succeeded', 'refunded')
    and row_number() over (
        partition by live, subscription_id, entity_id, status in ('succeeded', 'refunded')
            and amount_state in ('exact', 'sub_minor') and created_at is not null
        order by created_at, transaction_id
    ) > 1 as is_renewal
from typed;
