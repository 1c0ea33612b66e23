"""Asking a system of what is missing there whether a person removed it, so that it is not made again.

Extend it when systems tell of removals in another way; what a removed record means is decided by SQL.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ghl_payments.connectors.base import TellsRemovals
from ghl_payments.connectors.readback import MAX_ABSENCES, ReadBack
from ghl_payments.warehouse.landing_load import load_documents, naive
from ghl_payments.warehouse.queries import run
from ghl_payments.warehouse.reconcile import compare_target

ASK_AGAIN = timedelta(hours=12)
"""A key that was asked for is not asked for again before."""


async def ask_for_removed(back: ReadBack, location_id: str, *, as_of: datetime, lag_seconds: int) -> int:
    """Ask of records that would count as missing whether a person removed them. How many were asked for.

    Each key is asked for twice a day at most, and a bounded number at a time: whoever creates one looks first anyway.
    """
    connector = back.connector
    if not isinstance(connector, TellsRemovals):
        return 0
    with back.warehouse.open() as con:
        compare_target(con, back.target, location_id, as_of=as_of, lag_seconds=lag_seconds)
        rows = run(con, "actual/perhaps_removed", {
            "connection": back.target.connection, "limit": MAX_ABSENCES,
            "types": list(connector.removal_types), "since": naive(datetime.now(UTC) - ASK_AGAIN),
        })  # fmt: skip
    asked_from = datetime.now(UTC)
    for record_type in connector.removal_types:
        keys = [key for name, key in rows if name == record_type]
        if not keys:
            continue
        path = back.file(f"{record_type}-removed")
        await connector.removed(record_type, keys, path)
        with back.warehouse.open() as con:
            load_documents(con, path, back.target.connection, asked_from, listed_from=asked_from)
            con.execute(
                "insert or replace into actual.lookups select ?, ?, unnest(?::varchar[]), ?",
                [back.target.connection, record_type, keys, naive(asked_from)],
            )
    return len(rows)
