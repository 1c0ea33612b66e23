"""What cash collected at the door asks of GHL, and where GHL's payments disagree: a part of the answer key.

Another system's collections are read here; deliveries belong to `oracle_deliveries`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from ghl_payments.domain.money import MoneyError, major_decimal
from ghl_payments.sandbox.ghl_write import new_id
from ghl_payments.sandbox.oracle_ghl import (
    CHARGED,
    Document,
    Ledgers,
    Order,
    exact_minor,
    instant,
    is_live,
    read_location,
)
from ghl_payments.sandbox.oracle_parcels import DELIVERED, PARTLY, ZONE
from ghl_payments.sandbox.oracle_rows import LAG, Row, make_row
from ghl_payments.sandbox.oracle_trackpod import orders_of

TAKEN_FOR = timedelta(days=1)
"""So much older than its collection may a payment be that carries no mark of ours."""

_LATE = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Collection:
    """Cash that a driver took for an order; without a currency it is in that of the order."""

    key: str
    order_id: str
    amount: str
    currency: str | None
    at: datetime | None


def judge_collections(trackpod_state: Mapping[str, Any], books: Mapping[str, Ledgers], now: datetime) -> list[Row]:
    """All diffs about payments that collections ask for; the same whether they may be recorded or not."""
    found = collected(trackpod_state, books)
    return [row for location_id, ledger in books.items() for row in _judge(ledger, found.get(location_id, []), now)]


def with_cash_given(state: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The state once GHL was given all cash that it lacks; nobody waits for what we changed ourselves."""
    locations = (state.get("ghl") or {}).get("locations") or []
    books = {row["id"]: read_location(row) for row in locations}
    trackpod_state = state.get("trackpod") or {}
    lacking = {
        row["key"] for row in judge_collections(trackpod_state, books, now) if row["kind"] == "missing_in_target"
    }
    found = collected(trackpod_state, books)
    at = (now - LAG).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    given = []
    for row in locations:
        new = [collection for collection in found[row["id"]] if collection.key in lacking]
        given.append(_given(row, books[row["id"]], new, at))
    return {**state, "ghl": {**(state.get("ghl") or {}), "locations": given}}


def collected(trackpod_state: Mapping[str, Any], books: Mapping[str, Ledgers]) -> dict[str, list[Collection]]:
    """Collections by location, the earliest first."""
    found: dict[str, list[Collection]] = {location_id: [] for location_id in books}
    for location_id, orders in orders_of(dict(trackpod_state), books).items():
        for key, docs in orders.items():
            found[location_id] += [
                Collection(f"trackpod:order:{doc['TrackId']}", key.rpartition(":")[2], str(doc["CODActual"]), None,
                           _local(doc.get("StatusDate")))
                for doc in docs
                if doc.get("StatusId") in (DELIVERED, PARTLY) and _is_told(doc.get("CODActual"))
            ]  # fmt: skip
        found[location_id].sort(key=lambda collection: (collection.at or _LATE, collection.key))
    return found


def _judge(books: Ledgers, collections: Sequence[Collection], now: datetime) -> Iterator[Row]:
    recorded = _recorded(books, collections)
    asked: dict[str, int] = {}
    for collection in collections:
        order = books.orders.get(collection.order_id)
        docs = recorded.get(collection.key)
        currency = collection.currency or (order.currency if order else docs[0]["currency"] if docs else None)
        minor = _minor(collection.amount, currency)
        settled = now - (collection.at or (order.updated if order else now)) >= LAG
        if docs:
            yield from _compare(books, collection, docs, minor, currency, settled=settled)
            continue
        due = _due(books, order, currency) if order else None
        can = minor is not None and minor > 0 and due is not None and minor <= due
        if can and minor is not None:
            asked[collection.order_id] = asked.get(collection.order_id, 0) + minor
            can = due is not None and asked[collection.order_id] <= due
        kind = "not_representable" if not can else "missing_in_target" if settled else "pending"
        yield _row(books, collection, kind, minor=minor, currency=currency)


def _compare(
    books: Ledgers, collection: Collection, docs: Sequence[Document], minor: int | None, currency: str | None,
    *, settled: bool,
) -> Iterator[Row]:  # fmt: skip
    ids = [f"{collection.order_id}/{doc['_id']}" for doc in docs]
    held = [_minor(str(doc.get("amount")), doc.get("currency")) for doc in docs]
    first = docs[0]
    if any(amount is None for amount in held):
        yield _row(books, collection, "unverifiable", native_ids=ids)
    elif len(docs) > 1:
        minor = sum(amount or 0 for amount in held[1:])
        yield _row(books, collection, "duplicate_in_target", native_ids=ids, minor=minor, currency=first["currency"])
    else:
        off = {name for name, differs in (("amount", held[0] != minor), ("currency", first["currency"] != currency))
               if differs}  # fmt: skip
        if off and not settled:
            yield _row(books, collection, "pending", native_ids=ids, minor=minor, currency=currency)
            return
        for name in sorted(off):
            stake = minor if "currency" in off else abs((held[0] or 0) - (minor or 0))
            yield _row(books, collection, "field_differs", class_=name, fields=[name], native_ids=ids, minor=stake,
                       currency=currency)  # fmt: skip


