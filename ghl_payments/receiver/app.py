"""The receiver's addresses: a delivery is verified, told from copies, put on the disk, and only then answered with 200.

Add an address here when a sender needs one. A delivery changes nothing else: what it names is read again from its
system by whoever reads the inbox.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from ghl_payments.domain.inbox import InboxEvent, encode
from ghl_payments.receiver.limits import DEFAULT_LIMITS, Limits
from ghl_payments.receiver.lingering import Lingering
from ghl_payments.receiver.memory import DeliveryMemory, UndatedCopies, delivery_key
from ghl_payments.receiver.notices import Notices
from ghl_payments.receiver.payloads import Facts, read_payload, sha256_id
from ghl_payments.receiver.spool import Spool, SpoolFullError, SpoolUnavailableError
from ghl_payments.receiver.verification import LEGACY_SIGNATURE, SECRET, SIGNATURE, Verified, ghl_keys, senders
from ghl_payments.settings import Settings

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = "30"

ANSWERS = {
    "signature": 401, "secret": 401, "hmac": 401, "replay": 401, "slow": 408, "too_large": 413,
    # The one status that senders come back after under each of GHL's retry policies; the older ones give up on a 5xx.
    "busy": 429, "inbox": 429, "stopping": 429, "unexpected": 429,
}  # fmt: skip


class RefusedError(Exception):
    """This delivery is not taken; the argument is a reason of `ANSWERS`."""


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A body that somebody vouched for."""

    system: str
    connection: str | None
    verified: Verified
    body: bytes
    facts: Facts


