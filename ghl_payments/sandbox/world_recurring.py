"""Subscriptions: first orders, renewals, free trials, and charges of subscriptions that GHL does not list.

Add a shape with recurring money here and give it a weight in `world_shapes`.
"""

from __future__ import annotations

from ghl_payments.sandbox.world_case import Case, simple_sale
from ghl_payments.sandbox.world_catalog import Contact
from ghl_payments.sandbox.world_ledger import NO_EXTRAS, Extras, Ledger, Sale, line_minor
from ghl_payments.sandbox.world_values import DAY, HOUR, Document, text_id

MONTH = 30 * DAY


def _renewals(ledger: Ledger, sale: Sale, subscription: Document, minor: int, most: int = 5) -> list[Document]:
    charges: list[Document] = []
    at = sale.at + MONTH
    while at < ledger.now - HOUR and len(charges) < most:
        charges.append(ledger.charge(sale, minor=minor, at=at, subscription=str(subscription["_id"])))
        at += MONTH
    if charges:
        subscription["updatedAt"] = charges[-1]["updatedAt"]
    return charges


def _recurring_sale(ledger: Ledger, contact: Contact, min_age: int, *, trial: bool = False) -> tuple[Sale, int]:
    item = ledger.item(ledger.rng.choice(ledger.catalog.digital), ledger.catalog.currency(), recurring=True)
    price = line_minor(item)
    sale = ledger.sale(contact, ledger.moment(min_age), [item], extras=Extras(discount=price) if trial else NO_EXTRAS)
    return sale, price


def subscription(ledger: Ledger, contact: Contact) -> Case:
    """A subscription with its first charge and monthly renewals, each a transaction of the first order."""
    sale, minor = _recurring_sale(ledger, contact, 2 * DAY)
    status = ledger.rng.choice(("active", "active", "active", "canceled", "unpaid"))
    doc = ledger.subscription(sale, minor, status=status)
    first = ledger.charge(sale, subscription=str(doc["_id"]))
    renewals = _renewals(ledger, sale, doc, minor)
    if status == "canceled":
        doc["canceledAt"] = doc["updatedAt"]
    return Case(contact, [sale], [first, *renewals])


def trial(ledger: Ledger, contact: Contact) -> Case:
    """A free first period: order and first transaction of zero, then real renewals."""
    sale, minor = _recurring_sale(ledger, contact, 40 * DAY, trial=True)
    doc = ledger.subscription(sale, minor, status=ledger.rng.choice(("active", "trialing")))
    first = ledger.charge(sale, subscription=str(doc["_id"]))
    return Case(contact, [sale], [first, *_renewals(ledger, sale, doc, minor, 3)])


def orphan_subscription(ledger: Ledger, contact: Contact) -> Case:
    """The charge names a provider's subscription that GHL does not list."""
    sale = simple_sale(ledger, contact)
    return Case(contact, [sale], [ledger.charge(sale, subscription=f"sub_{text_id(ledger.rng, 14)}")])
