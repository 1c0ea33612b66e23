"""Reading orders day by day: two lists a day, as an order may stand on a route of another day than its own.

The change feed and single orders belong to `connector.py`; what is in an order belongs to SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from ghl_payments.connectors.trackpod.client import TrackPodClient
from ghl_payments.connectors.trackpod.options import TrackPodOptions
from ghl_payments.connectors.trackpod.shapes import TELLING, OrderRow
from ghl_payments.transport.concurrency import in_order


@dataclass(slots=True)
class DayScan:
    """What one pass over the days has found: each order once, under its TrackId, as the last list showed it."""

    orders: dict[str, OrderRow] = field(default_factory=dict)
    rows: int = 0
    requests: int = 0

    def take(self, rows: Sequence[OrderRow]) -> None:
        """Add one list."""
        self.rows += len(rows)
        self.requests += 1
        self.orders |= {row.track_id: row for row in rows}

    @property
    def drift(self) -> str | None:
        """Members that no order has any more, though the vendor describes them; None when all is as described."""
        lost = [name for name in TELLING if self.orders and all(name in o.lacking for o in self.orders.values())]
        return f"schema_drift: no order has {', '.join(lost)}" if lost else None


@dataclass(frozen=True, slots=True)
class Window:
    """First and last day (inclusive) that a reading looks at."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        """All of them in order."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


def window_of(options: TrackPodOptions, now: datetime) -> Window:
    """The days of the options around now, in the account's time zone."""
    today = now.astimezone(ZoneInfo(options.timezone)).date()
    return Window(today - timedelta(days=options.scan_days), today + timedelta(days=options.days_ahead))


async def scan_days(client: TrackPodClient, window: Window, concurrency: int) -> DayScan:
    """Both lists of every day. An order that moves meanwhile may be in neither: it is asked for singly later."""
    scan = DayScan()

    async def one(asked: tuple[date, bool]) -> list[OrderRow]:
        day, by_route = asked
        return await (client.routed(day) if by_route else client.dated(day))

    lists = [(day, by_route) for day in window.days for by_route in (False, True)]
    async with aclosing(in_order(lists, one, concurrency)) as answers:
        async for rows in answers:
            scan.take(rows)
    return scan
