"""The answer key's own view of a receiver of events: what one location wants told, what is held, and what follows.

Add a field here together with the mapping, but out of the rule itself; rules of agreement that hold for every system
belong to `oracle_records`.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from ghl_payments.domain.keys import ghl_key, parse_key
from ghl_payments.domain.money import CURRENCY_EXPONENTS
from ghl_payments.sandbox.oracle_ghl import Document, Ledgers, Order, Transaction, instant, is_live, test_keys
from ghl_payments.sandbox.oracle_records import Account, HeldRecord, Spot, WantedRecord, judge_account
from ghl_payments.sandbox.oracle_recurring import Subscription, read_subscriptions
from ghl_payments.sandbox.oracle_rows import Row
from ghl_payments.sandbox.rankr_data import native_id

TYPE_OF_KIND = {"order": "order", "txn": "transaction", "sub": "subscription", "fulfillment": "fulfillment"}
CLASSES = {"amount": "amount", "currency": "currency", "status": "status", "content_hash": "other"}

Wanted = dict[Spot, WantedRecord]
Unrepresentable = dict[Spot, tuple[int | None, str | None]]


def judge(state: Document, books: Mapping[str, Ledgers], now: datetime, switches: Any) -> list[Row]:
    """Every diff that the first turn must report."""
    held: dict[str, dict[Spot, list[Document]]] = {location_id: defaultdict(list) for location_id in books}
    for row in state.get("records") or ():
        kind = (parse_key(str(row.get("externalId") or "")) or ("", ""))[0]
        if row.get("locationId") in books and kind in TYPE_OF_KIND:
            held[row["locationId"]][TYPE_OF_KIND[kind], row["externalId"]].append(row)
    rows: list[Row] = []
    for location_id, ledger in books.items():
        wanted, unrepresentable = wanted_of(ledger)
        account = Account(
            system="rankr",
            location_id=location_id,
            wanted=wanted,
            held={spot: [_held(doc, wanted.get(spot)) for doc in docs] for spot, docs in held[location_id].items()},
            classes=CLASSES,
            minor_fields=frozenset({"amount"}),
            unrepresentable=unrepresentable,
            unreadable=frozenset(_unreadable(ledger)),
            test_keys=test_keys(ledger) | frozenset(_other_test_keys(ledger)),
            orphans=frozenset(TYPE_OF_KIND.values()),
        )
        rows += judge_account(account, now)
    return rows


def wanted_of(books: Ledgers) -> tuple[Wanted, Unrepresentable]:
    """The records one location wants told, and those whose amount no event can state, as (minor, currency)."""
    wanted: Wanted = {}
    unrepresentable: Unrepresentable = {}
    for order in books.orders.values():
        if order.live and order.minor != 0:
            spot = "order", ghl_key("order", order.id)
            _want(wanted, unrepresentable, spot, order, _order_content(books, order), order.doc.get("status"))
    for txn in books.transactions.values():
        if txn.live and txn.charge:
            spot = "transaction", ghl_key("txn", txn.id)
            _want(wanted, unrepresentable, spot, txn, _transaction_content(txn), txn.status)
    for subscription in read_subscriptions(books).values():
        if subscription.live:
            spot = "subscription", ghl_key("sub", subscription.id)
            content = _subscription_content(subscription)
            _want(wanted, unrepresentable, spot, subscription, content, subscription.status)
    for order_id, docs in books.fulfillments.items():
        if order_id in books.orders and books.orders[order_id].live:
            for doc in docs:
                updated = instant(doc.get("updatedAt") or doc["createdAt"])
                fields = {"content_hash": content_hash(_parcel_content(order_id, doc))}
                wanted["fulfillment", ghl_key("fulfillment", doc["_id"])] = WantedRecord(None, None, updated, fields)
    return wanted, unrepresentable


def content_hash(parts: Sequence[str | None]) -> str:
    """What an event says of a record, as one text."""
    return "sha256:" + hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _want(
    wanted: Wanted, unrepresentable: Unrepresentable, spot: Spot, record: Order | Transaction | Subscription,
    content: Sequence[str | None], status: Any,
) -> None:  # fmt: skip
    if record.minor is None:
        unrepresentable[spot] = (None, record.currency)
        return
    fields = {
        "amount": record.minor,
        "currency": record.currency,
        "status": status,
        "content_hash": content_hash([str(record.minor), record.currency, status, *content]),
    }
    wanted[spot] = WantedRecord(record.minor, record.currency, record.updated, fields)


def _order_content(books: Ledgers, order: Order) -> list[str | None]:
    statuses = ",".join(sorted(books.subscription_statuses.get(order.id, ())))
    return [order.doc.get("paymentStatus"), order.doc.get("fulfillmentStatus"), statuses or None]


def _transaction_content(txn: Transaction) -> list[str | None]:
    return [
        None if txn.refunded is None else str(txn.refunded),
        txn.entity_id.strip() or None if txn.entity_type == "order" else None,
        txn.subscription_id.strip() or None,
        txn.reference.strip() or None if txn.reference != txn.id else None,
    ]


def _subscription_content(subscription: Subscription) -> list[str | None]:
    cancelled = subscription.cancelled
    return [
        subscription.plan[:200] if subscription.plan else None,
        subscription.interval_text,
        subscription.order_id,
        f"{cancelled:%Y-%m-%dT%H:%M:%S}.{cancelled.microsecond // 1000:03d}Z" if cancelled else None,
    ]


def _parcel_content(order_id: str, doc: Document) -> list[str | None]:
    names = ("shippingCarrier", "trackingNumber")
    told = (" ".join([t.get(names[0]) or "", t.get(names[1]) or ""]).strip() for t in doc.get("trackings") or ())
    items = doc.get("items") or []
    lines = [
        f'{{"price":{msgspec.json.encode((item.get("price") or {}).get("_id")).decode()},'
        f'"qty":{re.sub(r"[.]0+$", "", str(item["qty"]))}}}'
        for item in items
    ]
    units = sum(Decimal(str(item["qty"])) for item in items)
    text = f"{units:f}"
    plain = (text.rstrip("0").rstrip(".") if "." in text else text) if items else None
    return [order_id, "; ".join(text for text in told if text)[:1000] or None, plain, f"[{','.join(lines)}]"]


def _held(row: Document, want: WantedRecord | None) -> HeldRecord:
    code = str(row.get("currency") or "").upper()
    own = code if code in CURRENCY_EXPONENTS else None
    wanted = want.currency if want else None
    amount = row.get("amount")
    readable = amount is None or re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", str(amount)) is not None
    minor = _minor(amount, own or wanted) if readable else None
    fields = {
        "amount": _minor(amount, wanted or own) if readable else None,
        "currency": code or None,
        "status": row.get("status"),
        "content_hash": row.get("contentHash"),
    }
    return HeldRecord(native_id(row), minor, own, fields, readable=readable)


def _minor(amount: Any, currency: str | None) -> int | None:
    if currency is None or amount is None:
        return None
    return int(Decimal(str(amount)).scaleb(CURRENCY_EXPONENTS[currency]).quantize(Decimal(1), ROUND_HALF_UP))


def _unreadable(books: Ledgers) -> Iterator[Spot]:
    for doc_id, doc in books.unreadable_orders.items():
        if is_live(doc):
            yield "order", ghl_key("order", doc_id)
    for doc_id, doc in books.unreadable_transactions.items():
        if is_live(doc):
            yield "transaction", ghl_key("txn", doc_id)
    readable = read_subscriptions(books)
    for doc in books.source.get("subscriptions") or ():
        if doc.get("_id") and doc["_id"] not in readable and is_live(doc):
            yield "subscription", ghl_key("sub", doc["_id"])


def _other_test_keys(books: Ledgers) -> Iterator[str]:
    for doc in books.source.get("subscriptions") or ():
        if doc.get("_id") and not is_live(doc):
            yield ghl_key("sub", doc["_id"])
    for order_id, docs in books.fulfillments.items():
        if order_id in books.orders and not books.orders[order_id].live:
            yield from (ghl_key("fulfillment", doc["_id"]) for doc in docs)
