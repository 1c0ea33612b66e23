"""Jobs: the parts of the loop that people and schedules start, and the run configuration of each scan.

A further job is a selection of assets; what assets do belongs to their own files.
"""

from typing import Any, Literal

import dagster as dg

from ghl_payments.defs.partitions import location_partitions
from ghl_payments.domain.streams import DETAIL_STREAMS, LIST_STREAMS, SNAPSHOT_STREAMS

FULL_LOOP = "full_loop"
HOT_LOOP = "hot_loop"
AFTER_BACKFILL = "after_backfill"
PUSH = "push"

SCAN_TAG = "ghl/scan"
"""What a run scans: hot, warm or cold; `window` when only some months that a person named."""

EXTRACT = dg.AssetSelection.groups("raw", "actual")
RECONCILE = dg.AssetSelection.groups("staging", "reconciliation", "outbox", "reports")
PUSHING = dg.AssetSelection.groups("push", "reports")
LISTS = dg.AssetSelection.assets(*(dg.AssetKey(["raw", stream]) for stream in (*LIST_STREAMS, *SNAPSHOT_STREAMS)))


def scan_config(
    scan: Literal["full", "warm", "hot"] = "full", *, date_from: str | None = None, date_to: str | None = None
) -> dict[str, Any]:
    """The run configuration of a loop that scans so much of GHL; dates (YYYY-MM-DD) name a window instead."""
    window = {name: value for name, value in (("date_from", date_from), ("date_to", date_to)) if value is not None}
    lists: dict[str, Any] = {f"raw__{stream}": {"config": {"scan": scan, **window}} for stream in LIST_STREAMS}
    # A hot scan has no time for fulfillments that nothing announces; the night reads them.
    details = {f"raw__{stream}": {"config": {"warm": scan != "hot"}} for stream in DETAIL_STREAMS}
    # What a refresh failed at need not wait for the night.
    hooks = {"raw__webhook_events": {"config": {"take_up": scan == "hot"}}}
    return {"ops": lists | details | hooks}


@dg.definitions
def jobs() -> dg.Definitions:
    """The jobs, each for one location a run."""
    partitions = location_partitions()
    whole = dg.AssetSelection.all()
    selections = {
        "extract": (EXTRACT, None, "Read GHL and every target of a location."),
        "reconcile": (RECONCILE, None, "Compare what was read, plan changes, publish the reports."),
        PUSH: (PUSHING, None, "Send approved changes, read them back, publish the reports."),
        FULL_LOOP: (whole, "cold", "The whole loop for one location, once."),
        HOT_LOOP: (whole, "hot", "The loop for one location, over the current and the previous month of GHL."),
        AFTER_BACKFILL: (whole - LISTS, None, "Details, targets, comparison and plan after months were backfilled."),
    }
    return dg.Definitions(
        jobs=[
            dg.define_asset_job(
                name,
                selection=selection,
                partitions_def=partitions,
                description=text,
                tags={SCAN_TAG: scan} if scan else None,
                config=scan_config("hot") if scan == "hot" else None,
            )
            for name, (selection, scan, text) in selections.items()
        ]
    )
