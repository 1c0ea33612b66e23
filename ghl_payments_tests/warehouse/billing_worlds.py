"""Random subscriptions and purchases of a few contacts, with schedules, refunds, merges and oddities.

Add an oddity here when the rules of subscriptions or roll-ups know one more; what must come out is the oracle's business.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from ghl_payments_tests.sandbox.oracle_states import NOW, location

Document = dict[str, Any]

CONTACTS = ("c1", "c2", "c3", "c4", "c5", "c6")
STATUSES = ("active", "trialing", "canceled", "cancelled", "expired", "unpaid", "pending", "paused",
            "Incomplete", "past_due", "on_hold", "frozen")  # fmt: skip
UNITS = ("month", "month", "month", "year", "week", "day", "Month", "fortnight", None)
RRULE_UNITS = ("monthly", "yearly", "weekly", "daily", "hourly", None)
HARD_STARTS = (datetime(2024, 2, 29, 23, 30, tzinfo=UTC), datetime(2025, 8, 31, 0, 0, tzinfo=UTC),
               datetime(2025, 11, 30, 12, tzinfo=UTC), datetime(2026, 1, 31, 23, 59, 59, 999000, tzinfo=UTC),
               NOW, NOW + timedelta(days=2), NOW - timedelta(days=28))  # fmt: skip
SETTLING = (timedelta(0), timedelta(0), timedelta(hours=5), timedelta(days=-3), timedelta(days=-2), timedelta(days=-4),
            timedelta(days=20))  # fmt: skip
"""How late a charge comes, compared with a multiple of thirty days."""


def stamp(at: datetime) -> str:
    """An instant as GHL writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class BillingWorld:
    """Documents drawn from one seed; `place` is a location of a state document."""

    def __init__(self, seed: int, size: int = 24) -> None:
        self._rng = Random(f"billing/{seed}")
        self._currencies = self._pick(("USD",), ("USD", "EUR"), ("JPY", "KWD", "USD"))
        self._starts = [self._start() for _ in range(size)]
        orders = [self._order(n) for n in range(1, size + 1)]
        subscriptions = [self._subscription(n, self._starts[n - 1]) for n in range(1, size + 1)]
        charges = [charge for n in range(1, size + 1) for charge in self._charges(n)]
        self.place = location(orders, charges, subscriptions=subscriptions)

    def _pick(self, *values: Any) -> Any:
        return self._rng.choice(values)

    def _mostly(self, usual: Any, *odd: Any, chance: float = 0.12) -> Any:
        return self._pick(*odd) if self._rng.random() < chance else usual

    def _start(self) -> datetime:
        if self._rng.random() < 0.4:
            return self._rng.choice(HARD_STARTS)
        return NOW - timedelta(milliseconds=self._rng.randrange(500 * 86_400_000))

    def _head(self, created: datetime) -> Document:
        changed = self._pick(created, created + timedelta(days=3), created - timedelta(hours=1))
        return {
            "contactId": self._mostly(self._pick(*CONTACTS), None, ""), "currency": self._pick(*self._currencies),
            "liveMode": self._mostly(True, False), "markAsTest": self._mostly(False, True, chance=0.05),
            "createdAt": stamp(created), "updatedAt": stamp(changed),
        }  # fmt: skip

    def _amount(self) -> Any:
        return self._mostly(self._pick(5, 20, 100), Decimal("0.005"), 0, -3, Decimal("7.0001"), "x", chance=0.15)

    def _order(self, number: int) -> Document:
        snapshot = {
            "firstName": self._pick("Contact", ""), "lastName": self._pick(f"{number:04d}", None),
            "companyName": self._mostly(None, " Shop "), "email": self._pick(f"contact{number}@example.com", None),
            "phone": self._pick("+15555550100", "", None),
        }  # fmt: skip
        return self._head(self._starts[number - 1] + timedelta(seconds=number)) | {
            "_id": f"o{number}", "amount": self._amount(), "contactSnapshot": self._mostly(snapshot, None),
            "status": self._pick("completed", "pending", "canceled", "Cancelled"),
            "paymentStatus": self._pick("paid", "paid", "unpaid", "partially_paid", "refunded", None), "items": [],
        }  # fmt: skip

    def _subscription(self, number: int, start: datetime) -> Document:
        head = self._head(start)
        doc: Document = head | {
            "_id": f"s{number}", "updatedAt": self._mostly(head["updatedAt"], None, "soon"), "amount": self._amount(), "status": self._mostly("active", *STATUSES, None, chance=0.4),
            "entityType": self._mostly("order", "invoice", None), "subscriptionId": self._mostly(f"sub_{number}", None),
            "entityId": self._mostly(f"o{self._rng.randint(1, len(self._starts))}", "gone", None),
            "canceledAt": self._mostly(None, stamp(NOW), "soon", chance=0.3),
        }  # fmt: skip
        if self._rng.random() < 0.7:
            recurring = {
                "interval": self._pick(*UNITS),
                "intervalCount": self._mostly(1, 2, 3, "6", None, 0, chance=0.4),
            }
            doc["recurringProduct"] = {
                "product": self._pick({"name": "Plan"}, {"name": " "}, {}), "price": {"recurring": recurring},
            }  # fmt: skip
        if self._rng.random() < 0.5:
            doc["schedule"] = self._pick({"rrule": self._rule(start.date())}, {})
        return doc

    def _rule(self, start: date) -> Document:
        return {
            "intervalType": self._pick(*RRULE_UNITS), "interval": self._pick(1, 2, "1", None),
            "startDate": self._mostly(self._mostly(start, start + timedelta(days=1), start - timedelta(days=40),
                                                   start + timedelta(days=70), chance=0.5).isoformat(),
                                      "2026-02-30", "soon", None),
            "endDate": self._mostly(None, "2026-03-01", "2026-03-10", "2025-12-31", "2027-01-01", chance=0.3),
            "dayOfMonth": self._mostly(None, -1, 1, 28, 29, "15", chance=0.4), "numOfWeek": self._mostly(None, 2, -1),
        }  # fmt: skip

    def _charges(self, number: int) -> list[Document]:
        docs = []
        for part in range(self._pick(0, 1, 2, 4)):
            due = self._starts[number - 1] + part * timedelta(days=30, milliseconds=50)
            created = due + self._pick(*SETTLING) + timedelta(milliseconds=number)
            merged = {"mergedFromContactId": self._pick(*CONTACTS)} if self._rng.random() < 0.04 else {}
            docs.append(self._head(created) | merged | {
                "_id": f"t{number}x{part}", "amount": self._amount(), "contactSnapshot": self._pick({"name": f"Paying {number}"}, {}),
                "status": self._mostly("succeeded", "refunded", "failed", "pending", chance=0.3),
                "amountRefunded": self._mostly(0, None, 5, 100, Decimal("0.0001"), "x", chance=0.2),
                "entityType": self._mostly("order", "invoice", None), "entityId": f"o{number}",
                "subscriptionId": self._mostly(self._pick(f"s{number}", f"sub_{number}"), None, chance=0.3),
            })  # fmt: skip
        return docs
