"""raw/order_details, raw/fulfillments, raw/transaction_details, raw/subscription_details: one request a record.

Which records need theirs is decided by `sql/raw/needed_*.sql`; a further detail stream gets its upstreams here.
"""

import asyncio
from typing import Any

import dagster as dg

from ghl_payments.connectors.ghl.connect import connect_ghl
from ghl_payments.connectors.ghl.extract import Extraction, extract_details
from ghl_payments.connectors.registry import describe_targets, target_systems
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.turn import Turn, explained, turn_of

UPSTREAM: dict[str, tuple[str, ...]] = {
    "order_details": ("orders", "transactions"),
    "fulfillments": ("orders", "order_details"),
    "transaction_details": ("transactions", "order_details"),
    "subscription_details": ("subscriptions",),
}
"""Detail stream -> the raw streams that say what it needs."""


class DetailConfig(dg.Config):
    """`warm` also re-reads fulfillments of recent and not yet fulfilled orders."""

    warm: bool = True


def actual_keys() -> list[dg.AssetKey]:
    """Every target's read-back: a detail is needed where a target lacks or contradicts a record."""
    return [
        dg.AssetKey(["actual", f"{system.name}_{record_type}"])
        for system in target_systems().values()
        for record_type in system.record_types
    ]


def detail_asset(stream: str, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The asset of one detail stream."""

    @dg.asset(
        name=stream,
        key_prefix="raw",
        group_name="raw",
        kinds={"python", "duckdb"},
        owners=["team:payments"],
        partitions_def=partitions,
        deps=[*(dg.AssetKey(["raw", name]) for name in UPSTREAM[stream]), *actual_keys()],
        description=f"GHL {stream}, fetched only for records that changed or are about to be written from.",
    )
    def fetch(context: dg.AssetExecutionContext, config: DetailConfig) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained():
            metrics = asyncio.run(_fetch(turn, stream, warm=config.warm))
        return dg.MaterializeResult(metadata={"dagster/table_name": f"raw.{stream}", **metrics})

    return fetch


async def _fetch(turn: Turn, stream: str, *, warm: bool) -> dict[str, Any]:
    client = connect_ghl(turn.settings, turn.location)
    sources = {
        record.source
        for target in describe_targets(turn.settings, turn.location)
        for record in target.mapping.record_types.values()
    }
    extraction = Extraction(
        client, turn.warehouse, turn.landing, turn.location.id, turn.as_of, priority=turn.priority,
        subscriptions_in_detail=not sources.isdisjoint({"subscriptions", "rollups"}),
    )  # fmt: skip
    try:
        return await extract_details(extraction, stream, warm=warm)
    finally:
        await client.aclose()


@dg.definitions
def details() -> dg.Definitions:
    """One asset a detail stream."""
    partitions = location_partitions()
    return dg.Definitions(assets=[detail_asset(stream, partitions) for stream in UPSTREAM])
