"""One list endpoint's records of one location, in the vendor's order and encoded once, with its filters.

Derivation of list rows belongs to `ghl_forms`; parameters and answers belong to `ghl`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

from ghl_payments.sandbox.clock import epoch_ms
from ghl_payments.sandbox.codec import Doc, encode
from ghl_payments.sandbox.ghl_forms import LIST_FORMS, LIST_ONLY

NO_DATE = -1
_CACHED_SELECTIONS = 64

# Query parameter -> the row's attribute it is compared with.
_INDEXED = {"contactId": "contact_id", "entityId": "entity_id", "subscriptionId": "subscription_id", "id": "id"}
_SCANNED = {
    "status": "status",
    "paymentStatus": "payment_status",
    "sourceId": "source_id",
    "entitySourceType": "source_type",
    "entitySourceSubType": "source_sub_type",
    "paymentMode": "mode",
}
FILTERS_OF = {
    "orders": ("contactId", "status", "paymentStatus", "paymentMode", "sourceId", "search"),
    "transactions": (
        "contactId",
        "entityId",
        "subscriptionId",
        "paymentMode",
        "entitySourceType",
        "entitySourceSubType",
        "search",
    ),
    "subscriptions": ("contactId", "entityId", "id", "paymentMode", "entitySourceType", "search"),
}
"""The filters each list knows besides dates; parameters that are not listed are ignored, as no answer is documented."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record: its list row and detail as bytes, and the values that filters look at."""

    key: str
    id: str
    order: tuple[int, str]
    listed: bytes
    detail: bytes
    private: bytes
    contact_id: str
    entity_id: str
    subscription_id: str
    status: str
    payment_status: str
    mode: str
    source_id: str
    source_type: str
    source_sub_type: str
    searched: str

    def state(self) -> bytes:
        """The document as it was loaded."""
        if not self.private:
            return self.detail
        return self.detail[:-1] + b',"' + LIST_ONLY.encode() + b'":' + self.private + b"}"


class Stream:
    """Rows in ascending (createdAt, _id) order; pages are answered from the end, newest first."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._rows: list[Row] = []
        self._by_key: dict[str, Row] = {}
        self._indexes: dict[str, dict[str, list[Row]]] = {}
        self._selections: dict[tuple[tuple[str, str], ...], list[Row]] = {}

    def load(self, docs: list[Doc], location_id: str) -> None:
        """Take the documents over and empty the list, so that a large world is not held twice."""
        docs.reverse()
        while docs:
            row = self.row(docs.pop(), location_id)
            self._by_key[row.key] = row
        self._rows = sorted(self._by_key.values(), key=_order)

    def row(self, doc: Doc, location_id: str) -> Row:
        """Encode one document; a second one with the same or no `_id` is kept beside the first."""
        doc.setdefault("altId", location_id)
        doc.setdefault("altType", "location")
        record_id = doc.get("_id")
        text = record_id if isinstance(record_id, str) else ""
        key = text if text and text not in self._by_key else f"{text}#{len(self._by_key)}"
        return _row(self.name, key, text, doc)

    def replace(self, key: str, value: Row | None) -> Row | None:
        """Put or remove one row."""
        old = self._by_key.pop(key, None)
        if old is not None:
            position = bisect_left(self._rows, old.order, key=_order)
            while self._rows[position] is not old:
                position += 1
            del self._rows[position]
        if value is not None:
            self._by_key[key] = value
            self._rows.insert(bisect_right(self._rows, value.order, key=_order), value)
        self._indexes.clear()
        self._selections.clear()
        return old

    def get(self, record_id: str) -> Row | None:
        """The row with this `_id`."""
        return self._by_key.get(record_id)

    def all(self) -> list[Row]:
        """Every row, oldest first."""
        return self._rows

    def select(self, filters: dict[str, str], first: int | None, last: int | None) -> tuple[list[Row], int, int]:
        """(rows, low, high): `rows[low:high]` match the filters and were created in [first, last] milliseconds."""
        rows = self._matching(tuple(sorted(filters.items()))) if filters else self._rows
        if first is None and last is None:
            return rows, 0, len(rows)
        low = bisect_left(rows, (max(0, first or 0), ""), key=_order)
        high = len(rows) if last is None else bisect_left(rows, (last + 1, ""), key=_order)
        return rows, low, max(low, high)

    def _matching(self, filters: tuple[tuple[str, str], ...]) -> list[Row]:
        if (known := self._selections.get(filters)) is not None:
            return known
        rows = self._rows
        for name, value in filters:
            if name in _INDEXED:
                found = self._index(_INDEXED[name]).get(value, [])
                rows = found if rows is self._rows else [row for row in rows if getattr(row, _INDEXED[name]) == value]
        for name, value in filters:
            if name in _SCANNED:
                rows = [row for row in rows if getattr(row, _SCANNED[name]) == value]
            elif name == "search":
                rows = [row for row in rows if value.casefold() in row.searched]
        if len(self._selections) >= _CACHED_SELECTIONS:
            self._selections.clear()
        self._selections[filters] = rows
        return rows

    def _index(self, attribute: str) -> dict[str, list[Row]]:
        index = self._indexes.get(attribute)
        if index is None:
            index = self._indexes[attribute] = {}
            for row in self._rows:
                index.setdefault(getattr(row, attribute), []).append(row)
        return index


def _order(row: Row) -> tuple[int, str]:
    return row.order


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _row(stream: str, key: str, record_id: str, doc: Doc) -> Row:
    listed = LIST_FORMS[stream](doc)
    private = doc.pop(LIST_ONLY, None)
    created = epoch_ms(doc.get("createdAt"))
    source_prefix = "source" if stream == "orders" else "entitySource"
    searched = (listed.get(name) for name in ("contactName", "contactEmail", f"{source_prefix}Name"))
    return Row(
        key=key,
        id=record_id,
        order=(NO_DATE if created is None else created, record_id),
        listed=encode(listed),
        detail=encode(doc),
        private=encode(private) if private is not None else b"",
        contact_id=_text(doc.get("contactId")),
        entity_id=_text(doc.get("entityId")),
        subscription_id=_text(doc.get("subscriptionId")),
        status=_text(doc.get("status")),
        payment_status=_text(doc.get("paymentStatus")),
        mode="live" if doc.get("liveMode") is True else "test",
        source_id=_text(listed.get(f"{source_prefix}Id")),
        source_type=_text(listed.get(f"{source_prefix}Type")),
        source_sub_type=_text(listed.get(f"{source_prefix}SubType")),
        searched="\n".join(part for part in searched if isinstance(part, str)).casefold(),
    )
