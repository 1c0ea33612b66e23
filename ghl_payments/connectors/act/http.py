"""Act!'s errors and limits as one HTTP client sees them: its error table, its lost sign-in, its rate headers.

Add a rule here when a database is seen to answer differently; what the classes mean belongs to `transport.errors`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from ghl_payments.transport.budget_store import Reservation
from ghl_payments.transport.errors import (
    ApiError,
    Conflict,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SchemaDrift,
    Transient,
    Unauthorised,
)
from ghl_payments.transport.exchange import Call, Response
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.retry import retry_after

SIGN_IN_DOUBT_SECONDS = 60.0
"""A NullReferenceException is taken for a lost sign-in once in this time; after that it is the server's own fault."""

LONGEST_PAUSE_SECONDS = 60.0
"""The limit is announced per minute, so no pause that its headers ask for is longer."""

_SUB_CODES = {
    "4030": "This version of Act! is incompatible with its web API; update Act!.",
    "4031": "The Act! subscription does not cover the web API; ask the Act! administrator or reseller.",
    "4032": "The Act! user lacks the permission to use the API; an administrator grants it under Manage Users.",
}
_TABLE: tuple[tuple[int, int, type[ApiError], str | None], ...] = (
    (300, 399, SchemaDrift, "The address redirects elsewhere; check the connection's base_url."),
    (401, 401, Unauthorised, "Act! refused the user, the password or the database name of this connection."),
    (404, 404, NotFound, "Act! has no such record, or it is another user's private one."),
    (408, 408, Transient, None),
    (409, 409, Conflict, None),
    (423, 423, Conflict, None),
    (429, 429, RateLimited, None),
    (503, 503, RateLimited, None),
    (400, 499, Rejected, None),
    (500, 599, Transient, None),
)
"""Statuses (inclusive ranges), what they stand for and what to do; the first that fits wins."""

_REFUSED_QUERY = re.compile(r"odata|query|property|not a valid|\$(filter|orderby|top|skip|select)", re.IGNORECASE)


class ActHttp(HttpClient):
    """The shared client with Act!'s own reading of errors and of its `X-RateLimit-` headers."""

    _doubted_at = float("-inf")

    def _failure(self, call: Call, response: Response) -> ApiError:
        error = self._classified(call, response)
        throttled = isinstance(error, RateLimited) and response.status != 429
        # Only a 429 says that nothing was done; a write that met any other trouble may have been applied.
        if (throttled or isinstance(error, Transient)) and not call.idempotent:
            return OutcomeUnknown(system=call.system, method=call.method, path=call.path, status=response.status)
        if isinstance(error, RateLimited):
            error.retry_after = retry_after(response.headers)
        return error

    def _classified(self, call: Call, response: Response) -> ApiError:
        told = _told(response.body)
        if response.status == 500 and "NullReferenceException" in told and call.idempotent and not call.anonymous:
            now = time.monotonic()
            if now - self._doubted_at > SIGN_IN_DOUBT_SECONDS:
                self._doubted_at = now
                return Unauthorised(system=call.system, method=call.method, path=call.path, status=500)
        # What a write did before it ended in a 500 is not told by its words.
        kind, remedy = _kind(response, told if call.idempotent or response.status < 500 else "")
        return kind(system=call.system, method=call.method, path=call.path, status=response.status, remedy=remedy)

    async def _send(self, call: Call, reservation: Reservation | None) -> tuple[Response, str | None]:
        response, authorization = await super()._send(call, reservation)
        pause = announced_pause(response.headers, time.time())
        if pause > 0:
            self._budget.block(pause)
        return response, authorization


def announced_pause(headers: Mapping[str, str], now: float) -> float:
    """Seconds until the announced window ends when nothing is left in it, else 0.

    What `X-RateLimit-Reset` counts is not documented: a large number is taken for seconds since 1970.
    """
    remaining, reset = _number(headers, "x-ratelimit-remaining"), _number(headers, "x-ratelimit-reset")
    if remaining is None or remaining > 0:
        return 0.0
    seconds = LONGEST_PAUSE_SECONDS if reset is None else reset - now if reset > 1e8 else reset
    return min(LONGEST_PAUSE_SECONDS, max(0.0, seconds))


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        return float(headers[name])
    except (KeyError, ValueError):
        return None


def _kind(response: Response, told: str) -> tuple[type[ApiError], str | None]:
    status = response.status
    if status == 403:
        code = next((code for code in _SUB_CODES if code in told), None)
        return Forbidden, _SUB_CODES[code] if code else "The Act! user's role may not do this."
    if status == 404 and _foreign(response.body):
        return Transient, "A page that is not the API's own answered; check the connection's base_url."
    if status == 500 and _REFUSED_QUERY.search(told):
        return Rejected, "Act! cannot answer this query; trying again will not help."
    for first, last, kind, remedy in _TABLE:
        if first <= status <= last:
            return kind, remedy
    return SchemaDrift, None


def _told(body: bytes) -> str:
    """The texts of an ASP.NET error, to classify by only: they may quote data, so they are never shown."""
    try:
        answer: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    if isinstance(answer, dict):
        parts = (value for name, value in answer.items() if name.casefold() != "stacktrace")
        return "\n".join(str(part) for part in parts)
    return answer if isinstance(answer, str) else ""


def _foreign(body: bytes) -> bool:
    """Whether a body is some page: Act! itself answers JSON or nothing."""
    text = body.lstrip()
    return bool(text) and text[:1] not in (b"{", b'"')
