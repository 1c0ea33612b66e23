"""Waits on this machine for the browser that comes back from a consent page.

Extend it when a vendor comes back in another way; what the code is good for belongs to the command.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
_HEAD_SECONDS = 5.0
_MAX_LINE = 8192
_ARRIVED = "The answer has arrived; this window can be closed. What came of it is shown where the command runs."
_STRANGE = "This is not the answer that the command waits for."


class Redirect:
    """The listener; only an answer that carries `state` is taken, as any page could send a browser here."""

    def __init__(self) -> None:
        self.url = ""
        self.state = ""
        self._answer: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()

    async def answer(self, seconds: float) -> dict[str, str] | None:
        """The query that came back (`code`, or `error`), None when none came in time."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._answer), seconds)
        except TimeoutError:
            return None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of a browser."""
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                line = await reader.readline()
                while (await reader.readline()).strip():
                    pass
            taken = self._take(line)
            writer.write(_page("200 OK", _ARRIVED) if taken else _page("400 Bad Request", _STRANGE))
            await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # no browser, or an impatient one; it can come again
        finally:
            writer.close()

    def _take(self, line: bytes) -> bool:
        method, _, rest = line.decode("latin-1").partition(" ")
        query = dict(parse_qsl(urlsplit(rest.partition(" ")[0]).query))
        ours = bool(self.state) and hmac.compare_digest(query.get("state", "").encode(), self.state.encode())
        if method != "GET" or not ours or not {"code", "error"} & query.keys():
            return False
        if not self._answer.done():
            self._answer.set_result(query)
        return True


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[Redirect]:
    """Listen on 127.0.0.1 (0: any free port) until the block ends. OSError when the port is taken."""
    redirect = Redirect()
    server = await asyncio.start_server(redirect.serve, HOST, port, limit=_MAX_LINE)
    redirect.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/"
    try:
        yield redirect
    finally:
        server.close()


def _page(status: str, text: str) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
