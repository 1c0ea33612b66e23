"""Commands started as a person would start them, and what they leave running."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ghl_payments_tests.running_sandbox import ROOT


def start(folder: Path, *words: str, ignoring_sigint: bool = False, stdin: int | None = None) -> subprocess.Popen[str]:
    """`ghl-payments WORDS` in `folder` without any setting of this process, stderr mixed into stdout.

    With `ignoring_sigint` SIGINT is ignored from the start, as a shell's `&` does.
    """
    command = [sys.executable, "-c", "from ghl_payments.cli import main; main()", *words]
    if ignoring_sigint:
        command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    own = {name: text for name, text in os.environ.items() if not name.startswith(("GHL_", "HALO_", "DAGSTER_"))}
    environment = own | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command to its end; a demo on a busy machine takes minutes."""
    process = start(folder, *words)
    try:
        out, _ = process.communicate(timeout=420)
    finally:
        process.kill()
    return subprocess.CompletedProcess(words, process.returncode, out, "")


def descendants(pid: int) -> list[int]:
    """Ids of every process below this one."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for line in listed.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found, waiting = [], [pid]
    while waiting:
        waiting += children.get(waiting.pop(), [])
        found = sorted(set(found) | set(waiting))
    return found


def running(pids: list[int]) -> list[str]:
    """Those of the processes that still run, as `ps` shows them; a zombie waits for its parent and does nothing."""
    if not pids:
        return []
    asked = ["ps", "-o", "stat=,pid=,args=", "-p", ",".join(map(str, pids))]
    lines = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()
    return [line for line in lines if not line.startswith("Z")]


def eventually(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
