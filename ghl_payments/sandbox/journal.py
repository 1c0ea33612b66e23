"""What happened in the sandbox: changes that can be undone, the log of requests, and the list of effects.

Every change of a record goes through `History`, which is what makes reset and stale reads possible.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

REQUESTS_KEPT = 200_000


class Changeable(Protocol):
    """A keyed collection; `replace` puts (None removes) one value and returns the one before."""

    def replace(self, key: Any, value: Any) -> Any:
        """Put or remove one value."""


@dataclass(frozen=True, slots=True)
class Change:
    """One replaced value and the monotonic second in which it happened."""

    at: float
    where: Changeable
    key: Any
    old: Any
    new: Any


class History:
    """All changes since the world was loaded, newest last."""

    def __init__(self) -> None:
        self._changes: list[Change] = []

    def write(self, where: Changeable, key: Any, value: Any) -> None:
        """Make one change and remember how to take it back."""
        old = where.replace(key, value)
        self._changes.append(Change(time.monotonic(), where, key, old, value))

    def undo_all(self) -> None:
        """Back to the world as it was loaded."""
        while self._changes:
            change = self._changes.pop()
            change.where.replace(change.key, change.old)

    @contextmanager
    def as_of(self, seconds_ago: float) -> Iterator[None]:
        """Show the world of some seconds ago; nothing may be written or awaited inside."""
        horizon = time.monotonic() - seconds_ago
        newer = [change for change in self._changes if change.at > horizon]
        for change in reversed(newer):
            change.where.replace(change.key, change.old)
        try:
            yield
        finally:
            for change in newer:
                change.where.replace(change.key, change.new)


class RequestLog:
    """The newest requests to the vendors; `total` counts the forgotten ones too."""

    def __init__(self) -> None:
        self._rows: deque[tuple[int, str, str, str, str, int, int]] = deque(maxlen=REQUESTS_KEPT)
        self.clear()

    def arrived_ms(self) -> int:
        """Milliseconds since the log began, to be taken when a request arrives."""
        return int((time.monotonic() - self._started) * 1000)

    def add(self, system: str, method: str, path: str, query: str, status: int, at_ms: int) -> None:
        """Log one request; status 0 means that the connection was closed without an answer."""
        self.total += 1
        self._rows.append((self.total, system, method, path, query, status, at_ms))

    def rows(self) -> list[dict[str, Any]]:
        """The kept requests in the order of their answers."""
        names = ("seq", "system", "method", "path", "query", "status", "at_ms")
        return [dict(zip(names, row, strict=True)) for row in self._rows]

    def clear(self) -> None:
        """Forget everything; numbers and milliseconds start again."""
        self._started = time.monotonic()
        self._rows.clear()
        self.total = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """One write that took effect in a vendor: what was sent, and the record and key it touched."""

    seq: int
    system: str
    method: str
    path: str
    record_type: str
    key: str | None
    native_id: str
    body: Any
