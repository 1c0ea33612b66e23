"""The inbox sensor and the job `refresh`: from a webhook to a verified write without a sweep.

What an event asks for is decided here, by pure functions; reading belongs to `transport/inbox.py` and the assets.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import dagster as dg

from ghl_payments.connectors.registry import target_systems
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.turn import PRIORITY_TAG
from ghl_payments.domain.inbox import InboxCursor, InboxEvent, RecordRef
from ghl_payments.domain.keys import ghl_key
from ghl_payments.settings import Settings, load_settings
from ghl_payments.transport.inbox import read_inbox

REFRESH = "refresh"
BATCH_BYTES = 2 * 2**20
"""What a tick reads at most: some hundred events, which cost GHL six requests each."""

MAX_WAITING = 4
"""With so many refreshes waiting in the queue the inbox waits too: one larger batch is cheaper than many small ones."""

GHL_RECORDS = frozenset({"order", "invoice"})
"""Records of GHL that can be read again by id; other events are kept and counted."""

_WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]

READ_AGAIN = dg.AssetKey(["raw", "webhook_events"])
PUBLISHED = dg.AssetKey(["reports", "published"])
"""Publishing refreshes every view, so that the views need no steps of their own when time counts."""

Named = tuple[str, str, str]
"""(connection, "" for GHL itself; record type; id)."""


@dataclass(slots=True)
class Wanted:
    """What a batch asks of one location: its records and the deliveries that named them."""

    records: set[Named] = field(default_factory=set)
    deliveries: set[tuple[str, str]] = field(default_factory=set)

    def run_key(self, location_id: str) -> str:
        """The same for the same deliveries, in whatever order and however often they came."""
        text = "\n".join(f"{system} {delivery}" for system, delivery in sorted(self.deliveries))
        return f"refresh:{location_id}:{sha256(text.encode()).hexdigest()[:24]}"


@dataclass(slots=True)
class Plan:
    """What is to be done about a batch: by location, and what nothing is done about, counted by its reason."""

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
            wanted.deliveries.add((event.system, event.delivery_id))
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


def refresh_config(records: Iterable[Named] = ()) -> dict[str, Any]:
    """The run configuration of `refresh`: what is read again, and that targets read lately are not."""
    named = [{"connection": c, "record_type": t, "id": i} for c, t, i in sorted(records)]
    targets = {f"actual_{name}": {"config": {"only_if_stale": True}} for name in target_systems()}
    return {"ops": {"raw__webhook_events": {"config": {"records": named}}, **targets}}


def waiting_refreshes(instance: dg.DagsterInstance) -> int:
    """How many runs of `refresh` have not begun."""
    return instance.get_runs_count(dg.RunsFilter(job_name=REFRESH, statuses=_WAITING))


def evaluate(
    context: dg.SensorEvaluationContext, settings: Settings, max_bytes: int = BATCH_BYTES
) -> dg.SensorResult | dg.SkipReason:
    """One tick: a run request for each location that the next batch of the inbox names."""
    if not settings.inbox.is_dir():
        return dg.SkipReason(f"There is no inbox yet at {settings.inbox}; `ghl-payments webhooks` makes it.")
    if waiting_refreshes(context.instance) >= MAX_WAITING:
        return dg.SkipReason(f"{MAX_WAITING} refreshes wait for their turn already; the inbox is read after them.")
    cursor = InboxCursor.parse(context.cursor)
    batch = read_inbox(settings.inbox, cursor, max_bytes)
    plan = plan_refresh((line.event for line in batch.lines), settings)
    for name, bad in batch.poison:
        context.log.warning(f"{name}: no event at byte {bad.offset} ({bad.length} bytes): {bad.reason}")
    told = "; ".join(f"{count} x {reason}" for reason, count in sorted(plan.kept.items()))
    if told:
        context.log.info(f"Kept and counted: {told}.")
    requests = [
        dg.RunRequest(
            run_key=wanted.run_key(location_id),
            partition_key=location_id,
            run_config=refresh_config(wanted.records),
            tags={PRIORITY_TAG: "fresh", "dagster/priority": "5"},
        )
        for location_id, wanted in sorted(plan.wanted.items())
    ]
    reason = None if requests else (f"Nothing to read again: {told}." if told else "Nothing new in the inbox.")
    return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=batch.cursor.text())


@dg.definitions
def inbox() -> dg.Definitions:
    """The job `refresh` and its sensor."""
    refresh = dg.define_asset_job(
        REFRESH,
        selection=dg.AssetSelection.assets(READ_AGAIN, PUBLISHED)
        | dg.AssetSelection.groups("actual", "staging", "reconciliation", "outbox", "push"),
        partitions_def=location_partitions(),
        config=refresh_config(),
        description="Reads the records again that webhooks name, and takes them through to a verified write.",
    )

    @dg.sensor(
        job=refresh,
        name="webhook_inbox",
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for one `refresh` for each location that new webhooks in the inbox name.",
    )
    def webhook_inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return evaluate(context, load_settings())

    return dg.Definitions(jobs=[refresh], sensors=[webhook_inbox])
