"""Which location gets a scan now: the newest tick of a kind, once, and never on top of a scan that reads as much.

Pure: what ran comes in as `Seen`, what should start goes out. When ticks are stands in `schedules.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ghl_payments.domain.schedules import KINDS, Kind, Place, Tick, newest_tick

State = Literal["active", "done", "failed", "canceled"]

AGAIN_AFTER = timedelta(hours=1)
"""A nightly or weekly scan that failed is tried once more, this long after it ended: a system may be down."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A run that scans or scanned a location; `tick` is the one it was made for, None when a person started it.

    `ended_at` (UTC) may be unknown; then it counts from its creation.
    """

    location_id: str
    kind: Kind
    created_at: datetime
    state: State
    tick: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A tick that has no run yet, or whose run failed (`again`): start one, unless there is a `reason` not to."""

    tick: Tick
    reason: str | None = None
    again: bool = False

    @property
    def run_key(self) -> str:
        """The same for the same start, so that a replay makes no second run."""
        return f"{self.tick.run_key}:again" if self.again else self.tick.run_key


def decide(
    kind: Kind, places: Iterable[Place], seen: Iterable[Seen], now: datetime, in_force: Collection[Kind] = KINDS
) -> list[Decision]:
    """What a schedule does at `now` (UTC), at most one decision a location.

    Only the newest tick counts, however many were missed. It is settled when a run was made for it, or when one that
    reads as much was created since and did not fail; a warm or cold one whose run failed is due once more, an hour
    later, unless a person cancelled it. `in_force` are the kinds whose schedules run: where a larger
    scan is due too, that one starts alone.
    """
    by_place: dict[str, list[Seen]] = {}
    for run in seen:
        by_place.setdefault(run.location_id, []).append(run)
    found = (_decide(kind, place, by_place.get(place.location_id, []), now, in_force) for place in places)
    return [decision for decision in found if decision is not None]


def _decide(kind: Kind, place: Place, seen: list[Seen], now: datetime, in_force: Collection[Kind]) -> Decision | None:
    tick = newest_tick(place, kind, now)
    if tick is None or _settled(tick, seen, now):
        return None
    again = any(_is_of(run, tick) for run in seen)
    for run in seen:
        if run.state == "active" and run.kind in from_(kind):
            since = f"{run.created_at:%Y-%m-%d %H:%M} UTC"
            return Decision(tick, f"its {run.kind} scan of {since} is still queued or running", again)
    for larger in from_(kind)[1:]:
        if larger not in in_force:
            continue
        other = newest_tick(place, larger, now)
        if other is not None and not _settled(other, seen, now):
            return Decision(tick, f"its {larger} scan is due too and reads all of it", again)
    return Decision(tick, again=again)


def _settled(tick: Tick, seen: list[Seen], now: datetime) -> bool:
    if any(
        run.kind in from_(tick.kind) and run.state in ("active", "done") and run.created_at >= tick.at for run in seen
    ):
        return True
    own = [run for run in seen if _is_of(run, tick)]
    # The next hot tick is never far, and a second failure is for a person to look at.
    if len(own) != 1 or own[0].state != "failed" or tick.kind == "hot":
        return bool(own)
    return now < (own[0].ended_at or own[0].created_at) + AGAIN_AFTER


def _is_of(run: Seen, tick: Tick) -> bool:
    return run.kind == tick.kind and run.tick == tick.name


def from_(kind: Kind) -> tuple[Kind, ...]:
    """The kind and all larger ones, smallest first."""
    return KINDS[KINDS.index(kind) :]
