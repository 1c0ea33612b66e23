"""The GHL documents of one sandbox location in the detail forms of the payments API, and the ledger that holds them.

Add a document kind or a field here; which documents belong together is said in `world_shapes` and its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from ghl_payments.domain.money import exponent, parse_major
from ghl_payments.domain.sandbox_identity import SandboxLocation
from ghl_payments.sandbox.world_catalog import Catalog, Contact
from ghl_payments.sandbox.world_values import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Document,
    mongo_id,
    number,
    stamp,
    text_id,
    uuid_text,
)

SPAN = 425 * DAY
"""How far back orders go: about fourteen months."""

_CARDS = tuple(
    {"card": {"brand": brand, "last4": last4}}
    for brand, last4 in (("visa", "4242"), ("mastercard", "4444"), ("amex", "0005"), ("discover", "9424"))
)


@dataclass(frozen=True, slots=True)
class Sale:
    """An order: its document, whose it is, its amount in minor units, when it was made."""

    doc: Document
    contact: Contact
    minor: int
    currency: str
    at: int

    @property
    def id(self) -> str:
        """The order's `_id`."""
        return str(self.doc["_id"])


@dataclass(frozen=True, slots=True)
class Extras:
    """What is taken from or added to the sum of an order's items, in minor units; the tax is a rate per mille."""

    discount: int = 0
    tax_per_mille: int = 0
    shipping: int = 0
    coupon: str | None = None


NO_EXTRAS = Extras()


