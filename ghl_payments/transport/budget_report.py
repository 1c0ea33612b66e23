"""What the rate budget's book says right now: for people, read without holding up anybody who spends.

Only reading belongs here; the book is kept by `budget_store.py`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ghl_payments.transport.budget import SHARES, Priority
from ghl_payments.transport.budget_store import BINS

BURST = "/burst"
_DAY_MS = 86_400_000
_TABLES = {"buckets", "bins"}


class NoBudgetError(RuntimeError):
    """The file is no rate budget, or cannot be read."""


@dataclass(frozen=True, slots=True)
class DailyQuota:
    """A day's quota as the vendor last told it. `left` is None when the day has ended since; times are epoch ms."""

    limit: int | None
    left: int | None
    resets_at_ms: int | None
    heard_at_ms: int


@dataclass(frozen=True, slots=True)
class BucketState:
    """The requests that one credential may send to one host, at one instant; times are epoch ms, 0 for none.

    `credential` is the hash that stands for it. `spent` requests count in the window, `in_flight` are reserved and
    not answered yet. `burst` is the second, shorter window of the same credential.
    """

    host: str
    credential: str
    names: tuple[str, ...]
    burst: bool
    limit: int
    window_ms: int
    announced: bool
    spent: int
    in_flight: int
    blocked_until_ms: int = 0
    used_up_until_ms: int = 0
    daily: DailyQuota | None = None
    shares: dict[Priority, float] = field(default_factory=lambda: dict(SHARES))

    @property
    def left(self) -> int:
        """Requests that may leave at once with the highest priority."""
        return self._left(self.limit)

    def may_use(self, priority: Priority) -> int:
        """How much of the limit this priority may fill; the rest is reserved for higher ones."""
        return self.limit if self.burst else max(1, int(self.limit * self.shares[priority]))

    def left_for(self, priority: Priority) -> int:
        """Requests that may leave at once with this priority."""
        return self._left(self.may_use(priority))

    def _left(self, limit: int) -> int:
        stopped = self.blocked_until_ms or self.used_up_until_ms
        return 0 if stopped else max(0, limit - self.spent - self.in_flight)


def read_budget(path: Path, now_ms: int) -> list[BucketState]:
    """Every bucket of the book, by name; none when there is no file yet. NoBudgetError when it cannot be read."""
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=10)) as db:
            db.execute("BEGIN")  # one instant for all that is read
            return sorted(
                _buckets(db, now_ms), key=lambda state: (state.names, state.host, state.credential, state.burst)
            )
    except sqlite3.Error as error:
        msg = f"{path} cannot be read as a rate budget ({error}); it may be deleted, the next request makes it again"
        raise NoBudgetError(msg) from None


def _buckets(db: sqlite3.Connection, now_ms: int) -> list[BucketState]:
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables >= _TABLES:
        return []
    names: dict[str, list[str]] = {}
    for bucket, name in db.execute("SELECT bucket, name FROM owners ORDER BY name") if "owners" in tables else ():
        names.setdefault(bucket, []).append(name)
    days = {row[0]: row[1:] for row in db.execute("SELECT * FROM days")} if "days" in tables else {}
    states = []
    for bucket, limit, window, announced, blocked, used_up in db.execute(
        "SELECT bucket, max_requests, window_ms, announced, blocked_until_ms, daily_until_ms FROM buckets"
    ).fetchall():
        # What is in flight is booked at the end of its longest flight, far beyond the bin that now is in.
        begun = now_ms + max(1, window // BINS)
        spent, in_flight = db.execute(
            "SELECT coalesce(sum(n) FILTER (WHERE end_ms <= ?), 0), coalesce(sum(n) FILTER (WHERE end_ms > ?), 0) "
            "FROM bins WHERE bucket = ? AND end_ms >= ? AND n > 0",
            (begun, begun, bucket, now_ms - window),
        ).fetchone()
        account = bucket.removesuffix(BURST)
        host, _, credential = account.rpartition("/")
        states.append(
            BucketState(
                host, credential, tuple(names.get(bucket, ())), account != bucket, limit, window, bool(announced),
                spent, in_flight, blocked if blocked > now_ms else 0, used_up if used_up > now_ms else 0,
                _daily(days.get(bucket), now_ms),
            )
        )  # fmt: skip
    return states


def _daily(row: tuple[int | None, int, int | None, int] | None, now_ms: int) -> DailyQuota | None:
    if row is None:
        return None
    limit, left, resets_at, heard_at = row
    ended = now_ms >= (resets_at if resets_at is not None else heard_at + _DAY_MS)
    return DailyQuota(limit, None if ended else left, resets_at, heard_at)
