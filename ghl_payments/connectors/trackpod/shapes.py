"""The shapes of Track-POD's answers, read without making an object for every field.

Add a shape here when an account is seen to answer otherwise; what fields mean belongs to SQL.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ghl_payments.transport.jsontext import WrongShape, decode, decode_as, opening

TELLING = ("Number", "StatusId", "GoodsList", "COD")
"""Members that an order has by the vendor's description and that everything here rests on."""


class OrderRow(NamedTuple):
    """One order of a list: its TrackId, which of `TELLING` it lacks, and its bytes."""

    track_id: str
    lacking: tuple[str, ...]
    raw: msgspec.Raw


class _Head(msgspec.Struct, gc=False):
    TrackId: Any = None
    Number: Any = msgspec.UNSET
    StatusId: Any = msgspec.UNSET
    GoodsList: Any = msgspec.UNSET
    COD: Any = msgspec.UNSET


_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_HEADS: msgspec.json.Decoder[list[_Head]] = msgspec.json.Decoder(list[_Head])
_HEAD = msgspec.json.Decoder(_Head)


def read_orders(body: bytes) -> list[OrderRow]:
    """A bare array of orders, each with a TrackId. Raises NotJson or WrongShape."""
    if opening(body) != b"[":
        decode(body)
        raise WrongShape("Expected a bare array of orders.")
    heads = decode_as(_HEADS, body, "an array of orders")
    return [_row(head, raw) for head, raw in zip(heads, _LIST.decode(body), strict=True)]


def read_order(body: bytes, track_id: str | None = None) -> OrderRow:
    """One order, the one asked for when its TrackId is given. Raises NotJson or WrongShape."""
    row = _row(decode_as(_HEAD, body, "an order"), msgspec.Raw(body))
    if track_id is not None and row.track_id.lower() != track_id.lower():
        raise WrongShape("Another order was answered than the one asked for.")
    if row.lacking:
        raise WrongShape(f"Expected an order with {', '.join(row.lacking)}.")
    return row


def read_done(body: bytes) -> None:
    """The answer to an accepted write: nothing, or JSON that does not itself speak of a failure.

    Raises NotJson or WrongShape: then nobody knows what became of the write.
    """
    if not body.strip():
        return
    answer = decode(body)
    status = answer.get("Status") if isinstance(answer, dict) else None
    if isinstance(status, int) and status >= 400:
        raise WrongShape("Expected the answer to an accepted write; it speaks of a failure.")


def _row(head: _Head, raw: msgspec.Raw) -> OrderRow:
    if not isinstance(head.TrackId, str) or not head.TrackId.strip():
        raise WrongShape("Expected every order to have a TrackId.")
    lacking = tuple(name for name in TELLING if getattr(head, name) is msgspec.UNSET)
    return OrderRow(head.TrackId, lacking, raw)
