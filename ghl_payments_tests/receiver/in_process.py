"""A receiver on loopback inside the test's own event loop, for bounds shorter than a user's and a spool held back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ghl_payments.receiver.app import Receiver
from ghl_payments.receiver.limits import DEFAULT_LIMITS, Limits
from ghl_payments.receiver.memory import DeliveryMemory
from ghl_payments.receiver.server import make_server
from ghl_payments.receiver.spool import Spool
from ghl_payments.settings import load_settings
from ghl_payments_tests.receiver.support import environment, signed


@dataclass(frozen=True)
class Served:
    """The receiver, where it listens, and a client for it."""

    receiver: Receiver
    spool: Spool
    inbox: Path
    port: int
    http: httpx.AsyncClient

    async def deliver(self, body: bytes) -> httpx.Response:
        """One signed event."""
        return await self.http.post("/webhooks/ghl", content=body, headers=signed(body))

    async def raw(self, *parts: bytes, pause: float = 0.0, end: bool = False) -> bytes:
        """What comes back for bytes sent with pauses; everything until the other side closes, or five seconds."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            if end:
                writer.write_eof()
            async with asyncio.timeout(5):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def served(
    folder: Path, limits: Limits = DEFAULT_LIMITS, *, start_spool: bool = True, **values: str
) -> AsyncIterator[Served]:
    """Serve until the block ends; without `start_spool` the test starts the writing itself."""
    settings = load_settings(environment(folder, **values))
    spool = Spool(settings.inbox)
    receiver = Receiver(settings, spool, DeliveryMemory(), limits)
    listening = asyncio.Event()
    server = make_server(receiver, listening.set, limits)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = listener.getsockname()[1]
    if start_spool:
        spool.start()
    running = asyncio.create_task(server.serve(sockets=[listener]))
    await listening.wait()
    base_url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=base_url, timeout=30, verify=False, trust_env=False) as http:
            yield Served(receiver, spool, settings.inbox, port, http)
    finally:
        server.should_exit = True
        await running
        assert await asyncio.to_thread(spool.close)
