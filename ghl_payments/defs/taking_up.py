"""Taking deliveries up: the records that they name are read again, in GHL and in targets, and what was read is noted.

A further sort of record to read again belongs here; which records a delivery names, to `named.py`.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ghl_payments.connections import Connection, SettingsError
from ghl_payments.connectors.ghl.connect import connect_ghl
from ghl_payments.connectors.ghl.extract import Extraction
from ghl_payments.connectors.ghl.refresh import Again, refresh_records
from ghl_payments.connectors.readback import ReadBack
from ghl_payments.connectors.registry import access_to, describe_target, target_system
from ghl_payments.connectors.reread import is_fresh, reread
from ghl_payments.defs.named import Named, Wanted, plan_refresh
from ghl_payments.defs.turn import Turn
from ghl_payments.domain.inbox import InboxEvent
from ghl_payments.transport.errors import ApiError
from ghl_payments.warehouse.inbox_pending import not_taken_up, note_taken_up

PORTION = 500
"""Deliveries that are taken up together; what was read of them counts whatever becomes of the next."""

GIVEN_UP_AFTER = timedelta(days=1)
"""A record that cannot be read is asked for by each run until then; what a scan reads it has read by then."""


@dataclass(slots=True)
class TakenUp:
    """What became of the deliveries that a run took up; `left` of them name a record that could not be read.

    `unread` has the last error of GHL ("ghl") or of a connection; those in `down` answer nothing at all.
    """

    deliveries: int = 0
    left: int = 0
    found: int = 0
    absent: int = 0
    requests: int = 0
    fulfilled: int = 0
    targets: Counter[str] = field(default_factory=Counter)
    unread: dict[str, str] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)

    def add(self, again: Again) -> set[Named]:
        """Count what was read again in GHL; what could not be."""
        self.found += len(again.found)
        self.absent += len(again.absent)
        self.requests += again.requests
        if again.failed:
            self.unread["ghl"] = f"Orders without a complete answer: {', '.join(again.failed[:5])}."
        return {("", "order", order_id) for order_id in again.failed}


def _ids(records: Iterable[Named], connection: str, record_type: str) -> list[str]:
    return sorted(found for name, kind, found in records if (name, kind) == (connection, record_type))


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


def read_targets(turn: Turn, records: Collection[Named], done: TakenUp) -> set[Named]:
    """Read the named records of targets again; what a whole reading of this run brings anyhow is left to it.

    The records that could not be read: a connection that is down is not asked again, and keeps no other waiting.
    """
    unread: set[Named] = set()
    targets = {connection.name: connection for connection in turn.settings.targets(turn.location)}
    for (name, record_type), ids in sorted(_hints(records).items()):
        connection = targets.get(name)
        if connection is None or record_type not in (system := target_system(connection)).record_types:
            done.targets["unknown"] += len(ids)
            continue
        if name not in done.down:
            if not is_fresh(turn.warehouse, name, (*system.auxiliary_types, *system.record_types)):
                continue
            try:
                answers = asyncio.run(_read_hinted(turn, connection, record_type, ids))
            except (ApiError, SettingsError) as error:
                done.down.add(name)
                done.unread[name] = f"{type(error).__name__}: {error}"
            else:
                done.targets += _counted(answers)
                if failed := {i: status for i, status in answers.items() if _is_no_answer(status)}:
                    done.unread[name] = f"{len(failed)} of {len(ids)} {record_type} records without an answer."
                unread |= {(name, record_type, record_id) for record_id in failed}
                continue
        unread |= {(name, record_type, record_id) for record_id in ids}
    return unread


def _counted(answers: Mapping[str, int]) -> Counter[str]:
    told = {200: "reread", 404: "absent"}
    return Counter(told.get(status, "failed") for status in answers.values())


def _is_no_answer(status: int) -> bool:
    """Whether asking again may help; what a system refuses stays refused."""
    return status in (0, 401, 408, 429) or status >= 500


def read_fulfilled(turn: Turn, records: Collection[Named]) -> int:
    """What GHL holds of deliveries that other systems tell, read as a target's record; the number of orders."""
    own = [connection for connection in turn.settings.targets(turn.location) if connection.system == "ghl"]
    orders = _delivered(turn, records) if own and records else []
    for connection in own:
        if orders and is_fresh(turn.warehouse, connection.name, target_system(connection).record_types):
            asyncio.run(_read_hinted(turn, connection, "fulfillment", orders))
    return len(orders)


def take_up(turn: Turn, portion: int = PORTION) -> TakenUp:
    """Read again what deliveries name that this location has not taken up, until there is none.

    A portion counts as taken up once all of it was read, so that what an error interrupts is taken up by the next run.
    Errors that make going on in GHL useless are raised; what a target or a single record does not answer is left.
    """
    done = TakenUp()
    names = {connection.name for connection in turn.settings.targets(turn.location)}
    left: set[tuple[str, str | None, str]] = set()
    while True:
        with turn.warehouse.open() as con:
            found = not_taken_up(con, turn.location.id, names, portion + len(left))
        events = [event for event in found if _identity(event) not in left]
        if not events:
            done.left = len(left)
            return done
        records = _records(turn, events)
        unread = done.add(asyncio.run(read_again(turn, records)))
        unread |= read_targets(turn, records, done)
        done.fulfilled += read_fulfilled(turn, records - unread)
        now = datetime.now(UTC)
        kept = [e for e in events if unread & _records(turn, [e]) and e.received_at > now - GIVEN_UP_AFTER]
        left |= {_identity(event) for event in kept}
        read = [event for event in events if _identity(event) not in left]
        with turn.warehouse.open() as con:
            note_taken_up(con, turn.location.id, read, now)
        done.deliveries += len(read)


def _records(turn: Turn, events: Iterable[InboxEvent]) -> set[Named]:
    return plan_refresh(events, turn.settings).wanted.get(turn.location.id, Wanted()).records


def _identity(event: InboxEvent) -> tuple[str, str | None, str]:
    return event.system, event.connection, event.delivery_id
