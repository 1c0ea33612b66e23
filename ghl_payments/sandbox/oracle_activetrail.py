"""The answer key's own view of ActiveTrail: what one location wants of it, what stands in it, and what follows.

Add a compared field here together with the connector's mapping, but out of the rule itself; rules of agreement that
hold for every system belong to `oracle_records`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from ghl_payments.domain.keys import ghl_key
from ghl_payments.domain.money import CURRENCY_EXPONENTS, major_text
from ghl_payments.sandbox.activetrail_contacts import is_number
from ghl_payments.sandbox.oracle_desired import Desired, contact_of, derive
from ghl_payments.sandbox.oracle_ghl import Document, Ledgers, Transaction, is_live
from ghl_payments.sandbox.oracle_records import Account, HeldRecord, Spot, WantedRecord, judge_account
from ghl_payments.sandbox.oracle_recurring import read_subscriptions
from ghl_payments.sandbox.oracle_rollups import RollupRecord, rollups
from ghl_payments.sandbox.oracle_rows import Row

GROUP = "GHL payments"
ZONE = ZoneInfo("Asia/Jerusalem")
"""What the connector's options say unless a person chooses otherwise."""

SLOTS = {
    "last_order_id": "ext23",
    "billing_status": "ext22",
    "currency": "ext21",
    "lifetime_text": "ext20",
    "amount_due_text": "ext19",
    "order_count": "num5",
    "lifetime": "num4",
    "amount_due": "num3",
    "last_order_date": "date5",
    "next_billing_date": "date4",
    "first_order_date": "date3",
}
KEY_SLOT, LOCATION_SLOT = "ext25", "ext24"

ORDER_PLACES = {
    "contact_id": "externalId",
    "status": "ext1",
    "currency": "ext2",
    "payment_status": "ext3",
    "fulfillment_status": "ext4",
    "tracking": "ext5",
    "subscription_ids": "ext7",
    "subscription_status": "ext8",
    "paid": "num1",
    "refunded": "num2",
    "purchase_date": "purchaseDate",
}
CLASSES = {
    "lifetime": "amount",
    "lifetime_text": "amount",
    "amount_due": "amount",
    "amount_due_text": "amount",
    "total": "amount",
    "paid": "amount",
    "refunded": "amount",
    "currency": "currency",
    "billing_status": "status",
    "status": "status",
    "payment_status": "status",
    "fulfillment_status": "status",
    "subscription_status": "status",
    "order_count": "quantity",
    "last_order_date": "date",
    "next_billing_date": "date",
    "first_order_date": "date",
    "purchase_date": "date",
    "contact_id": "contact",
    "last_order_id": "other",
    "tracking": "other",
    "subscription_ids": "other",
}
MINOR_FIELDS = frozenset({"lifetime", "amount_due", "total", "paid", "refunded"})
MAX_NUMBER, MAX_TEXT = 2**31 - 1, 100


def judge(state: Document, books: Mapping[str, Ledgers], now: datetime, switches: Any) -> list[Row]:
    """Every diff of ActiveTrail that the first turn must report."""
    commerce = switches.activetrail_commerce == "available"
    held, gone = read_held(state, books, commerce=commerce)
    rows: list[Row] = []
    for location_id, ledger in books.items():
        wanted, unrepresentable = wanted_of(ledger, now, commerce=commerce)
        account = Account(
            system="activetrail",
            location_id=location_id,
            wanted=wanted,
            held={spot: _rounded(records, wanted.get(spot)) for spot, records in held[location_id].items()},
            classes=CLASSES,
            minor_fields=MINOR_FIELDS,
            unrepresentable=unrepresentable,
            gone=frozenset(gone[location_id]),
            unreadable=frozenset(
                ("commerce_order", ghl_key("order", doc_id))
                for doc_id, doc in ledger.unreadable_orders.items()
                if is_live(doc)
            ),
            test_keys=frozenset(ghl_key("order", order.id) for order in ledger.orders.values() if not order.live)
            | {ghl_key("order", doc_id) for doc_id, doc in ledger.unreadable_orders.items() if not is_live(doc)},
            orphans=frozenset({"commerce_order"}),
        )
        rows += judge_account(account, now)
    return rows


