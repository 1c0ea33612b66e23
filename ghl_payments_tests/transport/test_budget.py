"""The rate budget: bookkeeping with a clock of the test's own, waiting, and two processes against a strict server."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghl_payments.transport.budget import Exhausted, Priority, RateBudget
from ghl_payments.transport.budget_store import Announcement, BudgetStore, Refusal, Reservation
from ghl_payments_tests.loopback import Reply, Request, loopback

ROOT = Path(__file__).parents[2]
LIMIT, WINDOW = 60, 2.0
REQUESTS = 90
"""A process; two of them fill the window three times."""

WORKER = """
import asyncio, sys
from pathlib import Path
from ghl_payments.transport.budget import RateBudget
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.http import HttpClient

async def main(url, file, limit, window, requests):
    budget = RateBudget(Path(file), host="h", credential="c", limit=int(limit), window_seconds=float(window))
    http = HttpClient("ghl", url, None, budget)
    async def one(n):
        return await http.read("/x", lambda response: response.status, priority="fresh")
    statuses = [status async for status in in_order(range(int(requests)), one, 8)]
    await http.aclose()
    print(http.requests, len(statuses))

asyncio.run(main(*sys.argv[1:]))
"""


def store(path: Path, *, limit: int = 10, window_ms: int = 1000, flight_ms: int = 5000) -> BudgetStore:
    return BudgetStore(path / "budget.sqlite", "bucket", max_requests=limit, window_ms=window_ms, flight_ms=flight_ms)


def budget(path: Path, *, limit: int | None = 10, window: float = 1.0) -> RateBudget:
    return RateBudget(path / "budget.sqlite", host="h", credential="secret", limit=limit, window_seconds=window)


def granted(outcome: Reservation | Refusal) -> Reservation:
    assert isinstance(outcome, Reservation)
    return outcome


def test_a_request_counts_from_its_start_until_one_window_after_its_end(tmp_path: Path) -> None:
    book = store(tmp_path, limit=1)
    reservation = granted(book.reserve(1.0, 10_000))
    assert isinstance(book.reserve(1.0, 13_000), Refusal)  # still in flight after three windows
    book.settle(reservation, 14_000, None)
    refusal = book.reserve(1.0, 14_900)
    assert isinstance(refusal, Refusal)
    assert 15_000 <= refusal.until_ms <= 15_000 + 1000 // 50
    granted(book.reserve(1.0, refusal.until_ms))


def test_what_a_crashed_process_left_unsettled_is_released_in_time(tmp_path: Path) -> None:
    book = store(tmp_path, limit=1)
    granted(book.reserve(1.0, 0))
    assert isinstance(book.reserve(1.0, 5900), Refusal)
    granted(book.reserve(1.0, 6100))


def test_lower_priorities_leave_room_for_higher_ones(tmp_path: Path) -> None:
    book = store(tmp_path, limit=100)
    for _ in range(90):
        granted(book.reserve(0.9, 0))
    assert isinstance(book.reserve(0.9, 0), Refusal)
    for _ in range(10):
        granted(book.reserve(1.0, 0))
    assert isinstance(book.reserve(1.0, 0), Refusal)


def test_a_server_that_announces_another_limit_is_believed_in_every_process(tmp_path: Path) -> None:
    mine, other = store(tmp_path, limit=2), store(tmp_path, limit=2)
    mine.settle(granted(mine.reserve(1.0, 0)), 1, Announcement(max_requests=5, window_ms=2000, remaining=4))
    for _ in range(4):
        granted(other.reserve(1.0, 10))
    assert isinstance(other.reserve(1.0, 1500), Refusal)
    assert isinstance(store(tmp_path, limit=9).reserve(1.0, 1500), Refusal)  # also in one that starts later


def test_requests_of_others_that_the_server_counted_take_their_room(tmp_path: Path) -> None:
    book = store(tmp_path)
    book.settle(granted(book.reserve(1.0, 0)), 1, Announcement(max_requests=10, window_ms=1000, remaining=2))
    assert book.used(1) == 8
    book.settle(granted(book.reserve(1.0, 2)), 3, Announcement(max_requests=10, window_ms=1000, remaining=1))
    assert book.used(3) == 9  # nothing is counted twice


def test_an_answer_that_is_late_does_not_make_our_own_requests_look_like_others(tmp_path: Path) -> None:
    book = store(tmp_path)
    early = [granted(book.reserve(1.0, 0)) for _ in range(9)]
    for reservation in early:
        book.settle(reservation, 5, None)
    late = granted(book.reserve(1.0, 990))
    book.settle(late, 1100, Announcement(max_requests=10, window_ms=1000, remaining=0))  # looked at 991, heard at 1100
    assert book.used(1100) == 1


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 8),
    steps=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3000), st.integers(0, 100)), max_size=60),
)
def test_a_strict_sliding_window_never_refuses(
    tmp_path_factory: pytest.TempPathFactory, limit: int, steps: list[tuple[int, int, int]]
) -> None:
    """Each step: time passes, a request flies for some time and arrives somewhere (percent) on its flight."""
    book = store(tmp_path_factory.mktemp("budget"), limit=limit)
    now, arrivals = 0, []
    flying: list[tuple[int, Reservation]] = []
    for passed, flight, percent in steps:
        now += passed
        for end, reservation in [item for item in flying if item[0] <= now]:
            flying.remove((end, reservation))
            book.settle(reservation, end, None)
        outcome = book.reserve(1.0, now)
        if isinstance(outcome, Reservation):
            flying.append((now + flight, outcome))
            arrivals.append(now + flight * percent // 100)
    for arrival in arrivals:
        assert sum(arrival - 1000 < other <= arrival for other in arrivals) <= limit


def test_waiters_are_served_by_priority_then_in_order(tmp_path: Path) -> None:
    async def main() -> list[str]:
        book = budget(tmp_path, limit=1, window=0.1)
        served: list[str] = []

        async def one(name: str, priority: Priority) -> None:
            reservation = await book.acquire(priority)
            served.append(name)
            book.settle(reservation)

        book.settle(await book.acquire("fresh"))
        waiting: list[tuple[str, Priority]] = [
            ("b1", "backfill"), ("s1", "sweep"), ("f1", "fresh"), ("b2", "backfill"), ("f2", "fresh"), ("v1", "verify"),
        ]  # fmt: skip
        tasks = [asyncio.create_task(one(name, priority)) for name, priority in waiting]
        await asyncio.gather(*tasks)
        return served

    assert asyncio.run(main()) == ["f1", "f2", "v1", "s1", "b1", "b2"]


def test_a_cancelled_waiter_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async def main() -> None:
        book = budget(tmp_path, limit=1, window=0.1)
        book.settle(await book.acquire("fresh"))
        first, second = asyncio.create_task(book.acquire("fresh")), asyncio.create_task(book.acquire("sweep"))
        await asyncio.sleep(0.01)
        first.cancel()
        assert await asyncio.wait_for(second, 2) is not None

    asyncio.run(main())


def test_one_budget_can_serve_one_event_loop_after_another(tmp_path: Path) -> None:
    book = budget(tmp_path, limit=1, window=0.1)

    async def two() -> None:
        for _ in range(2):
            book.settle(await book.acquire("fresh"))

    for _ in range(2):
        asyncio.run(two())


def test_a_used_up_day_refuses_at_once_until_its_reset(tmp_path: Path) -> None:
    async def main() -> None:
        book = budget(tmp_path)
        said = {b"x-ratelimit-max": b"10", b"x-ratelimit-daily-remaining": b"0", b"x-ratelimit-daily-reset": b"150"}
        book.settle(await book.acquire("fresh"), said)
        with pytest.raises(Exhausted):
            await book.acquire("fresh")
        await asyncio.sleep(0.2)
        assert await book.acquire("fresh") is not None

    asyncio.run(main())


def test_a_block_holds_every_process_for_its_time(tmp_path: Path) -> None:
    async def main() -> float:
        budget(tmp_path).block(0.3)
        started = time.monotonic()
        await budget(tmp_path).acquire("fresh")
        return time.monotonic() - started

    assert 0.28 <= asyncio.run(main()) < 1


def test_a_block_longer_than_anyone_waits_is_reported(tmp_path: Path) -> None:
    budget(tmp_path).block(3600)
    with pytest.raises(Exhausted) as caught:
        asyncio.run(budget(tmp_path).acquire("fresh"))
    assert 3590 < caught.value.seconds <= 3600
    assert not caught.value.daily


def test_without_a_limit_nothing_waits_and_no_file_appears(tmp_path: Path) -> None:
    book = budget(tmp_path, limit=None)
    assert asyncio.run(book.acquire("backfill")) is None
    book.settle(None)
    book.block(60)
    assert list(tmp_path.iterdir()) == []


def test_the_credential_is_kept_as_a_hash_only(tmp_path: Path) -> None:
    book = budget(tmp_path)
    asyncio.run(book.acquire("fresh"))
    book.close()
    assert all(b"secret" not in file.read_bytes() for file in tmp_path.iterdir())
    assert "secret" not in repr(book) + repr(vars(book))


def test_two_processes_share_the_limit_are_never_refused_and_use_most_of_it(tmp_path: Path) -> None:
    arrivals: deque[float] = deque()
    refused = 0

    def strict(request: Request) -> Reply:
        nonlocal refused
        now = time.monotonic()
        recent = sum(1 for at in arrivals if at > now - WINDOW)
        if recent >= LIMIT:
            refused += 1
            return Reply(json.dumps({"message": "Too Many Requests"}).encode(), 429, {"Retry-After": "0.1"})
        arrivals.append(now)
        return Reply()

    async def main() -> None:
        async with loopback(strict) as server:
            arguments = [server.base_url, str(tmp_path / "budget.sqlite"), str(LIMIT), str(WINDOW), str(REQUESTS)]
            workers = [
                await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, *arguments, stdout=-1, cwd=ROOT)
                for _ in range(2)
            ]
            for worker in workers:
                out, _ = await worker.communicate()
                assert worker.returncode == 0
                assert out.split() == [str(REQUESTS).encode()] * 2  # no request was sent twice

    asyncio.run(main())
    assert refused == 0
    assert len(arrivals) == 2 * REQUESTS
    # A place in the window is used again one window later; how long a burst takes is the machine's matter, and a busy
    # one is late with that too.
    gaps = [after - before for before, after in zip(arrivals, list(arrivals)[LIMIT:], strict=False)]
    assert WINDOW * len(gaps) / sum(gaps) >= 0.75
