"""Act!'s side of the answer key: which records a location asks for, what a state holds of them, and the diffs between.

Add a compared field here together with its class; the rules of agreement themselves belong to `oracle_records`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ghl_payments.domain.keys import ghl_key
from ghl_payments.domain.money import CURRENCY_EXPONENTS
from ghl_payments.sandbox.act_state import Held, read_state
from ghl_payments.sandbox.oracle import Row
from ghl_payments.sandbox.oracle_desired import contact_of, derive
from ghl_payments.sandbox.oracle_ghl import Document, Ledgers, Order, Transaction, exact_minor, instant, is_live
from ghl_payments.sandbox.oracle_records import Account, HeldRecord, Spot, WantedRecord, judge_account
from ghl_payments.sandbox.oracle_recurring import read_subscriptions
from ghl_payments.sandbox.oracle_rollups import SubscriptionRecord, subscriptions

CLOSE_ENOUGH = timedelta(hours=12)
"""Act! may keep days only, in a time zone of its own."""

CLASSES = {
    **dict.fromkeys(("total", "amount", "ghl_amount", "refunded"), "amount"),
    **dict.fromkeys(("currency", "ghl_currency"), "currency"),
    **dict.fromkeys(
        ("status", "state", "ghl_status", "ghl_payment_status", "ghl_subscription_status", "ghl_fulfillment_status"),
        "status",
    ),
    "ghl_fulfillments": "quantity",
    **dict.fromkeys(
        ("open_date", "close_date", "ghl_shipped_at", "paid_at", "starts_at", "ends_at", "cancelled_at",
         "next_billing_at"),
        "date",
    ),
    "contact": "contact",
    **dict.fromkeys(("ghl_tracking", "reference", "plan", "billing_interval"), "other"),
}  # fmt: skip
"""Compared field -> class of its `field_differs`."""

MINOR_FIELDS = frozenset({"total", "amount", "ghl_amount", "refunded"})
OVER = frozenset({"canceled", "cancelled", "failed"})
WON = frozenset({"completed", "paid", "refunded"})
ENDED = frozenset({"canceled", "cancelled", "expired"})


@dataclass(slots=True)
class Asked:
    """What one location asks of Act!, and what Act! has no form for."""

    records: dict[Spot, WantedRecord]
    unrepresentable: dict[Spot, tuple[int | None, str | None]]
    contacts: dict[Spot, str]
    """The contact's key of every record that belongs to one."""


def judge(state: Document, books: Mapping[str, Ledgers], now: datetime, switches: Any) -> list[Row]:
    """Every diff that a first turn reports about Act!."""
    only = next(iter(books)) if len(books) == 1 else None
    aliases = {location: ledgers.canonical for location, ledgers in books.items()}
    held = read_state(state, tables=switches.act_custom_tables, only_location=only, canonical=aliases)
    currency = (state.get("currency") or "USD") if switches.act_currency_settings else None
    rows: list[Row] = []
    for location, ledgers in books.items():
        asked = ask(ledgers, now, tables=switches.act_custom_tables, currency=currency)
        mine: dict[Spot, list[Held]] = {}
        for record in held:
            if record.location_id == location:
                mine.setdefault((record.record_type, record.key), []).append(record)
        shown = {spot: [_shown(one, asked, currency) for one in ones] for spot, ones in mine.items()}
        account = Account(
            "act", location, asked.records, shown, CLASSES, MINOR_FIELDS, asked.unrepresentable,
            unreadable=frozenset(_unreadable(ledgers)), test_keys=frozenset(_test_keys(ledgers)),
            orphans=frozenset({"opportunity", "payment", "subscription"}),
        )  # fmt: skip
        rows += judge_account(account, now)
    return rows


def ask(books: Ledgers, now: datetime, *, tables: bool, currency: str | None) -> Asked:
    """Desired records of one location; `currency` is the database's own, in which alone products can be."""
    asked = Asked({}, {}, {})
    wanted = derive(books)
    for (record_type, key), desired in wanted.records.items():
        if record_type == "client":
            asked.records["contact", key] = WantedRecord(None, None, desired.updated)
        elif record_type == "sales_order":
            fields = {**_order_fields(books, desired.parts, desired.fields, currency), "contact": desired.contact_key}
            asked.records["opportunity", key] = WantedRecord(desired.minor, desired.currency, desired.updated, fields)
            asked.contacts["opportunity", key] = desired.contact_key
    for (record_type, key), stake in wanted.unrepresentable.items():
        if record_type == "sales_order":
            asked.unrepresentable["opportunity", key] = stake
    for txn in books.transactions.values():
        if txn.live and txn.charge:
            _ask_payment(asked, books, txn)
    for record in subscriptions(books, now).values():
        _ask_subscription(asked, record, tables=tables)
    return asked


def _order_fields(books: Ledgers, order: Order, fields: Mapping[str, Any], currency: str | None) -> dict[str, Any]:
    status = str(order.doc.get("status") or "").lower()
    over, won = status in OVER, status in WON or order.payment_status.lower() in ("paid", "refunded")
    charges = [
        txn.created
        for txn in books.transactions.values()
        if txn.live and txn.charge and txn.invoice_key == ghl_key("order", order.id)
    ]
    return {
        "total": order.minor if order.currency == currency else None,
        "ghl_amount": order.minor,
        "ghl_currency": order.currency,
        "status": "2" if over else "1" if won else "0",
        "ghl_status": fields["status"],
        "ghl_payment_status": order.payment_status,
        "ghl_subscription_status": fields["subscription_status"].lstrip(","),  # one without a status says nothing
        "ghl_fulfillment_status": fields["ship_status"],
        "ghl_fulfillments": fields["fulfillments"],
        "open_date": _day(order.created),
        "close_date": _day(min(charges, default=order.created)) if over or won else None,
        "ghl_shipped_at": fields["ship_date"],
        "ghl_tracking": fields["tracking"],
    }


