"""The spool: one thread that puts lines on the disk, many with one fsync, and tells whoever waits for them.

Extend it for what happens while the disk is slow or full. The files belong to `spool_file.py`, what stands in a line to
`domain/inbox.py`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ghl_payments.receiver.spool_file import SpoolFile

logger = logging.getLogger(__name__)

FILE_BYTES = 8 * 1024 * 1024
FILE_SECONDS = 3600.0
QUEUE_BYTES = 32 * 1024 * 1024
BATCH_BYTES = 4 * 1024 * 1024
SPARE_BYTES = 64 * 1024 * 1024
"""What is left free on the inbox's disk, so that a flood of deliveries does not stop the warehouse beside it."""
FAILING_SECONDS = 10.0
REST_SECONDS = 1.0
"""How long after a failed write the next one is tried."""


class SpoolUnavailableError(Exception):
    """The line is not on the disk, and its sender must send it again."""


class SpoolFullError(SpoolUnavailableError):
    """As much waits for the disk as may wait."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    line: bytes
    future: asyncio.Future[None]


class Spool:
    """Appends whole lines to files in `folder` that this process alone writes.

    `write` is called in the event loop; lines that arrive while the disk is busy go to it together, with one fsync.
    """

    def __init__(
        self,
        folder: Path,
        *,
        file_bytes: int = FILE_BYTES,
        file_seconds: float = FILE_SECONDS,
        queue_bytes: int = QUEUE_BYTES,
        spare_bytes: int = SPARE_BYTES,
        on_new_file: Callable[[], None] | None = None,
    ) -> None:
        self._folder = folder
        self._queue_bytes = queue_bytes
        self._file = SpoolFile(folder, file_bytes, file_seconds, spare_bytes)
        self._on_new_file = on_new_file
        self._wake = threading.Condition()
        self._queue: list[_Waiting] = []
        self._queued = 0
        self._closing = False
        self._failed_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="inbox-writer", daemon=True)

    @property
    def failing(self) -> bool:
        """Whether a write has just failed; a while later nobody knows, and the next delivery must be let in."""
        return self._failed_at is not None and time.monotonic() - self._failed_at < FAILING_SECONDS

    @property
    def queued_bytes(self) -> int:
        """What waits for the disk."""
        return self._queued

    def start(self) -> None:
        """Make the folder and its first file, so that what cannot work is known before anybody is answered; OSError."""
        self._file.renew()
        self._thread.start()

    def write(self, line: bytes) -> asyncio.Future[None]:
        """A future that is done when the line is on the disk; it raises SpoolUnavailableError when it is not.

        Raises:
            SpoolUnavailableError: at once, when a write has just failed.
            SpoolFullError: at once, when too much waits already.
        """
        failed_at = self._failed_at
        if failed_at is not None and time.monotonic() - failed_at < REST_SECONDS:
            raise SpoolUnavailableError
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._wake:
            if self._closing:
                raise SpoolUnavailableError
            if self._queued + len(line) > self._queue_bytes:
                raise SpoolFullError
            self._queue.append(_Waiting(line, future))
            self._queued += len(line)
            self._wake.notify()
        return future

    def close(self, seconds: float = 30.0) -> bool:
        """Write what was taken, then close the file; False when the disk did not answer within that time."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                written = self._commit(batch)
            except Exception as bug:  # without this thread nobody would be answered any more
                logger.exception("the inbox's writer failed (%s); senders are asked to come again", type(bug).__name__)
                written = False
            with self._wake:
                self._queued -= sum(len(waiting.line) for waiting in batch)
            _settle(batch, failed=not written)
        self._file.close()

    def _next_batch(self) -> list[_Waiting]:
        """Everything that waits, up to a bound; empty when there is nothing left to do."""
        with self._wake:
            while not self._queue and not self._closing:
                self._wake.wait()
            size = taken = 0
            while taken < len(self._queue) and size < BATCH_BYTES:
                size += len(self._queue[taken].line)
                taken += 1
            batch, self._queue = self._queue[:taken], self._queue[taken:]
            return batch

    def _commit(self, batch: list[_Waiting]) -> bool:
        try:
            is_new = self._file.append(waiting.line for waiting in batch)
        except OSError as error:
            self._tell(error)
            self._failed_at = time.monotonic()
            return False
        if self._failed_at is not None:
            logger.warning("the inbox %s can be written again", self._folder)
            self._failed_at = None
        if is_new and self._on_new_file is not None:
            self._on_new_file()
        return True

    def _tell(self, error: OSError) -> None:
        """Once for each time that it begins to fail: thousands of deliveries may."""
        if self._failed_at is None:
            logger.error(
                "the inbox %s cannot be written (%s): free space on its disk, let this process write the folder, or "
                "name another one with GHL_PAYMENTS_INBOX; until then every sender is asked to come again (429)",
                self._folder,
                error.strerror or error,
            )


def _settle(batch: list[_Waiting], *, failed: bool) -> None:
    def settle() -> None:
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_exception(SpoolUnavailableError()) if failed else waiting.future.set_result(None)

    try:
        batch[0].future.get_loop().call_soon_threadsafe(settle)
    except RuntimeError:
        logger.debug("nobody waits for these lines any more")
