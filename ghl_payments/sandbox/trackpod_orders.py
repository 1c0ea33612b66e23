"""Rules of writing orders to the sandboxed Track-POD: what a new one must have, what an update may change.

Add a checked field here; routing of requests belongs to `trackpod`.
"""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.clock import epoch_ms
from ghl_payments.sandbox.codec import Doc, encode
from ghl_payments.sandbox.trackpod_data import GIVEN_FIELDS, NEVER_NULL, full_order, local, naive
from ghl_payments.sandbox.trackpod_switches import TrackpodSwitches
from ghl_payments.sandbox.trackpod_work import is_routed
from ghl_payments.sandbox.wire import Answer, Refused

MAX_BULK = 500
_LENGTHS = {
    **dict.fromkeys(("Number", "Id", "ShipperId", "DepotId", "ClientId", "AddressId", "Phone", "InvoiceId"), 50),
    **dict.fromkeys(("Shipper", "Depot", "Client", "Address", "ContactName", "Email"), 255),
    "CustomerReferenceId": 50,
    "AddressZone": 100,
    "Note": 500,
    "Barcode": 128,
    "TeamCode": 50,
}
_NUMBERS = ("AddressLat", "AddressLon", "ServiceTime", "Weight", "Volume", "Pallets", "COD")
_TIMES = ("Date", "TimeSlotFrom", "TimeSlotTo")
_GOODS_LENGTHS = {
    **dict.fromkeys(("OrderLineId", "GoodsId", "GoodsUnit"), 50),
    **dict.fromkeys(("GoodsName", "Note"), 255),
    **dict.fromkeys(("OrderLineBarcode", "GoodsBarcode"), 128),
}
_GOODS_NUMBERS = ("Quantity", "Cost")
_KNOWN = frozenset({*GIVEN_FIELDS, "PickupOrder"})
_PLACE = ("Address", "AddressId", "AddressLat", "AddressLon", "AddressZone")


def said(status: int, title: str, detail: str = "") -> Answer:
    """The answer to a write: `ApiResponse`."""
    return Answer(status, encode({"Status": status, "Title": title, "Detail": detail}))


def refused(status: int, title: str, detail: str = "") -> Refused:
    """A refusal in the form of `ApiResponse`."""
    return Refused(said(status, title, detail))


class OrderDesk:
    """Turns what was sent into an order, or says what is wrong with it."""

    def __init__(self, switches: TrackpodSwitches, now: datetime) -> None:
        self._switches = switches
        self._now = now

    def made(self, body: Any, track_id: str, stamp: str) -> Doc:
        """A new, unscheduled order; Refused (400) for one that cannot be taken."""
        if problem := self.problem(body):
            raise refused(400, "Bad Request", problem)
        doc = full_order(_given(body), track_id, stamp)
        doc["Date"] = _day(body.get("Date")) or _day(local(self._now))
        zero = self._switches.trackpod_unscheduled_status == "zero"
        return doc | {"CreateSource": "WebApi", "StatusId": 0 if zero else None}

    def changed(self, doc: Doc, body: Doc) -> Doc:
        """The order after an update; where it goes stays as it is once it is planned into a route."""
        if problem := self.problem(body):
            raise refused(400, "Bad Request", problem)
        given = _given(body)
        if self._switches.trackpod_put == "merge":
            new = full_order({**doc, **given}, doc["TrackId"], doc["CreateDateUtc"])
        else:
            emptied = dict.fromkeys(GIVEN_FIELDS) | NEVER_NULL | {"Date": doc["Date"]}
            new = full_order({**doc, **emptied, **given}, doc["TrackId"], doc["CreateDateUtc"])
        new["Date"] = _day(given.get("Date")) or doc["Date"]
        if is_routed(doc):
            moved = given.get("Address") not in (None, doc["Address"])
            if moved and self._switches.trackpod_frozen_address == "refused":
                raise refused(400, "Bad Request", "The address of an order planned into a route cannot be changed")
            new |= {name: doc[name] for name in _PLACE}
        return {**doc, **new}

    def problem(self, body: Any) -> str | None:
        """What is wrong with an order that was sent, None for nothing."""
        if not isinstance(body, dict):
            return "An order is an object"
        if self._switches.trackpod_unknown_fields == "refused" and (extra := sorted(set(body) - _KNOWN)):
            return f"Unknown field {extra[0]}"
        for name in ("Client", "Address"):
            if not isinstance(body.get(name), str) or not body[name].strip():
                return f"{name} is required"
        if type(body.get("Type") or 0) is not int or body.get("Type") not in (None, 0, 1):
            return "Type is 0 or 1"
        for name in _TIMES:
            if body.get(name) is not None and not _is_time(body[name], slot=name != "Date"):
                return f"{name} is not a date"
        return _wrong(body, _LENGTHS, _NUMBERS) or self._wrong_goods(body.get("GoodsList"))

    def _wrong_goods(self, lines: Any) -> str | None:
        if lines is None:
            return None
        if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
            return "GoodsList is a list of goods"
        return next((problem for line in lines if (problem := _wrong(line, _GOODS_LENGTHS, _GOODS_NUMBERS))), None)


def _wrong(doc: Doc, lengths: dict[str, int], numbers: tuple[str, ...]) -> str | None:
    for name, length in lengths.items():
        value = doc.get(name)
        if value is not None and not isinstance(value, str):
            return f"{name} is a text"
        if value is not None and len(value) > length:
            return f"{name} has more than {length} characters"
    for name in numbers:
        value = doc.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, Decimal))):
            return f"{name} is a number"
    return None


def _given(body: Doc) -> Doc:
    doc = {name: body[name] for name in GIVEN_FIELDS if name in body}
    for name, usual in NEVER_NULL.items():
        if name in doc and doc[name] is None:
            doc[name] = usual
    if doc.get("CustomFields"):
        doc["CustomFields"] = [
            {"Id": field.get("Id"), "Label": field.get("Id"), "Value": field.get("Value")}
            for field in doc["CustomFields"]
        ]
    return doc


def _day(text: Any) -> str | None:
    return f"{text[:10]}T00:00:00" if text else None


def _is_time(value: Any, *, slot: bool) -> bool:
    if slot and isinstance(value, str):
        try:
            time.fromisoformat(value)
        except ValueError:
            pass
        else:
            return True
    return epoch_ms(value) is not None


def stamp_of(text: str) -> str:
    """A stamp of the sandbox's clock as the API writes it."""
    return naive(datetime.fromisoformat(text))
