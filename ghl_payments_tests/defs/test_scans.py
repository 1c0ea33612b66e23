"""The schedules on a real Dagster instance: what a tick starts, replays, downtime, pile-ups, and runs left behind."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from ghl_payments.definitions import defs
from ghl_payments.defs.automation.jobs import AFTER_BACKFILL, FULL_LOOP, HOT_LOOP, SCAN_TAG, scan_config
from ghl_payments.defs.automation.left_behind import PROCESS_TAG, this_process
from ghl_payments.defs.automation.scans import NAMES, TICK_TAG
from ghl_payments.defs.turn import TURN_TAG
from ghl_payments.domain.schedules import KINDS, Kind

NIGHT = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)
"""02:00 in New York, 08:00 in Berlin; a Thursday."""

ZONES = {"LOC_NY": "America/New_York", "LOC_BERLIN": "Europe/Berlin"}
OVER = dg.DagsterRunStatus.SUCCESS
STARTED = dg.DagsterRunStatus.STARTED


class Clockwork:
    """The schedules of two locations beside an instance whose runs nothing executes."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.definitions = definitions
        self.repository = definitions.get_repository_def()
        self.instance = instance

    def tick(self, kind: Kind, now: datetime) -> list[dg.RunRequest] | str:
        """What the schedule of this kind asks for at this moment, or why it asks for nothing."""
        schedule = self.definitions.resolve_schedule_def(NAMES[kind])
        with dg.build_schedule_context(
            instance=self.instance, scheduled_execution_time=now, repository_def=self.repository
        ) as context:
            found = schedule.evaluate_tick(context)
        return list(found.run_requests or []) or found.skip_message or ""

    def started(self, kind: Kind, now: datetime) -> list[str]:
        """Run keys of what a tick asks for, which is nothing where it gives a reason."""
        found = self.tick(kind, now)
        return [] if isinstance(found, str) else [str(request.run_key) for request in found]

    def obey(self, kind: Kind, now: datetime, status: dg.DagsterRunStatus = STARTED) -> list[str]:
        """Tick, and store the runs as Dagster's daemon would; their run keys."""
        found = self.tick(kind, now)
        requests = [] if isinstance(found, str) else found
        for request in requests:
            tags = dict(request.tags) | {"dagster/partition": str(request.partition_key)}
            self.add(tags, now + timedelta(seconds=2), status, job=HOT_LOOP if kind == "hot" else FULL_LOOP)
        return [str(request.run_key) for request in requests]

    def add(self, tags: dict[str, str], created: datetime, status: dg.DagsterRunStatus, job: str = FULL_LOOP) -> str:
        """A run in the store."""
        run = dg.DagsterRun(job_name=job, tags=tags, status=status)
        self.instance.run_storage.add_historical_run(run, run_creation_time=created)
        return run.run_id

    def all_end(self, status: dg.DagsterRunStatus = OVER, at: datetime = NIGHT) -> None:
        """Every run that is not over ends."""
        for run in self.instance.get_runs():
            if not run.is_finished:
                self.instance.handle_run_event(
                    run.run_id,
                    dg.DagsterEvent(
                        dg.DagsterEventType.RUN_SUCCESS.value
                        if status is OVER
                        else dg.DagsterEventType.RUN_FAILURE.value,
                        run.job_name,
                    ),
                    at,
                )


