"""The book of requests behind the rate budget: counts in time bins, in one SQLite file that all processes share.

Only bookkeeping stands here; waiting and priorities are in `budget.py`.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

BINS = 100
"""Bins a window; a request is held up to one bin longer than needed, so 1 % of the limit is the price."""

_OPENING_TRIES = 100
_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
  bucket TEXT PRIMARY KEY, max_requests INTEGER NOT NULL, window_ms INTEGER NOT NULL,
  announced INTEGER NOT NULL DEFAULT 0, blocked_until_ms INTEGER NOT NULL DEFAULT 0,
  daily_until_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bins (
  bucket TEXT NOT NULL, end_ms INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (bucket, end_ms)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS days (
  bucket TEXT PRIMARY KEY, daily_limit INTEGER, remaining INTEGER NOT NULL, resets_at_ms INTEGER,
  heard_at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners (bucket TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (bucket, name)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A request that may leave: the bin that holds it until it is settled, when it was granted, the window then.

    `burst` is its place in the system's shorter window, where it has one.
    """

    end_ms: int
    started_ms: int
    window_ms: int
    burst: Reservation | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """No request may leave before `until_ms` (epoch ms) at the earliest.

    `told`: the system said so; `daily`: because the day's quota is used up.
    """

    until_ms: int
    told: bool = False
    daily: bool = False


@dataclass(frozen=True, slots=True)
class Announcement:
    """What response headers said about limits; None where they said nothing."""

    max_requests: int | None = None
    window_ms: int | None = None
    remaining: int | None = None
    daily_limit: int | None = None
    daily_remaining: int | None = None
    daily_reset_ms: int | None = None


