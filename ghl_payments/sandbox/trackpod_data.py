"""The orders of one sandboxed Track-POD account, those removed for good, and the form in which the API answers them.

Requests belong to `trackpod`, rules of writing to `trackpod_orders`, the work of drivers to `trackpod_work`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ghl_payments.sandbox.codec import Doc, encode
from ghl_payments.sandbox.journal import History

ACCOUNT_ZONE = ZoneInfo("Europe/Berlin")
"""Of the account: StatusDate, time slots and days are local to it and never say so."""

GIVEN_FIELDS = (
    "Number", "Id", "Date", "Type", "ShipperId", "Shipper", "DepotId", "Depot", "ClientId", "Client", "AddressId",
    "Address", "AddressLat", "AddressLon", "AddressZone", "TimeSlotFrom", "TimeSlotTo", "ServiceTime", "Note",
    "ContactName", "Phone", "Email", "Weight", "Volume", "Pallets", "COD", "InvoiceId", "CustomerReferenceId",
    "Barcode", "GoodsList", "CustomFields", "Priority", "TeamCode", "NotificationsPolicy",
)  # fmt: skip
"""What an order is written with; the rest of it is the account's own."""

OWN_FIELDS = (
    "SeqNumber", "SeqNumberDriver", "RouteNumber", "RouteDate", "RoutePriority", "RouteStatus", "DriverLogin",
    "DriverName", "DriverNumber", "DriverVehicle", "CreateSource", "CreateDateUtc", "ChangeDate", "StatusId", "Status",
    "StatusDate", "StatusLat", "StatusLon", "CODActual", "DriverComment", "RejectReason", "SignatureName",
    "HasSignaturePhoto", "SignaturePhotos", "HasPhoto", "Photos", "ETA", "UpdatedETA", "ArrivedDate", "DepartedDate",
    "ReportUrl", "TrackKey", "TrackId", "TrackLink", "Pin", "Feedback", "FeedbackRating", "LoadStatus", "LoadDate",
    "RescheduledTimes", "DeliveryInstructions", "AddressNote", "ClientNote",
)  # fmt: skip
GOODS_FIELDS = (
    "OrderLineId", "GoodsId", "GoodsName", "GoodsUnit", "Note", "Quantity", "QuantityFact", "Cost", "RejectReason",
    "HasPhoto", "Photos", "OrderLineBarcode", "GoodsBarcode", "Scanned", "LoadStatus",
)  # fmt: skip
NEVER_NULL: Doc = {"Type": 0, "COD": 0, "Weight": 0, "Volume": 0, "Pallets": 0}
_LEFT_OUT = frozenset({"RouteStatus", "NotificationsPolicy", "CreateSource"})
"""Fields of a type that has no null: absent where there is nothing to say."""

REMOVED_FIELDS = (
    "Number", "Id", "Date", "Type", "Note", "Weight", "Volume", "Pallets", "COD", "InvoiceId", "CustomerReferenceId",
)  # fmt: skip
SEQUENCE, CHANGED = "_Sequence", "_Changed"
"""Private facts of an order: its place in the order of creation, and when its status changed last (UTC)."""


class Orders:
    """Orders by TrackId, found by Id and Number too; a changed document is put in place of the old one."""

    def __init__(self) -> None:
        self._docs: dict[str, Doc] = {}
        self._by: dict[tuple[str, str], set[str]] = {}

    def __iter__(self) -> Iterator[Doc]:
        return iter(self._docs.values())

    def __len__(self) -> int:
        return len(self._docs)

    def get(self, track_id: str) -> Doc | None:
        """One order, None for none."""
        return self._docs.get(track_id)

    def replace(self, key: str, value: Doc | None) -> Doc | None:
        """Put or (None) remove one order; the one before."""
        old = self._docs.pop(key, None)
        for name in ("Id", "Number"):
            if old is not None and old.get(name):
                self._by[name, old[name]].discard(key)
            if value is not None and value.get(name):
                self._by.setdefault((name, value[name]), set()).add(key)
        if value is not None:
            self._docs[key] = value
        return old

    def of(self, name: str, value: object) -> list[Doc]:
        """All orders with this Id or Number, the most recent first."""
        keys = self._by.get((name, str(value)), ())
        return sorted((self._docs[key] for key in keys), key=lambda doc: int(doc[SEQUENCE]), reverse=True)


