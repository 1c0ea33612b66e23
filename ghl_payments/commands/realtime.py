"""One tick of the inbox sensor and the refreshes it asks for, in this process: what Dagster's daemon does, at once.

The demo, tests and benchmarks use it; in production the daemon evaluates the sensor and launches the runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import dagster as dg

from ghl_payments.definitions import defs
from ghl_payments.defs.automation.inbox import BATCH_BYTES, REFRESH, evaluate
from ghl_payments.settings import load_settings

RUN_KEY_TAG = "dagster/run_key"


@dataclass(slots=True)
class Ticked:
    """What a tick led to: runs by location, those that had been made before, failures, and the cursor to go on from."""

    cursor: str | None
    runs: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    failures: dict[str, list[str]] = field(default_factory=dict)
    reason: str | None = None


def tick(instance: dg.DagsterInstance, cursor: str | None, *, max_bytes: int = BATCH_BYTES) -> Ticked:
    """Evaluate the sensor from a cursor and execute what it requests, unless its run key has a run already."""
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        said = evaluate(context, load_settings(), max_bytes)
    if isinstance(said, dg.SkipReason):
        return Ticked(cursor, reason=said.skip_message)
    done = execute(instance, said.run_requests or [])
    done.cursor = said.cursor
    done.reason = said.skip_reason.skip_message if isinstance(said.skip_reason, dg.SkipReason) else None
    return done


def execute(instance: dg.DagsterInstance, requests: Sequence[dg.RunRequest]) -> Ticked:
    """Execute what a tick requested, one after the other, unless its run key has a run already."""
    done = Ticked(None)
    for request in requests:
        place = str(request.partition_key)
        if instance.get_runs_count(dg.RunsFilter(job_name=REFRESH, tags={RUN_KEY_TAG: str(request.run_key)})):
            done.repeated.append(place)
            continue
        _execute(instance, request, done)
    return done


def prepare() -> None:
    """Load the definitions now, so that the first tick need not."""
    _job()


@cache
def _job() -> Any:
    """Loading the definitions takes longer than many a refresh; a daemon's code server has them loaded, too."""
    return defs().resolve_job_def(REFRESH)


def _execute(instance: dg.DagsterInstance, request: dg.RunRequest, done: Ticked) -> None:
    place = str(request.partition_key)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    result = _job().execute_in_process(
        instance=instance,
        partition_key=place,
        run_config={**(request.run_config or {}), **quiet},
        tags={**(request.tags or {}), RUN_KEY_TAG: str(request.run_key)},
        raise_on_error=False,
    )
    done.runs[place] = result.run_id
    failed = [event for event in result.all_events if event.is_step_failure]
    if failed:
        done.failures[place] = [_told(event) for event in failed]


def _told(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    text = data.user_failure_data.description if data.user_failure_data else None
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return f"{event.step_key}: {text or (error.message.strip() if error is not None else 'failed without a message')}"