class BudgetStore:
    """One bucket of the book. Every method is one short transaction; times are epoch milliseconds.

    A reservation is booked at the end of its longest possible flight and re-booked at its true end, so that it
    counts from its start until one window after its completion, and a crashed process blocks nobody for ever.
    """

    def __init__(
        self, path: Path, bucket: str, *, max_requests: int, window_ms: int, flight_ms: int, name: str = ""
    ) -> None:
        self._bucket = bucket
        self._flight_ms = flight_ms
        self._known: tuple[int, int] | None = None
        self._settled = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        # The owner guarantees one event loop at a time, though not always the same thread.
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        _prepare(self._db)
        self._db.execute(
            "INSERT INTO buckets (bucket, max_requests, window_ms) VALUES (?, ?, ?) ON CONFLICT (bucket) DO UPDATE "
            "SET max_requests = excluded.max_requests, window_ms = excluded.window_ms WHERE announced = 0",
            (bucket, max_requests, window_ms),
        )
        if name:
            self._db.execute("INSERT OR IGNORE INTO owners VALUES (?, ?)", (bucket, name))

    def reserve(self, share: float, now_ms: int) -> Reservation | Refusal:
        """Book one request if fewer than `share` of the limit are counted."""
        with _Transaction(self._db):
            maximum, window, blocked_until, daily_until = self._db.execute(
                "SELECT max_requests, window_ms, blocked_until_ms, daily_until_ms FROM buckets WHERE bucket = ?",
                (self._bucket,),
            ).fetchone()
            if now_ms < daily_until:
                return Refusal(daily_until, told=True, daily=True)
            if now_ms < blocked_until:
                return Refusal(blocked_until, told=True)
            used, oldest = self._used(now_ms - window)
            if used >= max(1, int(maximum * share)):
                return Refusal(min(oldest + window + 1, now_ms + window))
            end = _bin_end(now_ms + self._flight_ms, window)
            self._add(end, 1)
            return Reservation(end, now_ms, window)

    def cancel(self, reservation: Reservation) -> None:
        """Give back a place of a request that was not sent."""
        self._db.execute(
            "UPDATE bins SET n = n - 1 WHERE bucket = ? AND end_ms = ? AND n > 0", (self._bucket, reservation.end_ms)
        )

    def settle(self, reservation: Reservation, now_ms: int, said: Announcement | None) -> None:
        """Re-book a finished request at its completion and take note of what the answer announced."""
        with _Transaction(self._db):
            if said is not None and said.max_requests is not None:
                self._believe(said)
            window = said.window_ms if said is not None and said.window_ms is not None else reservation.window_ms
            self._db.execute(
                "UPDATE bins SET n = n - 1 WHERE bucket = ? AND end_ms = ? AND n > 0",
                (self._bucket, reservation.end_ms),
            )
            self._add(_bin_end(now_ms, window), 1)
            if said is not None:
                self._add_unseen(reservation, now_ms, window, said)
                self._note_daily(now_ms, said)
            self._settled += 1
            if self._settled % BINS == 0:
                self._sweep_out(now_ms - window - self._flight_ms)

    def block(self, until_ms: int) -> None:
        """Let nothing leave before `until_ms`: the system refused a request."""
        self._db.execute(
            "UPDATE buckets SET blocked_until_ms = max(blocked_until_ms, ?) WHERE bucket = ?",
            (until_ms, self._bucket),
        )

    def used(self, now_ms: int) -> int:
        """How many requests count at this instant."""
        return self._used(now_ms - self._window())[0]

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _used(self, since_ms: int) -> tuple[int, int]:
        used, oldest = self._db.execute(
            "SELECT coalesce(sum(n), 0), coalesce(min(end_ms), 0) FROM bins WHERE bucket = ? AND end_ms >= ? AND n > 0",
            (self._bucket, since_ms),
        ).fetchone()
        return int(used), int(oldest)

    def _sweep_out(self, before_ms: int) -> None:
        self._db.execute("DELETE FROM bins WHERE bucket = ? AND end_ms < ?", (self._bucket, before_ms))

    def _window(self) -> int:
        row = self._db.execute("SELECT window_ms FROM buckets WHERE bucket = ?", (self._bucket,)).fetchone()
        return int(row[0])

    def _add(self, end_ms: int, n: int) -> None:
        self._db.execute(
            "INSERT INTO bins (bucket, end_ms, n) VALUES (?, ?, ?) "
            "ON CONFLICT (bucket, end_ms) DO UPDATE SET n = n + excluded.n",
            (self._bucket, end_ms, n),
        )

    def _believe(self, said: Announcement) -> None:
        """A server that announces another limit or window than configured knows better."""
        window = said.window_ms or self._window()
        if self._known == (said.max_requests, window):
            return
        self._db.execute(
            "UPDATE buckets SET max_requests = ?, window_ms = ?, announced = 1 WHERE bucket = ?",
            (said.max_requests, window, self._bucket),
        )
        self._known = (said.max_requests or 0, window)

    def _add_unseen(self, reservation: Reservation, now_ms: int, window: int, said: Announcement) -> None:
        """Count requests that the server has seen and we have not: other programs with the same credential.

        The server looked at some time since the request started, so all that we counted since then are ours.
        """
        if said.remaining is None or said.max_requests is None:
            return
        unseen = said.max_requests - said.remaining - self._used(reservation.started_ms - window)[0]
        if unseen > 0:
            self._add(_bin_end(now_ms, window), unseen)

    def _note_daily(self, now_ms: int, said: Announcement) -> None:
        if said.daily_remaining is None:
            return
        resets_at = now_ms + said.daily_reset_ms if said.daily_reset_ms is not None else None
        self._db.execute(
            "INSERT OR REPLACE INTO days VALUES (?, ?, ?, ?, ?)",
            (self._bucket, said.daily_limit, max(0, said.daily_remaining), resets_at, now_ms),
        )
        if said.daily_remaining > 0:
            return
        reset = said.daily_reset_ms if said.daily_reset_ms is not None else 3_600_000
        self._db.execute(
            "UPDATE buckets SET daily_until_ms = max(daily_until_ms, ?) WHERE bucket = ?",
            (now_ms + reset, self._bucket),
        )


class _Transaction:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK when the block raises."""

    __slots__ = ("_db",)

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def _prepare(db: sqlite3.Connection) -> None:
    """Create the file's tables; processes that start together may collide here, where SQLite does not wait."""
    for attempt in range(_OPENING_TRIES):
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=OFF")  # losing the last second in a power cut costs one 429
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            return
        except sqlite3.OperationalError:
            if attempt == _OPENING_TRIES - 1:
                raise
            time.sleep(0.02)


def _bin_end(at_ms: int, window_ms: int) -> int:
    width = max(1, window_ms // BINS)
    return (at_ms // width + 1) * width
