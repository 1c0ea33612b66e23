"""reports/*: the views people query, and the published copy they are in.

A further report is a view in `sql/reports/` and its name in `warehouse/publish.py`.
"""

import dagster as dg

from ghl_payments.connectors.registry import target_systems
from ghl_payments.defs.outbox.changes import KEY as CHANGES
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.turn import explained, turn_of
from ghl_payments.warehouse.publish import REPORTS, note_turn, publish
from ghl_payments.warehouse.queries import run


def report_asset(report: str, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The asset of one report view."""

    @dg.asset(
        name=report,
        key_prefix="reports",
        group_name="reports",
        kinds={"sql", "duckdb"},
        owners=["team:payments"],
        partitions_def=partitions,
        # The plan too, or a job that leaves the push out would report before it compares.
        deps=[CHANGES, *(dg.AssetKey(["push", name]) for name in target_systems())],
        description=f"The view reports.{report}.",
    )
    def build(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained(), turn.warehouse.open() as con:
            run(con, f"reports/{report}")
            row = con.execute(f"select count(*) from reports.{report}").fetchone()
        return dg.MaterializeResult(
            metadata={"dagster/row_count": row[0] if row else 0, "dagster/table_name": f"reports.{report}"}
        )

    return build


@dg.definitions
def reports() -> dg.Definitions:
    """One asset a view, then the published copy."""
    partitions = location_partitions()

    @dg.asset(
        key_prefix="reports",
        group_name="reports",
        kinds={"duckdb"},
        owners=["team:payments"],
        partitions_def=partitions,
        # After the pushes themselves, for runs that make no view of their own.
        deps=[dg.AssetKey(["reports", report]) for report in REPORTS]
        + [dg.AssetKey(["push", name]) for name in target_systems()],
        description="The copy of the warehouse that people and tools read; replaced whole, never written in place.",
    )
    def published(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained():
            with turn.warehouse.open() as con:
                note_turn(con, turn.turn_id, context.run.run_id, turn.location.id)
            size = publish(turn.warehouse, turn.settings.reports)
        return dg.MaterializeResult(
            metadata={"dagster/uri": str(turn.settings.reports), "bytes": size, "turn": turn.turn_id}
        )

    return dg.Definitions(assets=[*(report_asset(report, partitions) for report in REPORTS), published])
