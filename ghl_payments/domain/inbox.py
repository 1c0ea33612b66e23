"""The inbox format: one JSON line a delivery, in append-only files whose names sort by time, read from a cursor.

Extend the line here, for the receiver that writes and the sensor that reads alike; a new key must have a default.
No file is opened here: bytes go in and events come out.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SUFFIX = ".ndjson"
CURSOR_FILE = "cursor.json"
"""Beside the inbox files: `InboxCursor.text()` of a reader that has kept all that it counts. The receiver removes old
files by it, and without it none."""
_STAMP = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True, slots=True)
class RecordRef:
    """A record that a delivery names: `record_type` is order, invoice, contact, …; `id` is the sender's own."""

    record_type: str
    id: str


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """One accepted delivery. Its body is evidence only: what a record is now is asked of its system."""

    received_at: datetime
    system: str
    delivery_id: str
    verified: str
    body: bytes
    connection: str | None = None
    location_id: str | None = None
    event: str | None = None
    event_at: datetime | None = None
    records: tuple[RecordRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Poison:
    """A line that is no event: its byte offset in the file, its length, and why."""

    offset: int
    length: int
    reason: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What some bytes of a file hold: events with the byte offsets of their lines, bad lines, where to go on."""

    events: tuple[tuple[int, InboxEvent], ...]
    poison: tuple[Poison, ...]
    next_offset: int


def file_name(at: datetime, pid: int, number: int) -> str:
    """`YYYYMMDDTHHMMSSffffffZ-PID-N.ndjson`; names of later instants sort later. `at` has a time zone."""
    return f"{at.astimezone(UTC).strftime(_STAMP)}-{pid}-{number}{SUFFIX}"


def begun_at(name: str) -> datetime | None:
    """When the file of this name was begun (UTC), or None for a file that is not ours."""
    try:
        return datetime.strptime(name.partition("-")[0], _STAMP).replace(tzinfo=UTC) if name.endswith(SUFFIX) else None
    except ValueError:
        return None


def instant(text: object) -> datetime | None:
    """An ISO 8601 text with offset as UTC; None for whatever is not one (a text without offset counts as UTC)."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        return at if at is None else (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def encode(event: InboxEvent) -> bytes:
    """The event as one line, ended by a newline; `decode_lines` gives it back unchanged."""
    line: dict[str, Any] = {
        "received_at": _iso(event.received_at),
        "system": event.system,
        "connection": event.connection,
        "location_id": event.location_id,
        "event": event.event,
        "event_at": _iso(event.event_at) if event.event_at else None,
        "delivery_id": event.delivery_id,
        "records": [{"record_type": ref.record_type, "id": ref.id} for ref in event.records],
        "verified": event.verified,
    }
    try:
        line["body"] = event.body.decode()
    except UnicodeDecodeError:
        line["body_base64"] = base64.b64encode(event.body).decode()
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def decode_lines(data: bytes, offset: int) -> Decoded:
    """The complete lines of `data`, which was read at byte `offset` of its file.

    Bytes after the last newline are left for the next time: the line is still being written, or its writer died.
    """
    events: list[tuple[int, InboxEvent]] = []
    poison: list[Poison] = []
    *lines, _torn = data.split(b"\n")
    for line in lines:
        try:
            events.append((offset, decode(line)))
        except ValueError as error:
            poison.append(Poison(offset, len(line), str(error)))
        offset += len(line) + 1
    return Decoded(tuple(events), tuple(poison), offset)


def decode(line: bytes) -> InboxEvent:
    """One line without its newline.

    Raises:
        ValueError: the line is not an event; the text says what is wrong and quotes nothing of it.
    """
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("not a JSON line") from None
    if not isinstance(raw, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one error for every bad line
    received_at = instant(raw.get("received_at"))
    if received_at is None:
        raise ValueError("received_at is not an instant")
    return InboxEvent(
        received_at=received_at,
        system=_text(raw, "system"),
        delivery_id=_text(raw, "delivery_id"),
        verified=_text(raw, "verified"),
        body=_body(raw),
        connection=_optional(raw, "connection"),
        location_id=_optional(raw, "location_id"),
        event=_optional(raw, "event"),
        event_at=instant(raw.get("event_at")),
        records=_records(raw.get("records")),
    )


@dataclass(frozen=True, slots=True)
class InboxCursor:
    """How far the inbox was read: every file up to `floor` for good, and of each later file the bytes counted here.

    Several processes may write at once, each to files of its own, so that one position in the order of names would
    lose what an older file still receives.
    """

    floor: str = ""
    offsets: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> InboxCursor:
        """The cursor that `text()` gave; the beginning for None, and for a text that is none."""
        try:
            raw = json.loads(text) if text else {}
            offsets = {str(name): int(offset) for name, offset in raw.get("offsets", {}).items()}
            return cls(str(raw.get("floor", "")), offsets)
        except (ValueError, TypeError, AttributeError):
            return cls()

    def text(self) -> str:
        """JSON, the same for the same cursor."""
        return json.dumps({"floor": self.floor, "offsets": dict(sorted(self.offsets.items()))}, separators=(",", ":"))

    def offset_in(self, name: str) -> int | None:
        """The first unread byte of a file; None when the file is done with."""
        return None if name <= self.floor else self.offsets.get(name, 0)


@dataclass(frozen=True, slots=True)
class InboxLine:
    """An event with the place it stands at."""

    file: str
    offset: int
    event: InboxEvent


@dataclass(slots=True)
class InboxBatch:
    """What was read of an inbox: events in the order of files and lines, bad lines by file, and where to go on.

    `more` when a bound was reached before the end.
    """

    cursor: InboxCursor
    lines: list[InboxLine] = field(default_factory=list)
    poison: list[tuple[str, Poison]] = field(default_factory=list)
    read_bytes: int = 0
    more: bool = False


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is not a text")
    return value


def _optional(raw: Mapping[str, Any], name: str) -> str | None:
    return None if raw.get(name) is None else _text(raw, name)


def _body(raw: Mapping[str, Any]) -> bytes:
    try:
        if "body_base64" in raw:
            return base64.b64decode(raw["body_base64"], validate=True)
        return raw.get("body", "").encode()  # type: ignore[no-any-return]
    except (binascii.Error, TypeError, AttributeError, UnicodeEncodeError):
        raise ValueError("the body is neither a text nor base64") from None


def _records(raw: object) -> tuple[RecordRef, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or not all(isinstance(ref, dict) for ref in raw):
        raise ValueError("records is not a list of objects")
    return tuple(RecordRef(_text(ref, "record_type"), _text(ref, "id")) for ref in raw)
