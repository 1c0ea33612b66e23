"""Which records webhooks name, by location: pure functions that the inbox sensor and `raw/webhook_events` share.

A further system's records are understood here; reading them belongs to the assets, when to read them to the sensor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from ghl_payments.domain.inbox import InboxEvent, RecordRef
from ghl_payments.domain.keys import ghl_key
from ghl_payments.settings import Settings

GHL_RECORDS = frozenset({"order", "invoice"})
"""Records of GHL that can be read again by id; other events are kept and counted."""

Named = tuple[str, str, str]
"""(connection, "" for GHL itself; record type; id)."""


@dataclass(slots=True)
class Wanted:
    """What events ask of one location: its records and the deliveries that named them."""

    records: set[Named] = field(default_factory=set)
    deliveries: set[tuple[str, str, str]] = field(default_factory=set)

    def run_key(self, location_id: str) -> str:
        """The same for the same deliveries, in whatever order and however often they came."""
        text = "\n".join(" ".join(delivery) for delivery in sorted(self.deliveries))
        return f"refresh:{location_id}:{sha256(text.encode()).hexdigest()[:24]}"


@dataclass(slots=True)
class Plan:
    """What is to be done about events: by location, and what nothing is done about, counted by its reason."""

    wanted: dict[str, Wanted] = field(default_factory=dict)
    kept: Counter[str] = field(default_factory=Counter)


def plan_refresh(events: Iterable[InboxEvent], settings: Settings) -> Plan:
    """Which records of which location the events name."""
    plan = Plan()
    locations = {place.id for place in settings.locations}
    for event in events:
        named, places = _named(event, settings)
        known = [place for place in places if place in locations]
        if not known:
            plan.kept["unknown location"] += 1
        elif not named:
            plan.kept[f"nothing to read for {event.event or event.system}"] += 1
        for place in known if named else []:
            wanted = plan.wanted.setdefault(place, Wanted())
            wanted.records |= named
            wanted.deliveries.add((event.system, event.connection or "", event.delivery_id))
    return plan


def _named(event: InboxEvent, settings: Settings) -> tuple[set[Named], list[str]]:
    """An event's records, and the locations they concern: a target's are all that share its connection."""
    if event.system == "ghl":
        records = {("", ref.record_type, ref.id) for ref in event.records if ref.record_type in GHL_RECORDS}
        return records, [event.location_id] if event.location_id else []
    name = event.connection or ""
    places = [place.id for place in settings.locations if name in {c.name for c in settings.targets(place)}]
    if event.location_id in places:
        places = [event.location_id]
    return {(name, *found) for ref in event.records if (found := _findable(ref)) is not None}, places


def _findable(ref: RecordRef) -> tuple[str, str] | None:
    """What the record is asked for by: its native id, or the key that an order's number carries; None for no order of
    ours."""
    if ref.record_type != "order_number":
        return ref.record_type, ref.id
    return ("order", ghl_key("order", ref.id.removeprefix("GHL-"))) if ref.id.startswith("GHL-") else None
