"""The answer key's own view of Track-POD: what one location must have delivered, what stands there, what follows.

Add a compared field here together with the connector's mapping, but out of the rule itself; what its deliveries ask of
GHL belongs to `oracle_deliveries`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from ghl_payments.domain.keys import ghl_key
from ghl_payments.domain.money import exponent
from ghl_payments.sandbox.oracle_ghl import Document, Ledgers, Order, Transaction, is_live, test_keys
from ghl_payments.sandbox.oracle_records import Account, HeldRecord, Spot, WantedRecord, judge_account
from ghl_payments.sandbox.oracle_rows import Row

DELIVER_DAYS = timedelta(days=30)
"""What the connector's options say unless a person chooses otherwise."""

NUMBER_PREFIX = "GHL-"
SETTLED = frozenset({2, 3, 4, 5})
"""StatusIds of orders that a driver has finished with: they can no longer be changed."""

CLASSES = {"cod": "amount", "goods": "quantity", "goods_value": "amount"}
MINOR_FIELDS = frozenset({"cod", "goods_value"})
_DEAD = frozenset({"canceled", "cancelled", "failed", "refunded", "expired"})


def judge(state: Document, books: Mapping[str, Ledgers], now: datetime, switches: Any) -> list[Row]:
    """Every diff of Track-POD that the first turn must report."""
    held = orders_of(state, books)
    gone = {(doc.get("CustomerReferenceId"), _key(doc)) for doc in state.get("Removed") or ()}
    rows: list[Row] = []
    for location_id, ledger in books.items():
        own = held[location_id]
        wanted, unrepresentable = wanted_of(ledger, own, now)
        unreadable = frozenset(
            ("order", ghl_key("order", doc_id)) for doc_id, doc in ledger.unreadable_orders.items() if is_live(doc)
        )
        account = Account(
            system="trackpod",
            location_id=location_id,
            wanted=wanted,
            held={("order", key): [_held(ledger, key, doc) for doc in docs] for key, docs in own.items()},
            classes=CLASSES,
            minor_fields=MINOR_FIELDS,
            unrepresentable=unrepresentable,
            gone=frozenset(("order", key) for place, key in gone if place == location_id and key),
            unreadable=unreadable,
            test_keys=test_keys(ledger),
            orphans=frozenset({"order"}),
        )
        rows += judge_account(account, now)
    return rows


def orders_of(state: Document, books: Mapping[str, Ledgers]) -> dict[str, dict[str, list[Document]]]:
    """Our orders as Track-POD holds them, by location and key: deliveries that name a location and carry our number.

    Under another number an order is ours as well if its id is that of an order in GHL.
    """
    found: dict[str, dict[str, list[Document]]] = {location_id: defaultdict(list) for location_id in books}
    for doc in state.get("Order") or ():
        location_id, key = (doc.get("CustomerReferenceId") or "").strip(), _key(doc)
        if location_id not in found or (doc.get("Type") or 0) != 0:
            continue
        ledger, own_id = books[location_id], doc.get("Id")
        if key is None and (own_id in ledger.orders or own_id in ledger.unreadable_orders):
            key = ghl_key("order", str(own_id))
        if key:
            found[location_id][key].append(doc)
    return found


def wanted_of(
    books: Ledgers, held: Mapping[str, Iterable[Document]], now: datetime
) -> tuple[dict[Spot, WantedRecord], dict[Spot, tuple[int | None, str | None]]]:
    """The orders one location must have in Track-POD, and those that cannot be taken there, as (minor, currency)."""
    wanted: dict[Spot, WantedRecord] = {}
    unrepresentable: dict[Spot, tuple[int | None, str | None]] = {}
    for order in books.orders.values():
        lines = physical_lines(order)
        if not order.live or not lines:
            continue
        key, docs = ghl_key("order", order.id), list(held.get(ghl_key("order", order.id), ()))
        spot = ("order", key)
        if any(is_settled(doc) for doc in docs):
            wanted[spot] = WantedRecord(order.minor, order.currency, order.updated)
            continue
        is_begun_again = any(is_replanned(doc, books, order) for doc in docs)
        is_over = is_dead(order) or sent_of(books, order) == "fulfilled"
        if is_over or (not docs and order.created < now - DELIVER_DAYS):
            continue
        if is_begun_again:
            wanted[spot] = WantedRecord(order.minor, order.currency, order.updated)
            continue
        due, left = amount_due(books, order), open_lines(books, order)
        if order.minor is None or due is None or (not docs and not has_address(order)):
            unrepresentable[spot] = (order.minor, order.currency)
            continue
        fields = {"cod": due, "goods": _units(left), "goods_value": _value(left, order.currency)}
        wanted[spot] = WantedRecord(order.minor, order.currency, order.updated, fields)
    return wanted, unrepresentable


@dataclass(frozen=True, slots=True)
class Line:
    """Goods of one sort: the id of their price (empty for none), units, price of a unit."""

    price_id: str
    quantity: Decimal
    price: Decimal


def physical_lines(order: Order) -> list[Line]:
    """What of an order can be put into a van."""
    return [
        Line(
            str((item.get("price") or {}).get("_id") or ""),
            _number(item.get("qty", 1)) or Decimal(0),
            _number((item.get("price") or {}).get("amount")) or Decimal(0),
        )
        for item in order.doc.get("items") or ()
        if "PHYSICAL" in str((item.get("product") or {}).get("productType") or "PHYSICAL").upper()
    ]


def is_settled(doc: Document) -> bool:
    """Whether a driver has finished with an order of Track-POD."""
    return doc.get("StatusId") in SETTLED


