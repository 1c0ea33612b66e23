-- White-label providers that connections.yaml declares for a location, as GHL should have them.
create or replace temp table canonical_providers as
select
    location_id, true as live, 'ghl:provider:' || unique_name as key, unique_name, title, provider, description, image_url,
    null::bigint as amount_minor, null::varchar as currency, null::varchar as reason,
    -- Declared without a date: they are never too fresh to be judged.
    null::timestamp as created_at, timestamp '1970-01-01' as updated_at
from ops.declared_providers
where location_id = $location_id;
