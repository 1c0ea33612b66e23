"""Runs whose process is gone: `ghl-payments run` is its own run worker, so nobody else notices when it is killed.

Left as they are they would keep every later run of their location waiting; Dagster's own workers it watches itself.
"""

import os
import socket
from collections.abc import Iterable

import dagster as dg

PROCESS_TAG = "ghl/process"
"""`host/pid` of the command that is a run's worker."""

_OVER = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
NOT_OVER = [status for status in dg.DagsterRunStatus if status not in _OVER]
"""Queued or in progress."""


def this_process() -> str:
    """The value of `PROCESS_TAG` for runs of this process."""
    return f"{socket.gethostname()}/{os.getpid()}"


def end_left_behind(instance: dg.DagsterInstance, runs: Iterable[dg.DagsterRun]) -> set[str]:
    """Mark those runs failed whose process on this host has gone; their ids."""
    gone = [run for run in runs if _is_gone(run.tags.get(PROCESS_TAG, ""))]
    for run in gone:
        instance.report_run_failed(run, "The command that ran this was killed; the next run finds out what it wrote.")
    return {run.run_id for run in gone}


def _is_gone(process: str) -> bool:
    host, _, pid = process.rpartition("/")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
