"""`ghl-payments run`: the loop once for each location, in this process, as ordinary Dagster runs.

Anything that must know Dagster for a command belongs here; reading reports belongs to `published.py`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import dagster as dg
from filelock import FileLock

from ghl_payments.definitions import defs
from ghl_payments.defs.automation.jobs import AFTER_BACKFILL, FULL_LOOP, HOT_LOOP, SCAN_TAG, scan_config
from ghl_payments.defs.automation.left_behind import NOT_OVER, PROCESS_TAG, end_left_behind, this_process
from ghl_payments.defs.turn import PRIORITY_TAG, TURN_TAG, open_warehouse
from ghl_payments.domain.streams import DETAIL_STREAMS, STREAMS
from ghl_payments.settings import load_settings
from ghl_payments.warehouse.publish import publish

Scan = Literal["full", "warm", "hot"]


@dataclass(slots=True)
class LoopResult:
    """One turn: its Dagster runs by location, what the streams brought, and the failures with their remedies."""

    run_id: str
    runs: dict[str, str] = field(default_factory=dict)
    streams: dict[str, dict[str, int]] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0


def open_instance() -> dg.DagsterInstance:
    """The Dagster instance that `dagster dev` would use here: DAGSTER_HOME, else ./dagster.yaml, else a passing one."""
    if os.environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    if Path("dagster.yaml").exists():
        # Two first runs at once would both lay out Dagster's tables, and one would fail.
        Path(".dagster").mkdir(exist_ok=True)
        with FileLock(".dagster/opening.lock"):
            return dg.DagsterInstance.from_config(str(Path.cwd()))
    return dg.DagsterInstance.ephemeral()


def run_loop(
    locations: Iterable[str], *, date_from: str | None = None, date_to: str | None = None, scan: Scan = "full"
) -> LoopResult:
    """Run the whole loop for each location, one after the other; a failed location does not stop the next.

    Dates (YYYY-MM-DD) name a window, which is read with the lowest priority. SIGINT and SIGTERM end the turn with
    KeyboardInterrupt.
    """
    is_window = bool(date_from or date_to)
    tags: dict[str, str] = {SCAN_TAG: "window" if is_window else "cold" if scan == "full" else scan}
    if is_window:
        tags[PRIORITY_TAG] = "backfill"
    job = HOT_LOOP if scan == "hot" else FULL_LOOP
    return _run(job, locations, scan_config(scan, date_from=date_from, date_to=date_to), tags)


def run_after_backfill(location_id: str, *, push: bool) -> LoopResult:
    """Read targets and details, compare and plan for one location whose months were read already; push if asked to."""
    skipped = None if push else "push"
    config = {"ops": {f"raw__{stream}": {"config": {"warm": False}} for stream in DETAIL_STREAMS}}
    return _run(AFTER_BACKFILL, [location_id], config, {PRIORITY_TAG: "backfill"}, skipped_group=skipped)


def _run(
    job_name: str,
    locations: Iterable[str],
    config: dict[str, Any],
    tags: dict[str, str],
    skipped_group: str | None = None,
) -> LoopResult:
    result, started = LoopResult(run_id=str(uuid.uuid4())), monotonic()
    job = defs().resolve_job_def(job_name)
    keys = [key for key in job.asset_layer.executable_asset_keys if key.path[0] != skipped_group]
    with open_instance() as instance:
        end_left_behind(instance, instance.get_runs(dg.RunsFilter(statuses=NOT_OVER)))
        for location_id in locations:
            done = job.execute_in_process(
                instance=instance,
                partition_key=location_id,
                run_config=config | {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                tags={TURN_TAG: result.run_id, PROCESS_TAG: this_process(), **tags},
                asset_selection=keys if skipped_group else None,
                raise_on_error=False,
            )
            result.runs[location_id] = done.run_id
            _collect(done, location_id, result)
    if result.failures:
        _publish_anyway()
    result.seconds = round(monotonic() - started, 3)
    return result


def _publish_anyway() -> None:
    """A run that failed half-way published nothing; what it did store is still worth reading."""
    settings = load_settings()
    publish(open_warehouse(settings), settings.reports)


def _collect(done: dg.ExecuteInProcessResult, location_id: str, result: LoopResult) -> None:
    for event in done.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.error is not None and data.error.cls_name == "DagsterExecutionInterruptedError":
                raise KeyboardInterrupt  # Dagster makes it one step's failure; the person meant the whole command
            text = (data.user_failure_data.description if data.user_failure_data else None) or _cause(data.error)
            result.failures.setdefault(location_id, []).append(f"{event.step_key}: {text}")
        elif event.is_step_materialization:
            _count_stream(event.step_materialization_data.materialization, result)


def _cause(error: Any) -> str:
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message).strip() if error is not None else "failed without a message"


def _count_stream(materialization: dg.AssetMaterialization, result: LoopResult) -> None:
    path = materialization.asset_key.path
    if path[0] != "raw" or path[1] not in STREAMS:
        return
    stream = result.streams.setdefault(path[1], {})
    for name in ("dagster/partition_row_count", "requests", "new_versions", "fetched", "absent", "failed"):
        entry = materialization.metadata.get(name)
        if entry is not None and isinstance(entry.value, int):
            short = name.removeprefix("dagster/partition_").replace("row_count", "rows")
            stream[short] = stream.get(short, 0) + entry.value
    certificates = materialization.metadata.get("certificates")
    if certificates is not None and isinstance(certificates.value, dict):
        for name in ("slices_complete", "slices_incomplete"):
            stream[name] = stream.get(name, 0) + int(certificates.value.get(name, 0))
