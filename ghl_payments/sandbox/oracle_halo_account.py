"""Halo's side of the answer key: what one location wants there, what Halo holds of it, judged by the common rules.

Add a compared field's class here; reading Halo belongs to `oracle_halo`, what is wanted to `oracle_desired`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ghl_payments.domain.keys import parse_key
from ghl_payments.sandbox.oracle_desired import Desired, derive
from ghl_payments.sandbox.oracle_ghl import Document, Ledgers, is_live, test_keys, unreadable_keys
from ghl_payments.sandbox.oracle_halo import Halo
from ghl_payments.sandbox.oracle_records import Account, HeldRecord, Spot, WantedRecord, judge_account
from ghl_payments.sandbox.oracle_rows import Row

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

_WITHOUT_MONEY = ("client", "user")
_ORPHANS = frozenset({"sales_order", "invoice", "invoice_payment"})


def judge_halo(state: Mapping[str, Any], books: Mapping[str, Ledgers], now: datetime) -> Iterator[Row]:
    """Every diff between the locations' books and the `halo` part of a state."""
    halo = Halo(state, books)
    held: dict[str, dict[Spot, list[Document]]] = {location_id: {} for location_id in books}
    gone: dict[str, set[Spot]] = {location_id: set() for location_id in books}
    for (location_id, *spot), docs in halo.places.items():
        if location_id in held:
            held[location_id][spot[0], spot[1]] = docs
    for location_id, record_type, key in halo.gone:
        if location_id in gone:
            gone[location_id].add((record_type, key))
    for location_id, ledgers in books.items():
        yield from judge_account(_account(halo, ledgers, held[location_id], gone[location_id]), now)


def _account(halo: Halo, books: Ledgers, held: Mapping[Spot, Sequence[Document]], gone: set[Spot]) -> Account:
    wanted = derive(books)
    unreadable = unreadable_keys(books)
    # An invoice stands for several transactions: with one of them unreadable, nobody knows whether it is wanted.
    doubtful = {
        spot
        for spot in held
        if spot[0] == "invoice" and spot not in wanted.records and _names_unreadable(books, spot[1])
    }
    return Account(
        system="halo",
        location_id=books.location_id,
        wanted={spot: _wanted(desired) for spot, desired in wanted.records.items()},
        held={
            spot: [_held(halo, books, spot, doc, wanted.records.get(spot)) for doc in docs]
            for spot, docs in held.items()
        },
        classes=CLASSES,
        minor_fields=frozenset({"total", "amount"}),
        unrepresentable=wanted.unrepresentable,
        gone=frozenset(gone),
        unreadable=frozenset(
            {("sales_order", key) for key in unreadable["order"]}
            | {("invoice_payment", key) for key in unreadable["txn"]}
            | doubtful
        ),
        test_keys=test_keys(books),
        orphans=_ORPHANS,
        spared=frozenset(
            ("invoice", books.transactions[key.rpartition(":")[2]].invoice_key)
            for record_type, key in wanted.unrepresentable
            if record_type == "invoice_payment"
        ),
    )


def _names_unreadable(books: Ledgers, key: str) -> bool:
    """Whether a live row that cannot be read is the key's own, or is paid for by it."""
    kind, record_id = parse_key(key) or ("", "")
    sources = books.unreadable_orders if kind == "order" else books.unreadable_transactions
    of_entity = (
        doc
        for doc in books.unreadable_transactions.values()
        if doc.get("entityType") == kind and doc.get("entityId") == record_id
    )
    return any(is_live(doc) for doc in (sources.get(record_id), *of_entity) if doc)


def _wanted(desired: Desired) -> WantedRecord:
    fields = {
        name: value.replace(microsecond=0) if isinstance(value, datetime) else value
        for name, value in desired.fields.items()
    }
    return WantedRecord(desired.minor, desired.currency, desired.updated, fields)


def _held(halo: Halo, books: Ledgers, spot: Spot, doc: Document, want: Desired | None) -> HeldRecord:
    record_type, key = spot
    currency = halo.currency(record_type, doc) or _source_currency(books, key)
    # An amount in no known currency is counted with the decimals of the one it should be in.
    counted_in = currency or (want.currency if want else None)
    fields = halo.fields(record_type, doc, want.currency or "") if want else {}
    if want and "client" in fields:
        # A client may carry the keys of several contacts; any of them will do.
        fields["client"] = want.contact_key if want.contact_key in fields["client"] else None
    return HeldRecord(
        native_id=str(doc["id"]),
        minor=halo.minor(record_type, doc, counted_in) if counted_in and record_type not in _WITHOUT_MONEY else None,
        currency=currency,
        fields=fields,
        readable=halo.readable(record_type, doc),
    )


def _source_currency(books: Ledgers, key: str) -> str | None:
    txn = books.transactions.get(key.rpartition(":")[2])
    return txn.currency if txn else None