def wanted_of(
    books: Ledgers, now: datetime, *, commerce: bool = True
) -> tuple[dict[Spot, WantedRecord], dict[Spot, tuple[int | None, str | None]]]:
    """The records one location asks for, and the rows for which this account has no form, as (minor, currency)."""
    wanted: dict[Spot, WantedRecord] = {}
    unrepresentable: dict[Spot, tuple[int | None, str | None]] = {}
    for key, rollup in rollups(books, now).items():
        if rollup.email or rollup.phone:
            currency = None if rollup.currency == "mixed" else rollup.currency
            wanted["contact", key] = WantedRecord(None, currency, rollup.updated_at, contact_fields(rollup))
        else:
            unrepresentable["contact", key] = (None, None)
    derived, charges = derive(books), _charges(books)
    subscribed = _subscribed(books)
    for (record_type, key), desired in derived.records.items():
        if record_type != "sales_order":
            continue
        if commerce:
            fields = order_fields(desired, charges.get(key, ()), subscribed.get(desired.parts.id))
            wanted["commerce_order", key] = WantedRecord(desired.minor, desired.currency, desired.updated, fields)
        else:
            unrepresentable["commerce_order", key] = (desired.minor, desired.currency)
    for (record_type, key), money in derived.unrepresentable.items():
        if record_type == "sales_order":
            unrepresentable["commerce_order", key] = money
    return wanted, unrepresentable


def contact_fields(rollup: RollupRecord) -> dict[str, Any]:
    """The compared fields of a contact as its slots hold them."""
    due = rollup.amount_due_minor
    return {
        "last_order_id": rollup.last_order_id,
        "billing_status": rollup.billing_status,
        "currency": rollup.currency,
        "lifetime_text": rollup.lifetime_text,
        "amount_due_text": None if due is None else major_text(due, rollup.currency),
        "order_count": rollup.order_count,
        "lifetime": _fitting(rollup.lifetime_minor),
        "amount_due": _fitting(due),
        "last_order_date": _day(rollup.last_order_at),
        "next_billing_date": _day(rollup.next_billing_at),
        "first_order_date": _day(rollup.first_order_at),
    }


def order_fields(desired: Desired, charges: list[Transaction] | tuple[()], subscriptions: str | None) -> dict[str, Any]:
    """The compared fields of a commerce order; `charges` are those that pay it."""
    order = desired.parts
    own = [txn for txn in charges if txn.currency == order.currency]
    refunds = [txn.refunded for txn in own]
    known = [refund for refund in refunds if refund is not None]
    return {
        "total": order.minor,
        "contact_id": order.contact,
        "status": _cut(order.doc.get("status")),
        "currency": order.currency,
        "payment_status": _cut(order.doc.get("paymentStatus")),
        "fulfillment_status": _cut(order.doc.get("fulfillmentStatus")),
        "tracking": _cut(desired.fields["tracking"]),
        "subscription_ids": _cut(subscriptions),
        "subscription_status": _cut(desired.fields["subscription_status"]),
        "paid": _fitting(sum(txn.minor or 0 for txn in own)),
        "refunded": _fitting(sum(known)) if len(known) == len(refunds) else None,
        "purchase_date": _day(order.created),
    }


def read_held(
    state: Document, books: Mapping[str, Ledgers], *, commerce: bool
) -> tuple[dict[str, dict[Spot, list[HeldRecord]]], dict[str, set[Spot]]]:
    """Our records by location as a first reading finds them, and contacts in the bin.

    Only contacts of our group are looked at, and only orders whose id GHL lists somewhere.
    """
    held: dict[str, dict[Spot, list[HeldRecord]]] = {location_id: defaultdict(list) for location_id in books}
    gone: dict[str, set[Spot]] = {location_id: set() for location_id in books}
    for doc in _members(state):
        location, key = doc.get(LOCATION_SLOT) or "", doc.get(KEY_SLOT) or ""
        if location in books and key.startswith("ghl:contact:"):
            spot = ("contact", ghl_key("contact", str(books[location].canonical(key.rpartition(":")[2]))))
            if doc.get("is_deleted"):
                gone[location].add(spot)
            else:
                held[location][spot].append(HeldRecord(str(doc["id"]), None, None, _slot_values(doc)))
    listed = {doc["_id"] for ledger in books.values() for doc in ledger.source.get("orders") or () if doc.get("_id")}
    for doc in (state.get("orders") or ()) if commerce else ():
        if doc.get("ext9") in books and doc["orderId"] in listed:
            held[doc["ext9"]]["commerce_order", ghl_key("order", doc["orderId"])].append(_held_order(doc))
    return held, gone