class Graveyard:
    """Removed orders by a running number."""

    def __init__(self) -> None:
        self.docs: dict[int, Doc] = {}

    def replace(self, key: int, value: Doc | None) -> Doc | None:
        """Put or (None) take away one; the one before."""
        old = self.docs.pop(key, None)
        if value is not None:
            self.docs[key] = value
        return old

    def newest(self, name: str, value: str) -> Doc | None:
        """The one with this Id or Number that was removed last."""
        return next(
            (self.docs[key] for key in sorted(self.docs, reverse=True) if self.docs[key].get(name) == value), None
        )


class TrackpodData:
    """One account's orders."""

    def __init__(self) -> None:
        self.orders = Orders()
        self.removed = Graveyard()
        self._first = 1
        self._next = 1

    def next_sequence(self) -> int:
        """The place of one more order."""
        self._next += 1
        return self._next - 1

    def rewind(self) -> None:
        """Ids begin again where they did when the data was loaded."""
        self._next = self._first

    def loaded(self) -> None:
        """What was loaded is what new orders follow."""
        self._first = len(self.orders) + len(self.removed.docs) + 1
        self.rewind()

    def in_order(self) -> list[Doc]:
        """All orders, the oldest first."""
        return sorted(self.orders, key=lambda doc: int(doc[SEQUENCE]))

    def remove(self, history: History, doc: Doc, by: str, at: str) -> Doc:
        """Take an order out for good; its number and id answer 410 from now on, with what is returned."""
        gone = {name: doc.get(name) for name in REMOVED_FIELDS} | {"DeletedBy": by, "DeletedDate": at}
        history.write(self.orders, doc["TrackId"], None)
        history.write(self.removed, max(self.removed.docs, default=0) + 1, gone)
        return gone

    def dump(self) -> bytes:
        """The `trackpod` part of the sandbox state, encoded."""
        orders = [{name: doc[name] for name in doc if name != SEQUENCE} for doc in self.in_order()]
        return encode({"Order": orders, "Removed": [self.removed.docs[key] for key in sorted(self.removed.docs)]})


def load_trackpod(part: Doc, now: datetime) -> TrackpodData:
    """Take over the `trackpod` part of a state and use it up; what an order lacks is filled in."""
    data = TrackpodData()
    for place, doc in enumerate(part.pop("Order", None) or [], 1):
        track_id = str(doc.get("TrackId") or made_id("loaded", place))
        whole = full_order(doc, track_id, naive(now))
        whole |= {SEQUENCE: place, CHANGED: doc.get(CHANGED)}
        data.orders.replace(track_id, whole)
    for place, doc in enumerate(part.pop("Removed", None) or [], 1):
        data.removed.replace(place, doc)
    data.loaded()
    return data


def full_order(doc: Doc, track_id: str, at: str) -> Doc:
    """A document with every field of an order that it may have none of."""
    whole = {name: doc.get(name, NEVER_NULL.get(name)) for name in (*GIVEN_FIELDS, *OWN_FIELDS)}
    goods = [{name: line.get(name) for name in GOODS_FIELDS} for line in doc.get("GoodsList") or ()]
    whole |= {"TrackId": track_id, "TrackKey": track_id, "GoodsList": goods}
    whole["TrackLink"] = doc.get("TrackLink") or f"https://track.example.com/{track_id}"
    for name in ("CreateDateUtc", "ChangeDate", "Date"):
        whole[name] = whole[name] or at
    whole["CreateSource"] = whole["CreateSource"] or "Web"
    return whole


def shown(doc: Doc) -> Doc:
    """An order as the API answers it."""
    return {
        name: value for name, value in doc.items() if name[0] != "_" and (value is not None or name not in _LEFT_OUT)
    }


def told_of(event: str, doc: Doc) -> bytes:
    """The body of a webhook; a removed order is told of with what is left of it."""
    at = doc.get("ChangeDate") or doc.get("DeletedDate")
    return encode({"Metadata": {"Event": event, "Date": f"{at}Z"}, "Data": shown(doc)})


def made_id(*parts: Any) -> str:
    """A TrackId: the same parts, the same id."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, ("trackpod", *parts)))))


def naive(at: datetime) -> str:
    """An instant as the API writes UTC: without offset, whole seconds where possible."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat()


def local(at: datetime) -> str:
    """An instant as the API writes the account's own time, in whole seconds."""
    return at.astimezone(ACCOUNT_ZONE).replace(tzinfo=None).isoformat(timespec="seconds")


def day_of(text: object) -> str:
    """The day of a date or a time, empty for none."""
    return text[:10] if isinstance(text, str) else ""


def key_of(doc: Doc) -> str | None:
    """The `ghl:` key that an order's Number carries."""
    number = doc.get("Number") or ""
    return f"ghl:order:{number[4:]}" if number.startswith("GHL-") else None
