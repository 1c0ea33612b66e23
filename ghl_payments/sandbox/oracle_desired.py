"""The Halo records that one location's live GHL records ask for, and what Halo has no form for.

Add a record type or a compared field here together with its class; reading Halo belongs to `oracle_halo`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from ghl_payments.domain.keys import ghl_key
from ghl_payments.domain.money import major_text
from ghl_payments.sandbox.oracle_ghl import Document, Ledgers, Order, Transaction, instant

Fields = dict[str, Any]
_COMPACT = msgspec.json.Encoder(decimal_format="number")


@dataclass(slots=True)
class Desired:
    """One record Halo should hold: `fields` are compared, `parts` only help to write it."""

    record_type: str
    key: str
    minor: int | None
    currency: str | None
    updated: datetime
    fields: Fields = field(default_factory=dict)
    contact_key: str = ""
    parts: Any = None


@dataclass(slots=True)
class Wanted:
    """Everything one location asks for: records by (record type, key), and rows Halo cannot represent.

    `unrepresentable` maps (record type, key) to (minor, currency).
    """

    records: dict[tuple[str, str], Desired]
    unrepresentable: dict[tuple[str, str], tuple[int | None, str]]


def derive(books: Ledgers) -> Wanted:
    """Desired records and unrepresentable rows of one location."""
    wanted = Wanted({}, {})
    for order in books.orders.values():
        if order.live:
            _want_order(wanted, books, order)
    invoices: dict[str, list[Transaction]] = {}
    for txn in books.transactions.values():
        if txn.live and txn.charge and _representable(wanted, books, txn):
            invoices.setdefault(txn.invoice_key, []).append(txn)
    for key, charges in invoices.items():
        charges.sort(key=lambda txn: (txn.created, txn.id))
        kept = _in_one_currency(wanted, charges)
        _want_invoice(wanted, books, key, kept)
        for txn in kept:
            _want_payment(wanted, books, key, txn)
    return wanted


def _in_one_currency(wanted: Wanted, charges: list[Transaction]) -> list[Transaction]:
    """The charges in the currency of the first; an invoice has one, so the others have no place on it."""
    for txn in charges:
        if txn.currency != charges[0].currency:
            wanted.unrepresentable["invoice_payment", ghl_key("txn", txn.id)] = (txn.minor, txn.currency)
    return [txn for txn in charges if txn.currency == charges[0].currency]


def order_of(books: Ledgers, txn: Transaction) -> Order | None:
    """The readable live order a transaction names."""
    order = books.orders.get(txn.entity_id) if txn.entity_type == "order" else None
    return order if order and order.live else None


def contact_of(books: Ledgers, txn: Transaction) -> str | None:
    """A transaction's contact, else its order's."""
    if txn.contact:
        return txn.contact
    order = order_of(books, txn)
    return order.contact if order else None


def _representable(wanted: Wanted, books: Ledgers, txn: Transaction) -> bool:
    row = ("invoice_payment", ghl_key("txn", txn.id))
    if txn.minor is None or not contact_of(books, txn):
        wanted.unrepresentable[row] = (txn.minor, txn.currency)
        return False
    if txn.refunded != 0:
        wanted.unrepresentable[row] = (txn.refunded, txn.currency)
    return True


def _want_contact(wanted: Wanted, contact: str, updated: datetime) -> str:
    key = ghl_key("contact", contact)
    for record_type in ("client", "user"):
        known = wanted.records.get((record_type, key))
        if known is None:
            wanted.records[record_type, key] = Desired(record_type, key, None, None, updated)
        else:
            known.updated = min(known.updated, updated)
    return key


def _want_order(wanted: Wanted, books: Ledgers, order: Order) -> None:
    key = ghl_key("order", order.id)
    if order.minor is None or (order.minor and not order.contact):
        wanted.unrepresentable["sales_order", key] = (order.minor, order.currency)
        return
    if order.minor == 0 or not order.contact:
        return
    contact_key = _want_contact(wanted, order.contact, order.updated)
    fields = {
        "total": order.minor,
        "amount_text": major_text(order.minor, order.currency),
        "currency": order.currency,
        "currency_text": order.currency,
        "status": order.doc.get("status"),
        "subscription_status": ",".join(sorted(books.subscription_statuses.get(order.id, ()))),
        "date": order.created,
        "client": contact_key,
        **_delivery(order, books.fulfillments.get(order.id, [])),
    }
    wanted.records["sales_order", key] = Desired(
        "sales_order", key, order.minor, order.currency, order.updated, fields, contact_key, order
    )


def _delivery(order: Order, fulfillments: list[Document]) -> Fields:
    if not fulfillments:
        return {"tracking": None, "fulfillments": None, "ship_status": None, "ship_date": None}
    sent = [
        {"id": doc["_id"], "items": [{"price": item["price"]["_id"], "qty": item["qty"]} for item in doc["items"]]}
        for doc in fulfillments
    ]
    units = sum(item["qty"] for doc in fulfillments for item in doc["items"])
    ordered = sum(item["qty"] for item in order.doc.get("items") or ())
    trackings = (_tracking(tracking) for doc in fulfillments for tracking in doc.get("trackings") or ())
    return {
        "tracking": "; ".join(text for text in trackings if text),
        "fulfillments": _COMPACT.encode(sent).decode(),
        "ship_status": None if units <= 0 else "fulfilled" if units >= ordered else "partly fulfilled",
        "ship_date": instant(fulfillments[0]["createdAt"]),
    }


def _tracking(tracking: Document) -> str:
    parts = (tracking.get("shippingCarrier"), tracking.get("trackingNumber"))
    return " ".join(part for part in parts if part)


def _want_invoice(wanted: Wanted, books: Ledgers, key: str, charges: list[Transaction]) -> None:
    first = charges[0]
    order = None if first.renewal else order_of(books, first)
    if order and order.minor and order.currency == first.currency:
        total = order.minor
    else:
        total = sum(txn.minor or 0 for txn in charges if txn.currency == first.currency)
    contact = order.contact if order and order.minor and order.contact else contact_of(books, first)
    contact_key = ghl_key("contact", str(contact))
    _want_payers(wanted, books, charges)
    fields = {"total": total, "currency": first.currency, "client": contact_key, "invoice_date": first.created}
    updated = max(txn.updated for txn in charges)
    wanted.records["invoice", key] = Desired(
        "invoice", key, total, first.currency, updated, fields, contact_key, (first, order)
    )


def _want_payers(wanted: Wanted, books: Ledgers, charges: Iterable[Transaction]) -> None:
    for txn in charges:
        _want_contact(wanted, str(contact_of(books, txn)), txn.updated)


def _want_payment(wanted: Wanted, books: Ledgers, invoice_key: str, txn: Transaction) -> None:
    key = ghl_key("txn", txn.id)
    wanted.records["invoice_payment", key] = Desired(
        "invoice_payment",
        key,
        txn.minor,
        txn.currency,
        txn.updated,
        {"amount": txn.minor, "date": txn.created},
        wanted.records["invoice", invoice_key].contact_key,
        invoice_key,
    )
