"""Dates on the command line: months or days, checked before anything is started, each error with what to write.

Only reading what a person typed belongs here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from ghl_payments.connections import SettingsError

EARLIEST = date(2015, 1, 1)
"""No location has payments from before."""


@dataclass(frozen=True, slots=True)
class Window:
    """From the first day to the last one, both included, neither in the future."""

    first: date
    last: date

    @property
    def months(self) -> list[date]:
        """First days of the months it touches, newest first."""
        found, month = [], self.last.replace(day=1)
        while month >= self.first.replace(day=1):
            found.append(month)
            month = (month - timedelta(days=1)).replace(day=1)
        return found


def read_window(date_from: str | None, date_to: str | None, today: date) -> Window:
    """The window of `--from` and `--to`; SettingsError says what is wrong with which of them.

    Either may be a month (YYYY-MM, the whole of it) or a day; without `--from` it begins with the earliest month there
    can be, without `--to` it ends today, which is also the end of one that reaches into the future.
    """
    first = _read("--from", date_from, last=False) if date_from else EARLIEST
    last = min(_read("--to", date_to, last=True), today) if date_to else today
    if first > today:
        msg = f"--from {date_from} is in the future; today is {today}"
        raise SettingsError(msg)
    if first < EARLIEST:
        msg = f"--from {date_from}: there are no payments from before {EARLIEST:%Y-%m}; begin with {EARLIEST:%Y-%m}"
        raise SettingsError(msg)
    if first > last:
        msg = f"--from {first} is after --to {last}, so there is nothing between them; swap them"
        raise SettingsError(msg)
    return Window(first, last)


def _read(option: str, text: str, *, last: bool) -> date:
    match = re.fullmatch(r"(\d{4}-\d{2})(-\d{2})?", text)
    try:
        day = date.fromisoformat(match[1] + (match[2] or "-01") if match else "")
    except ValueError:
        msg = f"{option} must be a month such as 2026-03 or a day such as 2026-03-01 of the calendar, not {text!r}"
        raise SettingsError(msg) from None
    is_month = match is not None and match[2] is None
    return (day + timedelta(days=31)).replace(day=1) - timedelta(days=1) if is_month and last else day
