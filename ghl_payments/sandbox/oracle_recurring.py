"""Subscriptions of a location, typed, and when each is billed next: the rules, counted out cycle by cycle.

Add a fact about a subscription here when a rule needs it; what follows for a target belongs to `oracle_rollups`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count

from ghl_payments.domain.money import MoneyError
from ghl_payments.sandbox.oracle_ghl import CHARGED, Document, Ledgers, exact_minor, instant, is_live

BILLED = frozenset({"active", "trialing"})
"""Statuses of which a next billing is known."""

_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_MONTHS = {"month": 1, "year": 12}
_RRULE_UNITS = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year"}


@dataclass(slots=True)
class Subscription:
    """A readable subscription; `minor` is None when the amount is finer than the currency's minor unit.

    `interval` is (number, unit), unit one of day, week, month, year; `day` the day of the month on which it is billed,
    31 for the last; `uneven` says that its schedule is no multiple of an interval. `ends` is the last day, inclusive.
    """

    id: str
    live: bool
    provider_id: str | None
    currency: str
    minor: int | None
    contact: str | None
    status: str
    order_id: str | None
    plan: str | None
    interval: tuple[int, str] | None
    starts: datetime
    ends: date | None
    cancelled: datetime | None
    day: int
    uneven: bool
    created: datetime
    updated: datetime

    @property
    def interval_text(self) -> str | None:
        """`1 month`, `3 months`, None if unknown."""
        if self.interval is None:
            return None
        number, unit = self.interval
        return f"{number} {unit}" if number == 1 else f"{number} {unit}s"

    def cycles(self) -> Iterator[datetime]:
        """Billing instants from the start on, without end; none if the interval is unknown or the schedule uneven."""
        if self.interval is None or (self.uneven and self.interval[1] in _MONTHS):
            return
        number, unit = self.interval
        for n in count():
            if unit in _MONTHS:
                at = _month_later(self.starts, n * number * _MONTHS[unit], self.day)
            else:
                at = self.starts + n * number * timedelta(days=_DAYS[unit])
            if at >= self.starts:
                yield at


def read_subscriptions(books: Ledgers) -> dict[str, Subscription]:
    """The readable subscriptions of a location by id."""
    found = {}
    for doc in books.source.get("subscriptions") or ():
        try:
            subscription = _read(books, doc)
        except (MoneyError, ValueError):
            continue
        found[subscription.id] = subscription
    return found


def newest_change(books: Ledgers) -> datetime | None:
    """The newest change of any subscription, readable or not."""
    changes = (
        _instant(doc.get("updatedAt")) or _instant(doc.get("createdAt"))
        for doc in books.source.get("subscriptions") or ()
    )
    return max(filter(None, changes), default=None)


def last_charges(books: Ledgers) -> dict[tuple[bool, str], datetime]:
    """When a subscription was last charged, by mode and by whichever of its two ids the transaction names."""
    latest: dict[tuple[bool, str], datetime] = {}
    for txn in books.transactions.values():
        if txn.subscription_id and txn.status in CHARGED:
            group = txn.live, txn.subscription_id
            latest[group] = max(latest.get(group, txn.created), txn.created)
    return latest


def next_billing(
    subscription: Subscription, charged: dict[tuple[bool, str], datetime], now: datetime
) -> datetime | None:
    """The first cycle that no charge has settled yet, whether due or to come; without any charge the next after `now`.

    A charge settles the cycle before which it came by up to a tenth of the interval.
    """
    if subscription.status not in BILLED or subscription.interval is None:
        return None
    names = (subscription.id, subscription.provider_id or "")
    charges = [charged[subscription.live, name] for name in names if (subscription.live, name) in charged]
    number, unit = subscription.interval
    settled = max(charges) + number * timedelta(days=_DAYS[unit]) / 10 if charges else now
    for at in subscription.cycles():
        if subscription.ends and at.date() > subscription.ends:
            return None
        if at > settled:
            return at
    return None


def _month_later(start: datetime, months: int, day: int) -> datetime:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    next_year, next_month = divmod(year * 12 + month + 1, 12)
    length = (date(next_year, next_month + 1, 1) - date(year, month + 1, 1)).days
    return start.replace(year=year, month=month + 1, day=min(day, length))


def _read(books: Ledgers, doc: Document) -> Subscription:
    created = instant(doc.get("createdAt"))
    minor = exact_minor(doc.get("amount"), str(doc.get("currency") or ""))
    if not doc.get("_id") or not isinstance(doc.get("status"), str):
        raise ValueError("no id or no status")
    rule = _part(doc, "schedule", "rrule")
    starts = _start(created, _day(rule.get("startDate")))
    return Subscription(
        id=str(doc["_id"]),
        live=is_live(doc),
        provider_id=_text(doc.get("subscriptionId")),
        currency=doc["currency"],
        minor=minor,
        contact=books.canonical(doc.get("contactId")),
        status=doc["status"],
        order_id=_text(doc.get("entityId")) if doc.get("entityType") == "order" else None,
        plan=_text(_part(doc, "recurringProduct", "product").get("name")),
        interval=_sold(doc) or _interval(_RRULE_UNITS.get(str(rule.get("intervalType")).lower()), rule.get("interval")),
        starts=starts,
        ends=_day(rule.get("endDate")),
        cancelled=_instant(doc.get("canceledAt")),
        day=_day_of_month(rule.get("dayOfMonth")) or starts.day,
        uneven=bool(re.fullmatch("-?[0-9]+", str(rule.get("numOfWeek")))),
        created=created,
        updated=_instant(doc.get("updatedAt")) or created,
    )


def _start(created: datetime, scheduled: date | None) -> datetime:
    """The scheduled day if it is another than that of the creation; being a bare date, a day off says nothing."""
    if scheduled is None or abs(scheduled - created.date()) <= timedelta(days=1):
        return created
    return datetime.combine(scheduled, time(), UTC)


def _part(doc: Document, *names: str) -> Document:
    for name in names:
        part = doc.get(name)
        doc = part if isinstance(part, dict) else {}
    return doc


def _text(value: object) -> str | None:
    return value.strip(" ") or None if isinstance(value, str) else None


def _sold(doc: Document) -> tuple[int, str] | None:
    recurring = _part(doc, "recurringProduct", "price", "recurring")
    unit = str(recurring.get("interval")).lower()
    return _interval(unit if unit in _DAYS else None, recurring.get("intervalCount"))


def _interval(unit: str | None, number: object) -> tuple[int, str] | None:
    text = "1" if number is None else str(number)
    return (int(text), unit) if unit and re.fullmatch("[1-9][0-9]{0,2}", text) else None


def _day(value: object) -> date | None:
    if not isinstance(value, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _day_of_month(value: object) -> int | None:
    text = str(value)
    if text == "-1":
        return 31
    return int(text) if re.fullmatch("[1-9]|1[0-9]|2[0-8]", text) else None


def _instant(value: object) -> datetime | None:
    try:
        return instant(value)
    except ValueError:
        return None
