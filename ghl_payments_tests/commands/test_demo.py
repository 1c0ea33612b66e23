"""`ghl-payments demo`: it converges, tells what it did, and leaves nothing behind, interrupted or not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from ghl_payments_tests.commands.support import descendants, eventually, run, running, start

SMALL = """
import sys
from pathlib import Path
from ghl_payments.commands.demo import run_demo
sys.exit(0 if run_demo(print, seed=7, orders=100, keep=Path("kept")) else 1)
"""


def test_a_small_one_converges_and_says_what_was_compared_found_repaired_and_left(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SMALL], cwd=tmp_path, capture_output=True, text=True, timeout=420, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told_as_it_is(tmp_path, done.stdout)


@pytest.mark.long
def test_it_converges_and_says_what_was_compared_found_repaired_and_left(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", "--keep", str(tmp_path / "kept"))
    assert done.returncode == 0, done.stdout
    told_as_it_is(tmp_path, done.stdout)


def told_as_it_is(tmp_path: Path, said: str) -> None:
    kept = tmp_path / "kept"
    parts = [
        "WHAT WAS COMPARED",
        "WHAT WAS FOUND",
        "WHAT WAS PLANNED AND REPAIRED",
        "WHAT NEEDS A PERSON",
        "Turn 2",
        "Converged",
    ]
    assert [said.index(part) for part in parts] == sorted(said.index(part) for part in parts)
    assert "0 reported that are not in it" in said
    assert "0 writes to targets" in said.split("Turn 2")[1]
    assert "halo sales_order" in said
    with duckdb.connect(str(kept / "sandbox.d" / "ghl_payments_reports.duckdb"), read_only=True) as con:
        changes = con.execute(
            "select count(*) filter (where not (irreversible and starts_with(coalesce(reason, ''), 'off by default'))), "
            "count(*) filter (where state = 'verified') from reports.push_log"
        )
        wanted, verified = changes.fetchall()[0]
    assert wanted == verified > 0
    assert "Webhook: a new order in GHL was received after" in said
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_it_starts_from_nothing_and_so_refuses_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = run(tmp_path, "demo", "--keep", str(tmp_path))
    assert (done.returncode, "is not empty" in done.stdout) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_demo_stops_its_sandbox(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, "demo")
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Sandbox at http://127.0.0.1:")
        # Dagster's own helpers show that the first turn is under way.
        assert eventually(lambda: len(descendants(process.pid)) > 1, 30)
        started = descendants(process.pid)
        process.send_signal(number)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode != 0
    assert eventually(lambda: running(started) == [], 5), running(started)
