"""Capability levels of a connection: found out by the connector's probes, stored with a time, forced by configuration.

Extend it when levels are stored or chosen in a new way; how a level is found out belongs to each connector.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import duckdb

from ghl_payments.connectors.base import Connector, Level
from ghl_payments.transport.errors import OutcomeUnknown
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.queries import dicts

logger = logging.getLogger(__name__)

GOOD_FOR = timedelta(days=1)
"""After this a level is found out again: plans and rights change."""

PROBE_TRIES = 4

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


async def settle_levels(
    connector: Connector,
    warehouse: Warehouse,
    connection: str,
    forced: Mapping[str, str],
    *,
    may_write: bool,
) -> dict[str, str]:
    """Probe what is not known or too old, store it, and put the connector to work at the levels in force.

    Forced levels win over probed ones and are not probed. What a probe leaves open stays as it was found out last, else
    at its safest level, until a later probe says more. Returns the levels in force by capability.
    """
    if not connector.capabilities:
        return {}
    with warehouse.open() as con:
        known = stored_levels(con, connection, newer_than=None)
        recent = stored_levels(con, connection, newer_than=datetime.now(UTC) - GOOD_FOR)
    # What follows from the configuration is as fresh as that, not as what was stored.
    volatile: frozenset[str] = getattr(connector, "volatile_capabilities", frozenset())
    recent = {name: level for name, level in recent.items() if name not in volatile}
    found: dict[str, Level] = {}
    if set(connector.capabilities) - set(forced) - set(recent):
        found = await _probed(connector, connection, may_write=may_write)
    found = {name: level for name, level in found.items() if name not in forced}
    found |= {name: Level(level, "forced in connections.yaml") for name, level in forced.items()}
    levels = {name: options[-1] for name, options in connector.capabilities.items()}
    levels |= {name: level for name, level in known.items() if name in levels}
    levels |= {name: level.level for name, level in found.items()}
    left_open = {name: Level(level, "not found out yet") for name, level in levels.items() if name not in known}
    with warehouse.open() as con:
        # SQL and the push go by what is stored, so that everything in force is, whatever it stands on.
        _store(con, connection, left_open, {}, at=_LONG_AGO)
        _store(con, connection, found, forced, at=datetime.now(UTC))
    for name, level in sorted(found.items()):
        logger.info("%s: %s is %s (%s)", connection, name, level.level, level.evidence)
    connector.use_levels(levels)
    return levels


async def _probed(connector: Connector, connection: str, *, may_write: bool) -> dict[str, Level]:
    """A probe may write a record of its own; when that answer is lost, it is begun anew.

    Nothing is guessed after the last try: a level decides in which form records are kept.
    """
    for _ in range(PROBE_TRIES - 1):
        try:
            return await connector.probe_levels(may_write=may_write)
        except OutcomeUnknown as error:
            logger.warning("%s: an answer to a probe was lost, it is begun anew: %s", connection, error)
    return await connector.probe_levels(may_write=may_write)


def use_stored_levels(connector: Connector, warehouse: Warehouse, connection: str, forced: Mapping[str, str]) -> None:
    """Put a connector to work at what the last reading found out, without asking the system anything."""
    if connector.capabilities:
        with warehouse.open() as con:
            known = stored_levels(con, connection, newer_than=None)
        connector.use_levels({**known, **forced})


def stored_levels(con: duckdb.DuckDBPyConnection, connection: str, *, newer_than: datetime | None) -> dict[str, str]:
    """Levels by capability, all or those found out since `newer_than`; a level that was forced counts for nothing."""
    rows = dicts(
        con,
        "select capability, level, forced, probed_at from ops.capabilities where connection = $connection",
        {"connection": connection},
    )
    since = naive(newer_than) if newer_than is not None else None
    known = [row for row in rows if not row["forced"] and (since is None or row["probed_at"] >= since)]
    return {row["capability"]: row["level"] for row in known}


def _store(
    con: duckdb.DuckDBPyConnection,
    connection: str,
    levels: Mapping[str, Level],
    forced: Mapping[str, str],
    *,
    at: datetime,
) -> None:
    for name, level in levels.items():
        con.execute(
            "insert or replace into ops.capabilities values (?, ?, ?, ?, ?, ?)",
            [connection, name, level.level, level.evidence, name in forced, naive(at)],
        )
