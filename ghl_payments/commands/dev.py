"""`ghl-payments dev`: a sandbox and Dagster's UI on this machine, stopped together by one signal.

Both start from nothing each time, because the sandbox keeps its world in memory only.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from filelock import FileLock, Timeout

from ghl_payments.commands.own_sandbox import PROJECT, OwnSandbox, on_stop_signals, own_sandbox, stop
from ghl_payments.connections import SettingsError

Say = Callable[[str], None]

HOST = "127.0.0.1"
_UP_SECONDS = 120.0


class _Stopping:
    """Whether somebody asked us to stop."""

    asked = False

    def ask(self) -> None:
        self.asked = True


def run_dev(say: Say, *, port: int, folder: Path, seed: int, orders: int) -> bool:
    """Serve until SIGINT, SIGTERM or SIGHUP; False if the sandbox or Dagster ended by itself.

    SettingsError when the port is taken or another `dev` uses the folder. What an earlier one left there is removed.
    """
    stopping = _Stopping()
    with _alone(folder), on_stop_signals(stopping.ask):
        _must_be_free(port)
        (folder / "sandbox.env").unlink(missing_ok=True)
        for old in ("sandbox.d", "dagster"):
            shutil.rmtree(folder / old, ignore_errors=True)
        with own_sandbox(folder, seed=seed, orders=orders) as sandbox, _dagster(sandbox, folder, port) as dagster:
            if not _until_up(port, dagster, stopping):
                return stopping.asked
            say(_welcome(sandbox, port))
            while not stopping.asked and sandbox.running and dagster.poll() is None:
                time.sleep(0.2)
            say("Stopping.")
    return stopping.asked


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "dev.lock", timeout=0):
            yield
    except Timeout:
        msg = f"another `ghl-payments dev` uses {folder}; stop it, or give this one a --folder of its own"
        raise SettingsError(msg) from None


def _must_be_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            msg = f"port {port} of {HOST} is in use; stop what uses it, or choose another with --port"
            raise SettingsError(msg) from None


@contextmanager
def _dagster(sandbox: OwnSandbox, folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable, "-m", "dagster", "dev", "-h", HOST, "-p", str(port), "-w", str(PROJECT / "workspace.yaml"),
        "--log-level", "warning", "--code-server-log-level", "warning",
    ]  # fmt: skip
    environment = {**sandbox.environment, "PYTHONWARNINGS": "ignore"}  # it would recommend another CLI at each start
    # Not in the project's folder: Dagster reads a .env it finds there, which may name real accounts.
    process = subprocess.Popen(command, env=environment, cwd=folder / "dagster", text=True, start_new_session=True)
    try:
        yield process
    finally:
        stop(process, seconds=10.0)


def _until_up(port: int, dagster: subprocess.Popen[str], stopping: _Stopping) -> bool:
    deadline = time.monotonic() + _UP_SECONDS
    while time.monotonic() < deadline and not stopping.asked and dagster.poll() is None:
        if _answers(port):
            return True
        time.sleep(0.2)
    return False


def _answers(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _welcome(sandbox: OwnSandbox, port: int) -> str:
    env_file = sandbox.env_file
    shown = env_file.relative_to(Path.cwd()) if env_file.is_relative_to(Path.cwd()) else env_file
    return (
        f"Dagster  http://{HOST}:{port}  (Assets: choose a location and materialise all)\n"
        f"Sandbox  {sandbox.base_url}\n"
        f"Commands ghl-payments --env-file {shown} run | status | diffs | changes\n"
        "Ctrl-C stops both."
    )