def _members(state: Document) -> list[Document]:
    groups = [doc["id"] for doc in state.get("groups") or () if doc["name"] == GROUP]
    ours = {contact for group, contact in state.get("members") or () if groups and group == min(groups)}
    return [doc for doc in state.get("contacts") or () if doc["id"] in ours]


def _slot_values(doc: Document) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, slot in SLOTS.items():
        found[name] = _read(doc.get(slot), is_date=slot.startswith("date"))
    return found


def _read(value: Any, *, is_date: bool = False) -> Any:
    """A value as it is compared: texts without blanks around them, dates as days, the calendar's first day as none."""
    if is_date:
        day = (value or "")[:10]
        return None if day == "0001-01-01" else day
    return value.strip(" ") if isinstance(value, str) else value


def _held_order(doc: Document) -> HeldRecord:
    fields = {name: _read(doc.get(place), is_date=place == "purchaseDate") for name, place in ORDER_PLACES.items()}
    code = str(fields["currency"] or "").upper()
    currency = code if code in CURRENCY_EXPONENTS else None
    fields["total"] = doc.get("totalAmount")
    return HeldRecord(doc["orderId"], None, currency, fields, readable=is_number(doc.get("totalAmount")))


def _rounded(records: list[HeldRecord], want: WantedRecord | None) -> list[HeldRecord]:
    """Totals in minor units: for comparing in those of the wanted currency, for stating in those of their own."""
    found = []
    for record in records:
        fields, minor = dict(record.fields), record.minor
        if "total" in fields and record.readable:
            own, wanted = (
                record.currency or (want.currency if want else None),
                want.currency if want else record.currency,
            )
            minor = _minor(fields["total"], own)
            fields["total"] = _minor(fields["total"], wanted or own)
        found.append(HeldRecord(record.native_id, minor, record.currency, fields, record.readable))
    return found


def _minor(amount: int | Decimal, currency: str | None) -> int | None:
    if currency is None:
        return None
    return int(Decimal(amount).scaleb(CURRENCY_EXPONENTS[currency]).quantize(Decimal(1), ROUND_HALF_UP))


def _charges(books: Ledgers) -> dict[str, list[Transaction]]:
    """Charges that a target can hold, by the key of what they pay; all in the currency of the first."""
    found: dict[str, list[Transaction]] = {}
    for txn in sorted(books.transactions.values(), key=lambda txn: (txn.created, txn.id)):
        if txn.live and txn.charge and txn.minor is not None and contact_of(books, txn):
            paid = found.setdefault(txn.invoice_key, [])
            if not paid or paid[0].currency == txn.currency:
                paid.append(txn)
    return found


def _subscribed(books: Ledgers) -> dict[str, str]:
    ids: dict[str, list[str]] = defaultdict(list)
    for subscription in read_subscriptions(books).values():
        if subscription.live and subscription.order_id:
            ids[subscription.order_id].append(subscription.id)
    return {order_id: ",".join(sorted(found)) for order_id, found in ids.items()}


def _day(at: datetime | None) -> str | None:
    return f"{at.astimezone(ZONE):%Y-%m-%d}" if at else None


def _fitting(number: int | None) -> int | None:
    return number if number is not None and -MAX_NUMBER - 1 <= number <= MAX_NUMBER else None


def _cut(text: object) -> str | None:
    return text[:MAX_TEXT] or None if isinstance(text, str) else None
