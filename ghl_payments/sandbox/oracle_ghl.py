"""What a state document says about GHL, typed and judged row by row: orders, transactions, contacts, deliveries.

Add a fact here when a rule needs it; what follows for a target belongs to `oracle_desired`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ghl_payments.domain.keys import KeyKind, ghl_key
from ghl_payments.domain.money import MoneyError, parse_major

Document = dict[str, Any]

CHARGED = frozenset({"succeeded", "refunded"})
MAX_MERGES = 10
"""Contact merges are followed this many steps, so that a circle ends."""


@dataclass(slots=True)
class Order:
    """A readable order; `minor` is None when the amount is finer than the currency's minor unit."""

    id: str
    live: bool
    currency: str
    minor: int | None
    contact: str | None
    payment_status: str
    created: datetime
    updated: datetime
    doc: Document


@dataclass(slots=True)
class Transaction:
    """A readable transaction; `refunded` is None when the refunded amount cannot be held exactly."""

    id: str
    live: bool
    currency: str
    minor: int | None
    positive: bool
    status: str
    contact: str | None
    entity_type: str
    entity_id: str
    subscription_id: str
    refunded: int | None
    created: datetime
    updated: datetime
    reference: str
    renewal: bool = False

    @property
    def charge(self) -> bool:
        """Money was taken: succeeded (or refunded since) and more than nothing."""
        return self.positive and self.status in CHARGED

    @property
    def invoice_key(self) -> str:
        """The key of the invoice this charge pays."""
        if not self.renewal and self.entity_id and self.entity_type in ("order", "invoice"):
            return f"ghl:{self.entity_type}:{self.entity_id}"
        return f"ghl:txn:{self.id}"


@dataclass(slots=True)
class Ledgers:
    """One location: readable rows by id, the ids of unreadable ones, and what hangs on orders.

    `source` is the location as the state document has it.
    """

    location_id: str
    orders: dict[str, Order]
    transactions: dict[str, Transaction]
    unreadable_orders: dict[str, Document]
    unreadable_transactions: dict[str, Document]
    aliases: dict[str, str]
    subscription_statuses: dict[str, set[str]]
    fulfillments: dict[str, list[Document]]
    source: Document = field(default_factory=dict)

    def canonical(self, contact_id: object) -> str | None:
        """The contact a merged one became, or the contact itself; None for no contact."""
        if not isinstance(contact_id, str) or not contact_id:
            return None
        for _ in range(MAX_MERGES):
            if contact_id not in self.aliases:
                break
            contact_id = self.aliases[contact_id]
        return contact_id


def read_location(location: Document) -> Ledgers:
    """The facts of one `ghl.locations[]` entry of a state document."""
    books = Ledgers(str(location["id"]), {}, {}, {}, {}, _aliases(location.get("transactions") or ()), {}, {}, location)
    for doc in location.get("orders") or ():
        _read_order(books, doc)
    for doc in location.get("transactions") or ():
        _read_transaction(books, doc)
    for doc in location.get("subscriptions") or ():
        if is_live(doc) and doc.get("entityId"):
            books.subscription_statuses.setdefault(str(doc["entityId"]), set()).add(str(doc.get("status") or ""))
    for order_id, docs in (location.get("fulfillments") or {}).items():
        books.fulfillments[order_id] = sorted(docs, key=lambda doc: (instant(doc["createdAt"]), doc["_id"]))
    _mark_renewals(books.transactions.values())
    return books


def is_live(doc: Document) -> bool:
    """Live mode and not marked as test."""
    return doc.get("liveMode") is True and doc.get("markAsTest") is not True


def test_keys(books: Ledgers) -> frozenset[str]:
    """Keys of orders and transactions in test mode, readable or not."""
    orders = [order.id for order in books.orders.values() if not order.live]
    orders += [doc_id for doc_id, doc in books.unreadable_orders.items() if not is_live(doc)]
    transactions = [txn.id for txn in books.transactions.values() if not txn.live]
    transactions += [doc_id for doc_id, doc in books.unreadable_transactions.items() if not is_live(doc)]
    return frozenset(
        [ghl_key("order", doc_id) for doc_id in orders] + [ghl_key("txn", doc_id) for doc_id in transactions]
    )


