"""Writes to one sandboxed GHL location: fulfillments, payments made elsewhere, white-label providers.

Every write is one change in the history; bodies are checked in `ghl_bodies`, HTTP and rights belong to `ghl`.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol

from ghl_payments.sandbox.clock import SandboxClock, epoch_ms, iso_ms
from ghl_payments.sandbox.codec import Doc, decode, decode_doc, encode
from ghl_payments.sandbox.ghl_stream import Row, Stream
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.switches import Switches
from ghl_payments.sandbox.wire import Refused, json_answer


class Kept(dict[str, bytes]):
    """Encoded values by id, as the history changes them."""

    def replace(self, key: str, value: bytes | None) -> bytes | None:
        """Put or remove one value."""
        old = self.pop(key, None)
        if value is not None:
            self[key] = value
        return old


class Place(Protocol):
    """What a write needs of a location."""

    id: str
    streams: dict[str, Stream]
    fulfillments: Kept
    providers: Kept


class GhlWriter:
    """Changes one location; every refusal leaves everything as it was."""

    def __init__(self, place: Place, history: History, clock: SandboxClock, switches: Switches) -> None:
        self._place = place
        self._history = history
        self._switches = switches
        self._now = iso_ms(epoch_ms(clock.text()) or 0)

    def fulfil(self, order: Row, body: Doc) -> Doc:
        """Send units of an order by price id; what the vendor says to more than were ordered is not known: a switch."""
        doc = decode_doc(order.state())
        earlier = decode(self._place.fulfillments.get(order.id, b"[]"))
        if not body["items"]:
            raise refused(422, ["items should not be empty"])
        lines = {line["price"]["_id"]: line for line in _lines(doc)}
        for item in body["items"]:
            if item["priceId"] not in lines:
                raise refused(400, "Order has no item with this price")
        if self._switches.ghl_over_fulfillment == "refused":
            _refuse_too_many(doc, earlier, body["items"])
        made: Doc = {
            "_id": self._new_id("fulfillment", order.id, len(earlier)),
            "altId": self._place.id,
            "altType": "location",
            "trackings": body["trackings"],
            "items": [_fulfilled(lines[item["priceId"]], item["qty"]) for item in body["items"]],
            "createdAt": self._now,
            "updatedAt": self._now,
        }
        self._history.write(self._place.fulfillments, order.id, encode([*earlier, made]))
        self._touch(order, doc, [*earlier, made])
        return made

    def record_payment(self, order: Row, body: Doc) -> Doc:
        """A payment made outside: a manual transaction, and the order paid, or partly when it says so."""
        if self._switches.ghl_record_payment == "not_found":
            raise refused(404, "Order not found")
        doc = decode_doc(order.state())
        paid = sum((Decimal(str(txn["amount"])) for txn in self._charges(order.id)), Decimal(0))
        due = Decimal(str(doc["amount"])) - paid
        if due <= 0:
            raise refused(400, "Order is already paid")
        amount = body.get("amount", _as_json(due))
        is_whole = Decimal(str(amount)) >= due or not body.get("isPartialPayment", False)
        transactions = self._place.streams["transactions"]
        _, low, high = transactions.select({"entityId": order.id}, None, None)
        names = ("altId", "altType", "contactId", "contactSnapshot", "currency", "liveMode", "markAsTest")
        made = (
            {name: doc[name] for name in names if name in doc}
            | {
                "_id": self._new_id("payment", order.id, high - low),
                "amount": amount,
                "amountRefunded": 0,
                "status": "succeeded",
                "entityType": "order",
                "entityId": order.id,
                "entitySource": doc.get("source", {}),
                "createdAt": self._now,
                "updatedAt": self._now,
            }
            | self._shown(body)
        )
        row = transactions.row(made, self._place.id)
        self._history.write(transactions, row.key, row)
        status = {"paymentStatus": "paid", "status": "completed"} if is_whole else {"paymentStatus": "partially_paid"}
        self._rewrite(order, doc | status | {"updatedAt": self._now})
        return made

    def _shown(self, body: Doc) -> Doc:
        """What a transaction tells of how it was paid; lists show no `meta`."""
        shows = self._switches.ghl_recorded_payment_shows
        if shows == "nothing":
            return {}
        if shows == "provider":
            return {"paymentProviderType": "manual", "paymentProvider": {"type": "manual"}}
        names = ("mode", "card", "cheque", "notes") if shows == "notes" else ("mode",)
        meta = {"meta": body["meta"]} if shows == "notes" and "meta" in body else {}
        return {"chargeSnapshot": {name: body[name] for name in names if name in body}, "paymentMethod": {}} | meta

    def add_provider(self, body: Doc) -> Doc:
        """A white-label provider; its `uniqueName` comes back as `route`."""
        if any(decode(raw).get("route") == body["uniqueName"] for raw in self._place.providers.values()):
            raise refused(400, "An integration provider with this unique name exists already")
        names = ("title", "provider", "description", "imageUrl")
        made = {
            "_id": self._new_id("provider", body["uniqueName"], len(self._place.providers)),
            "altId": self._place.id,
            "altType": "location",
            "route": body["uniqueName"],
            **{name: body[name] for name in names},
            "createdAt": self._now,
            "updatedAt": self._now,
        }
        self._history.write(self._place.providers, made["_id"], encode(made))
        return made

    def _charges(self, order_id: str) -> Iterator[Doc]:
        rows, low, high = self._place.streams["transactions"].select({"entityId": order_id}, None, None)
        docs = (decode_doc(row.detail) for row in rows[low:high])
        return (doc for doc in docs if doc.get("status") == "succeeded")

    def _touch(self, order: Row, doc: Doc, parcels: list[Doc]) -> None:
        """Whether a fulfillment shows in its order is not known: a switch."""
        touches = self._switches.ghl_fulfillment_touches
        if touches == "nothing":
            return
        changed = doc | {"updatedAt": self._now}
        if touches == "status":
            sent, ordered = _units(item for parcel in parcels for item in parcel["items"]), _units(_lines(doc))
            is_whole = all(sent.get(price_id, 0) >= units for price_id, units in ordered.items())
            changed["fulfillmentStatus"] = "fulfilled" if is_whole else "partially_fulfilled"
        self._rewrite(order, changed)

    def _rewrite(self, order: Row, doc: Doc) -> None:
        stream = self._place.streams["orders"]
        self._history.write(stream, order.key, replace(stream.row(doc, self._place.id), key=order.key))

    def _new_id(self, *parts: object) -> str:
        return new_id(self._place.id, *parts)


def new_id(*parts: object) -> str:
    """The id that a location gives to what is made: the same for the same location, kind, order and number."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:24]


