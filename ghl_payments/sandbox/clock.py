"""The sandbox's time: a frozen `now`, stamps for writes that grow by a microsecond, and instants read from text.

Real time, which only rate limits and token lifetimes need, is `time.monotonic` and stays with them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class SandboxClock:
    """Stands still at `now`; `stamp` is strictly later at every call, so writes can be put in order."""

    def __init__(self, now: datetime) -> None:
        self.now = now.astimezone(UTC)
        self._ticks = 0

    def text(self) -> str:
        """`now` as ISO 8601 with `Z`, whole seconds where possible."""
        return self.now.isoformat().replace("+00:00", "Z")

    def stamp(self) -> str:
        """A modification time: ISO 8601 UTC with microseconds."""
        self._ticks += 1
        return f"{self.now + timedelta(microseconds=self._ticks):%Y-%m-%dT%H:%M:%S.%fZ}"

    def rewind(self) -> None:
        """Start the stamps again, so that a reset world repeats its bytes."""
        self._ticks = 0


def epoch_ms(text: object) -> int | None:
    """Milliseconds since 1970 of an ISO 8601 text (naive means UTC), None if it is not one."""
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // _MS


def iso_ms(milliseconds: int) -> str:
    """ISO 8601 UTC with milliseconds and `Z`, the form of every timestamp in GHL."""
    instant = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def is_bare_date(text: str) -> bool:
    """Whether the text names a day rather than an instant."""
    return len(text) == 10


def day_end_ms(milliseconds: int) -> int:
    """The last millisecond of the UTC day that the instant falls on."""
    return milliseconds - milliseconds % _DAY_MS + _DAY_MS - 1


def day_start_ms(milliseconds: int) -> int:
    """The first millisecond of the UTC day that the instant falls on."""
    return milliseconds - milliseconds % _DAY_MS
