"""raw/webhook_events: what the inbox holds, taken down, and the records that events name, read again at their source.

A run with `take_up` reads what deliveries name that its location has not taken up yet, whichever run took them down.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from ghl_payments.connections import Connection
from ghl_payments.connectors.ghl.connect import connect_ghl
from ghl_payments.connectors.ghl.extract import Extraction
from ghl_payments.connectors.ghl.refresh import Again, refresh_records
from ghl_payments.connectors.readback import ReadBack
from ghl_payments.connectors.registry import access_to, describe_target, target_system
from ghl_payments.connectors.reread import is_fresh, reread
from ghl_payments.defs.named import Named, Wanted, plan_refresh
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.turn import Turn, explained, turn_of
from ghl_payments.domain.inbox import InboxBatch, InboxCursor
from ghl_payments.receiver.retention import tell_cursor
from ghl_payments.transport.inbox import read_inbox
from ghl_payments.warehouse.inbox_load import load_inbox
from ghl_payments.warehouse.inbox_pending import not_taken_up, note_taken_up

KEY = dg.AssetKey(["raw", "webhook_events"])
LOAD_BYTES = 8 * 2**20


PORTION = 500
"""Deliveries that are taken up together; what was read of them counts whatever becomes of the next."""


class TakeUpConfig(dg.Config):
    """`take_up`: also read again what deliveries name; a loop that reads everything need not."""

    take_up: bool = False


@dataclass(slots=True)
class TakenUp:
    """What became of the deliveries that a run took up."""

    deliveries: int = 0
    found: int = 0
    absent: int = 0
    failed: list[str] = field(default_factory=list)
    requests: int = 0
    fulfilled: int = 0
    targets: Counter[str] = field(default_factory=Counter)

    def add(self, again: Again) -> None:
        """Count what was read again in GHL."""
        self.found += len(again.found)
        self.absent += len(again.absent)
        self.failed += again.failed
        self.requests += again.requests


def _ids(records: Iterable[Named], connection: str, record_type: str) -> list[str]:
    return sorted(found for name, kind, found in records if (name, kind) == (connection, record_type))


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


async def read_again(turn: Turn, records: Collection[Named]) -> Again:
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


def _hints(records: Collection[Named]) -> dict[tuple[str, str], list[str]]:
    """(connection, record type) -> ids to read in a target."""
    named: dict[tuple[str, str], list[str]] = {}
    for connection, record_type, record_id in sorted(records):
        if connection:
            named.setdefault((connection, record_type), []).append(record_id)
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


def _delivered(turn: Turn, records: Collection[Named]) -> list[str]:
    """Orders that are named, or whose delivery is, and of which another system tells a delivery."""
    orders = _ids(records, "", "order")
    natives = sorted(record_id for connection, _, record_id in records if connection)
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


def read_targets(turn: Turn, records: Collection[Named]) -> Counter[str]:
    """Read the named records of targets again; what a whole reading of this run brings anyhow is left to it."""
    counts: Counter[str] = Counter()
    targets = {connection.name: connection for connection in turn.settings.targets(turn.location)}
    for (name, record_type), ids in sorted(_hints(records).items()):
        connection = targets.get(name)
        if connection is None or record_type not in (system := target_system(connection)).record_types:
            counts["unknown"] += len(ids)
        elif is_fresh(turn.warehouse, name, (*system.auxiliary_types, *system.record_types)):
            answers = asyncio.run(_read_hinted(turn, connection, record_type, ids))
            counts["reread"] += sum(status == 200 for status in answers.values())
            counts["absent"] += sum(status == 404 for status in answers.values())
    return counts


def read_fulfilled(turn: Turn, records: Collection[Named]) -> int:
    """What GHL holds of deliveries that other systems tell, read as a target's record; the number of orders."""
    own = [connection for connection in turn.settings.targets(turn.location) if connection.system == "ghl"]
    orders = _delivered(turn, records) if own and records else []
    for connection in own:
        if orders and is_fresh(turn.warehouse, connection.name, target_system(connection).record_types):
            asyncio.run(_read_hinted(turn, connection, "fulfillment", orders))
    return len(orders)


def take_up(turn: Turn, portion: int = PORTION) -> TakenUp:
    """Read again what deliveries name that this location has not taken up, until there is none; errors are raised.

    A portion counts as taken up once all of it was read, so that what an error interrupts is taken up by the next run.
    """
    done = TakenUp()
    names = [connection.name for connection in turn.settings.targets(turn.location)]
    while True:
        with turn.warehouse.open() as con:
            events = not_taken_up(con, turn.location.id, names, portion)
        if not events:
            return done
        records = plan_refresh(events, turn.settings).wanted.get(turn.location.id, Wanted()).records
        done.add(asyncio.run(read_again(turn, records)))
        done.targets += read_targets(turn, records)
        done.fulfilled += read_fulfilled(turn, records)
        with turn.warehouse.open() as con:
            note_taken_up(con, turn.location.id, events, datetime.now(UTC))
        done.deliveries += len(events)


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
    def take(context: dg.AssetExecutionContext, config: TakeUpConfig) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained():
            lines, bad = take_down(turn)
            taken = take_up(turn) if config.take_up else TakenUp()
        if bad:
            context.log.warning(f"{bad} lines of the inbox are no events; staging.quarantine names their places")
        for order_id in taken.failed:
            context.log.warning(f"order {order_id} could not be read completely; the next sweep reads it")
        return dg.MaterializeResult(
            metadata={
                "dagster/table_name": "raw.webhook_events",
                "lines": lines,
                "bad_lines": bad,
                "taken_up": taken.deliveries,
                "found": taken.found,
                "absent": taken.absent,
                "failed": len(taken.failed),
                "requests": taken.requests,
                "fulfillments_read": taken.fulfilled,
                "targets": dg.MetadataValue.json(dict(taken.targets)),
            }
        )

    return dg.Definitions(assets=[take])
