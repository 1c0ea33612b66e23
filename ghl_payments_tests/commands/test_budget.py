"""`ghl-payments budget`: what the book says, for people and for programs, with the credential never shown."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from ghl_payments.commands.budget import as_json, as_text
from ghl_payments.transport.budget_report import read_budget
from ghl_payments.transport.budget_store import Announcement, BudgetStore, Reservation
from ghl_payments_tests.commands.support import run

NOW = 1_800_000_000_000
SECRET = "pit-in-the-clear"
HASH = hashlib.sha256(SECRET.encode()).hexdigest()[:16]


def store(
    folder: Path, *, limit: int = 100, window_ms: int = 10_000, name: str = "ghl/LOC1", burst: str = ""
) -> BudgetStore:
    bucket = f"host.example.com:8443/{HASH}{burst}"
    return BudgetStore(
        folder / "budget.sqlite3", bucket, max_requests=limit, window_ms=window_ms, flight_ms=40_000, name=name
    )


def send(book: BudgetStore, requests: int, now: int) -> list[Reservation]:
    sent = [book.reserve(1.0, now) for _ in range(requests)]
    assert all(isinstance(outcome, Reservation) for outcome in sent)
    return sent  # type: ignore[return-value]


def only(folder: Path, now: int = NOW) -> dict[str, Any]:
    (bucket,) = as_json(read_budget(folder / "budget.sqlite3", now))
    return bucket


def test_spent_in_flight_and_left_are_what_the_book_holds(tmp_path: Path) -> None:
    book = store(tmp_path)
    for reservation in send(book, 30, NOW - 2_000)[:20]:
        book.settle(reservation, NOW - 1_000, None)
    found = only(tmp_path)
    assert (found["limit"], found["window_seconds"], found["announced"]) == (100, 10.0, False)
    assert (found["spent"], found["in_flight"], found["left"]) == (20, 10, 70)
    later = only(tmp_path, NOW + 10_000)
    assert (later["spent"], later["in_flight"], later["left"]) == (0, 10, 90)
    assert book.used(NOW) == 30


def test_each_priority_has_its_share_and_the_rest_is_reserved_for_those_before_it(tmp_path: Path) -> None:
    send(store(tmp_path), 95, NOW)
    shares = only(tmp_path)["priorities"]
    assert list(shares) == ["fresh", "verify", "sweep", "backfill"]
    assert shares["fresh"] == {"may_use": 100, "reserved_for_higher": 0, "left": 5}
    assert shares["sweep"] == {"may_use": 98, "reserved_for_higher": 2, "left": 3}
    assert shares["backfill"] == {"may_use": 90, "reserved_for_higher": 10, "left": 0}


def test_what_the_vendor_tells_of_limits_and_of_the_day_is_shown_until_the_day_ends(tmp_path: Path) -> None:
    book = store(tmp_path)
    said = Announcement(200, 10_000, 199, daily_limit=200_000, daily_remaining=150_123, daily_reset_ms=3_600_000)
    book.settle(send(book, 1, NOW)[0], NOW, said)
    found = only(tmp_path, NOW + 1)
    assert (found["limit"], found["announced"]) == (200, True)
    assert (found["daily"]["limit"], found["daily"]["left"]) == (200_000, 150_123)
    assert found["daily"]["resets_at"] == "2027-01-15T09:00:00+00:00"
    assert only(tmp_path, NOW + 3_600_001)["daily"]["left"] is None


def test_a_used_up_day_and_a_refusal_leave_nothing_until_they_end(tmp_path: Path) -> None:
    book = store(tmp_path)
    book.block(NOW + 30_000)
    found = only(tmp_path)
    assert (found["left"], found["blocked_until"]) == (0, "2027-01-15T08:00:30+00:00")
    assert (only(tmp_path, NOW + 30_000)["left"], only(tmp_path, NOW + 30_000)["blocked_until"]) == (100, None)
    book.settle(send(book, 1, NOW + 31_000)[0], NOW + 31_000, Announcement(daily_remaining=0, daily_reset_ms=60_000))
    found = only(tmp_path, NOW + 31_001)
    assert (found["left"], found["daily"]["used_up_until"]) == (0, "2027-01-15T08:01:31+00:00")


def test_two_windows_of_one_credential_are_two_lines(tmp_path: Path) -> None:
    send(store(tmp_path, name="trackpod", limit=400, window_ms=60_000), 3, NOW)
    send(store(tmp_path, name="trackpod in a burst", limit=20, window_ms=1_000, burst="/burst"), 3, NOW)
    lines = as_json(read_budget(tmp_path / "budget.sqlite3", NOW))
    assert [(line["names"], line["burst"], line["limit"]) for line in lines] == [
        (["trackpod"], False, 400),
        (["trackpod in a burst"], True, 20),
    ]
    assert {line["credential"] for line in lines} == {HASH}
    assert lines[1]["priorities"]["backfill"]["may_use"] == 20


def test_a_person_reads_one_line_an_account_with_the_hash_and_never_the_credential(tmp_path: Path) -> None:
    book = store(tmp_path)
    store(tmp_path, name="ghl/LOC2")
    book.settle(send(book, 1, NOW)[0], NOW, Announcement(daily_limit=1000, daily_remaining=7, daily_reset_ms=1))
    book.block(NOW + 30_000)
    text = as_text(read_budget(tmp_path / "budget.sqlite3", NOW), tmp_path)
    line = text.splitlines()[2]
    for part in (
        "ghl/LOC1, ghl/LOC2",
        "host.example.com:8443",
        f"#{HASH}",
        "100 in 10 s",
        "7 of 1,000",
        "2027-01-15T08:00:30",
    ):
        assert part in line
    assert "backfill 90%" in text
    assert SECRET not in text


def test_without_any_request_the_command_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, "budget")
    assert (done.returncode, done.stdout.startswith("No request was counted yet")) == (0, True)
    done = run(tmp_path, "budget", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert not list(tmp_path.iterdir())


def test_the_command_reads_the_book_while_another_process_is_writing_it(tmp_path: Path) -> None:
    home = tmp_path / ".ghl_payments" / "sandbox"
    book = store(home)
    send(book, 4, int(time.time() * 1000))
    book._db.execute("BEGIN IMMEDIATE")
    done = run(tmp_path, "budget", "--json")
    book._db.execute("ROLLBACK")
    (bucket,) = json.loads(done.stdout)
    assert (done.returncode, bucket["names"], bucket["in_flight"]) == (0, ["ghl/LOC1"], 4)


def test_a_file_that_is_no_budget_is_named_with_the_remedy(tmp_path: Path) -> None:
    home = tmp_path / ".ghl_payments" / "sandbox"
    home.mkdir(parents=True)
    (home / "budget.sqlite3").write_text("no database at all, and long enough to look like one" * 40, encoding="utf-8")
    done = run(tmp_path, "budget")
    assert done.returncode == 2
    assert "may be deleted" in done.stdout
    assert len(done.stdout.splitlines()) == 1