class Ledger:
    """Everything GHL holds for one location; methods append documents and return them.

    `doomed` are ids of orders and transactions that will be deleted after Halo got them.
    """

    def __init__(self, location: SandboxLocation, index: int, rng: Random, now: int) -> None:
        self.location = location
        self.rng = rng
        self.now = now
        self.catalog = Catalog(location.id, index, rng, now - SPAN - 30 * DAY)
        self.orders: list[Document] = []
        self.transactions: list[Document] = []
        self.subscriptions: list[Document] = []
        self.fulfillments: dict[str, list[Document]] = {}
        self.doomed: set[str] = set()
        self._last_moment = now - DAY

    @contextmanager
    def dice(self, rng: Random) -> Iterator[None]:
        """Other random numbers for a while, so that what is made with them moves nothing else of the world."""
        before, catalog = self.rng, self.catalog.throw(rng)
        self.rng = rng
        try:
            yield
        finally:
            self.rng = before
            self.catalog.throw(catalog)

    def moment(self, min_age: int = 2 * HOUR) -> int:
        """An instant of the last fourteen months, denser lately; now and then the same one again."""
        if self.rng.random() < 0.01 and self._last_moment <= self.now - min_age:
            return self._last_moment
        share = self.rng.random()
        self._last_moment = self.now - min_age - int((SPAN - min_age) * share * share)
        return self._last_moment

    def later(self, at: int, low: int, high: int) -> int:
        """An instant between `low` and `high` after `at`, but at least an hour before the sandbox's clock."""
        return min(at + self.rng.randrange(low, high), max(at, self.now - HOUR))

    def item(self, product: Document, currency: str, qty: int = 1, *, recurring: bool = False) -> Document:
        """One order line."""
        return {
            "_id": mongo_id(self.rng, self.now - SPAN),
            "name": product["name"],
            "qty": qty,
            "authorizeAmount": 0,
            "locationId": self.location.id,
            "product": product,
            "price": self.catalog.price(product, currency, recurring=recurring),
        }

    def sale(
        self,
        contact: Contact,
        at: int,
        items: Sequence[Document],
        *,
        extras: Extras = NO_EXTRAS,
        payment_status: str = "paid",
        live: bool = True,
        marked_test: bool = False,
    ) -> Sale:
        """An order of these items; its amount is subtotal - discount + tax + shipping."""
        currency = str(items[0]["price"]["currency"])
        subtotal = sum(line_minor(item) for item in items)
        taxable = subtotal - extras.discount
        tax = (taxable * extras.tax_per_mille + 500) // 1000
        minor = taxable + tax + extras.shipping
        parts = {"subtotal": subtotal, "discount": extras.discount, "tax": tax, "shipping": extras.shipping}
        doc = self._head(at, number(minor, currency), currency, live=live, marked_test=marked_test) | {
            "contactId": contact.id,
            "contactSnapshot": contact.snapshot,
            "status": "pending" if payment_status == "unpaid" else "completed",
            "paymentStatus": payment_status,
            "fulfillmentStatus": "unfulfilled",
            "amountSummary": {name: number(part, currency) for name, part in parts.items()},
            "taxSummary": [self._tax(number(tax, currency), extras.tax_per_mille)] if tax else [],
            "automaticTaxesCalculated": False,
            "source": self.rng.choice(self.catalog.sources),
            "items": list(items),
            "trackingId": uuid_text(self.rng),
        }
        if extras.coupon:
            doc["coupon"] = {"_id": mongo_id(self.rng, at), "code": extras.coupon}
        self.orders.append(doc)
        return Sale(doc, contact, minor, currency, at)

    def charge(
        self,
        sale: Sale,
        *,
        minor: int | None = None,
        at: int | None = None,
        status: str = "succeeded",
        refunded: int = 0,
        subscription: str | None = None,
    ) -> Document:
        """A transaction of an order: its whole amount a few seconds later unless told otherwise."""
        moment = sale.at + self.rng.randrange(1, 20) * SECOND if at is None else at
        doc = self.transaction(
            sale.contact,
            moment,
            number(sale.minor if minor is None else minor, sale.currency),
            sale.currency,
            source=sale.doc["source"],
            entity=("order", sale.id),
            status=status,
        )
        doc["amountRefunded"] = number(refunded, sale.currency)
        doc["liveMode"], doc["markAsTest"] = sale.doc["liveMode"], sale.doc["markAsTest"]
        if subscription:
            doc["subscriptionId"] = subscription
        return doc

    def transaction(
        self,
        contact: Contact | None,
        at: int,
        amount: int | Decimal,
        currency: str,
        *,
        source: Document,
        entity: tuple[str, str] | None = None,
        status: str = "succeeded",
    ) -> Document:
        """A transaction of any kind; `entity` is (entityType, entityId)."""
        charge_id = f"pi_{text_id(self.rng, 16)}"
        doc = self._head(at, amount, currency) | {
            "status": status,
            "entityType": entity[0] if entity else "manual",
            "entitySource": source,
            "chargeId": charge_id,
            "chargeSnapshot": _provider_charge(charge_id, amount, currency, status),
            "paymentProvider": self.catalog.provider,
            "isParent": False,
            "amountRefunded": 0,
            "qboSynced": False,
            "_list": {"paymentMethod": self.rng.choice(_CARDS), "fulfilledAt": stamp(at + SECOND)},
        }
        if contact:
            doc |= {"contactId": contact.id, "contactSnapshot": contact.snapshot}
        if entity:
            doc["entityId"] = entity[1]
        self.transactions.append(doc)
        return doc

    def cash(self, sale: Sale, minor: int, at: int) -> Document:
        """A payment that somebody recorded by hand: no provider and no charge stands behind it."""
        doc = self.charge(sale, minor=minor, at=at)
        for name in ("chargeId", "paymentProvider", "_list"):
            del doc[name]
        doc |= {"chargeSnapshot": {"mode": "cash"}, "paymentMethod": {}}
        return doc

    def subscription(self, sale: Sale, minor: int, *, status: str = "active") -> Document:
        """A monthly subscription that began with this order; its transactions name it by `_id`."""
        provider_id = f"sub_{text_id(self.rng, 14)}"
        first = sale.doc["items"][0]
        doc = self._head(
            sale.at,
            number(minor, sale.currency),
            sale.currency,
            live=sale.doc["liveMode"],
            marked_test=sale.doc["markAsTest"],
        ) | {
            "contactId": sale.contact.id,
            "contactSnapshot": sale.contact.snapshot,
            "status": status,
            "entityType": "order",
            "entityId": sale.id,
            "entitySource": sale.doc["source"],
            "subscriptionId": provider_id,
            "subscriptionSnapshot": {"id": provider_id, "status": status},
            "paymentProvider": self.catalog.provider,
            "recurringProduct": {"product": first["product"], "price": first["price"]},
        }
        self.subscriptions.append(doc)
        return doc

    def fulfill(self, sale: Sale, at: int, parcels: Sequence[tuple[Document, int]], tracking: Document | None) -> None:
        """Send (item, quantity) pairs of an order, with at most one tracking."""
        doc = {
            "_id": mongo_id(self.rng, at),
            "altId": self.location.id,
            "altType": "location",
            "trackings": [tracking] if tracking else [],
            "items": [
                {
                    "_id": item["price"]["_id"],
                    "name": item["name"],
                    "product": item["product"],
                    "price": item["price"],
                    "qty": qty,
                }
                for item, qty in parcels
            ],
            "createdAt": stamp(at),
            "updatedAt": stamp(at),
        }
        self.fulfillments.setdefault(sale.id, []).append(doc)

    def touch(self, doc: Document, at: int) -> None:
        """Set `updatedAt`, as a refund or a status change does."""
        doc["updatedAt"] = stamp(at + MINUTE)

    def _head(
        self, at: int, amount: int | Decimal, currency: str, *, live: bool = True, marked_test: bool = False
    ) -> Document:
        return {
            "_id": mongo_id(self.rng, at),
            "altId": self.location.id,
            "altType": "location",
            "currency": currency,
            "amount": amount,
            "liveMode": live,
            "markAsTest": marked_test,
            "createdAt": stamp(at),
            "updatedAt": stamp(at + 5 * SECOND),
            "traceId": uuid_text(self.rng),
        }

    def _tax(self, amount: int | Decimal, per_mille: int) -> Document:
        rate = Decimal(per_mille) / 10
        return {
            "_id": self.catalog.tax_id,
            "name": "Sales tax",
            "calculation": "exclusive",
            "rate": int(rate) if rate == int(rate) else rate,
            "amount": amount,
        }


def line_minor(item: Document) -> int:
    """Minor units of an order line: quantity times price."""
    price = item["price"]
    return int(item["qty"]) * parse_major(str(price["amount"]), price["currency"]).minor


def _provider_charge(charge_id: str, amount: int | Decimal, currency: str, status: str) -> Document:
    """The payment provider's own object: minor units and a lower-case currency, unlike everything of GHL's."""
    minor = int(Decimal(amount).scaleb(exponent(currency)))
    return {
        "id": charge_id,
        "object": "payment_intent",
        "amount": minor,
        "currency": currency.lower(),
        "status": status,
    }
