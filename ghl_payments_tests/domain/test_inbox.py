"""The inbox format: what was written is read back, whole lines only, and bad lines are named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghl_payments.domain.inbox import (
    InboxCursor,
    InboxEvent,
    RecordRef,
    begun_at,
    decode_lines,
    encode,
    file_name,
    instant,
)

NOW = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
INSTANTS = st.timedeltas(timedelta(0), timedelta(days=36_500)).map(lambda age: datetime(2000, 1, 1, tzinfo=UTC) + age)
EVENTS = st.builds(
    InboxEvent,
    received_at=INSTANTS,
    system=WORDS,
    delivery_id=WORDS,
    verified=WORDS,
    body=st.binary(max_size=60) | WORDS.map(str.encode),
    connection=st.none() | WORDS,
    location_id=st.none() | WORDS,
    event=st.none() | WORDS,
    event_at=st.none() | INSTANTS,
    records=st.lists(st.builds(RecordRef, WORDS, WORDS), max_size=3).map(tuple),
)


def event(**changes: object) -> InboxEvent:
    given_fields = {"received_at": NOW, "system": "ghl", "delivery_id": "w1", "verified": "ed25519", "body": b"{}"}
    return InboxEvent(**{**given_fields, **changes})  # type: ignore[arg-type]


@given(st.lists(EVENTS, max_size=5), st.integers(0, 10**9))
def test_events_are_read_back_as_they_were_written(events: list[InboxEvent], offset: int) -> None:
    data = b"".join(map(encode, events))
    decoded = decode_lines(data, offset)
    assert [found for _, found in decoded.events] == events
    assert decoded.next_offset == offset + len(data)
    assert not decoded.poison


@given(st.lists(EVENTS, min_size=1, max_size=4), st.data())
def test_a_file_read_in_two_pieces_gives_each_event_once(events: list[InboxEvent], data: st.DataObject) -> None:
    whole = b"".join(map(encode, events))
    cut = data.draw(st.integers(0, len(whole)))
    first = decode_lines(whole[:cut], 0)
    second = decode_lines(whole[first.next_offset :], first.next_offset)
    assert [found for _, found in (*first.events, *second.events)] == events
    assert second.next_offset == len(whole)


def test_a_torn_last_line_waits_for_its_end() -> None:
    whole = encode(event()) + encode(event(delivery_id="w2"))
    decoded = decode_lines(whole[:-3], 0)
    assert [found.delivery_id for _, found in decoded.events] == ["w1"]
    assert decoded.next_offset == len(encode(event()))
    assert not decoded.poison


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "not a JSON line"),
        (b"{\xff", "not a JSON line"),
        (b"[" * 100_000, "not a JSON line"),
        (b"[]", "not a JSON object"),
        (b"{}", "received_at is not an instant"),
        (encode(event()).replace(b'"system":"ghl"', b'"system":7').rstrip(), "system is not a text"),
        (encode(event()).replace(b'"records":[]', b'"records":[{"id":1}]').rstrip(), "record_type is not a text"),
        (encode(event(body=b"\xff")).replace(b'"/w=="', b'"?"').rstrip(), "the body is neither a text nor base64"),
    ],
)
def test_a_bad_line_is_named_and_the_next_one_read(line: bytes, reason: str) -> None:
    decoded = decode_lines(line + b"\n" + encode(event()), 10)
    assert [(bad.offset, bad.length, bad.reason) for bad in decoded.poison] == [(10, len(line), reason)]
    assert [found.delivery_id for _, found in decoded.events] == ["w1"]


def test_keys_of_a_later_version_are_passed_over() -> None:
    line = encode(event()).replace(b'{"received_at"', b'{"later":[1],"received_at"')
    assert [found for _, found in decode_lines(line, 0).events] == [event()]


@given(INSTANTS, INSTANTS)
def test_names_of_files_sort_by_time(one: datetime, other: datetime) -> None:
    assert (file_name(one, 1, 1) < file_name(other, 1, 1)) == (one < other)
    assert begun_at(file_name(one, 4711, 12)) == one


def test_other_files_were_never_begun() -> None:
    assert begun_at("notes.txt") is None
    assert begun_at("x.ndjson") is None


def test_instants_are_utc_and_anything_else_is_none() -> None:
    assert instant("2026-11-01T14:00:00.5+02:00") == datetime(2026, 11, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    assert instant("2026-11-01T12:00:00Z") == instant("2026-11-01T12:00:00")
    assert file_name(NOW.astimezone(timezone(timedelta(hours=9))), 1, 1) == file_name(NOW, 1, 1)
    assert [instant(text) for text in ("soon", 5, None, "0001-01-01T00:00:00+23:00")] == [None] * 4


@given(WORDS, st.dictionaries(WORDS, st.integers(0, 10**12)))
def test_a_cursor_is_read_back_from_its_text(floor: str, offsets: dict[str, int]) -> None:
    cursor = InboxCursor(floor, offsets)
    assert InboxCursor.parse(cursor.text()) == cursor


@pytest.mark.parametrize("text", [None, "", "nonsense", "[]", '{"offsets":[1]}', '{"offsets":{"a":null}}'])
def test_a_cursor_that_cannot_be_read_is_the_beginning(text: str | None) -> None:
    assert InboxCursor.parse(text) == InboxCursor()


def test_files_up_to_the_floor_are_done_with() -> None:
    cursor = InboxCursor("b", {"c": 7})
    assert [cursor.offset_in(name) for name in "abcd"] == [None, None, 7, 0]
