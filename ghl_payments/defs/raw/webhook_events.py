"""raw/webhook_events: what the inbox holds, taken down, and the records that events name, read again at their source.

Which records those are stands in the run's configuration, put there by the inbox sensor; without any, nothing is read.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from ghl_payments.connections import Connection
from ghl_payments.connectors.ghl.connect import connect_ghl
from ghl_payments.connectors.ghl.extract import Extraction
from ghl_payments.connectors.ghl.refresh import Again, refresh_records
from ghl_payments.connectors.readback import ReadBack
from ghl_payments.connectors.registry import access_to, describe_target, target_system
from ghl_payments.connectors.reread import is_fresh, reread
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.turn import Turn, explained, turn_of
from ghl_payments.domain.inbox import InboxBatch, InboxCursor
from ghl_payments.receiver.retention import tell_cursor
from ghl_payments.transport.inbox import read_inbox
from ghl_payments.warehouse.inbox_load import load_inbox

KEY = dg.AssetKey(["raw", "webhook_events"])
LOAD_BYTES = 8 * 2**20


class NamedRecord(dg.Config):
    """One record to read again: of GHL when `connection` is empty, else of that target."""

    connection: str = ""
    record_type: str
    id: str


class RefreshConfig(dg.Config):
    """The records to read again; none in a loop that reads everything anyhow."""

    records: list[NamedRecord] = Field(default_factory=list)


def _ids(records: Iterable[NamedRecord], connection: str, record_type: str) -> list[str]:
    return [record.id for record in records if (record.connection, record.record_type) == (connection, record_type)]


def take_down(turn: Turn) -> tuple[int, int]:
    """Load the inbox; (lines, bad lines). Without a folder there never was a receiver."""
    folder = turn.settings.inbox

    def read(cursor: InboxCursor) -> InboxBatch:
        return read_inbox(folder, cursor, LOAD_BYTES)

    if not folder.is_dir():
        return 0, 0
    with turn.warehouse.open() as con:
        taken = load_inbox(con, read, datetime.now(UTC))
        (cursor,) = con.execute("select cursor from ops.inbox").fetchone() or (None,)
    # Not being able to tell only means that no file is removed, which the receiver warns of.
    with suppress(OSError):
        tell_cursor(folder, InboxCursor.parse(cursor))
    return taken


async def read_again(turn: Turn, records: list[NamedRecord]) -> Again:
    """Read the named GHL records again, before everything else that waits for the rate budget."""
    orders, invoices = _ids(records, "", "order"), _ids(records, "", "invoice")
    if not orders and not invoices:
        return Again()
    client = connect_ghl(turn.settings, turn.location)
    extraction = Extraction(client, turn.warehouse, turn.landing, turn.location.id, turn.as_of, priority="fresh")
    try:
        return await refresh_records(extraction, orders, invoices)
    finally:
        await client.aclose()


def _hints(records: list[NamedRecord]) -> dict[tuple[str, str], list[str]]:
    """(connection, record type) -> ids to read in a target."""
    named: dict[tuple[str, str], list[str]] = {}
    for record in records:
        if record.connection:
            named.setdefault((record.connection, record.record_type), []).append(record.id)
    return named


async def _read_hinted(turn: Turn, connection: Connection, record_type: str, ids: list[str]) -> dict[str, int]:
    system = target_system(connection)
    connector = system.open(access_to(turn.settings, connection, turn.location))
    back = ReadBack(
        connector=connector,
        target=describe_target(turn.settings, connection),
        warehouse=turn.warehouse,
        landing=turn.landing,
        turn_id=turn.turn_id,
        forced_levels=system.forced_levels(connection),
    )
    try:
        return await reread(back, record_type, ids, turn.location.id)
    finally:
        await connector.aclose()


def _delivered(turn: Turn, records: list[NamedRecord]) -> list[str]:
    """Orders that are named, or whose delivery is, and of which another system tells a delivery."""
    orders = _ids(records, "", "order")
    natives = [record.id for record in records if record.connection]
    with turn.warehouse.open() as con:
        rows = con.execute(
            "select distinct substr(order_key, 11) from actual.deliveries where location_id = $1 "
            "and (list_contains($2::varchar[], substr(order_key, 11)) "
            "or list_has_any($3::varchar[], [native_id, order_key])) order by 1",
            [turn.location.id, orders, natives],
        ).fetchall()
        con.execute(
            "insert or replace into raw.refreshed "
            "select location_id, delivery_key, max(delivered_at), now()::timestamp from actual.deliveries "
            "where location_id = $1 and list_has_any($2::varchar[], [native_id, order_key]) group by all",
            [turn.location.id, natives],
        )
    return [row[0] for row in rows]


def read_targets(turn: Turn, records: list[NamedRecord]) -> dict[str, Any]:
    """Read the named records of targets again; what a whole reading of this run brings anyhow is left to it."""
    counts = {"reread": 0, "absent": 0, "unknown": 0}
    targets = {connection.name: connection for connection in turn.settings.targets(turn.location)}
    for (name, record_type), ids in sorted(_hints(records).items()):
        connection = targets.get(name)
        if connection is None or record_type not in (system := target_system(connection)).record_types:
            counts["unknown"] += len(ids)
        elif is_fresh(turn.warehouse, name, (*system.auxiliary_types, *system.record_types)):
            answers = asyncio.run(_read_hinted(turn, connection, record_type, sorted(set(ids))))
            counts["reread"] += sum(status == 200 for status in answers.values())
            counts["absent"] += sum(status == 404 for status in answers.values())
    return counts


def read_fulfilled(turn: Turn, records: list[NamedRecord]) -> int:
    """What GHL holds of deliveries that other systems tell, read as a target's record; the number of orders."""
    own = [connection for connection in turn.settings.targets(turn.location) if connection.system == "ghl"]
    orders = _delivered(turn, records) if own and records else []
    for connection in own:
        if orders and is_fresh(turn.warehouse, connection.name, target_system(connection).record_types):
            asyncio.run(_read_hinted(turn, connection, "fulfillment", orders))
    return len(orders)


@dg.definitions
def webhook_events() -> dg.Definitions:
    """The one asset of this file."""

    @dg.asset(
        key=KEY,
        group_name="raw",
        kinds={"python", "duckdb"},
        owners=["team:payments"],
        partitions_def=location_partitions(),
        description="Webhooks that were received, one row a delivery; the records they name, read again in GHL.",
    )
    def take(context: dg.AssetExecutionContext, config: RefreshConfig) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained():
            lines, bad = take_down(turn)
            again = asyncio.run(read_again(turn, config.records))
            targets = read_targets(turn, config.records)
            fulfilled = read_fulfilled(turn, config.records)
        if bad:
            context.log.warning(f"{bad} lines of the inbox are no events; staging.quarantine names their places")
        for order_id in again.failed:
            context.log.warning(f"order {order_id} could not be read completely; the next sweep reads it")
        return dg.MaterializeResult(
            metadata={
                "dagster/table_name": "raw.webhook_events",
                "lines": lines,
                "bad_lines": bad,
                "found": len(again.found),
                "absent": len(again.absent),
                "failed": len(again.failed),
                "requests": again.requests,
                "fulfillments_read": fulfilled,
                "targets": dg.MetadataValue.json(targets),
            }
        )

    return dg.Definitions(assets=[take])