def refused(status: int, message: str | list[str]) -> Refused:
    """A refusal of the payments service: its own body for one message, the validators' for a list."""
    if isinstance(message, list):
        return Refused(json_answer(status, {"statusCode": status, "message": message, "error": "Unprocessable Entity"}))
    body = {"status": status, "message": message, "name": "HttpException", "traceId": str(uuid.uuid4())}
    return Refused(json_answer(status, body))


def _refuse_too_many(order: Doc, earlier: list[Doc], items: list[Doc]) -> None:
    sent = _units(item for parcel in earlier for item in parcel.get("items") or [])
    asked: dict[str, Decimal] = {}
    for item in items:
        asked[item["priceId"]] = asked.get(item["priceId"], Decimal(0)) + Decimal(str(item["qty"]))
    ordered = _units(_lines(order))
    if any(units + sent.get(price_id, 0) > ordered[price_id] for price_id, units in asked.items()):
        raise refused(400, "Quantity exceeds what is left to fulfil")


def _lines(order: Doc) -> list[Doc]:
    return [
        line for line in order.get("items") or [] if isinstance(line, dict) and (line.get("price") or {}).get("_id")
    ]


def _units(lines: Iterable[Doc]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for line in lines:
        price_id = str((line.get("price") or {}).get("_id") or line.get("_id"))
        total[price_id] = total.get(price_id, Decimal(0)) + Decimal(str(line.get("qty", 1)))
    return total


def _fulfilled(line: Doc, qty: Any) -> Doc:
    names = ("name", "product", "price")
    return {"_id": line["price"]["_id"], **{name: line[name] for name in names if name in line}, "qty": qty}


def _as_json(amount: Decimal) -> int | Decimal:
    return int(amount) if amount == amount.to_integral_value() else amount
