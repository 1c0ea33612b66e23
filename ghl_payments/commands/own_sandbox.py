"""A sandbox and a Dagster home that one command brings up for itself and takes down again.

Add here what `demo` and `dev` share; what they do with it belongs to their own files.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from dotenv import dotenv_values

PROJECT = Path(__file__).parents[2]
"""The checkout: `sql/` and the YAML files at its top are used from there."""

_PLACES = ("storage", "local_artifact_storage", "compute_logs")


class SandboxFailedError(RuntimeError):
    """The sandbox did not start."""


@dataclass(frozen=True, slots=True)
class OwnSandbox:
    """A running sandbox; `environment` is this process's own, without its settings, plus those of the env file."""

    base_url: str
    env_file: Path
    process: subprocess.Popen[str]
    environment: Mapping[str, str]

    @property
    def running(self) -> bool:
        """Whether its process is still there."""
        return self.process.poll() is None


@contextmanager
def own_sandbox(folder: Path, *, seed: int, orders: int, switches: Sequence[str] = ()) -> Iterator[OwnSandbox]:
    """A sandbox on a free loopback port with `sandbox.env` and its warehouse in `folder`, gone when the block ends.

    SandboxFailedError when it does not start; what it wrote to stderr is on this process's.
    """
    env_file, home = folder / "sandbox.env", folder / "dagster"
    options = {"--port": 0, "--seed": seed, "--orders": orders, "--write-env": env_file}
    command = [sys.executable, "-m", "ghl_payments.sandbox.server", *(str(x) for item in options.items() for x in item)]
    command += [word for switch in switches for word in ("--switch", switch)]
    # A session of its own: Ctrl-C in a terminal reaches every process in the foreground, and the sandbox has to
    # outlast what is using it.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            msg = f"the sandbox did not start (exit code {process.wait()})"
            raise SandboxFailedError(msg)
        write_dagster_home(home)
        with env_file.open("a", encoding="utf-8") as file:
            file.write(f"DAGSTER_HOME={home}\n")
        values = {name: value or "" for name, value in dotenv_values(env_file).items()}
        yield OwnSandbox(
            base_url=values["GHL_PAYMENTS_SANDBOX_URL"],
            env_file=env_file,
            process=process,
            environment=without_settings(os.environ) | values,
        )
    finally:
        stop(process)


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without any setting of ours: a sandbox must never be mixed with a real account's."""
    return {name: value for name, value in environ.items() if not name.startswith("GHL_PAYMENTS_")}


def write_dagster_home(home: Path) -> None:
    """A DAGSTER_HOME with the project's own dagster.yaml, except that everything stays in this folder."""
    home.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((PROJECT / "dagster.yaml").read_text(encoding="utf-8"))
    kept = {name: value for name, value in config.items() if name not in _PLACES}
    (home / "dagster.yaml").write_text(yaml.safe_dump(kept), encoding="utf-8")


def stop(process: subprocess.Popen[str], *, seconds: float = 5.0) -> None:
    """End a process that leads a session of its own, and everything it started; by force after `seconds`."""
    if process.poll() is None:
        process.terminate()
    deadline = time.monotonic() + seconds
    while _group_lives(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    if _group_lives(process):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _group_lives(process: subprocess.Popen[str]) -> bool:
    process.poll()  # a leader that has ended and is not waited for would still count
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def on_stop_signals(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` on SIGINT, SIGTERM and SIGHUP while the block runs; under nohup SIGHUP stays ignored.

    A handler also undoes an ignored SIGINT, which a shell's `&` passes on, and processes started meanwhile get the
    default back.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: act()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
