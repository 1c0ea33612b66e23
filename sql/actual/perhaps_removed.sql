-- Records that a target lacks, for which it can say whether a person removed them; asked for not long ago: left out.
select d.record_type, d.key
from reconciliation.diffs as d
left join actual.lookups as l
    on l.connection = d.connection and l.record_type = d.record_type and l.key = d.key and l.looked_up_at > $since
where d.connection = $connection and d.location_id = $location_id and d.state = 'open'
    and d.kind = 'missing_in_target' and list_contains($types::varchar[], d.record_type) and l.key is null
order by d.key
limit $limit;