def is_replanned(doc: Document, books: Ledgers, order: Order) -> bool:
    """Whether what Track-POD holds of an order is a rest: planned anew, paid at the door, or in part in GHL already."""
    cash = _number(doc.get("CODActual"))
    was_paid = bool(str(doc.get("CODActual") or "").strip()) and (cash is None or cash > 0)
    numbers = {
        str(tracking.get("trackingNumber") or "").strip().partition("#")[0].upper()
        for parcel in books.fulfillments.get(order.id, ())
        for tracking in parcel.get("trackings") or ()
    }
    return was_paid or (doc.get("RescheduledTimes") or 0) > 0 or str(doc["TrackId"]).upper() in numbers


def open_lines(books: Ledgers, order: Order) -> list[Line]:
    """The physical lines of an order with the units that no fulfillment of GHL holds, the first lines served first."""
    sent = _sent(books, order)
    rest = []
    for line in physical_lines(order):
        gone = min(max(sent[line.price_id], Decimal(0)), line.quantity) if line.price_id else Decimal(0)
        sent[line.price_id] -= gone
        rest.append(Line(line.price_id, line.quantity - gone, line.price))
    return rest


def is_dead(order: Order) -> bool:
    """Whether nobody waits for an order any more: cancelled, failed, or paid back as a whole."""
    return str(order.doc.get("status") or "").lower() in _DEAD or order.payment_status.lower() == "refunded"


def has_address(order: Order) -> bool:
    """Whether the contact of an order can be driven to: a street, and a town or a postal code."""
    contact = order.doc.get("contactSnapshot") or {}
    filled = {name for name in ("address1", "city", "postalCode") if str(contact.get(name) or "").strip()}
    return "address1" in filled and len(filled) > 1


def sent_of(books: Ledgers, order: Order) -> str | None:
    """What GHL's fulfillments say of an order's physical goods: `fulfilled`, `partly` or None."""
    ordered: dict[str, Decimal] = defaultdict(Decimal)
    for line in physical_lines(order):
        if line.price_id:
            ordered[line.price_id] += line.quantity
    sent = _sent(books, order)
    if ordered and all(sent[price_id] >= units for price_id, units in ordered.items()):
        return "fulfilled"
    return "partly" if any(sent[price_id] > 0 for price_id in ordered) else None


def _sent(books: Ledgers, order: Order) -> dict[str, Decimal]:
    """Units of an order by price id that GHL's fulfillments hold, whoever brought them."""
    sent: dict[str, Decimal] = defaultdict(Decimal)
    for parcel in books.fulfillments.get(order.id, ()):
        for item in parcel.get("items") or ():
            sent[(item.get("price") or {}).get("_id") or item.get("_id")] += _number(item.get("qty")) or 0
    return sent


def amount_due(books: Ledgers, order: Order) -> int | None:
    """What is still to be paid on an order in minor units; None when that cannot be told.

    Nobody is asked for money while there is a sign that they paid: GHL says so, they paid in another currency, or
    something was given back that may or may not be owed again.
    """
    if any(str(doc.get("entityId")) == order.id and is_live(doc) for doc in _unread_payments(books)):
        return None
    payments = list(_payments(books, order))
    own = [txn for txn in payments if txn.currency == order.currency]
    if order.minor is None or any(txn.minor is None or txn.refunded is None for txn in own):
        return None
    due = order.minor - sum((txn.minor or 0) - (txn.refunded or 0) for txn in own)
    if due <= 0:
        return 0
    is_doubtful = order.payment_status.lower() == "paid" or len(own) < len(payments) or any(txn.refunded for txn in own)
    return None if is_doubtful else due


def _payments(books: Ledgers, order: Order) -> Iterable[Transaction]:
    key = ghl_key("order", order.id)
    return (txn for txn in books.transactions.values() if txn.live and txn.charge and txn.invoice_key == key)


def _unread_payments(books: Ledgers) -> Iterable[Document]:
    return (doc for doc in books.unreadable_transactions.values() if doc.get("entityType") == "order")


def _held(books: Ledgers, key: str, doc: Document) -> HeldRecord:
    """A Track-POD order as it is compared: in the currency of its GHL order, because it has none of its own."""
    order = books.orders.get(key.rpartition(":")[2])
    cod = _number(doc.get("COD") or 0)
    if order is None or cod is None or is_settled(doc) or is_replanned(doc, books, order):
        return HeldRecord(str(doc["TrackId"]), None, None, readable=cod is not None)
    lines = [
        Line(
            line.get("GoodsId") or "",
            _number(line.get("Quantity")) or Decimal(0),
            _number(line.get("Cost")) or Decimal(0),
        )
        for line in doc.get("GoodsList") or ()
    ]
    fields = {
        "cod": _minor(cod, order.currency),
        "goods": _units(lines),
        "goods_value": _value(lines, order.currency),
    }
    return HeldRecord(str(doc["TrackId"]), None, None, fields)


def _units(lines: Iterable[Line]) -> dict[str, Decimal]:
    """Units by price id, without what is none."""
    units: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        units[line.price_id] += line.quantity
    return {price_id: count for price_id, count in units.items() if count}


def _value(lines: Iterable[Line], currency: str) -> int:
    return _minor(sum((line.quantity * line.price for line in lines), Decimal(0)), currency)


def _minor(amount: Decimal, currency: str) -> int:
    return int(amount.scaleb(exponent(currency)).quantize(Decimal(1), ROUND_HALF_UP))


def _number(value: object) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _key(doc: Document) -> str | None:
    number = str(doc.get("Number") or "")
    return ghl_key("order", number[len(NUMBER_PREFIX) :]) if number.startswith(NUMBER_PREFIX) else None
