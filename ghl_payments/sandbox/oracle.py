"""The answer key: every diff that a correct first turn of the loop reports for a state document.

A rule of agreement changes here first and in `sql/` independently; what a planted defect is belongs to `world_*`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict

from ghl_payments.domain.keys import parse_key
from ghl_payments.sandbox.oracle_desired import Desired, Wanted, derive
from ghl_payments.sandbox.oracle_ghl import Document, Ledgers, is_live, read_location
from ghl_payments.sandbox.oracle_halo import Halo, Place
from ghl_payments.sandbox.oracle_invariants import broken

LAG = timedelta(seconds=300)
"""A source record changed less than this before the sandbox's clock is not judged yet."""

CLASSES = {
    "total": "amount",
    "amount_text": "amount",
    "amount": "amount",
    "currency": "currency",
    "currency_text": "currency",
    "status": "status",
    "subscription_status": "status",
    "ship_status": "status",
    "fulfillments": "quantity",
    "date": "date",
    "ship_date": "date",
    "invoice_date": "date",
    "client": "contact",
    "tracking": "other",
}
"""Compared field -> class of its `field_differs`."""

Row = TypedDict(
    "Row",
    {
        "location_id": str,
        "live": bool,
        "system": str,
        "record_type": str,
        "key": str,
        "kind": str,
        "class": str | None,
        "fields": list[str],
        "native_ids": list[str],
        "amount_minor": int | None,
        "currency": str | None,
    },
)
"""One diff; `currency` is null whenever `amount_minor` is."""


def judge(state: Mapping[str, Any], now: datetime) -> list[Row]:
    """All diffs of a state document at `now`, sorted by identity."""
    ledgers = {row["id"]: read_location(row) for row in (state.get("ghl") or {}).get("locations") or ()}
    halo = Halo(state.get("halo") or {}, ledgers)
    places: dict[str, list[Place]] = {location_id: [] for location_id in ledgers}
    for place in {*halo.places, *halo.gone}:
        if place[0] in places:
            places[place[0]].append(place)
    rows: list[Row] = []
    for location_id, books in ledgers.items():
        rows += _Judge(books, halo, now).rows(places[location_id])
    return sorted(rows, key=identity)


def identity(row: Row) -> tuple[str, bool, str, str, str, str, str]:
    """What makes two diffs the same diff."""
    return (
        row["location_id"],
        row["live"],
        row["system"],
        row["record_type"],
        row["key"],
        row["kind"],
        row["class"] or "",
    )


def make_row(
    location_id: str,
    record_type: str,
    key: str,
    kind: str,
    *,
    system: str = "halo",
    live: bool = True,
    class_: str | None = None,
    fields: Iterable[str] = (),
    native_ids: Iterable[object] = (),
    minor: int | None = None,
    currency: str | None = None,
) -> Row:
    """One row of the answer key; field names and native ids are sorted as text."""
    return {
        "location_id": location_id,
        "live": live,
        "system": system,
        "record_type": record_type,
        "key": key,
        "kind": kind,
        "class": class_,
        "fields": sorted(fields),
        "native_ids": sorted(map(str, native_ids)),
        "amount_minor": minor,
        "currency": currency if minor is not None else None,
    }