def _ask_payment(asked: Asked, books: Ledgers, txn: Transaction) -> None:
    spot = ("payment", ghl_key("txn", txn.id))
    contact = contact_of(books, txn)
    if txn.minor is None or contact is None or txn.refunded is None:
        asked.unrepresentable[spot] = (txn.minor, txn.currency)
        return
    asked.contacts[spot] = ghl_key("contact", contact)
    fields = {
        "amount": txn.minor, "refunded": txn.refunded, "currency": txn.currency, "status": txn.status,
        "paid_at": txn.created, "contact": asked.contacts[spot], "reference": txn.reference,
    }  # fmt: skip
    asked.records[spot] = WantedRecord(txn.minor, txn.currency, txn.updated, fields)


def _ask_subscription(asked: Asked, record: SubscriptionRecord, *, tables: bool) -> None:
    spot = ("subscription", record.key)
    if record.reason is not None:
        asked.unrepresentable[spot] = (record.amount_minor, record.currency)
        return
    asked.contacts[spot] = str(record.contact_key)
    fields = {
        "state": None if tables else "3" if record.status.lower() in ENDED else "0", "amount": record.amount_minor,
        "currency": record.currency, "status": record.status, "plan": record.plan,
        "billing_interval": record.interval_text, "starts_at": record.starts_at, "ends_at": record.ends_at,
        "cancelled_at": record.cancelled_at, "next_billing_at": record.next_billing_at,
        "contact": record.contact_key,
    }  # fmt: skip
    asked.records[spot] = WantedRecord(record.amount_minor, record.currency, record.updated_at, fields)


def _shown(record: Held, asked: Asked, database_currency: str | None) -> HeldRecord:
    """A held record as it compares with what is wanted of it."""
    want = asked.records.get((record.record_type, record.key))
    wanted = want.fields if want else {}
    currency = (want.currency if want else None) or record.currency
    fields = dict(record.fields)
    for name, value in wanted.items():
        if isinstance(value, datetime) or (value is None and CLASSES[name] == "date"):
            fields[name] = _near(fields.get(name), value)
        elif name == "contact":
            keys = sorted(record.contact_keys)
            fields[name] = value if value in keys else keys[0] if keys else None
        elif name in ("amount", "refunded"):
            fields[name] = _rounded(fields.get(name) or ("0" if name == "refunded" else None), currency)
    if record.record_type == "opportunity":
        fields["ghl_amount"] = _exact(record.fields.get("ghl_amount"), currency)
        ours = currency is not None and currency == database_currency
        fields["total"] = _rounded(record.total, currency) if ours else None
    return HeldRecord(
        record.native_id, _own_minor(record, currency, database_currency), record.currency, fields, record.readable
    )


def _own_minor(record: Held, wanted_currency: str | None, database_currency: str | None) -> int | None:
    """The amount as it stands in Act!, in its own currency."""
    own = record.currency if record.currency in CURRENCY_EXPONENTS else wanted_currency
    if record.record_type == "opportunity":
        exact = _exact(record.fields.get("ghl_amount"), own)
        if exact is None and record.currency == database_currency:
            return _rounded(record.total, own)
        return exact
    return _rounded(record.fields.get("amount"), own) if record.record_type != "contact" else None


def _near(held: object, wanted: datetime | None) -> datetime | None:
    try:
        at = instant(held)
    except ValueError:
        return None
    return wanted if wanted is not None and abs(at - wanted) <= CLOSE_ENOUGH else at


def _day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _exact(text: object, currency: str | None) -> int | None:
    try:
        return exact_minor(text, currency or "")
    except ValueError:
        return None


def _rounded(value: object, currency: str | None) -> int | None:
    """Minor units, half away from zero; None for what is no number."""
    if currency not in CURRENCY_EXPONENTS:
        return None
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return int(number.scaleb(CURRENCY_EXPONENTS[str(currency)]).quantize(Decimal(1), ROUND_HALF_UP))


def _unreadable(books: Ledgers) -> Iterator[Spot]:
    for record_type, kind, docs in (
        ("opportunity", "order", books.unreadable_orders), ("payment", "txn", books.unreadable_transactions),
    ):  # fmt: skip
        yield from ((record_type, f"ghl:{kind}:{doc_id}") for doc_id, doc in docs.items() if is_live(doc))
    readable = read_subscriptions(books)
    for doc in books.source.get("subscriptions") or ():
        if doc.get("_id") and doc["_id"] not in readable and is_live(doc):
            yield "subscription", f"ghl:sub:{doc['_id']}"


def _test_keys(books: Ledgers) -> Iterator[str]:
    yield from (ghl_key("order", order.id) for order in books.orders.values() if not order.live)
    yield from (ghl_key("txn", txn.id) for txn in books.transactions.values() if not txn.live)
    yield from (f"ghl:order:{doc_id}" for doc_id, doc in books.unreadable_orders.items() if not is_live(doc))
    yield from (f"ghl:txn:{doc_id}" for doc_id, doc in books.unreadable_transactions.items() if not is_live(doc))
    docs: Iterable[Document] = books.source.get("subscriptions") or ()
    yield from (f"ghl:sub:{doc['_id']}" for doc in docs if doc.get("_id") and not is_live(doc))
