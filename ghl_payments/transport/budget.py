"""The rate budget: no request leaves that is known to be refused, whichever task or process it comes from.

Priorities and waiting stand here; the book itself is in `budget_store.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from bisect import insort
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Literal

from ghl_payments.transport.budget_store import Announcement, BudgetStore, Refusal, Reservation

Priority = Literal["fresh", "verify", "sweep", "backfill"]

_RANK: dict[Priority, int] = {"fresh": 0, "verify": 1, "sweep": 2, "backfill": 3}
SHARES: dict[Priority, float] = {"fresh": 1.0, "verify": 1.0, "sweep": 0.98, "backfill": 0.9}
"""How much of a limit each priority may fill, highest priority first; the rest is left to those before it."""

LONGEST_SLEEP = 5.0
"""Seconds; a waiter looks again at least this often, in case another process learned of a higher limit."""


PATIENCE = 60.0
"""Seconds; a system that refuses everything for longer is reported instead of waited for."""


class Exhausted(Exception):
    """Nothing may leave for `seconds` to come; the HTTP client turns it into RateLimited or DailyLimitReached."""

    def __init__(self, seconds: float, *, daily: bool) -> None:
        super().__init__(f"no request may leave for {seconds:.0f} s")
        self.seconds = seconds
        self.daily = daily


class RateBudget:
    """`limit` requests in any `window_seconds`, counted per (host, credential) across all processes using `path`.

    `limit=None` switches it off. Within one process a budget serves one event loop at a time: waiters by priority,
    then first come, first served; lower priorities leave a share of the limit to the higher ones.
    The credential is kept as a hash only; `name` is who people know it as. `burst` is a second, shorter window of the
    same requests, (how many, in how many seconds): a request leaves when both have room.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        host: str,
        credential: str,
        limit: int | None,
        window_seconds: float,
        max_flight_seconds: float = 40.0,
        name: str = "",
        burst: tuple[int, float] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._queue: list[tuple[int, int]] = []
        self._tickets = count()
        self._pulse = asyncio.Event()
        self._store: BudgetStore | None = None
        self._burst: BudgetStore | None = None
        if limit is not None and path is not None:
            bucket = f"{host}/{hashlib.sha256(credential.encode()).hexdigest()[:16]}"
            self._store = BudgetStore(
                path,
                bucket,
                max_requests=limit,
                window_ms=int(window_seconds * 1000),
                flight_ms=int(max_flight_seconds * 1000),
                name=name,
            )
            if burst is not None:
                self._burst = BudgetStore(
                    path,
                    f"{bucket}/burst",
                    max_requests=burst[0],
                    window_ms=int(burst[1] * 1000),
                    flight_ms=int(max_flight_seconds * 1000),
                    name=f"{name} in a burst" if name else "",
                )

    async def acquire(self, priority: Priority) -> Reservation | None:
        """Wait until a request may leave; None when the budget is off. Raises Exhausted when waiting is no use."""
        if self._store is None:
            return None
        if not self._queue:
            outcome = self._try(priority)
            if isinstance(outcome, Reservation):
                return outcome
            self._pulse = asyncio.Event()  # the old one may belong to an event loop that is gone
        ticket = (_RANK[priority], next(self._tickets))
        insort(self._queue, ticket)
        try:
            while True:
                delay = LONGEST_SLEEP
                if self._queue[0] == ticket:
                    outcome = self._try(priority)
                    if isinstance(outcome, Reservation):
                        return outcome
                    delay = outcome
                await self._sleep(delay)
        finally:
            self._queue.remove(ticket)
            self._wake()

    def settle(self, reservation: Reservation | None, headers: Mapping[bytes, bytes] | None = None) -> None:
        """The request is over, however it ended; `headers` (lower-case names) of its response when there is one."""
        if self._store is None or reservation is None:
            return
        said = announcement(headers) if headers else None
        self._store.settle(reservation, self._now(), said)
        if self._burst is not None and reservation.burst is not None:
            self._burst.settle(reservation.burst, self._now(), None)
        if self._queue and said is not None:
            self._wake()

    def block(self, seconds: float) -> None:
        """The system refused a request: let nothing leave for a while, in any process."""
        if self._store is not None:
            self._store.block(self._now() + int(seconds * 1000))

    def used(self) -> int:
        """How many requests count right now; 0 when the budget is off."""
        return self._store.used(self._now()) if self._store is not None else 0

    def close(self) -> None:
        """Close the file; the budget is of no use afterwards."""
        for store in (self._store, self._burst):
            if store is not None:
                store.close()

    def _try(self, priority: Priority) -> Reservation | float:
        """A reservation, or the seconds to wait before asking again."""
        assert self._store is not None
        now = self._now()
        outcome = self._reserve(SHARES[priority], now)
        if isinstance(outcome, Refusal):
            seconds = (outcome.until_ms - now) / 1000
            if outcome.daily or (outcome.told and seconds > PATIENCE):
                raise Exhausted(seconds, daily=outcome.daily)
            return min(LONGEST_SLEEP, max(0.001, seconds))
        return outcome

    def _reserve(self, share: float, now: int) -> Reservation | Refusal:
        """A place in both windows or in none."""
        assert self._store is not None
        if self._burst is None:
            return self._store.reserve(share, now)
        # A burst is over in no time, so that lower priorities need leave nothing of it to the higher ones.
        brief = self._burst.reserve(1.0, now)
        if isinstance(brief, Refusal):
            return brief
        outcome = self._store.reserve(share, now)
        if isinstance(outcome, Refusal):
            self._burst.cancel(brief)
            return outcome
        return replace(outcome, burst=brief)

    async def _sleep(self, seconds: float) -> None:
        pulse = self._pulse
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(pulse.wait(), seconds)

    def _wake(self) -> None:
        self._pulse.set()
        self._pulse = asyncio.Event()

    def _now(self) -> int:
        return int(self._clock() * 1000)


def announcement(headers: Mapping[bytes, bytes]) -> Announcement | None:
    """What GHL's rate-limit headers say (GHL docs, rate limits); None when there are none or they are not numbers."""

    def number(name: bytes) -> int | None:
        try:
            return int(headers[name])
        except (KeyError, ValueError):
            return None

    maximum = number(b"x-ratelimit-max")
    daily = number(b"x-ratelimit-daily-remaining")
    if maximum is None and daily is None:
        return None
    return Announcement(
        max_requests=maximum or None,
        window_ms=number(b"x-ratelimit-interval-milliseconds") or None,
        remaining=number(b"x-ratelimit-remaining"),
        daily_limit=number(b"x-ratelimit-limit-daily"),
        daily_remaining=daily,
        daily_reset_ms=number(b"x-ratelimit-daily-reset"),
    )
