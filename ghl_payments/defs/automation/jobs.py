"""Jobs: the parts of the loop that people and schedules start.

A further job is a selection of assets; what assets do belongs to their own files.
"""

import dagster as dg

from ghl_payments.defs.partitions import location_partitions

FULL_LOOP = "full_loop"
PUSH = "push"

EXTRACT = dg.AssetSelection.groups("raw", "actual")
RECONCILE = dg.AssetSelection.groups("staging", "reconciliation", "outbox", "reports")
PUSHING = dg.AssetSelection.groups("push", "reports")


@dg.definitions
def jobs() -> dg.Definitions:
    """`extract`, `reconcile`, `push` and `full_loop`, each for one location a run."""
    partitions = location_partitions()
    selections = {
        "extract": (EXTRACT, "Read GHL and every target of a location."),
        "reconcile": (RECONCILE, "Compare what was read, plan changes, publish the reports."),
        PUSH: (PUSHING, "Send approved changes, read them back, publish the reports."),
        FULL_LOOP: (dg.AssetSelection.all(), "The whole loop for one location, once."),
    }
    return dg.Definitions(
        jobs=[
            dg.define_asset_job(name, selection=selection, partitions_def=partitions, description=text)
            for name, (selection, text) in selections.items()
        ]
    )
