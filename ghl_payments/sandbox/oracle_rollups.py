"""What targets should hold of a location's subscriptions, and of each contact as a whole, worked out from documents.

Add a column here together with the SQL of `canonical_subscriptions` or `canonical_rollups`, but out of the rule itself.
How subscriptions are read and billed belongs to `oracle_recurring`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from itertools import chain

from ghl_payments.domain.keys import ghl_key
from ghl_payments.domain.money import major_text
from ghl_payments.sandbox.oracle_desired import contact_of
from ghl_payments.sandbox.oracle_ghl import Ledgers, Order, Transaction
from ghl_payments.sandbox.oracle_people import Person, persons
from ghl_payments.sandbox.oracle_recurring import (
    Subscription,
    last_charges,
    newest_change,
    next_billing,
    read_subscriptions,
)

ALERTS = ("past_due", "unpaid", "incomplete", "pending")
"""Billing statuses somebody must look into, the worst first; they outrank all others."""
ALIVE = ("trialing", "active", "paused")
OVER = ("expired", "canceled")
"""Statuses of what has ended; a status known to none of the three lists stands between alive and over."""


@dataclass(slots=True)
class SubscriptionRecord:
    """A row of `canonical_subscriptions`; instants are UTC, `reason` is None where a target can hold it."""

    location_id: str
    live: bool
    subscription_id: str
    key: str
    contact_id: str | None
    contact_key: str | None
    order_id: str | None
    order_key: str | None
    amount_minor: int | None
    amount_plain: str | None
    currency: str
    status: str
    plan: str | None
    interval_text: str | None
    starts_at: datetime
    ends_at: datetime | None
    cancelled_at: datetime | None
    next_billing_at: datetime | None
    provider_subscription_id: str | None
    created_at: datetime
    updated_at: datetime
    reason: str | None


@dataclass(slots=True)
class RollupRecord:
    """A row of `canonical_rollups`: one contact with totals in minor units of `currency`, None where unknown."""

    location_id: str
    live: bool
    contact_id: str
    key: str
    name: str
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    last_order_id: str | None
    order_count: int
    currency: str
    lifetime_minor: int | None
    lifetime_text: str | None
    amount_due_minor: int | None
    billing_status: str
    next_billing_at: datetime | None
    last_order_at: datetime | None
    first_order_at: datetime | None
    created_at: datetime
    updated_at: datetime
    rollup_updated_at: datetime


@dataclass(slots=True)
class _Account:
    """All that goes into one contact's roll-up."""

    orders: list[Order] = field(default_factory=list)
    payments: list[Transaction] = field(default_factory=list)
    bookable: list[Transaction] = field(default_factory=list)
    subscriptions: list[SubscriptionRecord] = field(default_factory=list)

    @property
    def needed(self) -> bool:
        """An order or a charge of it can be written, so targets have the contact."""
        return bool(self.orders or self.bookable)


def subscriptions(books: Ledgers, now: datetime | None = None, *, live: bool = True) -> dict[str, SubscriptionRecord]:
    """Every readable subscription of one mode by its key, `ghl:sub:ID`; `now` dates the first billing of one that was
    never charged (without it: the newest change of any subscription).
    """
    return _subscriptions(books, _accounts(books, live), now, live=live)


def rollups(books: Ledgers, now: datetime | None = None, *, live: bool = True) -> dict[str, RollupRecord]:
    """Every contact of one mode that has an order or a charge, by its key, `ghl:contact:ID`; `now` as above."""
    accounts = _accounts(books, live)
    for record in _subscriptions(books, accounts, now, live=live).values():
        if record.contact_id in accounts:
            accounts[record.contact_id].subscriptions.append(record)
    paid: dict[str, list[Transaction]] = defaultdict(list)
    for txn in chain.from_iterable(account.payments for account in accounts.values()):
        paid[txn.invoice_key].append(txn)
    names = persons(books)
    found = {}
    for contact, account in accounts.items():
        if account.needed:
            person = names.get(contact) or Person(f"Contact {contact}")
            rollup = _rollup(books.location_id, contact, person, account, paid, live=live)
            found[rollup.key] = rollup
    return found


def _accounts(books: Ledgers, live: bool) -> dict[str, _Account]:
    accounts: dict[str, _Account] = defaultdict(_Account)
    for order in books.orders.values():
        if order.live == live and order.minor and order.contact:
            accounts[order.contact].orders.append(order)
    first_currency: dict[str, str] = {}
    for txn in sorted(books.transactions.values(), key=lambda txn: (txn.created, txn.id)):
        contact = contact_of(books, txn)
        if txn.live == live and txn.charge and txn.minor is not None and contact:
            accounts[contact].payments.append(txn)
            if first_currency.setdefault(txn.invoice_key, txn.currency) == txn.currency:
                accounts[contact].bookable.append(txn)
    return dict(accounts)