def _recorded(books: Ledgers, collections: Sequence[Collection]) -> dict[str, list[Document]]:
    """Payments in GHL by collection: those with our mark, else one of just that amount for each collection."""
    paid: dict[str, list[Document]] = {}
    for doc in books.source.get("transactions") or ():
        if doc.get("entityType") == "order" and doc.get("status") in CHARGED and is_live(doc) and doc.get("_id"):
            paid.setdefault(str(doc.get("entityId")), []).append(doc)
    for docs in paid.values():
        docs.sort(key=lambda doc: (str(doc.get("createdAt")), str(doc["_id"])))
    marked = {
        collection.key: docs
        for collection in collections
        if (
            docs := [
                doc for doc in paid.get(collection.order_id, ()) if f"[ghl_payments {collection.key}]" in _notes(doc)
            ]
        )
    }
    waiting: dict[tuple[str, Decimal | None], list[Collection]] = {}
    for collection in collections:
        if collection.key not in marked:
            waiting.setdefault((collection.order_id, _number(collection.amount)), []).append(collection)
    taken: dict[str, list[Document]] = {}
    for (order_id, amount), group in waiting.items():
        since = min((collection.at for collection in group if collection.at), default=None)
        docs = [
            doc
            for doc in paid.get(order_id, ())
            if _is_free_cash(doc) and _number(doc.get("amount")) == amount and _is_young(doc, since)
        ]
        for collection, doc in zip(group, docs, strict=False):
            if collection.currency in (None, doc.get("currency")) and _is_young(doc, collection.at):
                taken[collection.key] = [doc]
    return marked | taken


def _is_young(doc: Document, at: datetime | None) -> bool:
    return at is None or instant(doc.get("createdAt")) >= at - TAKEN_FOR


def _is_free_cash(doc: Document) -> bool:
    """Cash, as far as is shown, that carries no mark of ours."""
    if doc.get("status") != "succeeded" or "[ghl_payments " in _notes(doc):
        return False
    mode = (doc.get("chargeSnapshot") or {}).get("mode") or (doc.get("paymentMethod") or {}).get("mode")
    if mode:
        return str(mode).lower() == "cash"
    return not (doc.get("paymentProvider") or {}).get("type") and not doc.get("chargeId")


def _due(books: Ledgers, order: Order, currency: str | None) -> int | None:
    """What an order lacks in minor units, None where it must not be given any cash."""
    unread = {str(doc.get("entityId")) for doc in books.unreadable_transactions.values()}
    charges = [
        txn
        for txn in books.transactions.values()
        if txn.live and txn.entity_type == "order" and txn.entity_id == order.id and txn.charge and not txn.renewal
    ]
    is_dead = str(order.doc.get("status") or "").lower() in ("canceled", "cancelled")
    if not order.live or order.minor is None or is_dead or order.id in unread or currency != order.currency:
        return None
    if order.payment_status in ("paid", "refunded") or any(txn.currency != order.currency for txn in charges):
        return None
    if any(txn.minor is None or txn.refunded != 0 for txn in charges):
        return None
    return order.minor - sum(txn.minor or 0 for txn in charges)


def _given(location: Document, books: Ledgers, new: Sequence[Collection], at: str) -> Document:
    """The location with this cash recorded."""
    orders = {doc["_id"]: doc for doc in location["orders"]}
    transactions = list(location.get("transactions") or ())
    for collection in new:
        order, facts = orders[collection.order_id], books.orders[collection.order_id]
        minor = _minor(collection.amount, facts.currency) or 0
        before = [doc for doc in transactions if doc.get("entityId") == collection.order_id]
        paid = sum(
            _minor(str(doc.get("amount")), facts.currency) or 0 for doc in before if doc.get("status") in CHARGED
        )
        is_whole = paid + minor >= (facts.minor or 0)
        status = {"paymentStatus": "paid", "status": "completed"} if is_whole else {"paymentStatus": "partially_paid"}
        orders[collection.order_id] = order | status | {"updatedAt": at}
        names = ("contactId", "contactSnapshot", "currency", "liveMode", "markAsTest")
        transactions.append({name: order[name] for name in names if name in order} | {
            "_id": new_id(location["id"], "payment", collection.order_id, len(before)),
            "amount": major_decimal(minor, facts.currency), "amountRefunded": 0, "status": "succeeded",
            "entityType": "order", "entityId": collection.order_id, "entitySource": order.get("source", {}),
            "chargeSnapshot": {"mode": "cash", "notes": f"[ghl_payments {collection.key}]"},
            "createdAt": at, "updatedAt": at,
        })  # fmt: skip
    return {**location, "orders": list(orders.values()), "transactions": transactions} if new else location


def _row(books: Ledgers, collection: Collection, kind: str, **rest: Any) -> Row:
    return make_row(books.location_id, "order_payment", collection.key, kind, system="ghl", **rest)


def _notes(doc: Document) -> str:
    parts = (
        doc.get("notes"),
        (doc.get("chargeSnapshot") or {}).get("notes"),
        (doc.get("meta") or {}).get("ghl_payments"),
    )
    return " ".join(str(part) for part in parts if part)


def _minor(amount: str, currency: str | None) -> int | None:
    try:
        return exact_minor(amount, currency or "")
    except MoneyError:
        return None


def _number(value: object) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _is_told(value: object) -> bool:
    """Whether a driver says that there was cash, be it unreadable."""
    number = _number(value)
    return bool(str(value or "").strip()) and (number is None or not number.is_finite() or number > 0)


def _local(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=ZONE)).astimezone(UTC)
