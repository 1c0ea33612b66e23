"""The shapes of Act!'s answers: bare arrays, entities, and what their rows must show for a list to mean anything.

Add a member to `NEEDED` when `documents.sql` relies on one more; what members mean belongs to SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from ghl_payments.transport.jsontext import WrongShape, decode_as, opening

NEEDED = {
    "contacts": ("customFields", "emailAddress"),
    "opportunities": ("customFields", "status", "productTotal"),
    "history": ("regarding",),
}
"""Members that every row of a collection shows; without them our keys could not be seen, and nothing be judged."""


class ListRow(NamedTuple):
    """One row: its id, when it was edited last (text and instant, None when absent), and its bytes."""

    id: str
    edited: str | None
    edited_at: datetime | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a collection."""

    rows: list[ListRow]


class _Head(msgspec.Struct, gc=False):
    id: Any = None
    edited: Any = None


_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_HEADS: msgspec.json.Decoder[list[_Head]] = msgspec.json.Decoder(list[_Head])
_HEAD = msgspec.json.Decoder(_Head)
_DICT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_list(body: bytes, needed: tuple[str, ...] = ()) -> ListPage:
    """A bare array of entities. Raises NotJson, or WrongShape for anything else and for rows without `needed`."""
    if opening(body) != b"[":
        decode_as(_LIST, body, "a bare array")
    heads = decode_as(_HEADS, body, "rows that are objects")
    raws = [bytes(raw) for raw in _LIST.decode(body)]
    rows = []
    for head, raw in zip(heads, raws, strict=True):
        if not isinstance(head.id, str) or not head.id:
            raise WrongShape("A row has no id.")
        lacking = [name for name in needed if f'"{name}"'.encode() not in raw]
        if lacking:
            raise WrongShape(f"A row has no {', '.join(lacking)}.")
        edited = head.edited if isinstance(head.edited, str) else None
        rows.append(ListRow(head.id, edited, moment(edited), raw))
    return ListPage(rows)


def read_record(body: bytes, native_id: str) -> bytes:
    """The entity that was asked for. Raises NotJson or WrongShape."""
    head = decode_as(_HEAD, body, "an entity")
    if not isinstance(head.id, str) or head.id.casefold() != native_id.casefold():
        raise WrongShape("Another record was answered than the one asked for.")
    return body


def read_written(body: bytes) -> str:
    """The id in the answer to a POST. Raises NotJson or WrongShape."""
    head = decode_as(_HEAD, body, "the written entity")
    if not isinstance(head.id, str) or not head.id:
        raise WrongShape("Expected the written entity with its id.")
    return head.id


def read_members(body: bytes) -> dict[str, msgspec.Raw]:
    """An entity's members, each as its bytes. Raises NotJson or WrongShape."""
    return decode_as(_DICT, body, "an entity")


def moment(text: str | None) -> datetime | None:
    """An instant in UTC; None for what is no ISO date-time. Without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
