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
from typing import Any

import dagster as dg
from filelock import FileLock

from ghl_payments.definitions import defs
from ghl_payments.defs.automation.jobs import FULL_LOOP
from ghl_payments.defs.turn import TURN_TAG, open_warehouse
from ghl_payments.domain.streams import LIST_STREAMS, STREAMS
from ghl_payments.settings import load_settings
from ghl_payments.warehouse.publish import publish


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
    locations: Iterable[str], *, date_from: str | None = None, date_to: str | None = None, scan: str = "full"
) -> LoopResult:
    """Run the whole loop for each location, one after the other; a failed location does not stop the next.

    SIGINT and SIGTERM end the turn with KeyboardInterrupt.
    """
    result, started = LoopResult(run_id=str(uuid.uuid4())), monotonic()
    job = defs().resolve_job_def(FULL_LOOP)
    with open_instance() as instance:
        for location_id in locations:
            done = job.execute_in_process(
                instance=instance,
                partition_key=location_id,
                run_config=_run_config(date_from, date_to, scan),
                tags={TURN_TAG: result.run_id},
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


def _run_config(date_from: str | None, date_to: str | None, scan: str) -> dict[str, Any]:
    config = {"scan": scan, "date_from": date_from, "date_to": date_to}
    config = {name: value for name, value in config.items() if value is not None}
    return {
        "ops": {f"raw__{stream}": {"config": config} for stream in LIST_STREAMS},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }


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
