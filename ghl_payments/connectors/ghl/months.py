"""UTC months, named by their first day: the grain of slices.

Add calendar helpers of slices here; nothing here knows the API.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta


def month_bounds(month: date | None) -> tuple[datetime, datetime] | tuple[None, None]:
    """First and last millisecond of a UTC month, given as any of its days; (None, None) for None."""
    if month is None:
        return None, None
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    return start, (start + timedelta(days=31)).replace(day=1) - timedelta(milliseconds=1)


def month_of(created_at: str | None) -> date | None:
    """The UTC month of an ISO instant (naive means UTC); None when it cannot be told."""
    if created_at is None:
        return None
    try:
        at = datetime.fromisoformat(created_at)
        at = at.astimezone(UTC) if at.tzinfo else at
    except (ValueError, OverflowError):
        return None
    return date(at.year, at.month, 1)


def months_back(month: date, floor: date) -> Iterator[date]:
    """This month and those before it, down to the floor's."""
    while month >= floor.replace(day=1):
        yield month
        month = (month - timedelta(days=1)).replace(day=1)


def next_month(month: date) -> date:
    """The month after."""
    return (month + timedelta(days=31)).replace(day=1)


def instant_text(at: datetime | None) -> str | None:
    """ISO with milliseconds and Z, as GHL's own timestamps are."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z" if at is not None else None
