"""Dagster's own scheduler over the schedules: days without it, then ticks again, with runs left in the queue."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorType
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.workspace.load_target import ModuleTarget
from dagster._scheduler.scheduler import launch_scheduled_runs

from ghl_payments.defs.automation.jobs import SCAN_TAG
from ghl_payments_tests.defs.test_scans import ZONES, write_connections
from ghl_payments_tests.running_sandbox import ROOT

QUEUE = {"run_coordinator": {"module": "dagster._core.run_coordinator", "class": "QueuedRunCoordinator"}}
ALL_KINDS = ("hot_sweep", "warm_nightly", "cold_weekly")


def test_after_a_week_without_a_daemon_the_first_minutes_start_one_run_a_location(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_connections(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GHL_PAYMENTS_CONNECTIONS", str(tmp_path / "connections.yaml"))
    target = ModuleTarget("ghl_payments.definitions", None, str(ROOT), "ghl_payments")
    now = datetime.now(UTC).replace(second=30, microsecond=0)
    with (
        dg.instance_for_test(overrides=QUEUE) as instance,
        create_test_daemon_workspace_context(target, instance) as workspace,
    ):
        (entry,) = workspace.create_request_context().get_code_location_entries().values()
        assert entry.code_location is not None, entry.load_error
        (repository,) = entry.code_location.get_repositories().values()
        with freeze_time(now - timedelta(days=8)):
            for name in ALL_KINDS:
                instance.start_schedule(repository.get_schedule(name))
        for minute in range(0, 31, 10):
            at = now + timedelta(minutes=minute)
            with freeze_time(at):
                failures = [error for error in launch_scheduled_runs(workspace, logging.getLogger(), at, {}) if error]
            assert not failures
        runs = instance.get_runs()
        ticks = [
            tick
            for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
        ]
    assert sorted((run.tags["dagster/partition"], run.tags[SCAN_TAG]) for run in runs) == [
        ("LOC_BERLIN", "cold"),
        ("LOC_NY", "cold"),
    ]
    assert set(ZONES) == {run.tags["dagster/partition"] for run in runs}
    assert {run.status for run in runs} == {dg.DagsterRunStatus.QUEUED}
    said = [tick.skip_reason or "" for tick in ticks]
    assert any("its cold scan" in reason for reason in said), said
    assert not [tick.error for tick in ticks if tick.error]
