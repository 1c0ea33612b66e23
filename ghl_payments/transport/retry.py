"""When to try a request again, and how long to wait before it.

Numbers of retries and pauses belong here; whether a request may be repeated at all is decided in `http.py`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of the retries of one request; all durations in seconds.

    `retry_after_cap`: a longer Retry-After is not waited for but reported.
    `refused_base`: first pause after a 429 that says nothing, doubled each time (HaloPSA's public clients use 5).
    """

    tries: int = 5
    max_seconds: float = 180.0
    base: float = 0.25
    cap: float = 20.0
    retry_after_cap: float = 60.0
    refused_base: float = 5.0
    refused_cap: float = 60.0

    def backoff(self, tries: int) -> float:
        """Exponential with full jitter, after the `tries`-th failure."""
        return random.uniform(0, min(self.cap, self.base * 2 ** (tries - 1)))

    def after_refusal(self, headers: Mapping[str, str], tries: int) -> tuple[float, bool]:
        """Pause after a 429 without Retry-After, and whether the whole bucket is to pause.

        With room left in the announced window some other limiter refused, so only this request steps back.
        """
        remaining = _number(headers.get("x-ratelimit-remaining"))
        if remaining is not None and remaining > 0:
            return self.backoff(tries), False
        interval = _number(headers.get("x-ratelimit-interval-milliseconds"))
        if interval is not None:
            return min(30.0, interval / 1000), True
        return min(self.refused_cap, self.refused_base * 2 ** (tries - 1)), True


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as an HTTP date; None when absent or unreadable."""
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return max(0.0, seconds)
    at = http_date(text)
    return max(0.0, (at - datetime.now(UTC)).total_seconds()) if at is not None else None


def http_date(text: str | None) -> datetime | None:
    """The instant of an HTTP date; None when absent or unreadable."""
    try:
        at = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
