"""What was delivered before: a bounded memory of delivery ids, filled from recent inbox files at the start.

Extend it when deliveries need another identity. Readers of the inbox de-duplicate again, so that forgetting is safe.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from ghl_payments.domain.inbox import InboxEvent, begun_at

REMEMBERED = 100_000
REMEMBERED_BYTES = 256 * 1024 * 1024
"""How much of the newest inbox files is read at the start."""


class DeliveryMemory:
    """Ids of deliveries that are on the disk, and of those that are on their way to it.

    The oldest of the first are forgotten beyond `limit`; of the second there are never more than requests.
    """

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._durable: dict[bytes, None] = {}
        self._pending: dict[bytes, asyncio.Future[None]] = {}

    def __len__(self) -> int:
        return len(self._durable)

    def known(self, key: bytes) -> bool:
        """Whether that delivery is on the disk."""
        return key in self._durable

    def pending(self, key: bytes) -> asyncio.Future[None] | None:
        """What a second copy of a delivery waits for while the first is being written."""
        return self._pending.get(key)

    def expect(self, key: bytes, future: asyncio.Future[None]) -> None:
        """Remember the delivery once `future` is done, forget it if that fails."""
        self._pending[key] = future
        future.add_done_callback(lambda done: self._arrived(key, done))

    def remember(self, key: bytes) -> None:
        """That delivery is on the disk."""
        self._durable[key] = None
        while len(self._durable) > self._limit:
            del self._durable[next(iter(self._durable))]

    def _arrived(self, key: bytes, done: asyncio.Future[None]) -> None:
        self._pending.pop(key, None)
        if not done.cancelled() and done.exception() is None:
            self.remember(key)


def delivery_key(event: InboxEvent) -> bytes:
    """Sixteen bytes that are the same for copies of one delivery.

    What only a secret vouches for never makes a signed delivery look like a copy.
    """
    return _key(event.system, event.connection, event.verified, event.delivery_id)


def recall(folder: Path, memory: DeliveryMemory, max_bytes: int = REMEMBERED_BYTES) -> None:
    """Remember what recent files hold, oldest first; each is made durable first, as its writer may have died before.

    OSError if a file cannot be read.
    """
    for path in _recent(folder, max_bytes):
        # Another process may clean up at the same time.
        with suppress(FileNotFoundError), path.open("rb") as file:
            os.fsync(file.fileno())
            for line in file:
                if key := _key_of_line(line):
                    memory.remember(key)


class _Identity(msgspec.Struct):
    system: str
    delivery_id: str
    verified: str
    connection: str | None = None


_decoder = msgspec.json.Decoder(_Identity)


def _key_of_line(line: bytes) -> bytes | None:
    if not line.endswith(b"\n"):
        return None
    try:
        found = _decoder.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return _key(found.system, found.connection, found.verified, found.delivery_id)


def _key(system: str, connection: str | None, verified: str, delivery_id: str) -> bytes:
    vouched = "secret" if verified == "secret" else "signed"
    text = "\0".join((system, connection or "", vouched, delivery_id))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _recent(folder: Path, max_bytes: int) -> Iterator[Path]:
    chosen: list[Path] = []
    sizes: dict[Path, int] = {}
    for entry in os.scandir(folder) if folder.is_dir() else ():
        with suppress(FileNotFoundError):
            sizes |= {Path(entry): entry.stat().st_size} if begun_at(entry.name) else {}
    for path in sorted(sizes, reverse=True):
        max_bytes -= sizes[path]
        if max_bytes < 0 and chosen:
            break
        chosen.append(path)
    yield from reversed(chosen)


class UndatedCopies:
    """Delivery ids for bodies that name neither an id nor a time.

    The same body a while later is news (the contact changed again), at once it is a copy.
    """

    SECONDS = 10.0
    LIMIT = 10_000

    def __init__(self) -> None:
        self._given: dict[bytes, tuple[float, str]] = {}

    def delivery_id(self, connection: str, body: bytes) -> str:
        """`sha256:HEX@N`, the same for the same body within ten seconds."""
        digest = hashlib.sha256(body)
        key, now = digest.digest() + connection.encode(), time.monotonic()
        at, delivery_id = self._given.pop(key, (0.0, ""))
        if not delivery_id or now - at > self.SECONDS:
            at, delivery_id = now, f"sha256:{digest.hexdigest()}@{time.time_ns()}"
        self._given[key] = (at, delivery_id)
        while len(self._given) > self.LIMIT:
            del self._given[next(iter(self._given))]
        return delivery_id
