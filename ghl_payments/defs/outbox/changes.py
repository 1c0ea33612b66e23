"""outbox/changes: the plan, one change a record, under each connection's policy and brakes.

What becomes a change is decided in `sql/outbox/changes.sql`.
"""

import dagster as dg

from ghl_payments.connectors.registry import describe_targets
from ghl_payments.defs.checks import column_schema, contract_result, contract_spec
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.turn import Turn, explained, turn_of
from ghl_payments.warehouse import outbox

KEY = dg.AssetKey(["outbox", "changes"])
APPROVED = "approved"
"""Metadata entry that the push sensor reads."""


def plan_all(turn: Turn) -> dict[str, int]:
    """Plan the changes of a location for all its targets; changes by state."""
    states: dict[str, int] = {}
    with turn.warehouse.open() as con:
        for target in describe_targets(turn.settings, turn.location):
            counts = outbox.plan(con, target, turn.location.id, as_of=turn.as_of, turn_id=turn.turn_id)
            for state, count in counts.items():
                states[state] = states.get(state, 0) + count
    return states


@dg.definitions
def changes() -> dg.Definitions:
    """The one asset of this file."""

    @dg.asset(
        key=KEY,
        group_name="outbox",
        kinds={"sql", "duckdb"},
        owners=["team:payments"],
        partitions_def=location_partitions(),
        deps=[dg.AssetKey(["reconciliation", "diffs"])],
        check_specs=[contract_spec(KEY)],
        description="Intended writes that would close open differences: planned, approved, or held by a brake.",
    )
    def plan(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained():
            states = plan_all(turn)
        with turn.warehouse.open() as con:
            brakes = con.execute(
                "select connection, brake, record_type, reason from outbox.brakes where active"
            ).fetchall()
            check = contract_result(con, KEY, ["outbox.changes"], turn.location.id)
            schema = column_schema(con, "outbox.changes")
        for connection, brake, record_type, reason in brakes:
            context.log.warning(
                f"brake {brake} holds {'all changes' if brake == outbox.GONE else 'all creates'} in {connection} "
                f"({record_type}: {reason}). Once that is settled, run "
                f"`ghl-payments release --connection {connection}`."
            )
        return dg.MaterializeResult(
            metadata={
                "dagster/partition_row_count": sum(states.values()),
                "dagster/table_name": "outbox.changes",
                "dagster/column_schema": schema,
                "states": dg.MetadataValue.json(states),
                APPROVED: states.get("approved", 0),
                "brakes": len(brakes),
            },
            check_results=[check],
        )

    return dg.Definitions(assets=[plan])