def unreadable_keys(books: Ledgers) -> dict[KeyKind, frozenset[str]]:
    """Keys of live orders and transactions that cannot be read, by the kind of the key."""
    sources: dict[KeyKind, dict[str, Document]] = {
        "order": books.unreadable_orders,
        "txn": books.unreadable_transactions,
    }
    return {
        kind: frozenset(ghl_key(kind, doc_id) for doc_id, doc in docs.items() if is_live(doc))
        for kind, docs in sources.items()
    }


def instant(text: object) -> datetime:
    """An ISO 8601 instant, naive taken as UTC; ValueError for anything else."""
    value = datetime.fromisoformat(text if isinstance(text, str) else "")
    if value.tzinfo is UTC:
        return value
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def exact_minor(amount: object, currency: str) -> int | None:
    """Minor units of a JSON amount, None when it is finer than the minor unit; MoneyError when unreadable."""
    if isinstance(amount, bool) or not isinstance(amount, (int, Decimal, str)):
        raise MoneyError("amount_not_numeric", "no amount")
    return _exact_minor(str(amount), currency)


@lru_cache(maxsize=65_536)
def _exact_minor(text: str, currency: str) -> int | None:
    try:
        return parse_major(text, currency).minor
    except MoneyError as error:
        if error.rule == "amount_sub_minor":
            return None
        raise


def _aliases(transactions: Iterable[Document]) -> dict[str, str]:
    merges = [
        (str(doc.get("createdAt") or ""), str(doc.get("_id") or ""), str(old), str(doc["contactId"]))
        for doc in transactions
        if (old := doc.get("mergedFromContactId")) and doc.get("contactId") and old != doc["contactId"]
    ]
    return {old: new for _, _, old, new in sorted(merges)}


def _updated(doc: Document, created: datetime) -> datetime:
    try:
        return instant(doc.get("updatedAt"))
    except ValueError:
        return created


def _read_order(books: Ledgers, doc: Document) -> None:
    if not doc.get("_id"):
        return
    try:
        created = instant(doc.get("createdAt"))
        minor = exact_minor(doc.get("amount"), str(doc.get("currency") or ""))
    except (MoneyError, ValueError):
        books.unreadable_orders[doc["_id"]] = doc
        return
    books.orders[doc["_id"]] = Order(
        id=doc["_id"],
        live=is_live(doc),
        currency=doc["currency"],
        minor=minor,
        contact=books.canonical(doc.get("contactId")),
        payment_status=str(doc.get("paymentStatus") or ""),
        created=created,
        updated=_updated(doc, created),
        doc=doc,
    )


def _read_transaction(books: Ledgers, doc: Document) -> None:
    if not doc.get("_id"):
        return
    try:
        created = instant(doc.get("createdAt"))
        minor = exact_minor(doc.get("amount"), str(doc.get("currency") or ""))
    except (MoneyError, ValueError):
        books.unreadable_transactions[doc["_id"]] = doc
        return
    status = str(doc.get("status") or "")
    books.transactions[doc["_id"]] = Transaction(
        id=doc["_id"],
        live=is_live(doc),
        currency=doc["currency"],
        minor=minor,
        positive=(Decimal(str(doc["amount"])) if minor is None else minor) > 0,
        status=status,
        contact=books.canonical(doc.get("contactId")),
        entity_type=str(doc.get("entityType") or ""),
        entity_id=str(doc.get("entityId") or ""),
        subscription_id=str(doc.get("subscriptionId") or ""),
        refunded=_refunded(doc, status, minor),
        created=created,
        updated=_updated(doc, created),
        reference=str(doc.get("chargeId") or doc["_id"]),
    )


def _refunded(doc: Document, status: str, minor: int | None) -> int | None:
    try:
        refunded = exact_minor(doc.get("amountRefunded") or 0, doc["currency"])
    except MoneyError:
        return None
    return minor if status == "refunded" and refunded == 0 else refunded


def _mark_renewals(transactions: Iterable[Transaction]) -> None:
    first: dict[tuple[bool, str, str], Transaction] = {}
    of_subscription = [txn for txn in transactions if txn.subscription_id and txn.status in CHARGED]
    for txn in sorted(of_subscription, key=lambda txn: (txn.created, txn.id)):
        group = (txn.live, txn.subscription_id, txn.entity_id)
        txn.renewal = first.setdefault(group, txn) is not txn
