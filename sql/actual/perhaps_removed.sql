-- Of `target_diffs`: records that a target lacks, for which it can say whether a person removed them; those that were
-- asked for not long ago are left out.
select d.record_type, d.key
from target_diffs as d
left join actual.lookups as l
    on l.connection = $connection and l.record_type = d.record_type and l.key = d.key and l.looked_up_at > $since
where d.kind = 'missing_in_target' and list_contains($types::varchar[], d.record_type) and l.key is null
order by d.key
limit $limit;
