"""Track-POD in a seeded world: in full agreement with GHL first, then with orders that went astray.

What is written with an order changes here together with the mapping; ways to go astray stand in
`world_trackpod_defects`, what must be reported of them in `oracle_trackpod`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.clock import iso_ms
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.oracle_ghl import Ledgers, Order
from ghl_payments.sandbox.oracle_trackpod import (
    NUMBER_PREFIX,
    amount_due,
    is_dead,
    open_lines,
    physical_lines,
    sent_of,
    wanted_of,
)
from ghl_payments.sandbox.trackpod_data import CHANGED, day_of, full_order, local, naive
from ghl_payments.sandbox.trackpod_work import begun, cash_text, delivered, rejected, rescheduled, routed
from ghl_payments.sandbox.vendor import People
from ghl_payments.sandbox.world_driven import CARRIER, track_link
from ghl_payments.sandbox.world_trackpod_defects import DEFECTS, EXTRAS, Road
from ghl_payments.sandbox.world_values import Document, number, uuid_text

NATIVES = 20
EACH = 500
"""So many orders of ours for each further one of a sort that goes astray."""

LATELY = timedelta(days=30)
_SOMEWHERE = "1 Sample Street, Sampleton"


class TrackpodWorld:
    """One account shared by all locations; `state` is its part of the state document."""

    def __init__(self, rng: Random, now_ms: int, switches: Any, identity: SandboxIdentity) -> None:
        self._rng = rng
        self._now = datetime.fromisoformat(iso_ms(now_ms))
        self._unscheduled = 0 if switches.trackpod_unscheduled_status == "zero" else None
        self._road = Road(rng, self._now, uuid_text)
        self.state: Doc = {"Order": [], "Removed": []}

    def agree(self, books: Ledgers, people: People) -> None:
        """Every order of one location that must be there as its connector would have written it, and those brought."""
        for order in books.orders.values():
            parcels = [doc for doc in books.fulfillments.get(order.id, ()) if _is_ours(doc)]
            if parcels:
                self.state["Order"].append(self._brought(books, order, parcels))
        wanted, _ = wanted_of(books, {}, self._now)
        for _, key in wanted:
            order = books.orders[key.rpartition(":")[2]]
            if not any(map(_is_ours, books.fulfillments.get(order.id, ()))):
                self.state["Order"].append(self._waiting(books, order))
        self._note_others(books)

    def natives(self) -> None:
        """Deliveries and collections of another shop, planned and done."""
        for n in range(1, NATIVES + 1):
            at = self._now - timedelta(days=n, hours=3)
            doc = self._new(
                f"SHOP-{n}", {"Client": f"Shop customer {n}", "Address": f"{n} Market Street, Sampleton"}, at
            )
            doc |= {"Type": n % 2, "CreateSource": "Web", "COD": n % 3}
            self.state["Order"].append(self._done(doc, at) if n % 4 == 0 else doc)

    def plant(self) -> None:
        """Each way to go astray once for so many orders, always on another record."""
        open_docs = self._road.waiting
        rounds = 1 + len(open_docs) // EACH
        # A small world keeps most of its records in order.
        chosen = self._rng.sample(open_docs, min(len(open_docs) // 3, rounds * len(DEFECTS)))
        for n, doc in enumerate(chosen):
            DEFECTS[n % len(DEFECTS)](self._road, self.state, doc)
        for extra in EXTRAS:
            extra(self._road, self.state, self.new_order)

    def new_order(self, books: Ledgers, order: Order) -> Doc:
        """An order as the connector writes it."""
        contact = order.doc.get("contactSnapshot") or {}
        name = " ".join(str(contact[part]) for part in ("firstName", "lastName") if contact.get(part))
        names = ("address1", "city", "state", "postalCode", "country")
        address = ", ".join(str(contact[part]) for part in names if contact.get(part))
        doc = self._new(
            f"{NUMBER_PREFIX}{order.id}",
            {
                "Client": name or str(contact.get("email") or order.contact),
                "ContactName": name or None,
                "ClientId": order.contact,
                "Address": address or _SOMEWHERE,
                "Email": contact.get("email"),
                "COD": number(amount_due(books, order) or 0, order.currency),
                "CustomerReferenceId": books.location_id,
                "GoodsList": self._goods(order),
                "NotificationsPolicy": None,
            },
            order.created,
        )
        return doc | {"Id": order.id, "CreateSource": "WebApi", "StatusId": self._unscheduled}

    def _waiting(self, books: Ledgers, order: Order) -> Doc:
        doc = self.new_order(books, order)
        # What others sent is not for these drivers.
        left = [int(line.quantity) for line in open_lines(books, order)]
        doc["GoodsList"] = [
            row | {"Quantity": units} for row, units in zip(doc["GoodsList"], left, strict=True) if units
        ]
        chance = self._rng.random()
        if chance < 0.4:
            doc = routed(doc, f"{self._now + timedelta(days=self._rng.randrange(1, 4)):%Y-%m-%d}")
        elif chance < 0.45:
            doc = begun(routed(doc, f"{self._now:%Y-%m-%d}"), self._now - timedelta(hours=3))
        elif chance < 0.48:
            # Nobody was there; nothing follows from it.
            at = self._now - timedelta(hours=self._rng.randrange(5, 50))
            doc = rejected(routed(doc, day_of(local(at))), at, 1) | {CHANGED: f"{naive(at)}Z"}
        if doc["StatusId"] in (None, 0, 1):
            self._road.waiting.append(doc)
        return doc

    def _brought(self, books: Ledgers, order: Order, parcels: Sequence[Document]) -> Doc:
        doc = self.new_order(books, order)
        for times, parcel in enumerate(parcels):
            at = datetime.fromisoformat(parcel["createdAt"])
            if times:
                doc = rescheduled(doc, at, self._unscheduled)
            sent: dict[str, int] = defaultdict(int)
            for item in parcel["items"]:
                sent[item["price"]["_id"]] += item["qty"]
            facts = {place: sent[line["GoodsId"]] for place, line in enumerate(doc["GoodsList"])}
            doc = self._done(doc, at, facts)
        track_id = parcels[0]["trackings"][0]["trackingNumber"]
        doc |= {"TrackId": track_id, "TrackKey": track_id, "TrackLink": track_link(track_id)}
        recorded = sum(
            Decimal(str(txn["amount"]))
            for txn in books.source.get("transactions") or ()
            if txn.get("entityId") == order.id and (txn.get("chargeSnapshot") or {}).get("mode") == "cash"
        )
        cash = doc["COD"] or recorded
        return doc | {"COD": cash, "CODActual": cash_text(cash) if cash else None}

    def _done(self, doc: Doc, at: datetime, facts: dict[int, Any] | None = None) -> Doc:
        done = delivered(routed(doc, day_of(local(at)), status="Closed"), at, facts=facts)
        return done | {"RouteStatus": "Closed", CHANGED: f"{naive(at)}Z"}

    def _new(self, order_number: str, given: Doc, at: datetime) -> Doc:
        created = naive(at)
        doc = full_order({"Number": order_number, **given}, uuid_text(self._rng), created)
        track_id = doc["TrackId"]
        return doc | {"Date": f"{day_of(local(at))}T00:00:00", "TrackLink": track_link(track_id), CHANGED: None}

    @staticmethod
    def _goods(order: Order) -> list[Doc]:
        lines = [item for item in order.doc["items"] if item["product"].get("productType") == "PHYSICAL"]
        return [
            {
                "OrderLineId": f"{order.id}:{place}",
                "GoodsId": item["price"]["_id"],
                "GoodsName": item["name"],
                "Quantity": item["qty"],
                "Cost": item["price"]["amount"],
            }
            for place, item in enumerate(lines, 1)
        ]

    def _note_others(self, books: Ledgers) -> None:
        """Orders of goods that nobody should set out with: what they are good for is said by `EXTRAS`."""
        for order in sorted(books.orders.values(), key=lambda order: order.id):
            if not physical_lines(order) or order.minor is None or self._now - order.created > LATELY * 2:
                continue
            if not order.live:
                self._road.tests.append((books, order))
            elif is_dead(order):
                self._road.dead.append((books, order))
            elif sent_of(books, order) == "fulfilled" and not any(map(_is_ours, books.fulfillments[order.id])):
                self._road.sent.append((books, order))


def _is_ours(parcel: Document) -> bool:
    return any(tracking.get("shippingCarrier") == CARRIER for tracking in parcel["trackings"])
