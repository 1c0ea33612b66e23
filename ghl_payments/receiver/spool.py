"""The spool: one thread that appends lines to inbox files and answers for them once they are on the disk.

Extend it when a line must be kept more safely or a full disk noticed sooner; it opens files for writing and nothing
else does. What stands in a line belongs to `domain/inbox.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from pathlib import Path

from ghl_payments.domain.inbox import SUFFIX, begun_at, file_name

logger = logging.getLogger(__name__)

FILE_BYTES = 8 * 1024 * 1024
FILE_SECONDS = 3600.0
QUEUE_BYTES = 32 * 1024 * 1024
BATCH_BYTES = 4 * 1024 * 1024
SPARE_BYTES = 64 * 1024 * 1024
"""What is left free on the inbox's disk, so that a flood of deliveries does not stop the warehouse beside it."""
REST_SECONDS = 1.0
"""How long after a failed write the next one is tried."""


class SpoolUnavailableError(Exception):
    """The line is not on the disk, and its sender must send it again."""


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
        self._file = _SpoolFile(folder, file_bytes, file_seconds, spare_bytes)
        self._on_new_file = on_new_file
        self._wake = threading.Condition()
        self._queue: list[_Waiting] = []
        self._queued = 0
        self._closing = False
        self._failed_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="inbox-writer", daemon=True)

    @property
    def failing(self) -> bool:
        """Whether the last write failed."""
        return self._failed_at is not None

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
            SpoolUnavailableError: at once, when too much waits already or a write has just failed.
        """
        failed_at = self._failed_at
        if failed_at is not None and time.monotonic() - failed_at < REST_SECONDS:
            raise SpoolUnavailableError
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._wake:
            if self._closing or self._queued + len(line) > self._queue_bytes:
                raise SpoolUnavailableError
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


class _SpoolFile:
    """The file that is appended to at the moment. After any error it is left as it is and never written again.

    What a reader saw in it must stay true, and after a failed fsync nobody knows what is on the disk.
    """

    def __init__(self, folder: Path, max_bytes: int, max_seconds: float, spare_bytes: int) -> None:
        self._folder = folder
        self._spare_bytes = spare_bytes
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._path: Path | None = None
        self._descriptor = -1
        self._size = 0
        self._begun = 0.0
        self._number = 0
        self._last = datetime.min.replace(tzinfo=UTC)

    def append(self, lines: Iterable[bytes]) -> bool:
        """Put the lines on the disk; True when they went into a new file. OSError leaves no promise about any."""
        is_new = not self._usable()
        if is_new:
            self.renew()
        self._leave_spare_room()
        data = memoryview(b"".join(lines))
        try:
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
            sync(self._descriptor)
        except OSError:
            self._abandon()
            raise
        self._size += len(data)
        return is_new

    def renew(self) -> None:
        """Begin a new file whose name is later than all there are, and make its name durable."""
        self.close()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        at = max(datetime.now(UTC), self._last + timedelta(microseconds=1), self._after_the_newest())
        self._number += 1
        path = self._folder / file_name(at, os.getpid(), self._number)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._path, self._size, self._begun, self._last = path, 0, time.monotonic(), at
        try:
            sync_folder(self._folder)
        except OSError:
            self._abandon()
            raise

    def close(self) -> None:
        """Close it; an empty one disappears."""
        if self._path is None:
            return
        descriptor, path = self._descriptor, self._path
        self._descriptor, self._path = -1, None
        if not self._size:
            path.unlink(missing_ok=True)
        os.close(descriptor)

    def _abandon(self) -> None:
        """Nothing that was promised may go with it: only a file without any durable line is removed."""
        with suppress(OSError):
            self.close()

    def _leave_spare_room(self) -> None:
        if not self._spare_bytes:
            return
        disk = os.statvfs(self._descriptor)
        if disk.f_bavail * disk.f_frsize < self._spare_bytes:
            raise OSError(ENOSPC, f"less than {self._spare_bytes >> 20} MiB are free on its disk")

    def _usable(self) -> bool:
        if self._path is None or self._size >= self._max_bytes:
            return False
        # Both clocks: one of them stands still while a machine sleeps. An empty file ages too, for readers go by names.
        if max(time.monotonic() - self._begun, (datetime.now(UTC) - self._last).total_seconds()) >= self._max_seconds:
            return False
        try:
            # Someone may have cleared the folder; what is written into a removed file is lost.
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))  # noqa: PTH116
        except OSError:
            return False

    def _after_the_newest(self) -> datetime:
        """A clock that was put back must not give a name that readers have passed."""
        begun = [at for path in self._folder.glob(f"*{SUFFIX}") if (at := begun_at(path.name))]
        return max(begun) + timedelta(microseconds=1) if begun else datetime.min.replace(tzinfo=UTC)


def sync(descriptor: int) -> None:
    """What was written is on the disk; OSError if it may not be."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _settle(batch: list[_Waiting], *, failed: bool) -> None:
    def settle() -> None:
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_exception(SpoolUnavailableError()) if failed else waiting.future.set_result(None)

    try:
        batch[0].future.get_loop().call_soon_threadsafe(settle)
    except RuntimeError:
        logger.debug("nobody waits for these lines any more")
