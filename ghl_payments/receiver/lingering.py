"""Answers that reach a sender who is still sending.

A connection closed with unread bytes is reset, and the reset may overtake the answer. Extend it when senders need more
patience than this; which answer they get belongs to `app.py`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_SECONDS = 2.0
LINGER_BYTES = 4 * 1024 * 1024


class Lingering:
    """Wraps an application: the body that it left unread is read, within bounds, before the connection ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        unread = _Unread(scope, receive)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and unread.left:
                message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
            elif message["type"] == "http.response.body" and unread.left and not message.get("more_body"):
                await send({**message, "more_body": True})
                await unread.drain()
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, unread.receive, answer)


class _Unread:
    """What is still to come of a request's body."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        self.left = b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip() not in {b"", b"0"}
        self._waits = b"expect" in headers
        self._receive = receive

    async def receive(self) -> dict[str, Any]:
        """The next part."""
        self._waits = False
        message = dict(await self._receive())
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            self.left = False
        return message

    async def drain(self) -> None:
        """Read on for a while. A sender that waits to be told to go on sends nothing any more."""
        seen = 0
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while self.left and not self._waits and seen < LINGER_BYTES:
                    seen += len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass
