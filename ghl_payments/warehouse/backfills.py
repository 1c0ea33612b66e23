"""What is known of backfills: which one is to be gone on with, and which of its slices are done.

What a backfill reads belongs to `connectors/ghl/backfill.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import duckdb

from ghl_payments.warehouse.landing_load import naive


@dataclass(frozen=True, slots=True)
class Backfill:
    """One location's backfill of whole months, `first` to `last` (their first days); `resumed` when begun before."""

    location_id: str
    first: date
    last: date
    begun_at: datetime
    resumed: bool


def begin_backfill(
    con: duckdb.DuckDBPyConnection, location_id: str, months: Sequence[date], now: datetime, *, restart: bool = False
) -> Backfill:
    """The unfinished backfill of just these months, or a new one; with `restart` always a new one."""
    first, last = min(months), max(months)
    where = "location_id = ? and first_month = ? and last_month = ? and ended_at is null"
    if restart:
        con.execute(f"update ops.backfills set ended_at = ? where {where}", [naive(now), location_id, first, last])
    row = con.execute(f"select max(begun_at) from ops.backfills where {where}", [location_id, first, last]).fetchone()
    if row is not None and row[0] is not None:
        return Backfill(location_id, first, last, row[0].replace(tzinfo=UTC), resumed=True)
    con.execute("insert into ops.backfills values (?, ?, ?, ?, null)", [location_id, first, last, naive(now)])
    return Backfill(location_id, first, last, now, resumed=False)


def done_slices(con: duckdb.DuckDBPyConnection, backfill: Backfill) -> set[tuple[str, date]]:
    """(stream, month) of the slices that were read completely since the backfill began, by whichever run."""
    rows = con.execute(
        "select stream, month from raw.slices where location_id = ? and complete and scanned_at >= ? "
        "and month between ? and ?",
        [backfill.location_id, naive(backfill.begun_at), backfill.first, backfill.last],
    ).fetchall()
    return {(stream, month) for stream, month in rows}


def end_backfill(con: duckdb.DuckDBPyConnection, backfill: Backfill, now: datetime) -> None:
    """Nothing of it is left to do; the same command would begin a new one."""
    con.execute(
        "update ops.backfills set ended_at = ? where location_id = ? and first_month = ? and last_month = ? "
        "and begun_at = ?",
        [naive(now), backfill.location_id, backfill.first, backfill.last, naive(backfill.begun_at)],
    )
