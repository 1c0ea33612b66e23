"""Deliveries that no refresh of a location has taken up yet, and the note that one has.

Taken down is not taken up: `inbox_load.py` keeps every line, and here stands what was done about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import duckdb

from ghl_payments.domain.inbox import InboxEvent, RecordRef
from ghl_payments.warehouse.landing_load import naive


def not_taken_up(
    con: duckdb.DuckDBPyConnection, location_id: str, connections: Iterable[str], limit: int
) -> list[InboxEvent]:
    """Deliveries of GHL for this location, and of these connections, that it has not taken up; the oldest first."""
    rows = con.execute(
        "select e.system, e.connection, e.delivery_id, e.location_id, e.event, e.received_at, e.verified, "
        "e.records::varchar from raw.webhook_events as e anti join raw.webhooks_taken_up as t "
        "on t.location_id = $1 and t.system = e.system and t.connection = e.connection "
        "and t.delivery_id = e.delivery_id "
        "where case when e.system = 'ghl' then e.location_id = $1 else list_contains($2::varchar[], e.connection) end "
        "order by e.received_at, e.inbox_file, e.inbox_offset limit $3",
        [location_id, list(connections), limit],
    ).fetchall()
    return [_event(row) for row in rows]


def note_taken_up(
    con: duckdb.DuckDBPyConnection, location_id: str, events: Sequence[InboxEvent], taken_up_at: datetime
) -> None:
    """This location has read what these deliveries name; doing so twice changes nothing."""
    con.execute(
        "insert or ignore into raw.webhooks_taken_up select $1, unnest($2::varchar[]), unnest($3::varchar[]), "
        "unnest($4::varchar[]), $5::timestamp",
        [location_id, [event.system for event in events], [event.connection or "" for event in events],
         [event.delivery_id for event in events], naive(taken_up_at)],
    )  # fmt: skip


def _event(row: Sequence[object]) -> InboxEvent:
    system, connection, delivery_id, location_id, event, received_at, verified, records = row
    assert isinstance(received_at, datetime)
    return InboxEvent(
        received_at=received_at.replace(tzinfo=UTC),
        system=str(system),
        delivery_id=str(delivery_id),
        verified=str(verified),
        body=b"",
        connection=str(connection) or None,
        location_id=None if location_id is None else str(location_id),
        event=None if event is None else str(event),
        records=tuple(RecordRef(ref["record_type"], ref["id"]) for ref in json.loads(str(records))),
    )
