"""The HTTP client of every connector: retries, rate budget, sign-in and error classes in one place.

Vendors' endpoints belong to their connectors; the wire itself is in `exchange.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

from ghl_payments.transport.addresses import AddressGuard
from ghl_payments.transport.auth import Auth, NoAuth
from ghl_payments.transport.budget import Exhausted, Priority, RateBudget
from ghl_payments.transport.budget_store import Reservation
from ghl_payments.transport.classify import classify
from ghl_payments.transport.errors import (
    ApiError,
    DailyLimitReached,
    MissingScope,
    OutcomeUnknown,
    RateLimited,
    SchemaDrift,
    Transient,
    Unauthorised,
    Unreachable,
    Unreadable,
    WrongTokenClass,
)
from ghl_payments.transport.exchange import Call, Response, Timeouts, exchange, is_loopback, open_client, origin
from ghl_payments.transport.jsontext import NotJson, WrongShape, encode
from ghl_payments.transport.retry import RetryPolicy, http_date, retry_after

Parsed = TypeVar("Parsed")
Params = Mapping[str, str | int]


class HttpClient:
    """Requests to one system. Create it inside the running event loop and `aclose` it there.

    Every method raises `transport.errors` classes only. Reads are retried when that can help; a write is sent once,
    and raises OutcomeUnknown when it may have been applied without an answer. `rules` names the table of error classes
    where it is not the system's own; with a `guard` requests go to permitted addresses only.
    """

    def __init__(
        self,
        system: str,
        base_url: str,
        auth: Auth | None,
        budget: RateBudget,
        *,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        max_connections: int = 32,
        rules: str | None = None,
        guard: AddressGuard | None = None,
    ) -> None:
        self.system = system
        self.base_url = base_url.rstrip("/")
        self.requests = 0
        self._heard: tuple[str | None, float] = (None, 0.0)
        self._auth: Auth = auth or NoAuth()
        self._budget = budget
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or RetryPolicy()
        self._loopback = is_loopback(self.base_url)
        self._rules = rules or system
        self._client = open_client(self.base_url, self._timeouts, max_connections, headers or {}, guard)

    def __repr__(self) -> str:
        return f"HttpClient({self.system!r}, {origin(self.base_url)!r})"

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which the system's clock was ahead of ours at its last answer (Date header); None if unknown."""
        told, at = self._heard
        theirs = http_date(told)
        return theirs.timestamp() - at if theirs is not None else None

    async def read(
        self,
        path: str,
        parse: Callable[[Response], Parsed],
        *,
        params: Params | None = None,
        priority: Priority = "sweep",
        shown: str | None = None,
    ) -> Parsed:
        """GET and parse; an answer that `parse` finds Unreadable is asked for again like any transient failure.

        `shown` stands for the path in messages where the path may be a secret.
        """
        call = self._call("GET", path, params=params, idempotent=True, priority=priority)
        return await self._attempts(call if shown is None else replace(call, path=shown), parse)

    async def request(
        self,
        method: str,
        path: str,
        parse: Callable[[Response], Parsed],
        *,
        params: Params | None = None,
        json: object | None = None,
        form: Mapping[str, str] | None = None,
        idempotent: bool,
        priority: Priority = "fresh",
        anonymous: bool = False,
    ) -> Parsed:
        """Send one request, at most once when it is not idempotent, and parse the answer. `path` may be a whole URL.

        `json` is written with exact Decimals; `anonymous` leaves the sign-in out.
        """
        call = self._call(
            method,
            path,
            params=params,
            content=encode(json) if json is not None else urlencode(form).encode() if form is not None else None,
            content_type="application/json" if json is not None else "application/x-www-form-urlencoded",
            idempotent=idempotent,
            anonymous=anonymous,
            priority=priority,
        )
        return await self._attempts(call, parse)

    async def send(
        self,
        url: str,
        content: bytes,
        parse: Callable[[Response], Parsed],
        *,
        content_type: str,
        stamp: Callable[[], Mapping[str, str]],
        shown: str,
    ) -> Parsed:
        """POST bytes as they are, also again, to a receiver that knows a repeated request.

        `stamp` gives the headers of each attempt. `shown` stands for the path in messages, as the path may be a secret.
        """
        call = self._call("POST", url, params=None, content=content, content_type=content_type, idempotent=True,
                          priority="fresh")  # fmt: skip
        return await self._attempts(replace(call, path=shown, stamp=stamp), parse)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Params | None,
        content: bytes | None = None,
        content_type: str = "",
        idempotent: bool,
        anonymous: bool = False,
        priority: Priority,
    ) -> Call:
        absolute = "://" in path
        url = path if absolute else self.base_url + path
        return Call(
            system=self.system,
            method=method,
            path=urlsplit(path).path if absolute else path,
            url=f"{url}?{urlencode(params, quote_via=quote)}" if params else url,
            names="&".join(params) if params else "",
            headers={"Content-Type": content_type} if content is not None else {},
            content=content,
            idempotent=idempotent,
            anonymous=anonymous,
            priority=priority,
        )

    async def _attempts(self, call: Call, parse: Callable[[Response], Parsed]) -> Parsed:
        """The one retry loop: a request leaves it as a result or as a classified error."""
        tries, spent, refreshed = 0, 0.0, False
        while True:
            tries += 1
            await self._authorization(call)  # signs in, if it has to, before a place in the budget is taken
            reservation = await self._reserve(call)
            authorization: str | None = None
            started = time.monotonic()
            failure: ApiError
            response: Response | None = None
            try:
                response, authorization = await self._send(call, reservation)
                if 200 <= response.status < 300:
                    return _parsed(call, response, parse)
                failure = self._failure(call, response)
            except Transient as error:
                failure = error
            if isinstance(failure, Unauthorised) and self._may_refresh(call, failure) and not refreshed:
                refreshed = True
                await self._auth.refresh(self, authorization)
                continue
            pause = self._pause(call, failure, response, tries)
            spent += time.monotonic() - started
            if pause is None or tries >= self._retry.tries or spent + pause > self._retry.max_seconds:
                raise failure
            spent += pause
            await asyncio.sleep(pause)

    async def _authorization(self, call: Call) -> str | None:
        return None if call.anonymous else await self._auth.header(self)

    async def _reserve(self, call: Call) -> Reservation | None:
        """A place in the rate budget; DailyLimitReached or RateLimited when waiting for one is no use."""
        try:
            return await self._budget.acquire(call.priority)
        except Exhausted as full:
            quota = "The daily quota is used up" if full.daily else "The system refuses all requests for now"
            error = DailyLimitReached if full.daily else RateLimited
            raise error(
                system=call.system,
                method=call.method,
                path=call.path,
                remedy=f"{quota}; that ends in {full.seconds / 60:.0f} minutes. Nothing was sent.",
                retry_after=full.seconds,
            ) from None

    async def _send(self, call: Call, reservation: Reservation | None) -> tuple[Response, str | None]:
        """Send, and book the outcome; also the Authorization that was used."""
        said: Mapping[bytes, bytes] | None = None
        try:
            authorization = await self._authorization(call)  # waiting may have taken longer than a token lasts
            self.requests += 1
            response = await exchange(self._client, call, authorization, self._timeouts)
            said = response.limits
            self._heard = (response.headers.get("date"), time.time())
            return response, authorization
        finally:
            self._budget.settle(reservation, said)

    def _failure(self, call: Call, response: Response) -> ApiError:
        """The classified error of a non-2xx answer; a write that may have been applied is OutcomeUnknown."""
        error = classify(
            system=call.system, method=call.method, path=call.path, status=response.status, body=response.body,
            rules=self._rules,
        )  # fmt: skip
        if isinstance(error, Transient) and not call.idempotent:
            return OutcomeUnknown(system=call.system, method=call.method, path=call.path, status=response.status)
        if isinstance(error, RateLimited | Transient):
            error.retry_after = retry_after(response.headers)
        if isinstance(error, RateLimited) and _is_daily(response):
            return DailyLimitReached(
                system=call.system, method=call.method, path=call.path, status=response.status,
                retry_after=error.retry_after,
            )  # fmt: skip
        return error

    def _may_refresh(self, call: Call, failure: Unauthorised) -> bool:
        hopeless = isinstance(failure, MissingScope | WrongTokenClass)
        return self._auth.can_refresh and not call.anonymous and not hopeless

    def _pause(self, call: Call, failure: ApiError, response: Response | None, tries: int) -> float | None:
        """Seconds before the next try; None when there must be none. A 429 was not applied, so any method may retry."""
        if isinstance(failure, RateLimited) and not isinstance(failure, DailyLimitReached) and response is not None:
            whole_bucket, pause = True, failure.retry_after
            if pause is None:
                pause, whole_bucket = self._retry.after_refusal(response.headers, tries)
            if whole_bucket:
                self._budget.block(pause)
            return pause if pause <= self._retry.retry_after_cap else None
        if not isinstance(failure, Transient) or not call.idempotent:
            return None
        if isinstance(failure, Unreachable) and self._loopback:
            return None  # nobody listens: waiting would only hide it
        if failure.retry_after is not None:
            return failure.retry_after if failure.retry_after <= self._retry.retry_after_cap else None
        return self._retry.backoff(tries)


def _is_daily(response: Response) -> bool:
    return response.headers.get("x-ratelimit-daily-remaining", "").strip() in {"0", "-1"}


def _parsed(call: Call, response: Response, parse: Callable[[Response], Parsed]) -> Parsed:
    """The parser's result, its complaints as classified errors: after a write they leave its outcome unknown."""
    where = {"system": call.system, "method": call.method, "path": call.path}
    try:
        return parse(response)
    except NotJson:
        if call.idempotent:
            raise Unreadable(**where, status=response.status) from None
    except WrongShape as shape:
        if call.idempotent:
            raise SchemaDrift(**where, status=response.status, remedy=str(shape)) from None
    raise OutcomeUnknown(**where, status=response.status)
