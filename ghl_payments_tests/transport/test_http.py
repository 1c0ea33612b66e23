"""The HTTP client against a server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ghl_payments.transport import errors
from ghl_payments.transport.auth import BearerToken
from ghl_payments.transport.budget import RateBudget
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.exchange import Response, Timeouts
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.jsontext import decode
from ghl_payments.transport.retry import RetryPolicy
from ghl_payments_tests.loopback import Handler, Loopback, Reply, Request, json_reply, loopback

SECRET = "pit-a-very-secret-token"
QUICK = RetryPolicy(base=0.001, refused_base=0.001)


class RefreshableToken:
    """Counts how often it is refreshed; the first token is refused by the handlers below."""

    can_refresh = True

    def __init__(self) -> None:
        self.version = 1
        self.refreshes = 0

    async def header(self, http: HttpClient) -> str:
        return f"Bearer v{self.version}"

    async def refresh(self, http: HttpClient, refused: str | None) -> None:
        if refused == f"Bearer v{self.version}":
            self.version += 1
            self.refreshes += 1


def parsed(response: Response) -> Any:
    return decode(response.body)


def off() -> RateBudget:
    return RateBudget(None, host="h", credential="c", limit=None, window_seconds=1)


def run(
    handler: Handler, use: Callable[[HttpClient, Loopback], Any], *, system: str = "ghl", auth: Any = None,
    retry: RetryPolicy = QUICK, timeouts: Timeouts | None = None,
) -> Any:  # fmt: skip
    async def main() -> Any:
        async with loopback(handler) as server:
            sign_in = auth or BearerToken(SecretStr(SECRET))
            http = HttpClient(system, server.base_url, sign_in, off(), retry=retry, timeouts=timeouts)
            try:
                return await use(http, server)
            finally:
                await http.aclose()

    return asyncio.run(main())


def failing(times: int, bad: Reply, good: Reply | None = None) -> Handler:
    tries = count()
    return lambda request: bad if next(tries) < times else good or json_reply({"ok": True})


async def get(http: HttpClient, server: Loopback) -> Any:
    return await http.read("/thing/1", parsed, params={"secretive": "value"})


async def post(http: HttpClient, server: Loopback) -> Any:
    return await http.request("POST", "/thing", parsed, json=[{"amount": Decimal("0.10")}], idempotent=False)


def test_a_read_survives_server_errors() -> None:
    assert run(failing(3, Reply(status=503)), get) == {"ok": True}


def test_a_read_gives_up_after_the_bounded_number_of_tries() -> None:
    async def use(http: HttpClient, server: Loopback) -> int:
        with pytest.raises(errors.Transient) as caught:
            await get(http, server)
        assert caught.value.status == 500
        return len(server.seen)

    assert run(failing(99, Reply(status=500)), use) == QUICK.tries


def test_a_read_survives_a_lost_answer() -> None:
    assert run(failing(2, Reply(lost=True)), get) == {"ok": True}


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b'{"data": [{"_id": "1"', b"", b'{"a": "\xff"}'])
def test_an_unreadable_page_is_asked_for_again_and_then_reported(body: bytes) -> None:
    assert run(failing(2, Reply(body)), get) == {"ok": True}

    async def use(http: HttpClient, server: Loopback) -> None:
        with pytest.raises(errors.Unreadable):
            await get(http, server)

    run(failing(99, Reply(body)), use)


@pytest.mark.parametrize("bad", [Reply(lost=True), Reply(status=500), Reply(status=502), Reply(status=408)])
def test_a_write_whose_answer_is_lost_is_sent_once_and_its_outcome_unknown(bad: Reply) -> None:
    async def use(http: HttpClient, server: Loopback) -> int:
        with pytest.raises(errors.OutcomeUnknown):
            await post(http, server)
        return len(server.seen)

    assert run(failing(99, bad), use) == 1


def test_a_write_that_times_out_is_outcome_unknown() -> None:
    async def slow(request: Request) -> Reply:
        await asyncio.sleep(0.5)
        return Reply()

    async def use(http: HttpClient, server: Loopback) -> int:
        with pytest.raises(errors.OutcomeUnknown):
            await post(http, server)
        return len(server.seen)

    assert run(slow, use, timeouts=Timeouts(read=0.05)) == 1
    assert run(slow, use, timeouts=Timeouts(total=0.05)) == 1


def test_a_write_answered_with_something_unreadable_is_outcome_unknown() -> None:
    async def use(http: HttpClient, server: Loopback) -> None:
        with pytest.raises(errors.OutcomeUnknown):
            await post(http, server)

    run(lambda request: Reply(b"<html>"), use)


def test_nobody_listening_is_unreachable_for_reads_and_writes_and_says_how_to_start_the_sandbox() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]

    async def main() -> None:
        http = HttpClient("halo", f"http://127.0.0.1:{port}", None, off(), retry=QUICK)
        for call in (get, post):
            started = time.monotonic()
            with pytest.raises(errors.Unreachable, match="ghl-payments sandbox") as caught:
                await call(http, Loopback(""))
            assert f"127.0.0.1:{port}" in str(caught.value)
            assert time.monotonic() - started < 1
        await http.aclose()

    asyncio.run(main())


def test_a_429_is_retried_for_every_method() -> None:
    for call in (get, post):
        assert run(failing(3, Reply(status=429)), call) == {"ok": True}


def test_retry_after_is_obeyed() -> None:
    started = time.monotonic()
    assert run(failing(1, Reply(status=429, headers={"Retry-After": "0.3"})), get) == {"ok": True}
    assert time.monotonic() - started >= 0.3


def test_a_retry_after_beyond_the_cap_is_reported_instead_of_waited_for() -> None:
    async def use(http: HttpClient, server: Loopback) -> int:
        with pytest.raises(errors.RateLimited) as caught:
            await get(http, server)
        assert caught.value.retry_after == 3600
        return len(server.seen)

    assert run(failing(99, Reply(status=429, headers={"Retry-After": "3600"})), use) == 1


def test_a_storm_of_429s_stops_the_others_instead_of_being_fed(tmp_path: Path) -> None:
    storm_ends = time.monotonic() + 0.3

    def handler(request: Request) -> Reply:
        stormy = time.monotonic() < storm_ends
        return Reply(status=429, headers={"Retry-After": "0.35"}) if stormy else json_reply({"ok": True})

    async def main() -> int:
        async with loopback(handler) as server:
            budget = RateBudget(tmp_path / "b.sqlite", host="h", credential="c", limit=1000, window_seconds=10)
            http = HttpClient("ghl", server.base_url, None, budget)

            async def one(_: int) -> Any:
                return await get(http, server)

            assert [answer async for answer in in_order(range(40), one, 5)] == [{"ok": True}] * 40
            await http.aclose()
            return len(server.seen)

    assert asyncio.run(main()) <= 40 + 5


def test_after_a_long_refusal_nothing_more_is_sent(tmp_path: Path) -> None:
    for headers, expected in (
        ({"Retry-After": "3600"}, errors.RateLimited),
        ({"X-RateLimit-Max": "9", "X-RateLimit-Daily-Remaining": "0"}, errors.DailyLimitReached),
    ):
        folder = tmp_path / expected.__name__

        async def main(
            headers: dict[str, str] = headers, expected: type[errors.ApiError] = expected, folder: Path = folder
        ) -> int:
            async with loopback(lambda request: Reply(status=429, headers=headers)) as server:
                budget = RateBudget(folder / "b.sqlite", host="h", credential="c", limit=9, window_seconds=1)
                http = HttpClient("ghl", server.base_url, None, budget, retry=QUICK)
                for call in (get, post, get):
                    with pytest.raises(expected):
                        await call(http, server)
                await http.aclose()
                return len(server.seen)

        assert asyncio.run(main()) == 1


def test_a_used_up_daily_quota_is_not_retried() -> None:
    async def use(http: HttpClient, server: Loopback) -> int:
        with pytest.raises(errors.DailyLimitReached):
            await get(http, server)
        return len(server.seen)

    assert run(failing(99, Reply(status=429, headers={"X-RateLimit-Daily-Remaining": "0"})), use) == 1


def test_a_refused_token_is_replaced_and_the_request_sent_again_reads_and_writes_alike() -> None:
    def handler(request: Request) -> Reply:
        return json_reply({"ok": 1}) if request.headers["authorization"] == "Bearer v2" else Reply(b"", 401)

    for call in (get, post):
        auth = RefreshableToken()
        assert run(handler, call, auth=auth) == {"ok": 1}
        assert auth.refreshes == 1


def test_a_token_refused_again_after_its_refresh_is_unauthorised() -> None:
    auth = RefreshableToken()

    async def use(http: HttpClient, server: Loopback) -> int:
        with pytest.raises(errors.Unauthorised):
            await get(http, server)
        return len(server.seen)

    assert run(lambda request: Reply(b"", 401), use, auth=auth) == 2
    assert auth.refreshes == 1


def test_a_missing_scope_is_told_from_a_bad_token_and_refreshes_nothing() -> None:
    auth = RefreshableToken()
    answer = json_reply({"statusCode": 401, "message": "The token is not authorized for this scope."}, 401)

    async def use(http: HttpClient, server: Loopback) -> int:
        with pytest.raises(errors.MissingScope):
            await get(http, server)
        return len(server.seen)

    assert run(lambda request: answer, use, auth=auth) == 1
    assert auth.refreshes == 0


def test_amounts_are_sent_as_exact_numbers() -> None:
    async def use(http: HttpClient, server: Loopback) -> bytes:
        await post(http, server)
        return server.seen[0].body

    assert run(lambda request: Reply(), use) == b'[{"amount":0.10}]'


def test_redirects_are_not_followed_with_the_token() -> None:
    async def use(http: HttpClient, server: Loopback) -> int:
        with pytest.raises(errors.SchemaDrift):
            await get(http, server)
        return len(server.seen)

    assert run(lambda request: Reply(status=302, headers={"Location": "/elsewhere"}), use) == 1


def test_no_secret_query_value_or_body_reaches_logs_errors_or_reprs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    body = json_reply({"message": "no such person as Contact 0001"}, 400)

    async def use(http: HttpClient, server: Loopback) -> None:
        texts.append(repr(http) + repr(vars(http)))
        for reply_to in (get, post):
            with pytest.raises(errors.ApiError) as caught:
                await reply_to(http, server)
            texts.append(f"{caught.value!r} {caught.value} {vars(caught.value)}")

    for handler in (lambda request: body, lambda request: Reply(lost=True), lambda request: Reply(b"Contact 0001")):
        run(handler, use)
    everything = "\n".join([*texts, caplog.text])
    assert "/thing/1?secretive" in caplog.text
    for secret in (SECRET, "value", "Contact 0001", "0.10"):
        assert secret not in everything.replace("AsyncClient", "")
