"""Inbox files go when they are old and read to their end, and not before."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ghl_payments.defs.raw.webhook_events import take_down
from ghl_payments.defs.turn import Turn
from ghl_payments.domain.inbox import InboxCursor, InboxEvent, encode, file_name
from ghl_payments.receiver.retention import remove_read_files, tell_cursor
from ghl_payments.settings import load_settings
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments_tests.receiver.support import environment, events_in

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def inbox_file(folder: Path, days: float, size: int = 100) -> str:
    at = NOW - timedelta(days=days)
    path = folder / file_name(at, 1, 1)
    path.write_bytes(b"x" * size)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path.name


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.ndjson"))


def test_old_files_that_were_read_are_removed_and_younger_ones_stay(tmp_path: Path) -> None:
    old, young = inbox_file(tmp_path, 31), inbox_file(tmp_path, 29)
    tell_cursor(tmp_path, InboxCursor(floor=young))
    assert remove_read_files(tmp_path, 30, NOW) == 1
    assert left(tmp_path) == [young]
    assert old != young


def test_a_file_above_the_floor_is_removed_when_its_last_byte_was_read(tmp_path: Path) -> None:
    whole, half = inbox_file(tmp_path, 40), inbox_file(tmp_path, 39)
    tell_cursor(tmp_path, InboxCursor(offsets={whole: 100, half: 99}))
    assert remove_read_files(tmp_path, 30, NOW) == 1
    assert left(tmp_path) == [half]


def test_unread_files_stay_and_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    name = inbox_file(tmp_path, 400)
    assert remove_read_files(tmp_path, 30, NOW) == 0
    assert left(tmp_path) == [name]
    assert "1 inbox files" in caplog.text
    assert "sensor" in caplog.text


@pytest.mark.parametrize("cursor", ["", "no json", "[]", '{"floor": 7}', "\udcff"])
def test_a_cursor_that_cannot_be_read_removes_nothing(tmp_path: Path, cursor: str) -> None:
    name = inbox_file(tmp_path, 400)
    (tmp_path / "cursor.json").write_text(cursor, encoding="utf-8", errors="surrogateescape")
    assert remove_read_files(tmp_path, 30, NOW) == 0
    assert left(tmp_path) == [name]


def test_no_days_keep_everything_and_few_days_keep_what_may_still_grow(tmp_path: Path) -> None:
    name = inbox_file(tmp_path, 0.05)
    tell_cursor(tmp_path, InboxCursor(floor=name))
    assert remove_read_files(tmp_path, 0, NOW) == 0
    assert remove_read_files(tmp_path, 0.001, NOW) == 0
    assert remove_read_files(tmp_path, 0.001, NOW + timedelta(hours=2)) == 1


def test_what_a_run_took_down_is_what_may_go(tmp_path: Path) -> None:
    settings = load_settings(environment(tmp_path))
    settings.inbox.mkdir(parents=True)
    path = settings.inbox / file_name(NOW - timedelta(days=31), 1, 1)
    taken = encode(InboxEvent(NOW, "ghl", "1", "ed25519", b"{}"))
    path.write_bytes(taken)
    os.utime(path, ((NOW - timedelta(days=31)).timestamp(),) * 2)
    assert remove_read_files(settings.inbox, 30, NOW) == 0
    turn = Turn(settings, settings.locations[0], Warehouse(settings.warehouse), NOW, "turn")
    assert take_down(turn) == (1, 0)
    assert remove_read_files(settings.inbox, 30, NOW) == 1
    assert take_down(turn) == (0, 0)


def test_other_files_beside_the_inboxs_stay(tmp_path: Path) -> None:
    other = tmp_path / "notes.ndjson"
    other.write_text("")
    os.utime(other, (0, 0))
    tell_cursor(tmp_path, InboxCursor(floor=file_name(NOW, 1, 1)))
    assert remove_read_files(tmp_path, 1, NOW) == 0
    assert other.exists()
    assert events_in(tmp_path) == []
