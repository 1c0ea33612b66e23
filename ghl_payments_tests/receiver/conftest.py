"""Receivers as processes: one that all rules are tried on, and those of a test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ghl_payments_tests.receiver.support import RunningReceiver


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    """Shared by the tests of a module, whose deliveries all have ids of their own."""
    running = RunningReceiver(tmp_path_factory.mktemp("receiver"))
    yield running
    running.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningReceiver]]:
    """Starts receivers in the test's own folder; those that still run at its end are stopped."""
    started: list[RunningReceiver] = []

    def begin(**values: str) -> RunningReceiver:
        started.append(RunningReceiver(tmp_path, **values))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.stop()
