"""Things that happen in a sandboxed GHL on request, as if its people or its shops did them, and the events they cause.

Add a happening here; the API's own writes belong to `ghl_write`, sending to `webhooks`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.clock import SandboxClock, epoch_ms, iso_ms
from ghl_payments.sandbox.codec import Doc, decode_doc, encode
from ghl_payments.sandbox.ghl import GhlSandbox
from ghl_payments.sandbox.ghl_data import Location
from ghl_payments.sandbox.ghl_stream import Row, Stream
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.webhooks import WebhookSender, signature, signing_key

APP_ID, VERSION_ID = "5d0f0a1e9c3b4a2f8e7d6c5b", "5d0f0a1e9c3b4a2f8e7d6c5c"
_SENT = (
    "_id", "altId", "altType", "status", "fulfillmentStatus", "contactId", "currency", "amount", "liveMode",
    "amountSummary", "taxSummary", "source", "contactSnapshot", "createdAt", "updatedAt",
)  # fmt: skip
"""What an order's event carries of it (GHL webhook pages, OrderCreate), without payment status and test mark."""
_SENT_OF_ITEM = {
    "product": ("_id", "name", "description", "availableInStore", "taxes", "variants"),
    "price": ("_id", "name", "type", "currency", "amount", "compareAtPrice", "variantOptionIds"),
}


