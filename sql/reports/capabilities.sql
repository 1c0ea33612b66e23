-- What each connection's account was found to be able to do, since when, and what forces it.
create or replace view reports.capabilities as
select connection, capability, level, case when forced then 'connections.yaml' else 'probe' end as decided_by, evidence,
    probed_at
from ops.capabilities;
