"""`ghl-payments dev`: Dagster with our code location beside a sandbox, and one signal that ends both without a trace."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from ghl_payments_tests.commands.support import descendants, eventually, run, running, start

LOCATIONS = "{workspaceOrError {... on Workspace {locationEntries {name locationOrLoadError {__typename}}}}}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def graphql(port: int, query: str) -> Any:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/graphql", json.dumps({"query": query}), {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())["data"]
    finally:
        connection.close()


@contextmanager
def serving(folder: Path, port: int, *, ignoring_sigint: bool) -> Iterator[subprocess.Popen[str]]:
    process = start(folder, "dev", "--port", str(port), "--orders", "60", ignoring_sigint=ignoring_sigint)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Ctrl-C"):
                break
        assert process.poll() is None
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.parametrize(("number", "ignoring_sigint"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_one_signal_ends_everything_within_seconds(
    tmp_path: Path, number: signal.Signals, ignoring_sigint: bool
) -> None:
    port = free_port()
    with serving(tmp_path, port, ignoring_sigint=ignoring_sigint) as process:
        entries = graphql(port, LOCATIONS)["workspaceOrError"]["locationEntries"]
        assert entries == [{"name": "ghl_payments", "locationOrLoadError": {"__typename": "RepositoryLocation"}}]
        started = descendants(process.pid)
        assert len(started) >= 5  # sandbox, dagster dev, code server, webserver, daemon
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(30) == 0
        assert time.monotonic() - began < 20
        assert eventually(lambda: running(started) == [], 5), running(started)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert [path.name for path in tmp_path.iterdir()] == [".sandbox"]


def test_a_taken_port_is_told_before_anything_is_started_or_removed(tmp_path: Path) -> None:
    left = tmp_path / ".sandbox" / "sandbox.d"
    left.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path, "dev", "--port", str(port))
    assert (done.returncode, f"port {port} of 127.0.0.1 is in use" in done.stdout) == (2, True)
    assert left.exists()
