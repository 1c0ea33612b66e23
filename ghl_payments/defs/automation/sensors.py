"""Sensors: start the push after a reconciliation that left approved changes, and say which runs failed.

They read run metadata and the event log only; none may open the warehouse.
"""

import dagster as dg

from ghl_payments.defs.automation.jobs import PUSH
from ghl_payments.defs.outbox.changes import APPROVED, KEY

_MAX_EVENTS = 20


@dg.definitions
def sensors() -> dg.Definitions:
    """The push sensor and the failure log."""

    @dg.asset_sensor(
        asset_key=KEY,
        job_name=PUSH,
        name="push_after_reconcile",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts `push` for a location whose plan has approved changes; never for a run that pushes itself.",
    )
    def push_after_reconcile(
        context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry
    ) -> dg.RunRequest | dg.SkipReason:
        materialization = asset_event.asset_materialization
        if materialization is None or materialization.partition is None:
            return dg.SkipReason("The plan was made without a location.")
        run = context.instance.get_run_by_id(asset_event.run_id)
        if run is not None and run.job_name != "reconcile":
            return dg.SkipReason(f"Run {asset_event.run_id} ({run.job_name}) pushes by itself.")
        entry = materialization.metadata.get(APPROVED)
        approved = entry.value if entry is not None else 0
        if not approved:
            return dg.SkipReason(f"Nothing is approved for {materialization.partition}.")
        return dg.RunRequest(
            run_key=f"push:{asset_event.run_id}:{materialization.partition}", partition_key=materialization.partition
        )

    @dg.run_failure_sensor(
        name="log_run_failure",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes one line for each failed run, with its job, location and run id.",
    )
    def log_run_failure(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        location = run.tags.get("dagster/partition", "no location")
        context.log.error(f"{run.job_name} failed for {location} (run {run.run_id}): see its page for step and remedy.")

    return dg.Definitions(sensors=[push_after_reconcile, log_run_failure])
