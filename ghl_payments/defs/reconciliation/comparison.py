"""reconciliation/desired, invariants and diffs: what GHL wants, what is wrong inside GHL, and every disagreement.

The comparisons themselves stand in `sql/reconciliation/`.
"""

from typing import Any

import dagster as dg

from ghl_payments.connectors.registry import declared_providers, describe_targets
from ghl_payments.defs.checks import column_schema, contract_result, contract_spec
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.raw.details import actual_keys
from ghl_payments.defs.reconciliation.again import reconcile_settled
from ghl_payments.defs.staging.tables import UPSTREAM as STAGING
from ghl_payments.defs.turn import Turn, explained, turn_of
from ghl_payments.warehouse.reconcile import (
    derive_desired,
    find_invariants,
    forget_deliveries,
    store_declared_providers,
)

_STAGING = [dg.AssetKey(["staging", table]) for table in STAGING]


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["reconciliation", name])


def _result(turn: Turn, name: str, rows: int, **metadata: Any) -> dg.MaterializeResult:
    table = f"reconciliation.{name}"
    with turn.warehouse.open() as con:
        return dg.MaterializeResult(
            metadata={
                "dagster/partition_row_count": rows,
                "dagster/table_name": table,
                "dagster/column_schema": column_schema(con, table),
                **metadata,
            },
            check_results=[contract_result(con, _key(name), [table], turn.location.id)],
        )


@dg.definitions
def comparison() -> dg.Definitions:
    """The three assets of the stage."""
    common: dict[str, Any] = {
        "group_name": "reconciliation",
        "kinds": {"sql", "duckdb"},
        "owners": ["team:payments"],
        "partitions_def": location_partitions(),
    }

    @dg.asset(
        key=_key("desired"), deps=[*_STAGING, *actual_keys()], check_specs=[contract_spec(_key("desired"))],
        description="What every target should hold of this location, one row a record.", **common,
    )  # fmt: skip
    def desired(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained(), turn.warehouse.open() as con:
            store_declared_providers(con, declared_providers(turn.settings))
            targets = describe_targets(turn.settings, turn.location)
            forget_deliveries(con, targets, turn.location.id)
            counts = derive_desired(con, targets, turn.location.id)
        return _result(turn, "desired", sum(counts.values()), by_connection=dg.MetadataValue.json(counts))

    @dg.asset(
        key=_key("invariants"), deps=_STAGING, check_specs=[contract_spec(_key("invariants"))],
        description="Where GHL disagrees with itself: orders, their charges, their states.", **common,
    )  # fmt: skip
    def invariants(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained(), turn.warehouse.open() as con:
            rows = find_invariants(con, turn.location.id, as_of=turn.as_of, lag_seconds=turn.settings.lag_seconds)
        return _result(turn, "invariants", rows)

    @dg.asset(
        key=_key("diffs"), deps=[_key("desired"), _key("invariants")], check_specs=[contract_spec(_key("diffs"))],
        description="Every disagreement with its kind, reason, money and age; new ones open, vanished ones close.",
        **common,
    )  # fmt: skip
    def diffs(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained():
            counts = reconcile_settled(turn)
        found = sum(sum(kinds.values()) for kinds in counts.values())
        return _result(turn, "diffs", found, found=dg.MetadataValue.json(counts))

    return dg.Definitions(assets=[desired, invariants, diffs])