class Receiver:
    """All that the addresses share. SettingsError if keys or secrets will not do."""

    def __init__(
        self, settings: Settings, spool: Spool, memory: DeliveryMemory, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._spool = spool
        self._memory = memory
        self._limits = limits
        self._undated = UndatedCopies()
        self._keys = ghl_keys(settings)
        self._senders = senders(settings)
        self._connections = {location.id: location.ghl.connection for location in settings.locations}
        self._max_body = settings.webhooks.max_body_bytes
        self._replay = timedelta(days=settings.webhooks.replay_days) if settings.webhooks.replay_days else None
        self._now: Callable[[], datetime] = settings.now
        self._notices = Notices()
        self._requests = 0
        self._held = 0

    @property
    def addresses(self) -> dict[str, str]:
        """Where each connection's hooks go, without any secret."""
        hooks = {name: f"/webhooks/{name}/SECRET" for name, sender in self._senders.items() if sender.system != "ghl"}
        workflows = {f"{n} (workflows)": f"/webhooks/{n}/SECRET" for n, s in self._senders.items() if s.system == "ghl"}
        return {"ghl": "/webhooks/ghl", **hooks, **workflows}

    def app(self) -> ASGIApp:
        """The ASGI application."""
        routes = [
            Route("/healthz", self._health, methods=["GET"]),
            Route("/webhooks/ghl", self._answering(self._from_ghl), methods=["POST"]),
            Route("/webhooks/ghl/events/{event}", self._answering(self._from_ghl), methods=["POST"]),
            Route("/webhooks/{connection}", self._answering(self._hint), methods=["POST"]),
            Route("/webhooks/{connection}/{secret}", self._answering(self._hint), methods=["POST"]),
        ]
        inner = Starlette(routes=routes)
        # A redirect would answer with the address, secret and all.
        inner.router.redirect_slashes = False
        return Lingering(inner)

    async def _health(self, _request: Request) -> JSONResponse:
        ok = not self._spool.failing
        counts = {"counts": dict(self._notices.counts), "queued_bytes": self._spool.queued_bytes}
        return JSONResponse({"ok": ok, **counts}, 200 if ok else 503)

    def _answering(
        self, work: Callable[[Request], Awaitable[JSONResponse]]
    ) -> Callable[[Request], Awaitable[JSONResponse]]:
        async def answered(request: Request) -> JSONResponse:
            try:
                return await work(request)
            except RefusedError as refused:
                return self._refusal(str(refused))
            except SpoolFullError:
                return self._refusal("busy")
            except SpoolUnavailableError:
                return self._refusal("inbox")
            except ClientDisconnect:
                return JSONResponse({}, 400)  # nobody hears it
            except asyncio.CancelledError:
                return self._refusal("stopping")
            except HTTPException:
                raise
            except Exception as bug:  # noqa: BLE001 - senders of a 500 may not come again
                # Type and place only: the text of an error may quote a body or an address.
                place = bug.__traceback__.tb_next if bug.__traceback__ else None
                logger.error("%s at line %s", type(bug).__name__, place and place.tb_lineno)  # noqa: TRY400
                return self._refusal("unexpected")

        return answered

    def _refusal(self, reason: str) -> JSONResponse:
        self._notices.count(reason)
        status = ANSWERS[reason]
        return JSONResponse(
            {"refused": reason}, status, {"Retry-After": RETRY_AFTER_SECONDS} if status == 429 else None
        )

    async def _from_ghl(self, request: Request) -> JSONResponse:
        """A signed event; the address may name it, for payloads that do not."""
        event = request.path_params.get("event")
        if event is not None and not re.fullmatch(r"[A-Za-z]{1,64}", event):
            raise HTTPException(404)
        if event is None and "ghl" in self._senders and SECRET in request.headers and not _is_signed(request.headers):
            return await self._hint(request)
        async with self._body(request) as body:
            verified = self._keys.verify(request.headers, body)
            if verified is None:
                raise RefusedError("signature")
            facts = read_payload("ghl", body, event)
            if self._replay is not None and facts.event_at is not None and self._now() - facts.event_at > self._replay:
                raise RefusedError("replay")
            connection = self._connections.get(facts.location_id or "")
            delivery_id = facts.webhook_id or sha256_id(body)
            return await self._keep(_Accepted("ghl", connection, verified, body, facts), delivery_id)

    async def _hint(self, request: Request) -> JSONResponse:
        """A hook that a secret vouches for, in the address or in a header."""
        sender = self._senders.get(request.path_params.get("connection", "ghl"))
        if sender is None:
            raise HTTPException(404)
        if not sender.knows_secret(request.path_params.get("secret") or request.headers.get(SECRET, "")):
            raise RefusedError("secret")
        async with self._body(request) as body:
            verified = sender.verify(request.headers, body)
            if verified is None:
                raise RefusedError("hmac")
            facts = read_payload(sender.system, body)
            delivery_id = sha256_id(body) if facts.event_at else self._undated.delivery_id(sender.connection, body)
            return await self._keep(_Accepted(sender.system, sender.connection, verified, body, facts), delivery_id)

    async def _keep(self, accepted: _Accepted, delivery_id: str) -> JSONResponse:
        """Answer 200 once the delivery, or the delivery that it is a copy of, is on the disk."""
        facts = accepted.facts
        event = InboxEvent(
            received_at=datetime.now(UTC),
            system=accepted.system,
            delivery_id=delivery_id,
            verified=accepted.verified,
            body=accepted.body,
            connection=accepted.connection,
            location_id=facts.location_id,
            event=facts.event,
            event_at=facts.event_at,
            records=facts.records,
        )
        key = delivery_key(event)
        writing = self._memory.pending(key)
        is_copy = writing is not None or self._memory.known(key)
        if not is_copy:
            writing = self._spool.write(encode(event))
            self._memory.expect(key, writing)
        if writing is not None:
            # A request that ends must not take away what the others wait for.
            await asyncio.shield(writing)
        self._notices.count("copies" if is_copy else "stored")
        return JSONResponse({"stored": True, "copy": is_copy})

    @asynccontextmanager
    async def _body(self, request: Request) -> AsyncIterator[bytes]:
        """The raw body, counted as long as it is held."""
        if self._requests >= self._limits.requests:
            raise RefusedError("busy")
        if int(request.headers.get("content-length") or 0) > self._max_body:
            raise RefusedError("too_large")
        self._requests += 1
        body = bytearray()
        try:
            try:
                async with asyncio.timeout(self._limits.body_seconds):
                    await self._read(request, body)
            except TimeoutError:
                raise RefusedError("slow") from None
            yield bytes(body)
        finally:
            self._requests -= 1
            self._held -= len(body)

    async def _read(self, request: Request, body: bytearray) -> None:
        async for part in request.stream():
            if len(body) + len(part) > self._max_body:
                raise RefusedError("too_large")
            if self._held + len(part) > self._limits.bodies_bytes:
                raise RefusedError("busy")
            body += part
            self._held += len(part)


def _is_signed(headers: Mapping[str, str]) -> bool:
    return any(headers.get(name, "N/A").strip() not in {"", "N/A"} for name in (SIGNATURE, LEGACY_SIGNATURE))
