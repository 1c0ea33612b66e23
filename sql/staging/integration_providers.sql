-- One row a white-label payment provider of the location.
create or replace temp table candidate as
select
    $location_id as location_id,
    id as provider_id,
    (doc ->> '$.route') as unique_name,
    (doc ->> '$.title') as title,
    (doc ->> '$.provider') as provider,
    doc as payload
from raw.integration_providers
where location_id = $location_id and is_current and absent_at is null;
