"""The schedules: hot every few minutes, warm each night, cold each week, for each location at its own moment.

Which location is due is a pure function, `domain/due.py`; when ticks are stands in connections.yaml.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg

from ghl_payments.defs.automation.jobs import FULL_LOOP, HOT_LOOP, SCAN_TAG, scan_config
from ghl_payments.defs.automation.left_behind import NOT_OVER, end_left_behind
from ghl_payments.defs.turn import TURN_TAG
from ghl_payments.domain.due import Decision, Seen, State, decide, from_
from ghl_payments.domain.schedules import KINDS, Kind, Place, newest_tick
from ghl_payments.settings import load_settings

TICK_TAG = "ghl/tick"
"""Which tick of its kind a run was made for."""

NAMES: dict[Kind, str] = {"hot": "hot_sweep", "warm": "warm_nightly", "cold": "cold_weekly"}
"""Kind -> its schedule."""

_CRON: dict[Kind, str] = {"hot": "* * * * *", "warm": "*/5 * * * *", "cold": "*/5 * * * *"}
_TEXT: dict[Kind, str] = {
    "hot": "Starts the loop over the current and the previous month, every few minutes.",
    "warm": "Starts the loop over 13 months, each night of the location's own time.",
    "cold": "Starts the loop over all months, once a week.",
}
_QUEUE_PRIORITY: dict[Kind, str] = {"hot": "2", "warm": "1", "cold": "0"}
_SHOWN = 20


def seen_runs(instance: dg.DagsterInstance, kind: Kind, places: Iterable[Place], now: datetime) -> list[Seen]:
    """The runs that may settle the newest ticks of this kind or a larger one, and all scans that are not over yet."""
    active = instance.get_run_records(dg.RunsFilter(statuses=NOT_OVER))
    gone = end_left_behind(instance, [record.dagster_run for record in active])
    records = {record.dagster_run.run_id: record for record in active if record.dagster_run.run_id not in gone}
    places, since = list(places), now
    for larger in from_(kind):
        ticks = [tick.at for place in places if (tick := newest_tick(place, larger, now)) is not None]
        since = min([since, *ticks])
        # Creation times may be cut to seconds, and the filter leaves its own instant out.
        wanted = dg.RunsFilter(tags={SCAN_TAG: larger}, created_after=since - timedelta(seconds=1))
        records |= {record.dagster_run.run_id: record for record in instance.get_run_records(wanted)}
    return [seen for record in records.values() if (seen := _seen(record)) is not None]


def _seen(record: dg.RunRecord) -> Seen | None:
    run = record.dagster_run
    kind = next((kind for kind in KINDS if kind == run.tags.get(SCAN_TAG)), None)
    location_id = run.tags.get("dagster/partition")
    if kind is None or location_id is None:
        return None
    ended_at = None if record.end_time is None else datetime.fromtimestamp(record.end_time, UTC)
    return Seen(location_id, kind, record.create_timestamp, _state(run.status), run.tags.get(TICK_TAG), ended_at)


def _state(status: dg.DagsterRunStatus) -> State:
    ended: dict[dg.DagsterRunStatus, State] = {
        dg.DagsterRunStatus.SUCCESS: "done", dg.DagsterRunStatus.CANCELED: "canceled"
    }  # fmt: skip
    return "active" if status in NOT_OVER else ended.get(status, "failed")


def in_force(instance: dg.DagsterInstance) -> list[Kind]:
    """The kinds whose schedules somebody has started."""
    running = {state.instigator_name for state in instance.all_instigator_state() if state.is_running}
    return [kind for kind in KINDS if NAMES[kind] in running]


def run_request(decision: Decision) -> dg.RunRequest:
    """The run that a tick asks for."""
    tick = decision.tick
    return dg.RunRequest(
        run_key=decision.run_key,
        partition_key=tick.location_id,
        run_config=scan_config("full" if tick.kind == "cold" else tick.kind),
        tags={
            TURN_TAG: tick.turn,
            SCAN_TAG: tick.kind,
            TICK_TAG: tick.name,
            "dagster/priority": _QUEUE_PRIORITY[tick.kind],
        },
    )


def _schedule(kind: Kind) -> dg.ScheduleDefinition:
    @dg.schedule(
        job_name=HOT_LOOP if kind == "hot" else FULL_LOOP,
        cron_schedule=_CRON[kind],
        execution_timezone="UTC",
        name=NAMES[kind],
        description=_TEXT[kind],
    )
    def evaluate(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        # The tick's own time and not the clock's, so that the same tick always means the same.
        now, places = context.scheduled_execution_time, load_settings().places()
        seen = seen_runs(context.instance, kind, places, now)
        decisions = decide(kind, places, seen, now, in_force(context.instance))
        waiting = [f"{d.tick.location_id} {d.tick.name}: {d.reason}" for d in decisions if d.reason is not None]
        requests = [run_request(decision) for decision in decisions if decision.reason is None]
        if requests:
            for line in waiting:
                context.log.info(line)
            return requests
        more = [f"and {len(waiting) - _SHOWN} more"] if len(waiting) > _SHOWN else []
        return dg.SkipReason("; ".join([*waiting[:_SHOWN], *more]) or f"Nothing is due at {now:%H:%M} UTC.")

    return evaluate


@dg.definitions
def scans() -> dg.Definitions:
    """One schedule a kind, stopped until somebody starts it."""
    return dg.Definitions(schedules=[_schedule(kind) for kind in KINDS])
