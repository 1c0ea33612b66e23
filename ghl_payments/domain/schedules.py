"""When scans are due by themselves: what `schedules:` in connections.yaml may say, and the newest tick of each kind.

Pure: a tick follows from the settings, the location and an instant. Which tick gets a run is decided in `due.py`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Kind = Literal["hot", "warm", "cold"]

KINDS: tuple[Kind, ...] = ("hot", "warm", "cold")
"""From the smallest scan to the largest; a larger one reads all that a smaller one reads."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _or_off(value: object) -> object:
    if value is False or value == "off":  # a bare off is false where YAML 1.1 is spoken
        return None
    if value is None:
        msg = "is empty; write `off`, or what should differ"
        raise ValueError(msg)
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hot(_Strict):
    """The current and the previous month, every few minutes; locations are spread over these minutes."""

    every_minutes: Annotated[int, Field(ge=1, le=15)] = 15


class Warm(_Strict):
    """13 months, each night at this hour of the location's own time, spread over so many minutes from then on."""

    hour: Annotated[int, Field(ge=0, le=23)] = 2
    spread_minutes: Annotated[int, Field(ge=0, le=240)] = 45


class Cold(_Strict):
    """All months, once a week, at this hour of the location's own time, spread over so many minutes from then on."""

    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "sunday"
    hour: Annotated[int, Field(ge=0, le=23)] = 3
    spread_minutes: Annotated[int, Field(ge=0, le=240)] = 120


class Schedules(_Strict):
    """How often what is scanned; None is `off`."""

    hot: Annotated[Hot | None, BeforeValidator(_or_off)] = Hot()
    warm: Annotated[Warm | None, BeforeValidator(_or_off)] = Warm()
    cold: Annotated[Cold | None, BeforeValidator(_or_off)] = Cold()

    def with_own(self, own: Schedules) -> Schedules:
        """These, with what a location says itself in their place, key by key."""
        changed: dict[str, Any] = {}
        for kind in own.model_fields_set:
            mine, theirs = getattr(self, kind), getattr(own, kind)
            keep = mine is not None and theirs is not None
            changed[kind] = mine.model_copy(update=theirs.model_dump(exclude_unset=True)) if keep else theirs
        return self.model_copy(update=changed)


@dataclass(frozen=True, slots=True)
class Place:
    """A location as far as its schedules need it."""

    location_id: str
    timezone: str
    schedules: Schedules


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment at which a scan of a location is due.

    `at` is its start, `window` (UTC both) what the location's own delay is counted from, so that it is the same for
    all locations; `name` tells it from the other ticks of its kind.
    """

    location_id: str
    kind: Kind
    name: str
    window: datetime
    at: datetime

    @property
    def run_key(self) -> str:
        """The same for the same tick, so that a replay makes no second run."""
        return f"{self.kind}:{self.location_id}:{self.name}"

    @property
    def turn(self) -> str:
        """The turn it belongs to: locations of one window share what is read of a common connection."""
        return f"{self.kind}:{self.window:%Y-%m-%dT%H:%MZ}"


def delay(location_id: str, kind: Kind, minutes: int) -> int:
    """Whole minutes, below `minutes`, by which a location starts after the others; always the same for it."""
    digest = hashlib.sha256(f"{kind}/{location_id}".encode()).digest()
    return int.from_bytes(digest[:8]) % max(1, minutes)


def newest_tick(place: Place, kind: Kind, now: datetime) -> Tick | None:
    """The last tick of a kind that is not in the future; None where the kind is off."""
    if kind == "hot":
        hot = place.schedules.hot
        return _hot(place, hot, now) if hot is not None else None
    if kind == "warm":
        warm = place.schedules.warm
        return _daily(place, kind, warm.hour, warm.spread_minutes, None, now) if warm is not None else None
    cold = place.schedules.cold
    if cold is None:
        return None
    return _daily(place, kind, cold.hour, cold.spread_minutes, WEEKDAYS.index(cold.weekday), now)


def _hot(place: Place, hot: Hot, now: datetime) -> Tick:
    late = delay(place.location_id, "hot", hot.every_minutes)
    minute = int(now.timestamp()) // 60
    window = (minute - late) // hot.every_minutes * hot.every_minutes
    at = datetime.fromtimestamp((window + late) * 60, UTC)
    return Tick(place.location_id, "hot", f"{at:%Y-%m-%dT%H:%MZ}", datetime.fromtimestamp(window * 60, UTC), at)


def _daily(place: Place, kind: Kind, hour: int, spread: int, weekday: int | None, now: datetime) -> Tick:
    late = timedelta(minutes=delay(place.location_id, kind, spread))
    zone = ZoneInfo(place.timezone)
    day = now.astimezone(zone).date() + timedelta(days=1)
    while True:
        window = first_instant(day, hour, zone)
        if window + late <= now and weekday in (None, day.weekday()):
            return Tick(place.location_id, kind, day.isoformat(), window, window + late)
        day -= timedelta(days=1)


def first_instant(day: date, hour: int, zone: ZoneInfo) -> datetime:
    """When an hour of a local day begins, in UTC.

    On the night the clock is put back, the first of two equal hours; on the one it is put forward over it, the next.
    """
    return datetime(day.year, day.month, day.day, hour, tzinfo=zone).astimezone(UTC)