def write_connections(folder: Path, **schedules: object) -> None:
    """connections.yaml of the two locations."""
    document = {
        "version": 1,
        "connections": {"ghl": {"system": "ghl", "base_url": "https://ghl.example.com"}},
        "schedules": {"warm": {"spread_minutes": 0}, "cold": {"spread_minutes": 0}} | schedules,
        "locations": [
            {"id": location_id, "timezone": zone, "ghl": {"connection": "ghl", "token": "GHL_TOKEN_1"}}
            for location_id, zone in ZONES.items()
        ],
    }
    (folder / "connections.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.Definitions]:
    """The code location of the two locations."""
    folder = tmp_path_factory.mktemp("installation")
    write_connections(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("GHL_PAYMENTS_CONNECTIONS", str(folder / "connections.yaml"))
        yield defs()


@pytest.fixture
def clockwork(definitions: dg.Definitions) -> Iterator[Clockwork]:
    """An instance of this test's own."""
    with dg.instance_for_test() as instance:
        yield Clockwork(definitions, instance)


def settled(clockwork: Clockwork, now: datetime = NIGHT) -> None:
    """Everything that is due a little before was done."""
    for kind in reversed(KINDS):
        clockwork.obey(kind, now - timedelta(hours=2))
        clockwork.all_end()


def test_the_night_of_a_location_starts_one_run_with_its_config_and_tags(clockwork: Clockwork) -> None:
    settled(clockwork)
    found = clockwork.tick("warm", NIGHT)
    assert not isinstance(found, str)
    (request,) = found
    assert request.run_key == "warm:LOC_NY:2026-11-26"
    assert request.partition_key == "LOC_NY"
    assert request.run_config == scan_config("warm")
    wanted = {SCAN_TAG: "warm", TICK_TAG: "2026-11-26", TURN_TAG: "warm:2026-11-26T07:00Z"}
    assert wanted.items() <= dict(request.tags).items()


def test_a_replayed_tick_makes_no_second_run_whatever_became_of_the_first(clockwork: Clockwork) -> None:
    settled(clockwork)
    assert clockwork.obey("warm", NIGHT) == ["warm:LOC_NY:2026-11-26"]
    assert clockwork.started("warm", NIGHT) == []
    clockwork.all_end(dg.DagsterRunStatus.FAILURE, NIGHT + timedelta(minutes=20))
    assert clockwork.started("warm", NIGHT) == []
    assert clockwork.started("warm", NIGHT + timedelta(minutes=75)) == []


def test_a_night_that_failed_has_one_more_run_an_hour_after_its_end(clockwork: Clockwork) -> None:
    settled(clockwork)
    clockwork.obey("warm", NIGHT)
    clockwork.all_end(dg.DagsterRunStatus.FAILURE, NIGHT + timedelta(minutes=20))
    again = NIGHT + timedelta(minutes=80)
    assert clockwork.obey("warm", again) == ["warm:LOC_NY:2026-11-26:again"]
    clockwork.all_end(dg.DagsterRunStatus.FAILURE, again)
    assert clockwork.started("warm", again + timedelta(hours=2)) == []
    assert clockwork.started("warm", NIGHT + timedelta(hours=20)) == ["warm:LOC_BERLIN:2026-11-27"]


def test_after_days_without_a_daemon_each_location_gets_one_run_of_a_kind(clockwork: Clockwork) -> None:
    settled(clockwork, NIGHT - timedelta(days=3))
    morning = NIGHT + timedelta(hours=5, minutes=10)
    assert sorted(clockwork.obey("warm", morning)) == ["warm:LOC_BERLIN:2026-11-26", "warm:LOC_NY:2026-11-26"]
    assert clockwork.started("warm", morning + timedelta(minutes=5)) == []
    assert clockwork.started("hot", morning + timedelta(minutes=5)) == []  # the nights' runs are still queued
    clockwork.all_end()
    assert len(clockwork.obey("hot", morning + timedelta(minutes=30))) == 2


def test_a_location_whose_scan_is_not_over_is_skipped_with_the_reason_and_others_are_not(clockwork: Clockwork) -> None:
    settled(clockwork)
    clockwork.add({SCAN_TAG: "cold", "dagster/partition": "LOC_NY"}, NIGHT - timedelta(hours=1), STARTED)
    later = NIGHT + timedelta(minutes=40)
    assert [key.split(":")[1] for key in clockwork.obey("hot", later)] == ["LOC_BERLIN"]
    said = clockwork.tick("hot", later + timedelta(seconds=1))
    assert isinstance(said, str)
    assert "its cold scan of 2026-11-26 06:00 UTC is still queued or running" in said
    assert said.startswith("LOC_NY")


def test_when_nothing_is_due_the_tick_says_so(clockwork: Clockwork) -> None:
    settled(clockwork)
    assert clockwork.obey("warm", NIGHT)
    clockwork.all_end()
    assert clockwork.tick("warm", NIGHT + timedelta(minutes=5)) == "Nothing is due at 07:05 UTC."


def test_hot_scans_come_every_few_minutes_and_read_two_months_without_a_nights_work(clockwork: Clockwork) -> None:
    settled(clockwork)
    clockwork.obey("hot", NIGHT - timedelta(minutes=31))
    clockwork.all_end()
    keys: list[str] = []
    for minute in range(30):
        keys += clockwork.obey("hot", NIGHT - timedelta(minutes=30 - minute))
        clockwork.all_end()
    assert len(keys) == len(set(keys)) == 4
    found = clockwork.tick("hot", NIGHT + timedelta(minutes=20))
    assert not isinstance(found, str)
    ops = dict(found[0].run_config)["ops"]
    assert ops["raw__orders"]["config"] == {"scan": "hot"}
    assert ops["raw__fulfillments"]["config"] == {"warm": False}


def test_a_run_whose_command_was_killed_keeps_nothing_waiting(clockwork: Clockwork) -> None:
    settled(clockwork)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    tags = {SCAN_TAG: "cold", "dagster/partition": "LOC_NY"}
    dead = clockwork.add(
        tags | {PROCESS_TAG: f"{socket.gethostname()}/{gone.pid}"}, NIGHT - timedelta(hours=1), STARTED
    )
    elsewhere = {PROCESS_TAG: f"another-host/{gone.pid}", "dagster/partition": "LOC_BERLIN", SCAN_TAG: "cold"}
    others = [
        clockwork.add(elsewhere, NIGHT - timedelta(hours=1), STARTED),
        clockwork.add(elsewhere | {PROCESS_TAG: this_process()}, NIGHT - timedelta(hours=1), STARTED),
    ]
    assert [key.split(":")[1] for key in clockwork.started("hot", NIGHT)] == ["LOC_NY"]
    run = clockwork.instance.get_run_by_id(dead)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert {run.run_id for run in clockwork.instance.get_runs() if not run.is_finished} == set(others)


def test_jobs_have_their_scan_as_a_tag_so_that_a_run_by_hand_counts_too(definitions: dg.Definitions) -> None:
    tags = {
        name: definitions.resolve_job_def(name).run_tags.get(SCAN_TAG) for name in (FULL_LOOP, HOT_LOOP, "reconcile")
    }
    assert tags == {FULL_LOOP: "cold", HOT_LOOP: "hot", "reconcile": None}
    hot = definitions.resolve_job_def(HOT_LOOP).partitioned_config
    assert hot is not None
    assert hot.get_run_config_for_partition_key("LOC_NY") == scan_config("hot")


@pytest.mark.parametrize("job", ["reconcile", AFTER_BACKFILL, FULL_LOOP])
def test_no_job_reports_before_it_has_compared(definitions: dg.Definitions, job: str) -> None:
    graph = definitions.resolve_job_def(job).asset_layer.asset_graph
    selected = definitions.resolve_job_def(job).asset_layer.executable_asset_keys - {
        key for key in graph.get_all_asset_keys() if key.path[0] == "push"
    }
    plan, published = dg.AssetKey(["outbox", "changes"]), dg.AssetKey(["reports", "published"])
    reached, waiting = set(), [published]
    while waiting:
        key = waiting.pop()
        reached.add(key)
        waiting += [parent for parent in graph.get(key).parent_keys if parent in selected - reached]
    assert plan in reached
