"""The shapes of Halo's answers, read without making an object for every field.

Add a shape here when a tenant is seen to answer in another envelope; what fields mean belongs to SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from ghl_payments.transport.jsontext import WrongShape, decode_as, opening


class ListRow(NamedTuple):
    """One row of a list: its id as text (None when absent) and its bytes."""

    id: str | None
    raw: msgspec.Raw


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page: its bytes as answered, its rows, and Halo's count of all rows; None when a bare array was answered."""

    body: bytes
    rows: list[ListRow]
    record_count: int | None


class _Head(msgspec.Struct, gc=False):
    id: Any = None


class _Count(msgspec.Struct, gc=False):
    record_count: int | None = None


_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_HEADS: msgspec.json.Decoder[list[_Head]] = msgspec.json.Decoder(list[_Head])
_HEAD = msgspec.json.Decoder(_Head)
_COUNT = msgspec.json.Decoder(_Count)
_DICT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_list(body: bytes) -> ListPage:
    """A list answer: a bare array, or an envelope whose one list holds the rows under whatever plural it uses.

    Raises NotJson, or WrongShape when there is no list or more than one: neither may pass for an empty answer.
    """
    if opening(body) == b"[":
        return _page(body, body, None)
    fields = decode_as(_DICT, body, "an array or an envelope with one list")
    lists = [name for name, value in fields.items() if name != "columns" and opening(value) == b"["]
    if len(lists) != 1:
        raise WrongShape(
            f"Expected exactly one list; found {len(lists)} among the keys {', '.join(sorted(fields)) or '(none)'}."
        )
    count = decode_as(_COUNT, body, "a whole number `record_count`").record_count
    return _page(body, bytes(fields[lists[0]]), count)


def read_record(body: bytes, native_id: str) -> bytes:
    """The object of a detail answer, also when it comes as an array of one. Raises NotJson or WrongShape."""
    record = _single(body)
    if id_text(_HEAD.decode(record).id) != native_id:
        raise WrongShape("Another record was answered than the one asked for.")
    return record


def read_written(body: bytes) -> str:
    """The id in the answer to a write. Raises NotJson or WrongShape."""
    native_id = id_text(_HEAD.decode(_single(body)).id)
    if native_id is None:
        raise WrongShape("Expected the written record with its id.")
    return native_id


def id_text(value: object) -> str | None:
    """A native id as text; some ids are declared as doubles, so `7.0` is `7`."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) or None


def _page(body: bytes, rows: bytes, count: int | None) -> ListPage:
    heads = decode_as(_HEADS, rows, "rows that are objects")
    raws = _LIST.decode(rows)
    return ListPage(body, [ListRow(id_text(h.id), raw) for h, raw in zip(heads, raws, strict=True)], count)


def _single(body: bytes) -> bytes:
    if opening(body) != b"[":
        decode_as(_HEAD, body, "an object")
        return body
    items = decode_as(_LIST, body, "one object")
    if len(items) != 1:
        raise WrongShape(f"Expected one object; found an array of {len(items)}.")
    decode_as(_HEAD, bytes(items[0]), "an object")
    return bytes(items[0])
