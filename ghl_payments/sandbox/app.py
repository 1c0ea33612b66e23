"""The ASGI application: finds the vendor of a request, counts it, lets faults strike, answers and logs.

Plain ASGI, because pages are bytes already and a framework would only stand in their way.
A vendor's own behaviour belongs to its module, the control API to `control.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
from typing import Any
from urllib.parse import parse_qsl

from ghl_payments.sandbox.codec import encode
from ghl_payments.sandbox.control import Control
from ghl_payments.sandbox.faults import ENDINGS, Fault
from ghl_payments.sandbox.ghl import GhlSandbox
from ghl_payments.sandbox.ghl_drift import drift
from ghl_payments.sandbox.stores import Stores
from ghl_payments.sandbox.vendor import Vendor
from ghl_payments.sandbox.wire import Answer, Request, header_list, json_answer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_CONTROL = "_sandbox"
_HTML = b"<!doctype html><html><head><title>Just a moment</title></head><body>Checking your browser.</body></html>"


class SandboxApp:
    """One sandbox as an ASGI application; requests are handled one after the other on the event loop."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._control = Control(stores)
        self._vendors = stores.vendors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; other ASGI scopes are not used by the server this runs in."""
        if scope["type"] != "http":
            return
        request = await _request(scope, receive)
        vendor = self._vendors.get(request.system)
        if request.system == _CONTROL:
            await _respond(send, self._control.handle(request))
        elif vendor is None:
            await _respond(send, json_answer(404, {"error": "unknown system", "known": sorted(self._vendors)}))
        else:
            await self._serve(vendor, request, receive, send)

    async def _serve(self, vendor: Vendor, request: Request, receive: Receive, send: Send) -> None:
        log, world = self._stores.requests, self._stores.worlds
        at_ms = log.arrived_ms()
        answer = await self._answer(vendor, request)
        if world == self._stores.worlds:
            status = answer.status if answer else 0
            log.add(request.system, request.method, request.path, request.raw_query, status, at_ms)
        if answer is None:
            await _hang_up(receive, send)
        else:
            await _respond(send, answer)

    async def _answer(self, vendor: Vendor, request: Request) -> Answer | None:
        """The answer, or None for a connection that is closed without one."""
        admission = vendor.admit(request)
        answer = admission.refusal
        if answer is None:
            struck = self._stores.faults.strike(request, pages_on=_reads_on(vendor, request))
            if not struck:
                answer = vendor.handle(request)
            elif any(fault.spec.fault == "daily_exhausted" for fault in struck) and isinstance(vendor, GhlSandbox):
                admission = vendor.exhausted()
                answer = admission.refusal
            else:
                answer = await self._disturbed(vendor, request, struck)
        if answer is not None:
            answer.headers = admission.headers + answer.headers
        return answer

    async def _disturbed(self, vendor: Vendor, request: Request, struck: list[Fault]) -> Answer | None:
        world = self._stores.worlds
        await _wait(struck, "before")
        if world != self._stores.worlds:
            return None  # what was meant for a state that is gone must not be done to the next one
        ending = next((fault.spec for fault in struck if fault.spec.fault in ENDINGS), None)
        kind = ending.fault if ending else None
        if ending and kind == "status":
            return _fault_answer(ending.status, ending.body, ending.headers)
        if kind == "html":
            return Answer(200, _HTML, b"text/html; charset=utf-8")
        answer = self._handled(vendor, request, struck)
        await _wait(struck, "after")
        if kind == "lost_reply":
            return None
        if ending and kind == "status_after_commit":
            return _fault_answer(ending.status, ending.body, ending.headers)
        if kind == "truncated_json":
            answer.body = answer.body[: max(1, len(answer.body) // 2)]
        return answer

    def _handled(self, vendor: Vendor, request: Request, struck: list[Fault]) -> Answer:
        stale_seconds = 0.0
        for fault in struck:
            spec = fault.spec
            match spec.fault:
                case "empty_list":
                    request.empty_lists = True
                case "ignored_filter":
                    request.query = {name: text for name, text in request.query.items() if name not in spec.params}
                case "no_scope" if spec.scope:
                    request.denied_scopes |= {spec.scope}
                case "stale_reads" if request.method == "GET":
                    stale_seconds = max(stale_seconds, spec.seconds)
                case "page_drift" if isinstance(vendor, GhlSandbox):
                    drift(vendor, self._stores.history, request, spec.op, fault.number << 32 | fault.struck)
        with self._stores.history.as_of(stale_seconds) if stale_seconds else nullcontext():
            return vendor.handle(request)


def _reads_on(vendor: Vendor, request: Request) -> bool:
    """Whether this is a further page of a GHL list."""
    return (
        isinstance(vendor, GhlSandbox)
        and request.query.get("offset", "0") != "0"
        and vendor.selection(request) is not None
    )


async def _request(scope: Scope, receive: Receive) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    system, slash, path = scope["path"].lstrip("/").partition("/")
    raw_query = scope["query_string"].decode("latin-1")
    body = await _body(receive) if scope["method"] not in ("GET", "HEAD") else b""
    return Request(
        system=system,
        method=scope["method"],
        path=slash + path,
        query=dict(parse_qsl(raw_query, keep_blank_values=True)),
        raw_query=raw_query,
        headers=headers,
        body=body,
        origin=f"http://{headers.get('host', 'localhost')}",
    )


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _respond(send: Send, answer: Answer) -> None:
    headers = [(b"content-length", str(len(answer.body)).encode()), *answer.headers]
    if answer.content_type:
        headers.append((b"content-type", answer.content_type))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _hang_up(receive: Receive, send: Send) -> None:
    """Close the connection before a byte of an answer is sent.

    ASGI has no message for it; uvicorn's `send` is a method of the request cycle, which holds the transport.
    """
    cycle: Any = getattr(send, "__self__", None)
    cycle.transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _wait(struck: list[Fault], when: str) -> None:
    for fault in struck:
        if fault.spec.fault == "latency" and fault.spec.when == when:
            await asyncio.sleep(fault.spec.seconds)


def _fault_answer(status: int, body: Any, headers: dict[str, str]) -> Answer:
    pairs = header_list(headers.items())
    if isinstance(body, str):
        return Answer(status, body.encode(), b"text/plain; charset=utf-8" if body else b"", pairs)
    return Answer(status, encode({"message": "Service trouble"} if body is None else body), headers=pairs)
