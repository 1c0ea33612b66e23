"""The inbox sensor and the job `refresh`: from a webhook to a verified write without a sweep.

What an event asks for is decided in `defs/named.py`; reading belongs to `transport/inbox.py` and the assets.
"""

from typing import Any

import dagster as dg

from ghl_payments.connectors.registry import target_systems
from ghl_payments.defs.named import plan_refresh
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.turn import PRIORITY_TAG
from ghl_payments.domain.inbox import InboxCursor
from ghl_payments.settings import Settings, load_settings
from ghl_payments.transport.inbox import read_inbox

REFRESH = "refresh"
BATCH_BYTES = 2 * 2**20
"""What a tick reads at most: some hundred events."""

_WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]

READ_AGAIN = dg.AssetKey(["raw", "webhook_events"])
PUBLISHED = dg.AssetKey(["reports", "published"])
"""Publishing refreshes every view, so that the views need no steps of their own when time counts."""

LOCATION_TAG = "dagster/partition"

RETRIES = {"dagster/max_retries": "2", "dagster/retry_strategy": "ALL_STEPS"}
"""All steps, so that a refresh that waits to be tried again takes up what has come meanwhile, too."""


def refresh_config() -> dict[str, Any]:
    """The run configuration of `refresh`: deliveries are taken up, and targets read lately are not read whole."""
    targets = {f"actual_{name}": {"config": {"only_if_stale": True}} for name in target_systems()}
    return {"ops": {"raw__webhook_events": {"config": {"take_up": True}}, **targets}}


def waiting_refreshes(instance: dg.DagsterInstance) -> set[str]:
    """Locations with a run of `refresh` that has not begun, and will take up what is in the inbox when it does."""
    runs = instance.get_runs(dg.RunsFilter(job_name=REFRESH, statuses=_WAITING))
    return {run.tags[LOCATION_TAG] for run in runs if LOCATION_TAG in run.tags and _takes_up(run)}


def _takes_up(run: dg.DagsterRun) -> bool:
    """Not so a run that a person started for some of the job's steps only."""
    steps, assets = run.step_keys_to_execute, run.asset_selection
    return (steps is None or "raw__webhook_events" in steps) and (assets is None or READ_AGAIN in assets)


def evaluate(
    context: dg.SensorEvaluationContext, settings: Settings, max_bytes: int = BATCH_BYTES
) -> dg.SensorResult | dg.SkipReason:
    """One tick: a run request for each location that the next batch of the inbox names and that has none waiting.

    A waiting refresh takes the batch up too: it begins with what the inbox holds then. That is why the inbox is read
    before the queue is looked at.
    """
    if not settings.inbox.is_dir():
        return dg.SkipReason(f"There is no inbox yet at {settings.inbox}; `ghl-payments webhooks` makes it.")
    batch = read_inbox(settings.inbox, InboxCursor.parse(context.cursor), max_bytes)
    plan = plan_refresh((line.event for line in batch.lines), settings)
    for name, bad in batch.poison:
        context.log.warning(f"{name}: no event at byte {bad.offset} ({bad.length} bytes): {bad.reason}")
    told = "; ".join(f"{count} x {reason}" for reason, count in sorted(plan.kept.items()))
    if told:
        context.log.info(f"Kept and counted: {told}.")
    waiting = waiting_refreshes(context.instance) if plan.wanted else set()
    requests = [
        dg.RunRequest(
            run_key=wanted.run_key(location_id),
            partition_key=location_id,
            run_config=refresh_config(),
            tags={PRIORITY_TAG: "fresh", "dagster/priority": "5"},
        )
        for location_id, wanted in sorted(plan.wanted.items())
        if location_id not in waiting
    ]
    noted = len(plan.wanted) - len(requests)
    reasons = [f"Nothing to read again: {told}."] if told else []
    reasons += [f"{noted} refreshes that wait already will take up what is new."] if noted else []
    reason = None if requests else " ".join(reasons) or "Nothing new in the inbox."
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
        tags=RETRIES,
        description="Reads the records again that webhooks name, and takes them through to a verified write.",
    )

    @dg.sensor(
        job=refresh,
        name="webhook_inbox",
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a `refresh` of each location that new webhooks name, unless one waits already.",
    )
    def webhook_inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return evaluate(context, load_settings())

    return dg.Definitions(jobs=[refresh], sensors=[webhook_inbox])
