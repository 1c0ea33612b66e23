"""One inbox file after the other: what is appended is on the disk, and what a reader saw in it stays true.

Extend it when files must begin or end otherwise; it opens inbox files for writing and nothing else does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from pathlib import Path

from ghl_payments.domain.inbox import SUFFIX, begun_at, file_name


class SpoolFile:
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
