"""Whatever is sent, the receiver goes on: sizes, times, numbers, and bytes that are no HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghl_payments.receiver.limits import Limits
from ghl_payments_tests.receiver.in_process import served
from ghl_payments_tests.receiver.support import HOOK_SECRET, RunningReceiver, events_in, order_event, signed

HEAD = b"POST /webhooks/ghl HTTP/1.1\r\nHost: h\r\n"


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def test_a_copy_of_what_is_being_written_is_answered_when_it_is_written(tmp_path: Path) -> None:
    async def go() -> None:
        body = order_event()
        async with served(tmp_path, start_spool=False) as at:
            asked = [asyncio.create_task(at.deliver(body)) for _ in range(3)]
            await asyncio.sleep(0.5)
            assert not any(task.done() for task in asked)
            at.spool.start()
            answers = [await task for task in asked]
            assert [answer.status_code for answer in answers] == [200] * 3
            assert sorted(answer.json()["copy"] for answer in answers) == [False, True, True]
            assert len(events_in(at.inbox)) == 1

    asyncio.run(go())


def test_a_sender_that_goes_away_does_not_take_the_delivery_from_the_others(tmp_path: Path) -> None:
    async def go() -> None:
        body = order_event()
        async with served(tmp_path, start_spool=False) as at:
            asked = [asyncio.create_task(at.deliver(body)) for _ in range(2)]
            await asyncio.sleep(0.3)
            asked[0].cancel()
            await asyncio.sleep(0.1)
            at.spool.start()
            assert (await asked[1]).status_code == 200
            assert [event.body for event in events_in(at.inbox)] == [body]

    asyncio.run(go())


@pytest.mark.parametrize("path", [b"/webhooks/nobody", b"/webhooks/ghl"])
def test_a_body_that_breaks_off_into_nonsense_leaves_no_trace_in_the_log(
    receiver: RunningReceiver, path: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=5) as connection:
        connection.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        time.sleep(0.3)
        connection.sendall(b"somebody@example.com\r\n" * 3)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert status(answer) in {400, 404}
    assert "Traceback" not in receiver.output
    assert "somebody" not in receiver.output


def test_more_requests_at_once_than_allowed_are_asked_to_come_again(tmp_path: Path) -> None:
    async def go() -> None:
        async with served(tmp_path, Limits(requests=2), start_spool=False) as at:
            first = [asyncio.create_task(at.deliver(order_event())) for _ in range(2)]
            await asyncio.sleep(0.3)
            refused = await at.deliver(order_event())
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
            assert (await at.http.get("/healthz")).status_code == 200
            at.spool.start()
            assert [(await task).status_code for task in first] == [200, 200]
            assert (await at.deliver(order_event())).status_code == 200

    asyncio.run(go())


def test_more_bytes_at_once_than_allowed_are_asked_to_come_again(tmp_path: Path) -> None:
    async def go() -> None:
        async with served(tmp_path, Limits(bodies_bytes=3000), start_spool=False) as at:
            first = asyncio.create_task(at.deliver(order_event(note="x" * 2000)))
            await asyncio.sleep(0.3)
            assert (await at.deliver(order_event(note="x" * 2000))).status_code == 429
            at.spool.start()
            assert (await first).status_code == 200
            assert (await at.deliver(order_event(note="x" * 2000))).status_code == 200

    asyncio.run(go())


def test_a_body_that_is_too_large_is_refused_by_its_length_and_while_it_arrives(tmp_path: Path) -> None:
    async def go() -> None:
        async with served(tmp_path, GHL_PAYMENTS_WEBHOOK_MAX_BODY_BYTES="5000") as at:
            for size, expected in ((5000, 200), (5001, 413)):
                body = order_event()
                body += b" " * (size - len(body))
                assert (await at.deliver(body)).status_code == expected

            async def endless() -> object:
                while True:
                    yield b"x" * 1000

            seen = 0

            async def counted() -> object:
                nonlocal seen
                async for part in endless():  # type: ignore[attr-defined]
                    seen += len(part)
                    yield part

            try:
                answer = await at.http.post("/webhooks/ghl", content=counted())  # type: ignore[arg-type]
                assert answer.status_code == 413
            except httpx.TransportError:
                pass  # who never stops sending is cut off
            assert seen < 64 * 2**20

    asyncio.run(go())


def test_the_answer_reaches_a_sender_who_sends_all_of_a_large_body_first(receiver: RunningReceiver) -> None:
    answer = receiver.post(b"x" * 3_000_000)
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert receiver.post(b"x" * 3_000_000, path="/webhooks/nobody").status_code == 404


def test_a_sender_who_waits_to_be_told_to_go_on_hears_at_once_that_it_is_too_much(tmp_path: Path) -> None:
    async def go() -> None:
        async with served(tmp_path) as at:
            began = time.monotonic()
            answer = await at.raw(HEAD + b"Content-Length: 9000000\r\nExpect: 100-continue\r\n\r\n")
            assert status(answer) == 413
            assert time.monotonic() - began < 1

    asyncio.run(go())


@pytest.mark.parametrize(
    "parts",
    [(b"",), (HEAD,), (HEAD[:9], b"x"), (HEAD + b"Content-Length: 0\r\n\r\n", HEAD), tuple([b"P"] + [b"O"] * 12)],
)
def test_a_head_that_does_not_come_to_its_end_is_not_waited_for(tmp_path: Path, parts: tuple[bytes, ...]) -> None:
    async def go() -> None:
        async with served(tmp_path, Limits(head_seconds=0.6)) as at:
            began = time.monotonic()
            await at.raw(*parts, pause=0.1)
            assert time.monotonic() - began < 2.5

    asyncio.run(go())


def test_a_body_that_does_not_come_to_its_end_is_not_waited_for(tmp_path: Path) -> None:
    async def go() -> None:
        async with served(tmp_path, Limits(body_seconds=0.3)) as at:
            assert status(await at.raw(HEAD + b"Content-Length: 100\r\n\r\nabc")) == 408
            drip = [HEAD + b"Content-Length: 100\r\n\r\n", *[b"x"] * 6]
            assert status(await at.raw(*drip, pause=0.1)) == 408
            assert (await at.deliver(order_event())).status_code == 200

    asyncio.run(go())


def test_a_head_without_end_is_refused_by_its_size(tmp_path: Path) -> None:
    async def go() -> None:
        async with served(tmp_path) as at:
            answer = await at.raw(HEAD + b"X: " + b"x" * 100_000)
            assert status(answer) in {0, 400}
            assert (await at.http.get("/healthz")).status_code == 200

    asyncio.run(go())


def test_connections_beyond_the_limit_are_closed_and_the_others_served(tmp_path: Path) -> None:
    async def go() -> None:
        async with served(tmp_path, Limits(connections=5)) as at:
            assert (await at.http.get("/healthz")).status_code == 200
            idle = [await asyncio.open_connection("127.0.0.1", at.port) for _ in range(20)]
            await asyncio.sleep(0.2)
            assert (await at.deliver(order_event())).status_code == 200
            for _, writer in idle:
                writer.close()

    asyncio.run(go())


METHODS = st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "PATCH", "BREW"])
PATHS = st.sampled_from([
    "/webhooks/ghl", "/webhooks/ghl/events/InvoicePaid", f"/webhooks/parcels/{HOOK_SECRET}", "/webhooks/parcels",
    f"/webhooks/mails/{HOOK_SECRET}", f"/webhooks/ghl/{HOOK_SECRET}", "/healthz", "/", "//", "/webhooks/%00/%ff", "*",
])  # fmt: skip
NAMES = st.sampled_from(["type", "webhookId", "timestamp", "locationId", "_id", "id", "Metadata", "Data", "altId", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("2026-01-01T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.binary(max_size=200) | st.dictionaries(NAMES, VALUES, max_size=8).map(
    lambda found: json.dumps(found).encode()
)
HEADERS = st.dictionaries(
    st.sampled_from(["X-GHL-Signature", "X-WH-Signature", "X-Webhook-Secret", "Content-Type"]),
    st.sampled_from(["N/A", "", "AAAA", HOOK_SECRET, "=" * 90]) | st.binary(max_size=30).map(bytes.hex),
    max_size=3,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=METHODS, path=PATHS, body=BODIES, headers=HEADERS, sign=st.booleans())
def test_no_request_is_an_error_of_the_receivers(
    receiver: RunningReceiver, method: str, path: str, body: bytes, headers: dict[str, str], sign: bool
) -> None:
    own = headers | (signed(body) if sign else {})
    try:
        answer = receiver.http.request(method, f"{receiver.base_url}{path}", content=body, headers=own)
    except (httpx.RemoteProtocolError, httpx.InvalidURL, httpx.ReadError):
        answer = None
    if answer is not None:
        assert answer.status_code < 500
        kept = answer.status_code == 200 and method == "POST"
        assert not kept or sign or HOOK_SECRET in path or HOOK_SECRET in own.values()
        assert not kept or body in {event.body for event in receiver.events()}
    assert receiver.process.poll() is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.binary(max_size=300) | st.binary(max_size=80).map(lambda tail: HEAD + tail))
def test_bytes_that_are_no_http_do_not_end_the_receiver(receiver: RunningReceiver, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=5) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = connection.recv(65536)
        except ConnectionError:
            answer = b""
    assert not answer or 100 <= status(answer) < 500
    assert receiver.http.get("/healthz").status_code == 200
