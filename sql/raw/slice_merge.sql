-- What a slice says beyond its rows: which are gone, and which cannot be told apart.
-- Only a complete slice may say that a row is gone, and even then it is asked for by id before it counts.
update raw.STREAM as t set absent_at = $scanned_at
where $complete and t.location_id = $location_id and t.is_current and t.absent_at is null and t.month = $month
    and t.id not in (select id from slice_rows where id is not null);

insert into staging.quarantine
select
    'raw.STREAM', $location_id, coalesce(content_hash, ''), 'id_missing',
    'The row has no _id, so it cannot be told apart from others. Ask the vendor, with the payload.',
    doc, $scanned_at, $scanned_at
from slice_rows where coalesce(id, '') = ''
on conflict do update set last_seen = excluded.last_seen;

delete from staging.quarantine
where table_name = 'raw.STREAM' and owner = $location_id and rule = 'id_missing' and last_seen < $scanned_at
    and ('STREAM' = 'integration_providers'
        or coalesce(date_trunc('month', instant(payload ->> '$.createdAt'))::date = $month, true));
