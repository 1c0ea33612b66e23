"""The records of a sandboxed receiver of signed events: one row a key, and the ids of the events it has seen.

Add a column here when the receiver tells more of an event; requests belong to `rankr`.
"""

from __future__ import annotations

from typing import Any

from ghl_payments.sandbox.codec import Doc, encode

TOLD = {
    "externalId": "key",
    "locationId": "locationId",
    "entity": "entity",
    "amount": "amount",
    "currency": "currency",
    "status": "status",
    "updatedAt": "version",
    "contentHash": "contentHash",
}
"""Column of a row -> what it is in the event's `data`."""


class Kept(dict[str, Any]):
    """Values by key, as the history of changes wants them."""

    def replace(self, key: str, value: Any) -> Any:
        """Put or (None) remove one value; the one before."""
        old = self.pop(key, None)
        if value is not None:
            self[key] = value
        return old


class RankrData:
    """One receiver's rows by id and the ids of its events."""

    def __init__(self) -> None:
        self.records = Kept()
        self.events = Kept()
        self._first = self._next = 1

    def next_id(self) -> str:
        """A fresh id; ids grow."""
        self._next += 1
        return record_id(self._next - 1)

    def rewind(self) -> None:
        """Ids begin again where they did when the data was loaded."""
        self._next = self._first

    def loaded(self) -> None:
        """Take the highest id as what new ones follow."""
        self._first = max((int(key.rpartition("-")[2]) for key in self.records), default=0) + 1
        self.rewind()

    def all(self) -> list[Doc]:
        """Every row, by id."""
        return [self.records[key] for key in sorted(self.records)]

    def of_key(self, key: str) -> list[Doc]:
        """The rows of one key, by id; there should be one."""
        return [row for row in self.all() if row.get("externalId") == key]

    @staticmethod
    def record(row_id: str, data: Doc) -> Doc:
        """The row that an event makes."""
        return {"id": row_id, **{column: data.get(name) for column, name in TOLD.items()}, "data": data}

    def dump(self) -> bytes:
        """The `rankr` part of the sandbox state, encoded."""
        return encode({"records": self.all(), "events": sorted(self.events)})


def record_id(number: int) -> str:
    """`rec-000001`."""
    return f"rec-{number:06d}"


def native_id(row: Doc) -> str:
    """How the product names a row: by its key, and by the row's own id behind it."""
    return f"{row['externalId']}#{row['id']}"


def load_rankr(part: Doc) -> RankrData:
    """Take over the `rankr` part of a state and use it up; missing ids are filled in."""
    data = RankrData()
    docs = part.pop("records", None) or []
    taken = max((int(doc["id"].rpartition("-")[2]) for doc in docs if doc.get("id")), default=0)
    for doc in docs:
        if not doc.get("id"):
            taken += 1
            doc["id"] = record_id(taken)
        data.records[doc["id"]] = doc
    for event_id in part.pop("events", None) or []:
        data.events[event_id] = True
    data.loaded()
    return data
