"""Reading the inbox: every event once, whatever is written meanwhile, and never more at a time than asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghl_payments.domain.inbox import InboxCursor, InboxEvent, encode, file_name
from ghl_payments.transport.inbox import read_inbox

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
PLENTY = 2**20


def line(name: str) -> bytes:
    return encode(InboxEvent(NOW, "ghl", name, "ed25519", b"{}"))


def named(hours: float, pid: int = 1) -> str:
    return file_name(NOW + timedelta(hours=hours), pid, 1)


def read_all(folder: Path, cursor: InboxCursor, max_bytes: int) -> tuple[list[str], InboxCursor]:
    seen: list[str] = []
    for _ in range(100):
        batch = read_inbox(folder, cursor, max_bytes)
        seen += [found.event.delivery_id for found in batch.lines]
        cursor = InboxCursor.parse(batch.cursor.text())
        if not batch.more:
            return seen, cursor
    raise AssertionError("the reading does not end")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_each_event_is_read_once_while_several_processes_write_in_pieces(data: st.DataObject) -> None:
    with TemporaryDirectory() as place:
        folder, written, seen, cursor = Path(place), [], [], InboxCursor()
        files = [named(data.draw(st.floats(0, 0.9)), pid) for pid in range(data.draw(st.integers(1, 3)))]
        torn = dict.fromkeys(files, b"")
        for number in range(data.draw(st.integers(0, 8))):
            name = data.draw(st.sampled_from(files))
            whole = torn[name] + line(f"w{number}")
            cut = data.draw(st.integers(0, len(whole)))
            torn[name], part = whole[cut:], whole[:cut]
            with (folder / name).open("ab") as file:
                file.write(part)
            written.append(f"w{number}")
            if data.draw(st.booleans()):
                found, cursor = read_all(folder, cursor, data.draw(st.integers(1, 400)))
                seen += found
        for name, rest in torn.items():
            with (folder / name).open("ab") as file:
                file.write(rest)
        found, cursor = read_all(folder, cursor, 50)
        assert sorted(seen + found) == sorted(written)
        assert read_all(folder, cursor, PLENTY)[0] == []


def test_a_batch_is_about_as_large_as_it_may_be(tmp_path: Path) -> None:
    (tmp_path / named(0)).write_bytes(b"".join(line(f"w{n}") for n in range(100)))
    batch = read_inbox(tmp_path, InboxCursor(), 5 * len(line("w10")))
    assert batch.more
    assert len(batch.lines) in (5, 4)


def test_a_line_longer_than_a_batch_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / named(0)).write_bytes(line("w" * 5000) + line("next"))
    assert read_all(tmp_path, InboxCursor(), 100)[0] == ["w" * 5000, "next"]


def test_bad_lines_are_named_with_their_place_and_passed_over(tmp_path: Path) -> None:
    (tmp_path / named(0)).write_bytes(line("a") + b"garbage\n" + line("b"))
    batch = read_inbox(tmp_path, InboxCursor(), PLENTY)
    assert [found.event.delivery_id for found in batch.lines] == ["a", "b"]
    assert [(name, bad.offset) for name, bad in batch.poison] == [(named(0), len(line("a")))]


def test_files_of_long_ago_are_done_with_though_their_last_line_is_torn(tmp_path: Path) -> None:
    (tmp_path / named(0)).write_bytes(line("a") + b'{"torn')
    (tmp_path / named(1)).write_bytes(line("b"))
    (tmp_path / named(9)).write_bytes(line("c"))
    batch = read_inbox(tmp_path, InboxCursor(), PLENTY)
    assert len(batch.lines) == 3
    assert batch.cursor == InboxCursor(named(1), {named(9): len(line("c"))})


def test_an_older_file_is_not_given_up_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / named(0)).write_bytes(line("a") + line("b"))
    (tmp_path / named(9)).write_bytes(line("c"))
    batch = read_inbox(tmp_path, InboxCursor(), len(line("a")))
    assert batch.cursor.floor == ""
    assert read_all(tmp_path, batch.cursor, PLENTY)[0] == ["b", "c"]


def test_what_an_older_process_still_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / named(0)).write_bytes(line("a"))
    (tmp_path / named(0.5, 2)).write_bytes(line("b"))
    _, cursor = read_all(tmp_path, InboxCursor(), PLENTY)
    with (tmp_path / named(0)).open("ab") as file:
        file.write(line("c"))
    assert read_all(tmp_path, cursor, PLENTY)[0] == ["c"]


def test_other_files_are_left_alone_and_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x\n")
    assert read_inbox(tmp_path, InboxCursor(), PLENTY).lines == []
    with pytest.raises(OSError, match="absent"):
        read_inbox(tmp_path / "absent", InboxCursor(), PLENTY)


def test_a_removed_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / named(0)).write_bytes(line("a"))
    _, cursor = read_all(tmp_path, InboxCursor(), PLENTY)
    (tmp_path / named(0)).unlink()
    (tmp_path / named(1)).write_bytes(line("b"))
    assert read_all(tmp_path, cursor, PLENTY)[0] == ["b"]
