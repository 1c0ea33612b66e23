"""Track-POD's errors and limits as one HTTP client sees them: removed orders, foreign pages, its rate headers.

Add a rule here when an account is seen to answer differently; plain statuses stand in `transport.classify`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from ghl_payments.transport.errors import ApiError, NotFound, OutcomeUnknown, RateLimited, Transient
from ghl_payments.transport.exchange import Call, Response
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.retry import http_date

LONGEST_PAUSE_SECONDS = 60.0
"""The longer window is a minute, so no pause that the headers ask for is longer."""

FOREIGN = "A page that is not the API's own answered; check the connection's base_url."


class TrackPodHttp(HttpClient):
    """The shared client with Track-POD's own reading of errors and of its `X-Rate-Limit-` headers."""

    def _failure(self, call: Call, response: Response) -> ApiError:
        where = {"system": call.system, "method": call.method, "path": call.path}
        if response.status == 410:
            return NotFound(**where, status=410, remedy=removed(response.body))
        if response.status in (404, 405) and response.body.lstrip()[:1] == b"<":
            # A page says nothing about an order, and a write that met one may have passed it.
            kind = Transient if call.idempotent else OutcomeUnknown
            return kind(**where, status=response.status, remedy=FOREIGN)
        error = super()._failure(call, response)
        if isinstance(error, RateLimited) and error.retry_after is None:
            error.retry_after = announced_pause(response.headers) or None
        return error


def announced_pause(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Seconds until the announced reset of a window of which nothing is left, else 0.

    Used where a 429 does not say how long to wait. The reset is an instant of the server's clock (UTC), so that it is
    compared with the server's own `Date`.
    """
    left, reset = _number(headers.get("x-rate-limit-remaining")), _instant(headers.get("x-rate-limit-reset"))
    if left is None or left > 0 or reset is None:
        return 0.0
    now = now or http_date(headers.get("date")) or datetime.now(UTC)
    return min(LONGEST_PAUSE_SECONDS, max(0.0, (reset - now).total_seconds()))


def removed(body: bytes) -> str:
    """What a 410 says: since when the order is gone, but not who removed it."""
    day = removal_day(body)
    since = f" on {day}" if day else ""
    return f"A person removed the order in Track-POD{since}; it is not made again."


def removal_day(body: bytes) -> date | None:
    """The day (UTC) on which the order of a 410 was removed; None where the body does not say."""
    try:
        answer: Any = msgspec.json.decode(body)
        return datetime.fromisoformat(answer["Order"]["DeletedDate"]).date()
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        return None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _instant(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
