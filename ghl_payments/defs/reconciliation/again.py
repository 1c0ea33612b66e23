"""Comparing again within a turn: after details that a change must rest on, and after GHL itself was written to.

Extend it when a further reading has to follow a comparison; the comparisons themselves stand in `sql/reconciliation/`.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from datetime import date, datetime

from ghl_payments.connections import Connection
from ghl_payments.connectors.ghl.connect import connect_ghl
from ghl_payments.connectors.ghl.extract import Extraction, extract_details, extract_list, extract_named_details
from ghl_payments.connectors.ghl.refresh import refresh_records
from ghl_payments.connectors.readback import ReadBack
from ghl_payments.connectors.registry import (
    TargetSystem,
    access_to,
    describe_target,
    describe_targets,
    target_system,
)
from ghl_payments.connectors.removals import ask_for_removed
from ghl_payments.defs.staging.tables import UPSTREAM as STAGING
from ghl_payments.defs.turn import Turn
from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.queries import run
from ghl_payments.warehouse.reconcile import derive_desired, find_invariants, reconcile_invariants, reconcile_targets
from ghl_payments.warehouse.validate import stage

logger = logging.getLogger(__name__)

MAX_ROUNDS = 3
"""A detail may show that a record is a test, which may change what others need; it does not go on for ever."""


def reconcile_all(turn: Turn, only: Collection[str] | None = None) -> dict[str, dict[str, int]]:
    """Bring all diffs of a location up to date: each target, then GHL against itself; kinds with counts by system.

    `only` these connections when nothing else can have changed.
    """
    targets = describe_targets(turn.settings, turn.location)
    wanted = [target for target in targets if only is None or target.connection in only]
    with turn.warehouse.open() as con:
        counts = reconcile_targets(
            con, wanted, turn.location.id, as_of=turn.as_of, lag_seconds=turn.settings.lag_seconds
        )
        counts["ghl"] = reconcile_invariants(
            con, turn.location.id, as_of=turn.as_of, lag_seconds=turn.settings.lag_seconds
        )
    return counts


def reconcile_settled(turn: Turn, only: Collection[str] | None = None) -> dict[str, dict[str, int]]:
    """`reconcile_all`, and again after the details were fetched that a change to a pushable record must rest on."""
    if only is None and _ask_for_removed(turn):
        with turn.warehouse.open() as con:
            derive_desired(con, describe_targets(turn.settings, turn.location), turn.location.id)
    counts = reconcile_all(turn, only)
    for _ in range(MAX_ROUNDS):
        with turn.warehouse.open() as con:
            rows = run(con, "raw/needed_for_changes", {"location_id": turn.location.id})
        needed: dict[str, list[str]] = {}
        for stream, record_id in rows:
            needed.setdefault(stream, []).append(record_id)
        if not needed:
            break
        logger.info("%s: %d details are needed before changes may rest on them", turn.location.id, len(rows))
        fetched = asyncio.run(_fetch_named(turn, needed))
        if not fetched:
            break
        stage_again(turn)
        counts = reconcile_all(turn)
    return counts


def read_ghl_again(turn: Turn, connections: Sequence[str], since: datetime) -> None:
    """Read what a push to GHL touched since then, and derive all from it: orders with fulfillments, payments recorded.

    Whenever those changes were planned: under a preview or a brake that was a turn before.
    """
    with turn.warehouse.open() as con:
        rows = con.execute(
            "select o.order_id, date_trunc('month', o.created_at)::date, bool_or(c.record_type = 'order_payment') "
            "from outbox.changes as c "
            "inner join staging.orders as o on o.location_id = c.location_id "
            "and o.order_id = split_part(c.native_id, '/', 1) "
            "where list_contains(?, c.connection) and c.location_id = ? and exists (select 1 from outbox.attempts as a "
            "where a.change_id = c.change_id and a.attempted_at >= ?) group by all order by all",
            [list(connections), turn.location.id, naive(since)],
        ).fetchall()
    sent = {order_id: month for order_id, month, is_paid in rows if not is_paid}
    asyncio.run(_read_orders(turn, list(sent), sorted(set(sent.values())), [row[0] for row in rows if row[2]]))
    stage_again(turn)


def stage_again(turn: Turn) -> None:
    """Every staging table of the location anew, then what its targets should hold and what is wrong inside GHL."""
    with turn.warehouse.open() as con:
        for table in STAGING:
            stage(con, f"staging.{table}", turn.location.id, turn.as_of)
        derive_desired(con, describe_targets(turn.settings, turn.location), turn.location.id)
        find_invariants(con, turn.location.id, as_of=turn.as_of, lag_seconds=turn.settings.lag_seconds)


def _ask_for_removed(turn: Turn) -> int:
    """Ask the systems that can tell of what would be missing there whether a person removed it; how many were asked."""
    asked = 0
    for connection in turn.settings.targets(turn.location):
        system = target_system(connection)
        if system.removal_types:
            asked += asyncio.run(_ask(turn, system, connection))
    return asked


async def _ask(turn: Turn, system: TargetSystem, connection: Connection) -> int:
    connector = system.open(access_to(turn.settings, connection, turn.location))
    try:
        target = describe_target(turn.settings, connection)
        back = ReadBack(connector, target, turn.warehouse, turn.landing, turn.turn_id)
        return await ask_for_removed(back, turn.location.id, as_of=turn.as_of, lag_seconds=turn.settings.lag_seconds)
    finally:
        await connector.aclose()


def _extraction(turn: Turn) -> Extraction:
    client = connect_ghl(turn.settings, turn.location)
    return Extraction(client, turn.warehouse, turn.landing, turn.location.id, turn.as_of, priority=turn.priority)


async def _fetch_named(turn: Turn, needed: dict[str, list[str]]) -> int:
    extraction = _extraction(turn)
    try:
        done = [await extract_named_details(extraction, stream, ids) for stream, ids in sorted(needed.items())]
        return sum(metrics["fetched"] + metrics["absent"] for metrics in done)
    finally:
        await extraction.client.aclose()


async def _read_orders(turn: Turn, order_ids: Sequence[str], months: Sequence[date], paid: Sequence[str]) -> None:
    """Orders of these months whose fulfillments changed, and those that were `paid`, with their charges."""
    extraction = _extraction(turn)
    try:
        if paid:
            await refresh_records(extraction, paid, [])
        if order_ids:
            await extract_list(extraction, "orders", months=list(months))
            await extract_named_details(extraction, "fulfillments", order_ids)
            await extract_details(extraction, "order_details", warm=False)
    finally:
        await extraction.client.aclose()