class _Judge:
    """One location's books against Halo."""

    def __init__(self, books: Ledgers, halo: Halo, now: datetime) -> None:
        self._books = books
        self._halo = halo
        self._now = now
        self._wanted: Wanted = derive(books)
        self._unrepresentable_invoices = {
            books.transactions[key.rpartition(":")[2]].invoice_key
            for record_type, key in self._wanted.unrepresentable
            if record_type == "invoice_payment"
        }
        self._test_keys = _test_keys(books)

    def rows(self, places: Iterable[Place]) -> Iterator[Row]:
        wanted, location_id = self._wanted, self._books.location_id
        for one in broken(self._books, self._settled):
            key = f"ghl:{'order' if one.record_type == 'order' else 'txn'}:{one.id}"
            yield make_row(
                location_id,
                one.record_type,
                key,
                one.kind,
                system="ghl",
                live=one.live,
                minor=one.minor,
                currency=one.currency,
            )
        for (record_type, key), (minor, currency) in wanted.unrepresentable.items():
            yield self._row(record_type, key, "not_representable", minor=minor, currency=currency)
        unreadable = self._unreadable()
        for record_type, key in {*wanted.records, *unreadable, *(place[1:] for place in places)}:
            yield from self._judge_key(record_type, key, (record_type, key) in unreadable)

    def _settled(self, updated: datetime) -> bool:
        return self._now - updated >= LAG

    def _row(self, record_type: str, key: str, kind: str, **rest: Any) -> Row:
        return make_row(self._books.location_id, record_type, key, kind, **rest)

    def _unreadable(self) -> set[tuple[str, str]]:
        orders = {
            ("sales_order", f"ghl:order:{doc_id}")
            for doc_id, doc in self._books.unreadable_orders.items()
            if is_live(doc)
        }
        payments = {
            ("invoice_payment", f"ghl:txn:{doc_id}")
            for doc_id, doc in self._books.unreadable_transactions.items()
            if is_live(doc)
        }
        return orders | payments

    def _judge_key(self, record_type: str, key: str, unreadable: bool) -> Iterator[Row]:
        docs = self._halo.places.get((self._books.location_id, record_type, key), [])
        want = self._wanted.records.get((record_type, key))
        ids = [doc["id"] for doc in docs]
        if unreadable or self._unverifiable(record_type, key, docs, want):
            yield self._row(record_type, key, "unverifiable", native_ids=ids)
        elif len(docs) > 1:
            first, *others = sorted(docs, key=lambda doc: int(doc["id"]))
            yield self._money_row(record_type, key, "duplicate_in_target", first, others, ids)
        elif docs and key in self._test_keys:
            yield self._money_row(record_type, key, "test_record_in_live", docs[0], docs, ids)
        elif want:
            yield from self._compare(want, docs[0]) if docs else [self._absent(want)]
        elif docs and self._is_orphan(record_type, key):
            yield self._money_row(record_type, key, "missing_in_source", docs[0], docs, ids)

    def _unverifiable(self, record_type: str, key: str, docs: Sequence[Document], want: Desired | None) -> bool:
        if any(not self._halo.readable(record_type, doc) for doc in docs):
            return True
        return bool(docs) and want is None and record_type == "invoice" and self._source_unreadable(key)

    def _source_unreadable(self, key: str) -> bool:
        kind, record_id = parse_key(key) or ("", "")
        if kind == "order":
            source = self._books.unreadable_orders.get(record_id)
        else:
            source = self._books.unreadable_transactions.get(record_id)
        of_entity = (
            doc
            for doc in self._books.unreadable_transactions.values()
            if doc.get("entityType") == kind and doc.get("entityId") == record_id
        )
        return any(is_live(doc) for doc in (source, *of_entity) if doc)

    def _is_orphan(self, record_type: str, key: str) -> bool:
        if record_type in ("client", "user") or (record_type, key) in self._wanted.unrepresentable:
            return False
        return record_type != "invoice" or key not in self._unrepresentable_invoices

    def _money_row(
        self, record_type: str, key: str, kind: str, first: Document, counted: Iterable[Document], ids: Iterable[object]
    ) -> Row:
        """A row about records as they stand in Halo: the sum of `counted` in the currency of `first`."""
        currency = self._halo.currency(record_type, first) or self._source_currency(key)
        minors = [self._halo.minor(record_type, doc, currency) for doc in counted] if currency else [None]
        known = [minor for minor in minors if minor is not None]
        minor = sum(known) if len(known) == len(minors) and record_type not in ("client", "user") else None
        return self._row(record_type, key, kind, native_ids=ids, minor=minor, currency=currency)

    def _source_currency(self, key: str) -> str | None:
        txn = self._books.transactions.get(key.rpartition(":")[2])
        return txn.currency if txn else None

    def _absent(self, want: Desired) -> Row:
        place = (self._books.location_id, want.record_type, want.key)
        if place in self._halo.gone:
            kind = "deleted_in_target"
        else:
            kind = "missing_in_target" if self._settled(want.updated) else "pending"
        return self._row(want.record_type, want.key, kind, minor=want.minor, currency=want.currency)

    def _compare(self, want: Desired, doc: Document) -> Iterator[Row]:
        actual = self._halo.fields(want.record_type, doc, want.currency or "")
        names = [name for name, value in want.fields.items() if not _agrees(name, value, actual[name])]
        if names and not self._settled(want.updated):
            yield self._row(
                want.record_type, want.key, "pending", native_ids=[doc["id"]], minor=want.minor, currency=want.currency
            )
            return
        for class_ in sorted({CLASSES[name] for name in names}):
            fields = [name for name in names if CLASSES[name] == class_]
            yield self._row(
                want.record_type,
                want.key,
                "field_differs",
                class_=class_,
                fields=fields,
                native_ids=[doc["id"]],
                minor=self._stake(want, doc, class_, fields),
                currency=want.currency,
            )

    def _stake(self, want: Desired, doc: Document, class_: str, fields: Sequence[str]) -> int | None:
        if class_ == "currency":
            return want.minor
        if class_ != "amount":
            return None
        if not {"total", "amount"} & set(fields):
            return 0
        same = want.record_type == "invoice_payment" or self._halo.currency(want.record_type, doc) == want.currency
        actual = self._halo.minor(want.record_type, doc, want.currency or "")
        return abs((want.minor or 0) - (actual or 0)) if same else want.minor


def _test_keys(books: Ledgers) -> set[str]:
    """Keys of orders and transactions in test mode, readable or not."""
    orders = [order.id for order in books.orders.values() if not order.live]
    orders += [doc_id for doc_id, doc in books.unreadable_orders.items() if not is_live(doc)]
    transactions = [txn.id for txn in books.transactions.values() if not txn.live]
    transactions += [doc_id for doc_id, doc in books.unreadable_transactions.items() if not is_live(doc)]
    return {f"ghl:order:{doc_id}" for doc_id in orders} | {f"ghl:txn:{doc_id}" for doc_id in transactions}


def _agrees(name: str, desired: Any, actual: Any) -> bool:
    if name == "client":
        return desired in actual
    if isinstance(desired, datetime):
        return bool(actual == desired.replace(microsecond=0))
    if isinstance(desired, int):
        return bool(actual == desired)
    return (desired or None) == (actual or None)
