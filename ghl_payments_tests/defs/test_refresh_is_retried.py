"""Dagster's own daemon over failed runs, with the retries that dagster.yaml allows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.test_utils import create_run_for_test, create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import consume_new_runs_for_automatic_reexecution

from ghl_payments.defs.automation.inbox import REFRESH, waiting_refreshes
from ghl_payments.defs.automation.jobs import HOT_LOOP
from ghl_payments_tests.defs.test_scans import write_connections
from ghl_payments_tests.defs.test_scans_by_daemon import QUEUE
from ghl_payments_tests.running_sandbox import ROOT


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkspaceProcessContext]:
    """The code location beside an instance that retries as ours does."""
    write_connections(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GHL_PAYMENTS_CONNECTIONS", str(tmp_path / "connections.yaml"))
    target = ModuleTarget("ghl_payments.definitions", None, str(ROOT), "ghl_payments")
    ours = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    with (
        dg.instance_for_test(overrides=QUEUE | {"run_retries": ours.get("run_retries", {})}) as instance,
        create_test_daemon_workspace_context(target, instance) as found,
    ):
        yield found


def fail(workspace: WorkspaceProcessContext, job_name: str) -> dg.DagsterRun:
    """A run of the job that fails, with the tags that a run of it has."""
    (entry,) = workspace.create_request_context().get_code_location_entries().values()
    assert entry.code_location is not None, entry.load_error
    (repository,) = entry.code_location.get_repositories().values()
    job = repository.get_full_job(job_name)
    run: dg.DagsterRun = create_run_for_test(
        workspace.instance,
        job_name,
        tags={**job.tags, "dagster/partition": "LOC_NY"},
        status=dg.DagsterRunStatus.STARTED,
        remote_job_origin=job.get_remote_origin(),
        job_code_origin=job.get_python_origin(),
    )
    workspace.instance.report_run_failed(run)
    return run


def retried(workspace: WorkspaceProcessContext) -> list[dg.DagsterRun]:
    """The runs that the daemon makes now."""
    before = {run.run_id for run in workspace.instance.get_runs()}
    records = workspace.instance.get_run_records()
    list(consume_new_runs_for_automatic_reexecution(workspace, records, logging.getLogger()))
    return [run for run in workspace.instance.get_runs() if run.run_id not in before]


def test_a_refresh_that_fails_is_tried_twice_more_with_all_its_steps_and_a_scan_is_not(
    workspace: WorkspaceProcessContext,
) -> None:
    fail(workspace, HOT_LOOP)
    assert retried(workspace) == []
    first = fail(workspace, REFRESH)
    for _ in range(2):
        (run,) = retried(workspace)
        assert (run.root_run_id, run.job_name) == (first.run_id, REFRESH)
        # It is one that takes up what comes while it waits.
        assert waiting_refreshes(workspace.instance) == {"LOC_NY"}
        workspace.instance.report_run_failed(run)
    assert retried(workspace) == []