class Happening(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a client posts: `create` a copy of an order (the newest paid one unless named) or the given documents,
    `pay` what is due, `refund` an amount (all unless given) of its first charge, or set its `status`; `announce` it
    again as it is, or say nothing with `silent`. `age` is how many seconds ago it happened.
    """

    happens: str
    location_id: str | None = None
    order_id: str | None = None
    order: Doc | None = None
    transactions: list[Doc] = []
    amount: Decimal | None = None
    status: str | None = None
    silent: bool = False
    age: float = 0.0


class GhlEvents:
    """Acts out happenings in the loaded world and sends the events that GHL would send."""

    def __init__(self, ghl: GhlSandbox, identity: SandboxIdentity, clock: SandboxClock, sender: WebhookSender) -> None:
        self._ghl = ghl
        self._clock = clock
        self._sender = sender
        self._key = signing_key(identity)
        self._ticks = 0

    def act(self, happening: Happening, history: History) -> Doc:
        """Do it; answers the location, the order's id and the event's delivery id. ValueError says what cannot be."""
        places = self._ghl.data.locations
        place = places[happening.location_id] if happening.location_id else next(iter(places.values()))
        deeds: dict[str, Callable[[], tuple[str, Doc]]] = {
            "create": lambda: self._create(place, happening, history),
            "pay": lambda: self._pay(place, happening, history),
            "refund": lambda: self._refund(place, happening, history),
            "status": lambda: self._status(place, happening, history),
            "announce": lambda: ("OrderStatusUpdate", decode_doc(_order(place, happening).detail)),
        }
        if happening.happens not in deeds:
            msg = f"unknown happening {happening.happens!r}; known: {', '.join(deeds)}"
            raise ValueError(msg)
        event, order = deeds[happening.happens]()
        delivery_id = None if happening.silent else self.announce(event, place.id, order)
        return {"location_id": place.id, "order_id": order["_id"], "event": event, "delivery_id": delivery_id}

    def announce(self, event: str, location_id: str, order: Doc) -> str:
        """Send an order's event, signed over its very bytes; returns its webhookId."""
        webhook_id = str(uuid.uuid4())
        body = encode(order_payload(event, location_id, order, webhook_id, self._now()))
        self._sender.send("ghl", event, webhook_id, body, lambda raw: {"X-GHL-Signature": signature(self._key, raw)})
        return webhook_id

    def paid_through_api(self, path: str) -> None:
        """A payment recorded through the API completes its order, of which GHL tells."""
        order_id = path.strip("/").split("/")[2]
        for place in self._ghl.data.locations.values():
            row = place.streams["orders"].get(order_id)
            if row is not None:
                self.announce("OrderStatusUpdate", place.id, decode_doc(row.detail))

    def _now(self, age: float = 0.0) -> str:
        self._ticks += 1
        return iso_ms((epoch_ms(self._clock.text()) or 0) + self._ticks - int(age * 1000))

    def _create(self, place: Location, happening: Happening, history: History) -> tuple[str, Doc]:
        order, transactions = happening.order, happening.transactions
        if order is None:
            order, transactions = self._copy(place, happening)
        _put(place, "orders", order, history)
        for transaction in transactions:
            _put(place, "transactions", transaction, history)
        return "OrderCreate", order

    def _copy(self, place: Location, happening: Happening) -> tuple[Doc, list[Doc]]:
        model = _order(place, happening) if happening.order_id else _paid_order(place)
        new, now = uuid.uuid4().hex, self._now(happening.age)
        times = {"createdAt": now, "updatedAt": now}
        order = decode_doc(model.state()) | times | {"_id": new[:24]}
        charges = [
            charge | times | {"_id": f"{new[:22]}{n:02d}", "entityId": order["_id"], "chargeId": f"pi_{new}{n}"}
            for n, charge in enumerate(_charges(place, model.id))
        ]
        return order, charges

    def _pay(self, place: Location, happening: Happening, history: History) -> tuple[str, Doc]:
        row = _order(place, happening)
        order, now = decode_doc(row.state()), self._now(happening.age)
        names = ("altId", "altType", "contactId", "contactSnapshot", "currency", "liveMode", "markAsTest")
        paid = sum((Decimal(str(charge["amount"])) for charge in _charges(place, row.id)), Decimal(0))
        due = happening.amount or Decimal(str(order["amount"])) - paid
        if due <= 0:
            msg = "the order is paid already"
            raise ValueError(msg)
        new = uuid.uuid4().hex
        charge = {name: order[name] for name in names if name in order} | {
            "_id": new[:24], "amount": int(due) if due == due.to_integral_value() else due, "amountRefunded": 0,
            "status": "succeeded", "entityType": "order", "entityId": row.id, "entitySource": order.get("source", {}),
            "chargeId": f"pi_{new}", "createdAt": now, "updatedAt": now,
        }  # fmt: skip
        _put(place, "transactions", charge, history)
        return "OrderStatusUpdate", _put(
            place, "orders", order | {"status": "completed", "paymentStatus": "paid", "updatedAt": now}, history
        )

    def _refund(self, place: Location, happening: Happening, history: History) -> tuple[str, Doc]:
        row = _order(place, happening)
        charge = next(_charges(place, row.id), None)
        if charge is None:
            msg = "the order has no charge to refund"
            raise ValueError(msg)
        order, now = decode_doc(row.state()), self._now(happening.age)
        before, gross = Decimal(str(charge.get("amountRefunded", 0))), Decimal(str(charge["amount"]))
        back = min(before + (happening.amount or gross), gross)
        whole = {"status": "refunded"} if back == gross else {}
        _put(place, "transactions", charge | whole | {"amountRefunded": back, "updatedAt": now}, history)
        is_whole = {"paymentStatus": "refunded"} if whole else {}
        return "OrderStatusUpdate", _put(place, "orders", order | is_whole | {"updatedAt": now}, history)

    def _status(self, place: Location, happening: Happening, history: History) -> tuple[str, Doc]:
        if not happening.status:
            msg = "which status?"
            raise ValueError(msg)
        order = decode_doc(_order(place, happening).state())
        changed = order | {"status": happening.status, "updatedAt": self._now(happening.age)}
        return "OrderStatusUpdate", _put(place, "orders", changed, history)


def order_payload(event: str, location_id: str, order: Doc, webhook_id: str, timestamp: str) -> Doc:
    """The flat body of OrderCreate and OrderStatusUpdate."""
    return {
        "type": event,
        "locationId": location_id,
        "appId": APP_ID,
        "versionId": VERSION_ID,
        "taxSummary": [],
        **{name: order[name] for name in _SENT if name in order},
        "items": [_item(item) for item in order.get("items") or [] if isinstance(item, dict)],
        "timestamp": timestamp,
        "webhookId": webhook_id,
    }


def _item(item: Doc) -> Doc:
    parts: dict[str, Any] = {}
    for part, names in _SENT_OF_ITEM.items():
        if isinstance(item.get(part), dict):
            parts[part] = {name: item[part][name] for name in names if name in item[part]}
    return {"name": item.get("name"), "qty": item.get("qty"), **parts}


def _order(place: Location, happening: Happening) -> Row:
    row = place.streams["orders"].get(happening.order_id or "")
    if row is None:
        msg = f"location {place.id} has no order {happening.order_id}"
        raise ValueError(msg)
    return row


def _paid_order(place: Location) -> Row:
    for row in reversed(place.streams["orders"].all()):
        doc = decode_doc(row.detail)
        charges = list(_charges(place, row.id))
        is_plain = len(charges) == 1 and not charges[0].get("subscriptionId") and not charges[0].get("amountRefunded")
        if row.mode == "live" and not doc.get("markAsTest") and row.payment_status == "paid" and is_plain:
            return row
    msg = f"location {place.id} has no paid order to copy; give one"
    raise ValueError(msg)


def _charges(place: Location, order_id: str) -> Iterator[Doc]:
    rows, low, high = place.streams["transactions"].select({"entityId": order_id}, None, None)
    return (doc for row in rows[low:high] if (doc := decode_doc(row.state())).get("status") == "succeeded")


def _put(place: Location, name: str, doc: Doc, history: History) -> Doc:
    """Put a document into a list under its `_id`, in the place of the one before."""
    stream: Stream = place.streams[name]
    made = stream.row(dict(doc), place.id)
    history.write(stream, doc["_id"], replace(made, key=doc["_id"]))
    return decode_doc(made.detail)
