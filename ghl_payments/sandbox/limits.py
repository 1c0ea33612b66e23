"""The vendors' rate limits: strict sliding windows over arrivals, and how large they are in either mode.

How large a vendor's window is, and the headers and the body of its 429, belong to the vendor's module.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Literal

LimitsMode = Literal["scaled", "vendor"]
SCALE = 100


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `requests` in any `seconds`, and `daily` a day where the vendor has such a limit.

    `burst` is a second, shorter window as (requests, seconds).
    """

    requests: int
    seconds: int
    daily: int | None = None
    burst: tuple[int, int] | None = None

    def announced(self) -> dict[str, int]:
        """The form of the ready line and of `connections.yaml`."""
        return {"requests": self.requests, "seconds": self.seconds}


def scaled(rate: Rate, mode: LimitsMode) -> Rate:
    """The vendor's window; `scaled` allows 100 times the requests in it, so that tests and demos are quick."""
    if mode == "vendor":
        return rate
    return Rate(
        rate.requests * SCALE,
        rate.seconds,
        rate.daily * SCALE if rate.daily else None,
        (rate.burst[0] * SCALE, rate.burst[1]) if rate.burst else None,
    )


class SlidingWindow:
    """Admits a request if fewer than the limit were admitted in the window before it; refused ones do not count."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._arrivals: deque[float] = deque()
        self.day_count = 0

    def admit(self) -> bool:
        """Count one arrival, or refuse it."""
        now = time.monotonic()
        horizon = now - self._rate.seconds
        while self._arrivals and self._arrivals[0] <= horizon:
            self._arrivals.popleft()
        if len(self._arrivals) >= self._rate.requests or self.day_left() <= 0 or self._burst_wait(now) > 0:
            return False
        self._arrivals.append(now)
        self.day_count += 1
        return True

    def wait(self) -> float:
        """Seconds until both windows have room again; 0 if they have."""
        now = time.monotonic()
        full = len(self._arrivals) >= self._rate.requests
        return max(self._arrivals[0] + self._rate.seconds - now if full else 0.0, self._burst_wait(now), 0.0)

    def _burst_wait(self, now: float) -> float:
        if self._rate.burst is None:
            return 0.0
        requests, seconds = self._rate.burst
        return self._arrivals[-requests] + seconds - now if len(self._arrivals) >= requests else 0.0

    def left(self) -> int:
        """Requests still free in the window that the last arrival was judged in."""
        return self._rate.requests - len(self._arrivals)

    def day_left(self) -> int:
        """Requests left today; a vendor without a daily limit always has some."""
        return 1 if self._rate.daily is None else self._rate.daily - self.day_count
