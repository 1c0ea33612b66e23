"""Inbox lines in the warehouse: each once, copies counted, the first of them kept, bad lines in quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghl_payments.domain.inbox import InboxEvent, RecordRef, encode, file_name
from ghl_payments.transport.inbox import read_inbox
from ghl_payments.warehouse import inbox_load
from ghl_payments.warehouse.connection import Warehouse

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with Warehouse(tmp_path / "w.duckdb").open() as opened:
        yield opened


def event(delivery_id: str, *, system: str = "ghl", minutes: int = 0, **more: object) -> bytes:
    base = {"location_id": "loc", "event": "OrderCreate", "records": (RecordRef("order", "o1"),), "event_at": NOW}
    return encode(
        InboxEvent(NOW + timedelta(minutes=minutes), system, delivery_id, "ed25519", b"{}", **base | more)  # type: ignore[arg-type]
    )


def write(folder: Path, *lines: bytes, hours: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    with (folder / file_name(NOW + timedelta(hours=hours), 1, 1)).open("ab") as file:
        file.writelines(lines)


def load_inbox(con: duckdb.DuckDBPyConnection, folder: Path, at: datetime) -> tuple[int, int]:
    return inbox_load.load_inbox(con, lambda cursor: read_inbox(folder, cursor, 1000), at)


def held(con: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    query = "select system, delivery_id, copies, minute(received_at) from raw.webhook_events order by all"
    return con.execute(query).fetchall()


def test_a_delivery_is_one_row_and_its_copies_are_counted(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    write(inbox, event("a"), event("b", minutes=1), event("a", minutes=2), event("a", system="trackpod", minutes=3))
    assert load_inbox(con, inbox, NOW) == (4, 0)
    write(inbox, event("a", minutes=4))
    assert load_inbox(con, inbox, NOW) == (1, 0)
    assert load_inbox(con, inbox, NOW) == (0, 0)
    assert held(con) == [("ghl", "a", 3, 0), ("ghl", "b", 1, 1), ("trackpod", "a", 1, 3)]


def test_the_same_hook_of_two_accounts_is_two_deliveries_and_each_is_idempotent(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """A digest of the body is all the id that a hook without one has, and two accounts may send the same body."""
    one, two = (event("sha256:a", system="trackpod", connection=name) for name in ("depot1", "depot2"))
    write(tmp_path / "inbox", one, two, event("sha256:a", system="trackpod"))
    load_inbox(con, tmp_path / "inbox", NOW)
    write(tmp_path / "inbox", two, one)
    load_inbox(con, tmp_path / "inbox", NOW)
    rows = con.execute("select connection, copies from raw.webhook_events order by all").fetchall()
    assert rows == [("", 1), ("depot1", 2), ("depot2", 2)]


def test_what_is_unknown_or_not_told_is_kept(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    write(tmp_path / "inbox", event("a", location_id=None, event="Brand/New", event_at=None, records=()))
    load_inbox(con, tmp_path / "inbox", NOW)
    row = con.execute("select location_id, event, event_at, records::varchar from raw.webhook_events").fetchone()
    assert row == (None, "Brand/New", None, "[]")


def test_a_bad_line_is_in_quarantine_by_its_place(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    write(tmp_path / "inbox", event("a"), b"{]\n", event("b"))
    assert load_inbox(con, tmp_path / "inbox", NOW) == (2, 1)
    rows = con.execute("select record_key, rule, payload ->> '$.reason' from staging.quarantine").fetchall()
    assert rows == [(f"{file_name(NOW, 1, 1)}@{len(event('a'))}", "not_an_event", "not a JSON line")]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations("aabbbc"), cuts=st.sets(st.integers(1, 5)))
def test_however_deliveries_arrive_and_are_loaded_the_rows_are_the_same(
    con: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, order: list[str], cuts: set[int]
) -> None:
    con.execute("delete from raw.webhook_events; delete from ops.inbox")
    inbox = tmp_path_factory.mktemp("inbox")
    for number, name in enumerate(order):
        write(inbox, event(name))
        if number in cuts:
            load_inbox(con, inbox, NOW)
    load_inbox(con, inbox, NOW)
    assert [row[:3] for row in held(con)] == [("ghl", "a", 2), ("ghl", "b", 3), ("ghl", "c", 1)]
