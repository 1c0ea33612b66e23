"""raw/integration_providers: the location's white-label payment providers, read whole each time."""

import asyncio
from typing import Any

import dagster as dg

from ghl_payments.connectors.ghl.connect import connect_ghl
from ghl_payments.connectors.ghl.extract import Extraction, extract_providers
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.turn import Turn, explained, turn_of


async def _read(turn: Turn) -> dict[str, Any]:
    client = connect_ghl(turn.settings, turn.location)
    try:
        return await extract_providers(
            Extraction(client, turn.warehouse, turn.landing, turn.location.id, turn.as_of, priority=turn.priority)
        )
    finally:
        await client.aclose()


@dg.definitions
def providers() -> dg.Definitions:
    """The one asset of this file."""

    @dg.asset(
        key_prefix="raw",
        group_name="raw",
        kinds={"python", "duckdb"},
        owners=["team:payments"],
        partitions_def=location_partitions(),
        description="White-label payment providers of the location, every version seen.",
    )
    def integration_providers(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained():
            metrics = asyncio.run(_read(turn))
        rows = metrics.pop("rows")
        return dg.MaterializeResult(
            metadata={
                "dagster/partition_row_count": rows,
                "dagster/table_name": "raw.integration_providers",
                **metrics,
            }
        )

    return dg.Definitions(assets=[integration_providers])
