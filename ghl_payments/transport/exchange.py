"""One request on the wire: what is sent, what comes back, and what a failure on the way means for it.

The only module that knows httpx. Whether to try again is decided in `http.py`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from ghl_payments.transport.addresses import AddressGuard, RefusedAddress
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.errors import AddressRefused, OutcomeUnknown, Transient, Unreachable

log = logging.getLogger("ghl_payments.transport")

_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_LOST = "The connection failed or timed out; trying again later can help."
_LOST_WRITE = "The answer was lost, so the write may have been applied; read the record back by its key first."


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; header names in any case. `limits` holds the vendor's own headers (`x-...`) for the budget."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    limits: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """A request ready to be sent. `path` is for messages: no host, no query; `names` are the query's names.

    `stamp` gives the headers that each attempt has anew.
    """

    system: str
    method: str
    path: str
    url: str
    names: str
    headers: Mapping[str, str]
    content: bytes | None
    idempotent: bool
    anonymous: bool
    priority: Priority
    stamp: Callable[[], Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, between two pieces of an answer, and for a request as a whole.

    `total` must not exceed the rate budget's longest flight, or a request could outlive its booking.
    """

    connect: float = 5.0
    read: float = 30.0
    total: float = 40.0


def open_client(
    base_url: str,
    timeouts: Timeouts,
    max_connections: int,
    headers: Mapping[str, str],
    guard: AddressGuard | None = None,
) -> httpx.AsyncClient:
    """A connection pool. Loopback ignores proxies, and plain http skips loading the trust store, which is slow.

    With a `guard` no proxy is used: it could not tell where one leads.
    """
    for name in ("httpx", "httpcore"):  # they log whole URLs, whose queries hold keys and e-mail addresses
        if logging.getLogger(name).level == logging.NOTSET:
            logging.getLogger(name).setLevel(logging.WARNING)
    plain = base_url.startswith("http://")
    # Shorter than the 5 s after which common servers drop idle connections, or a write could meet a closing one.
    limits = httpx.Limits(
        max_connections=max_connections, max_keepalive_connections=max_connections, keepalive_expiry=3.0
    )
    verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain and guard is None else True
    return httpx.AsyncClient(
        headers={"Accept": "application/json", **headers},
        timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect),
        limits=limits,
        verify=verify,
        transport=None if guard is None else _Guarded(guard, httpx.AsyncHTTPTransport(verify=verify, limits=limits)),
        trust_env=guard is None and not is_loopback(base_url),
        follow_redirects=False,
    )


class _Guarded(httpx.AsyncBaseTransport):
    """Connects to the very address that was judged, so that a name cannot lead elsewhere a moment later."""

    def __init__(self, guard: AddressGuard, inner: httpx.AsyncHTTPTransport) -> None:
        self._guard = guard
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            address = await self._guard.choose(url.scheme, url.host, port)
        except OSError as error:
            msg = "the name could not be resolved"
            raise httpx.ConnectError(msg, request=request) from error
        # The Host header and the certificate stay those of the name.
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        request.url = url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def exchange(client: httpx.AsyncClient, call: Call, authorization: str | None, timeouts: Timeouts) -> Response:
    """Send once. Raises Unreachable (nothing was sent), Transient, or OutcomeUnknown (a write's answer is lost)."""
    headers = {**call.headers, **(call.stamp() if call.stamp else {})}
    if authorization:
        headers["Authorization"] = authorization
    started = time.monotonic()
    try:
        async with asyncio.timeout(timeouts.total):
            answer = await client.request(call.method, call.url, headers=headers, content=call.content)
    except _NOTHING_SENT as error:
        log.info("%s %s %s?%s: no connection", call.system, call.method, call.path, call.names)
        raise _unreachable(call) from error
    except RefusedAddress as error:
        raise AddressRefused(system=call.system, method=call.method, path=call.path, remedy=str(error)) from None
    except (httpx.RequestError, TimeoutError) as error:
        log.info("%s %s %s?%s: %s", call.system, call.method, call.path, call.names, type(error).__name__)
        kind = Transient if call.idempotent else OutcomeUnknown
        remedy = _LOST if call.idempotent else _LOST_WRITE
        raise kind(system=call.system, method=call.method, path=call.path, remedy=remedy) from error
    level = logging.DEBUG if answer.is_success else logging.INFO
    if log.isEnabledFor(level):
        elapsed = (time.monotonic() - started) * 1000
        log.log(
            level,
            "%s %s %s?%s %d %.0f ms",
            call.system,
            call.method,
            call.path,
            call.names,
            answer.status_code,
            elapsed,
        )
    limits = {name.lower(): value for name, value in answer.headers.raw if name[:2] in (b"X-", b"x-")}
    return Response(answer.status_code, answer.headers, answer.content, limits)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def origin(url: str) -> str:
    """Scheme, host and port: what may be shown of an address, as its path may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def _unreachable(call: Call) -> Unreachable:
    remedy = f"No connection to {origin(call.url).partition('://')[2]}; nothing was sent."
    if is_loopback(call.url):
        remedy += " If this is the sandbox, start it: ghl-payments sandbox."
    else:
        remedy += " Check the connection's base_url and the network; trying again is safe."
    return Unreachable(system=call.system, method=call.method, path=call.path, remedy=remedy)
