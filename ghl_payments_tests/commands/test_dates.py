"""Dates on the command line: what is understood, and errors that come before anything is started."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghl_payments.commands.dates import EARLIEST, Window, read_window
from ghl_payments.connections import SettingsError
from ghl_payments_tests.commands.support import run

TODAY = date(2026, 11, 26)

days = st.dates(EARLIEST, TODAY)


@pytest.mark.parametrize(
    ("first", "last", "window"),
    [
        ("2026-02", "2026-02", Window(date(2026, 2, 1), date(2026, 2, 28))),
        ("2024-02", "2024-02", Window(date(2024, 2, 1), date(2024, 2, 29))),
        ("2026-02-10", "2026-12", Window(date(2026, 2, 10), TODAY)),
        ("2026-11", None, Window(date(2026, 11, 1), TODAY)),
        (None, "2015-03-31", Window(EARLIEST, date(2015, 3, 31))),
        ("2026-11-26", "2026-11-26", Window(TODAY, TODAY)),
    ],
)
def test_months_and_days_are_understood(first: str | None, last: str | None, window: Window) -> None:
    assert read_window(first, last, TODAY) == window


@given(days, days)
def test_a_windows_months_are_all_that_it_touches_newest_first(one: date, other: date) -> None:
    first, last = sorted((one, other))
    months = read_window(first.isoformat(), last.isoformat(), TODAY).months
    assert months[0] == last.replace(day=1)
    assert months[-1] == first.replace(day=1)
    assert len(months) == len(set(months)) == (last.year - first.year) * 12 + last.month - first.month + 1
    assert months == sorted(months, reverse=True)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (
            "2026-13",
            None,
            "--from must be a month such as 2026-03 or a day such as 2026-03-01 of the calendar, not '2026-13'",
        ),
        ("2026-02-30", None, "not '2026-02-30'"),
        ("20260301", None, "not '20260301'"),
        ("2026-1", None, "not '2026-1'"),
        ("03/2026", None, "not '03/2026'"),
        ("2026-01", "soon", "--to must be a month"),
        ("2026-12", None, "--from 2026-12 is in the future; today is 2026-11-26"),
        ("2001-01", None, "begin with 2015-01"),
        ("2026-06", "2026-05", "--from 2026-06-01 is after --to 2026-05-31"),
    ],
)
def test_a_wrong_date_is_refused_with_what_to_write(first: str, last: str | None, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_window(first, last, TODAY)
    assert said in str(refused.value)


@pytest.mark.parametrize("command", ["run", "backfill"])
def test_a_wrong_date_ends_a_command_at_once_in_one_line(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, command, "--from", "yesterday")
    assert done.returncode == 2
    assert done.stdout.startswith("--from must be a month")
    assert len(done.stdout.splitlines()) == 1
    assert not list(tmp_path.iterdir())