def _subscriptions(
    books: Ledgers, accounts: dict[str, _Account], now: datetime | None, *, live: bool
) -> dict[str, SubscriptionRecord]:
    charged = last_charges(books)
    now = now or newest_change(books)
    found = {}
    for subscription in read_subscriptions(books).values():
        if subscription.live == live and now:
            record = _subscription(books, subscription, accounts)
            record.next_billing_at = next_billing(subscription, charged, now)
            found[record.key] = record
    return found


def _subscription(books: Ledgers, of: Subscription, accounts: dict[str, _Account]) -> SubscriptionRecord:
    order = books.orders.get(of.order_id or "")
    if order and order.live != of.live:
        order = None
    contact = of.contact or (order.contact if order else None)
    reason = None
    if of.minor is None:
        reason = f"the amount has more decimals than {of.currency} has"
    elif contact is None:
        reason = "the subscription has no contact"
    elif contact not in accounts or not accounts[contact].needed:
        reason = "the contact has neither an order nor a charge"
    return SubscriptionRecord(
        location_id=books.location_id,
        live=of.live,
        subscription_id=of.id,
        key=ghl_key("sub", of.id),
        contact_id=contact,
        contact_key=ghl_key("contact", contact) if contact else None,
        order_id=of.order_id,
        order_key=ghl_key("order", order.id) if order and order.minor and order.contact else None,
        amount_minor=of.minor,
        amount_plain=None if of.minor is None else major_text(of.minor, of.currency),
        currency=of.currency,
        status=of.status,
        plan=of.plan,
        interval_text=of.interval_text,
        starts_at=of.starts,
        ends_at=datetime.combine(of.ends, time(), UTC) if of.ends else None,
        cancelled_at=of.cancelled,
        next_billing_at=None,
        provider_subscription_id=of.provider_id,
        created_at=of.created,
        updated_at=of.updated,
        reason=reason,
    )


def _rollup(
    location_id: str, contact: str, person: Person, account: _Account, paid: dict[str, list[Transaction]], *, live: bool
) -> RollupRecord:
    orders = sorted(account.orders, key=lambda order: (order.created, order.id))
    entries: list[Order | Transaction] = [*orders, *account.payments]
    codes = {entry.currency for entry in entries}
    currency = codes.pop() if len(codes) == 1 else "mixed"
    mixed = currency == "mixed"
    lifetime = None if mixed else _net(account.payments)
    needs: list[Order | Transaction] = [*orders, *account.bookable]
    billed = [record.next_billing_at for record in account.subscriptions if record.next_billing_at]
    return RollupRecord(
        location_id=location_id,
        live=live,
        contact_id=contact,
        key=ghl_key("contact", contact),
        name=person.name,
        first_name=person.first_name,
        last_name=person.last_name,
        email=person.email,
        phone=person.phone,
        last_order_id=orders[-1].id if orders else None,
        order_count=len(orders),
        currency=currency,
        lifetime_minor=lifetime,
        lifetime_text=None if lifetime is None else major_text(lifetime, currency),
        amount_due_minor=None if mixed else _due(orders, paid),
        billing_status=_billing_status(record.status for record in account.subscriptions),
        next_billing_at=min(billed, default=None),
        last_order_at=orders[-1].created if orders else None,
        first_order_at=orders[0].created if orders else None,
        created_at=min(entry.created for entry in needs),
        updated_at=min(entry.updated for entry in needs),
        rollup_updated_at=max(
            [entry.updated for entry in entries] + [record.updated_at for record in account.subscriptions]
        ),
    )


def _net(payments: Iterable[Transaction]) -> int | None:
    """Charges less refunds, None when a refund cannot be held exactly."""
    total = 0
    for txn in payments:
        if txn.minor is None or txn.refunded is None:
            return None
        total += txn.minor - txn.refunded
    return total


def _due(orders: Iterable[Order], paid: dict[str, list[Transaction]]) -> int | None:
    """What is still to be paid on orders that are neither cancelled nor paid back, whoever pays."""
    due = 0
    for order in orders:
        over = str(order.doc.get("status") or "").lower() in ("canceled", "cancelled")
        if over or order.payment_status == "refunded":
            continue
        net = _net(txn for txn in paid.get(ghl_key("order", order.id), ()) if txn.currency == order.currency)
        if net is None:
            return None
        due += max(0, (order.minor or 0) - net)
    return due


def _billing_status(statuses: Iterable[str]) -> str:
    found = {"canceled" if status.lower() == "cancelled" else status.lower() for status in statuses}
    for known in (*ALERTS, *ALIVE):
        if known in found:
            return known
    unknown = sorted(found - set(OVER))
    if unknown:
        return unknown[0]
    return next((known for known in OVER if known in found), "none")
