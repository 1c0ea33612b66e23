"""A system with two limits at once, one a second and one a minute: no request leaves that either would refuse."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from pathlib import Path

from ghl_payments.transport.budget import RateBudget
from ghl_payments_tests.loopback import Reply, Request, loopback

ROOT = Path(__file__).parents[2]
LONG, SHORT = (40, 2.0), (8, 0.2)
REQUESTS = 50
"""A process; two of them fill the long window twice and more."""

WORKER = """
import asyncio, sys
from pathlib import Path
from ghl_payments.transport.budget import RateBudget
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.http import HttpClient

async def main(url, file, limit, window, burst, seconds, requests):
    budget = RateBudget(Path(file), host="h", credential="c", limit=int(limit), window_seconds=float(window),
                        burst=(int(burst), float(seconds)))
    http = HttpClient("trackpod", url, None, budget)
    async def one(n):
        return await http.read("/x", lambda response: response.status, priority="fresh")
    statuses = [status async for status in in_order(range(int(requests)), one, 8)]
    await http.aclose()
    print(http.requests, len(statuses))

asyncio.run(main(*sys.argv[1:]))
"""


def budget(path: Path, *, limit: int, burst: int) -> RateBudget:
    return RateBudget(
        path / "budget.sqlite", host="h", credential="c", limit=limit, window_seconds=60, burst=(burst, 0.2)
    )


def test_two_processes_keep_both_windows_and_use_most_of_the_longer(tmp_path: Path) -> None:
    arrivals: deque[float] = deque()
    refused = 0

    def strict(_: Request) -> Reply:
        nonlocal refused
        now = time.monotonic()
        if any(sum(at > now - window for at in arrivals) >= limit for limit, window in (LONG, SHORT)):
            refused += 1
            return Reply(b"{}", 429, {"Retry-After": "0.1"})
        arrivals.append(now)
        return Reply()

    async def main() -> None:
        async with loopback(strict) as server:
            words = [server.base_url, str(tmp_path / "budget.sqlite"), *map(str, (*LONG, *SHORT, REQUESTS))]
            workers = [
                await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, *words, stdout=-1, cwd=ROOT)
                for _ in range(2)
            ]
            for worker in workers:
                out, _ = await worker.communicate()
                assert out.split() == [str(REQUESTS).encode()] * 2  # no request was sent twice

    asyncio.run(main())
    assert refused == 0
    assert len(arrivals) == 2 * REQUESTS
    gaps = [after - before for before, after in zip(arrivals, list(arrivals)[LONG[0] :], strict=False)]
    # A busy machine is late with a place that is free again.
    assert LONG[1] * len(gaps) / sum(gaps) >= 0.7


def test_the_shorter_window_makes_a_request_wait_though_the_longer_has_room(tmp_path: Path) -> None:
    book = budget(tmp_path, limit=100, burst=2)

    async def main() -> float:
        for _ in range(2):
            book.settle(await book.acquire("fresh"))
        started = time.monotonic()
        await book.acquire("fresh")
        return time.monotonic() - started

    assert asyncio.run(main()) >= 0.15
    assert book.used() == 3


def test_a_request_that_the_longer_window_holds_back_takes_no_place_in_the_shorter(tmp_path: Path) -> None:
    book = budget(tmp_path, limit=1, burst=2)

    async def main() -> int:
        await book.acquire("fresh")
        for _ in range(5):
            try:
                await asyncio.wait_for(book.acquire("fresh"), 0.01)
            except TimeoutError:
                continue
        book.close()
        other = budget(tmp_path, limit=100, burst=2)
        waited = time.monotonic()
        await other.acquire("fresh")
        return int((time.monotonic() - waited) * 1000)

    assert asyncio.run(main()) < 100
