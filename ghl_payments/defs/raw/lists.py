"""raw/orders, raw/transactions, raw/subscriptions: GHL's lists, scanned by slice, each slice with a certificate.

A further list stream appears here by itself once `domain/streams.py` names it.
"""

import asyncio
from datetime import date, timedelta
from typing import Any

import dagster as dg

from ghl_payments.connectors.ghl.connect import connect_ghl
from ghl_payments.connectors.ghl.extract import Extraction, extract_list, months_between
from ghl_payments.defs.checks import column_schema
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.turn import Turn, explained, turn_of
from ghl_payments.domain.streams import LIST_STREAMS
from ghl_payments.transport.budget import Priority

WARM_MONTHS = 13


class ScanConfig(dg.Config):
    """Which slices to scan: `full` (all there are), `warm` (13 months), `hot` (two), or an explicit window.

    `date_from` and `date_to` (YYYY-MM-DD) win over `scan`; a window is a backfill and yields to other requests.
    """

    scan: str = "full"
    date_from: str | None = None
    date_to: str | None = None

    def months(self, today: date) -> list[date] | None:
        """First days of the months to scan, None for all; dg.Failure on a window that cannot be read."""
        if self.date_from or self.date_to:
            try:
                start = date.fromisoformat(self.date_from or "2015-01-01")
                end = date.fromisoformat(self.date_to) if self.date_to else today
            except ValueError:
                raise dg.Failure("date_from and date_to are dates like 2026-03-01", allow_retries=False) from None
            if start > end:
                raise dg.Failure(f"the window {start} to {end} is empty", allow_retries=False)
            return months_between(start, end)
        if self.scan == "full":
            return None
        if self.scan not in {"warm", "hot"}:
            raise dg.Failure(f"scan is full, warm or hot, not {self.scan!r}", allow_retries=False)
        back = WARM_MONTHS - 1 if self.scan == "warm" else 1
        start = today.replace(day=1)
        for _ in range(back):
            start = (start - timedelta(days=1)).replace(day=1)
        return months_between(start, today)

    def priority(self, turn: Turn) -> Priority:
        """A window is a backfill; everything else is as urgent as its run."""
        return "backfill" if self.date_from or self.date_to else turn.priority


def list_asset(stream: str, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The asset of one list stream."""

    @dg.asset(
        name=stream,
        key_prefix="raw",
        group_name="raw",
        kinds={"python", "duckdb"},
        owners=["team:payments"],
        partitions_def=partitions,
        description=f"GHL {stream} as the API lists them, every version seen, with a certificate a month.",
    )
    def scan(context: dg.AssetExecutionContext, config: ScanConfig) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained():
            metrics = asyncio.run(_scan(turn, stream, config))
        for line in metrics["incomplete"]:
            context.log.warning(f"slice {stream} {line}")
        with turn.warehouse.open() as con:
            schema = column_schema(con, f"raw.{stream}")
        return dg.MaterializeResult(
            metadata={
                "dagster/partition_row_count": metrics["rows"],
                "dagster/table_name": f"raw.{stream}",
                "dagster/column_schema": schema,
                "certificates": dg.MetadataValue.json(
                    {k: metrics[k] for k in ("slices_complete", "slices_incomplete", "date_filter", "incomplete")}
                ),
                "requests": metrics["requests"],
                "new_versions": metrics["new_versions"],
            }
        )

    return scan


async def _scan(turn: Turn, stream: str, config: ScanConfig) -> dict[str, Any]:
    client = connect_ghl(turn.settings, turn.location)
    extraction = Extraction(
        client, turn.warehouse, turn.landing, turn.location.id, turn.as_of, priority=config.priority(turn)
    )
    try:
        return await extract_list(extraction, stream, months=config.months(turn.as_of.date()))
    finally:
        await client.aclose()


@dg.definitions
def lists() -> dg.Definitions:
    """One asset a list stream."""
    partitions = location_partitions()
    return dg.Definitions(assets=[list_asset(stream, partitions) for stream in LIST_STREAMS])
