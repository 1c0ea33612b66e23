"""Inbox lines into `raw.webhook_events`: every line once, whoever loads it, and bad lines into quarantine.

What the events ask for is done elsewhere; here they are only taken down.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime

import duckdb

from ghl_payments.domain.inbox import InboxBatch, InboxCursor, InboxLine
from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.queries import run

Reader = Callable[[InboxCursor], InboxBatch]
"""What stands in the inbox after a cursor, some of it at a time."""

_COLUMNS = {
    "system": "varchar", "connection": "varchar", "delivery_id": "varchar", "location_id": "varchar",
    "event": "varchar", "event_at": "timestamp", "received_at": "timestamp", "verified": "varchar",
    "records": "json", "inbox_file": "varchar", "inbox_offset": "bigint",
}  # fmt: skip
_REMEDY = (
    "The line is no event and was passed over. Look at it in the inbox file; a receiver of another version wrote it?"
)


def load_inbox(con: duckdb.DuckDBPyConnection, read: Reader, loaded_at: datetime) -> tuple[int, int]:
    """Load what the inbox holds beyond what was loaded before; (lines, bad lines).

    Each batch and its cursor are one transaction, so that a line counts once whatever ends the run.
    """
    lines = bad = 0
    while True:
        row = con.execute("select cursor from ops.inbox").fetchone()
        batch = read(InboxCursor.parse(row[0] if row else None))
        con.execute("begin")
        try:
            _store(con, batch, loaded_at)
            con.execute("commit")
        except BaseException:
            con.execute("rollback")
            raise
        lines, bad = lines + len(batch.lines), bad + len(batch.poison)
        if not batch.more:
            return lines, bad


def _store(con: duckdb.DuckDBPyConnection, batch: InboxBatch, loaded_at: datetime) -> None:
    if batch.lines:
        columns = ", ".join(f"unnest(?::{kind}[]) as {name}" for name, kind in _COLUMNS.items())
        values = [list(column) for column in zip(*map(_row, batch.lines), strict=True)]
        con.execute(f"create or replace temp table inbox_lines as select {columns}", values)
        run(con, "raw/webhook_events")
    for name, poison in batch.poison:
        con.execute(
            "insert into staging.quarantine values ('raw.webhook_events', 'inbox', ?, 'not_an_event', ?, ?, ?, ?) "
            "on conflict do update set last_seen = excluded.last_seen",
            [f"{name}@{poison.offset}", _REMEDY, json.dumps({"reason": poison.reason, "bytes": poison.length}),
             naive(loaded_at), naive(loaded_at)],
        )  # fmt: skip
    con.execute("delete from ops.inbox")
    con.execute("insert into ops.inbox values (?)", [batch.cursor.text()])


def _row(line: InboxLine) -> Sequence[object]:
    event = line.event
    records = json.dumps([{"record_type": ref.record_type, "id": ref.id} for ref in event.records])
    return (
        event.system, event.connection or "", event.delivery_id, event.location_id, event.event,
        naive(event.event_at) if event.event_at else None, naive(event.received_at), event.verified, records,
        line.file, line.offset,
    )  # fmt: skip
