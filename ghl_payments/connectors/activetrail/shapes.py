"""The shapes of ActiveTrail's answers, read leniently where its documentation is silent.

Add a shape here when an account is seen to answer in another form; what fields mean belongs to SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ghl_payments.transport.jsontext import NotJson, WrongShape, decode

Doc = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its bytes as answered, its rows, and the system's count of all rows where it says one."""

    body: bytes
    rows: tuple[Doc, ...]
    count: int | None

    @property
    def ids(self) -> tuple[str, ...]:
        """Native ids of the rows that have one, in their order."""
        return tuple(text for row in self.rows if (text := id_text(row.get("id"))))


EMPTY = Page(b"[]", (), None)


def read_page(body: bytes) -> Page:
    """A list: a bare array, or an envelope with one array and perhaps a `count`. Raises NotJson or WrongShape."""
    answer = decode(body)
    if isinstance(answer, dict):
        lists = [value for value in answer.values() if isinstance(value, list)]
        if len(lists) != 1:
            keys = ", ".join(sorted(answer)) or "(none)"
            raise WrongShape(f"Expected exactly one list; found {len(lists)} among the keys {keys}.")
        count = answer.get("count")
        return Page(body, _objects(lists[0]), count if _is_whole(count) else None)
    if isinstance(answer, list):
        return Page(body, _objects(answer), None)
    raise WrongShape("Expected an array or an envelope with one list; found a plain value.")


def read_contact(body: bytes, native_id: str | None = None) -> Doc:
    """A contact with its id, also as an array of one. Raises NotJson or WrongShape."""
    doc = _single(decode(body))
    found = id_text(doc.get("id"))
    if found is None or (native_id is not None and found != native_id):
        raise WrongShape("Expected the contact that was asked for, with its id.")
    return doc


def read_order(body: bytes, order_id: str, *, empty_is_none: bool) -> bytes | None:
    """An order's bytes; None for an empty answer, where that is how the account says that there is none.

    Raises NotJson for an empty answer elsewhere, WrongShape when another order was answered.
    """
    if is_blank(body):
        if empty_is_none:
            return None
        raise NotJson
    doc = folded(_single(decode(body)))
    if id_text(doc.get("orderid")) != order_id:
        raise WrongShape("Expected the order that was asked for, with its orderId.")
    return body


def is_blank(body: bytes) -> bool:
    """Whether an answer says nothing at all."""
    return body.strip() in (b"", b"null", b"{}", b"[]")


def folded(doc: Doc) -> dict[str, Any]:
    """The document with lower-case names: the server takes names in any case and may answer in another."""
    return {str(name).lower(): value for name, value in doc.items()}


def id_text(value: object) -> str | None:
    """A native id as text."""
    if isinstance(value, bool) or value is None:
        return None
    return str(value) or None


def slot_text(doc: Doc, slot: str) -> str | None:
    """What a text slot of a contact holds; None for nothing."""
    value = doc.get(slot)
    return value.strip() or None if isinstance(value, str) else None


def _single(answer: object) -> Doc:
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    if isinstance(answer, dict):
        return answer
    raise WrongShape(f"Expected one object; found {'an array' if isinstance(answer, list) else 'a plain value'}.")


def _objects(rows: list[Any]) -> tuple[Doc, ...]:
    if not all(isinstance(row, dict) for row in rows):
        raise WrongShape("Expected rows that are objects.")
    return tuple(rows)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
