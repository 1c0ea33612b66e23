"""Runs the receiver: spool, memory, listening socket, ready line, and a stop that finishes what was taken.

Extend it for the life of the process; addresses belong to `app.py`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ghl_payments.connections import SettingsError
from ghl_payments.receiver.app import Receiver
from ghl_payments.receiver.limits import DEFAULT_LIMITS, Limits
from ghl_payments.receiver.memory import DeliveryMemory, recall
from ghl_payments.receiver.retention import remove_read_files
from ghl_payments.receiver.spool import Spool
from ghl_payments.settings import Settings

logger = logging.getLogger(__name__)


def serve(settings: Settings, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Receive until SIGINT or SIGTERM; `announce` gets one JSON line once the port is listened on.

    SettingsError if keys or secrets will not do, or the inbox or the port cannot be used.
    """

    def clean_up() -> None:
        try:
            remove_read_files(settings.inbox, settings.webhooks.keep_days)
        except OSError as error:
            logger.warning("read inbox files in %s could not be removed: %s", settings.inbox, error.strerror)

    spool = Spool(settings.inbox, on_new_file=clean_up)
    memory = DeliveryMemory()
    receiver = Receiver(settings, spool, memory)
    clean_up()
    try:
        recall(settings.inbox, memory)
        spool.start()
    except OSError as error:
        msg = (
            f"the inbox {settings.inbox} cannot be written ({error.strerror}): let this process make and write that "
            "folder, or name another one with GHL_PAYMENTS_INBOX"
        )
        raise SettingsError(msg) from None
    try:
        listener = _listener(host, port)
        shown = f"[{host}]" if ":" in host else host
        base_url = f"http://{shown}:{listener.getsockname()[1]}"
        ready = {"ready": True, "base_url": base_url, "addresses": receiver.addresses, "inbox": str(settings.inbox)}
        _run(make_server(receiver, lambda: announce(json.dumps(ready))), listener)
    finally:
        if not spool.close():
            logger.error("the disk of the inbox %s does not answer; what was not answered comes again", settings.inbox)


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        msg = f"{host}:{port} cannot be used ({error.strerror or error}); name another with --port, 0 picks a free one"
        raise SettingsError(msg) from None


class _Guarded(H11Protocol):
    """uvicorn's protocol with a limit on connections, and on the time that a request's head may take."""

    _head_timer: asyncio.TimerHandle | None = None

    def __init__(self, limits: Limits, **given: Any) -> None:
        super().__init__(**given)
        self._limits = limits

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            transport.abort()
            return
        # asyncio does it by itself only for sockets that name their protocol; without it an answer waits 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head_timer = self.loop.call_later(self._limits.head_seconds, self._head_is_late)

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except Exception as bug:  # noqa: BLE001 - asyncio would log the traceback, and in it what was sent
            logger.error("%s: a connection is closed without an answer", type(bug).__name__)  # noqa: TRY400
            self.transport.abort()
            return
        if not self._awaits_head():
            self._forget_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.head_seconds, self._head_is_late)

    def send_400_response(self, msg: str) -> None:
        # In the middle of another answer h11 lets none begin; then the connection just ends.
        with suppress(Exception):
            super().send_400_response(msg)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_timer()
        super().connection_lost(exc)

    def _awaits_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._awaits_head():
            self.transport.abort()


class _Server(uvicorn.Server):
    """Announces itself when it listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def make_server(receiver: Receiver, announce: Callable[[], None], limits: Limits = DEFAULT_LIMITS) -> uvicorn.Server:
    """A server of that receiver, not yet running; `announce` is called once it listens."""
    # Its access log would print addresses, and an address holds a secret; every error has a line of our own.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
    config = uvicorn.Config(
        cast(Any, receiver.app()),
        loop="asyncio",
        http=cast(Any, partial(_Guarded, limits)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=limits.stop_seconds,
        h11_max_incomplete_event_size=limits.head_bytes,
    )
    return _Server(config, announce)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    def stop(*_: object) -> None:
        # uvicorn raises a signal it was stopped by once more when it is done; by then there is nothing left to stop.
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
