"""The shapes of GHL's answers, read without making an object for every field.

Add a shape here when an endpoint answers in a new envelope; what fields mean belongs to SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from ghl_payments.transport.jsontext import WrongShape, decode, decode_as, opening


class RowRef(NamedTuple):
    """One row of a list: its `_id` (None when absent or not a text), its createdAt as given, its bytes."""

    id: str | None
    created_at: str | None
    raw: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its bytes as answered, its rows in order, and the API's count of all rows of the list."""

    body: bytes
    rows: list[RowRef]
    total_count: int


@dataclass(frozen=True, slots=True)
class Document:
    """One detail document: the id it was asked by and the bytes of the plain object (or array, for plural ones)."""

    id: str
    body: bytes


class _Head(msgspec.Struct, gc=False):
    id: Any = msgspec.field(name="_id", default=None)
    created_at: Any = msgspec.field(name="createdAt", default=None)


class _Heads(msgspec.Struct, gc=False):
    data: list[_Head]
    total: int = msgspec.field(name="totalCount")


class _Raws(msgspec.Struct, gc=False):
    data: list[msgspec.Raw]


class _Object(msgspec.Struct, gc=False):
    id: Any = msgspec.field(name="_id", default=None)
    data: msgspec.Raw = msgspec.Raw(b"null")


_HEADS = msgspec.json.Decoder(_Heads)
_RAWS = msgspec.json.Decoder(_Raws)
_OBJECT = msgspec.json.Decoder(_Object)
_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_DICT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_page(body: bytes) -> Page:
    """A list answer `{"data": [objects], "totalCount": n}`. Raises NotJson or WrongShape."""
    heads = decode_as(_HEADS, body, "a list `data` of objects and a whole number `totalCount`")
    rows = [
        RowRef(
            head.id if isinstance(head.id, str) and head.id else None,
            head.created_at if isinstance(head.created_at, str) else None,
            raw,
        )
        for head, raw in zip(heads.data, _RAWS.decode(body).data, strict=True)
    ]
    return Page(body, rows, heads.total)


def read_object(body: bytes, record_id: str) -> bytes:
    """The plain object of a detail answer: the object itself, `[object]` or `{"data": object}`.

    All three were seen in public clients. Raises NotJson, or WrongShape also when another record was answered.
    """
    if opening(body) == b"[":
        items = decode_as(_LIST, body, "one object")
        if len(items) != 1:
            raise WrongShape(f"Expected one object; found an array of {len(items)}.")
        return read_object(bytes(items[0]), record_id)
    found = decode_as(_OBJECT, body, "one object")
    if found.id is None and opening(found.data) in (b"{", b"["):
        return read_object(bytes(found.data), record_id)
    if found.id is None:
        raise WrongShape("Expected an object with `_id`; it has none.")
    if found.id != record_id:
        raise WrongShape("Another record was answered than the one asked for.")
    return body


def read_array(body: bytes, name: str) -> bytes:
    """The array under `name`, or at the root; a single object there is one element. Raises NotJson or WrongShape."""
    if opening(body) == b"[":
        decode_as(_LIST, body, "an array")
        return body
    fields = decode_as(_DICT, body, f"a list `{name}`")
    value = fields.get(name)
    if value is not None and opening(value) == b"[":
        return bytes(value)
    if value is not None and opening(value) == b"{":
        return b"[" + bytes(value) + b"]"
    raise WrongShape(f"Expected a list `{name}`; found the keys {', '.join(sorted(fields)) or '(none)'}.")


def read_written(body: bytes) -> str:
    """The `_id` in the answer to a write: of the object itself, or under `data`. Raises NotJson or WrongShape."""
    found = decode_as(_OBJECT, body, "the written record")
    if found.id is None and opening(found.data) == b"{":
        found = decode_as(_OBJECT, bytes(found.data), "the written record under `data`")
    if not isinstance(found.id, str) or not found.id:
        raise WrongShape("Expected the written record with its `_id`.")
    return found.id


def read_success(body: bytes) -> None:
    """The answer `{"success": true}`. Raises NotJson, or WrongShape for anything else."""
    answer = decode(body)
    if not isinstance(answer, dict) or answer.get("success") is not True:
        raise WrongShape("Expected `success` to be true.")


def read_any(body: bytes) -> bytes:
    """A body that only has to be JSON. Raises NotJson."""
    decode(body)
    return body
