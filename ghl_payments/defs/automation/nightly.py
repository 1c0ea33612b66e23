"""The nightly schedule: an hourly tick that picks the locations whose local hour is 02.

Other cadences are schedules of their own; which location is due is a pure function.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg

from ghl_payments.connections import Location
from ghl_payments.defs.automation.jobs import FULL_LOOP
from ghl_payments.defs.turn import TURN_TAG
from ghl_payments.settings import load_settings

NIGHTLY_HOUR = 2


def due_locations(locations: Iterable[Location], tick: datetime) -> list[tuple[str, str]]:
    """(location id, local date) of the locations for which the tick falls into their hour 02.

    On the night the clock is put back, hour 02 may come twice; the local date in the run key makes that one run. On the
    night it is put forward over 02 the hour 03 counts.
    """
    due = []
    for location in locations:
        zone = ZoneInfo(location.timezone)
        local = tick.astimezone(zone)
        skipped = datetime(local.year, local.month, local.day, NIGHTLY_HOUR, tzinfo=zone)
        exists = skipped.astimezone(UTC).astimezone(zone).hour == NIGHTLY_HOUR
        if local.hour == (NIGHTLY_HOUR if exists else NIGHTLY_HOUR + 1):
            due.append((location.id, local.date().isoformat()))
    return due


@dg.definitions
def nightly() -> dg.Definitions:
    """The one schedule of this file."""

    @dg.schedule(
        job_name=FULL_LOOP,
        cron_schedule="0 * * * *",
        execution_timezone="UTC",
        name="nightly_full_loop",
        description="Runs the whole loop for each location at 02:00 of its own time.",
    )
    def nightly_full_loop(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        tick = context.scheduled_execution_time
        due = due_locations(load_settings().locations, tick)
        if not due:
            return dg.SkipReason(f"No location has its hour {NIGHTLY_HOUR:02d} at {tick:%H:%M} UTC.")
        return [
            dg.RunRequest(
                run_key=f"nightly:{location_id}:{day}",
                partition_key=location_id,
                tags={TURN_TAG: f"nightly:{tick:%Y-%m-%dT%H}"},
            )
            for location_id, day in due
        ]

    return dg.Definitions(schedules=[nightly_full_loop])
