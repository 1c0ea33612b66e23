"""The one way to the warehouse: one writer at a time across processes, clear words for whoever waits, no mixed sources."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pytest

from ghl_payments.warehouse.connection import ForeignWarehouseError, Warehouse, WarehouseBusyError
from ghl_payments_tests.running_sandbox import ROOT

HOLDER = """
import sys
from pathlib import Path
from ghl_payments.warehouse.connection import Warehouse
with Warehouse(Path(sys.argv[1])).open():
    print("open", flush=True)
    sys.stdin.read()
"""
STRANGER = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def other_process(script: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the file open until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_rows_outlast_the_connection_and_the_folder_is_made(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "deep" / "down" / "w.duckdb")
    with warehouse.open() as con:
        con.execute("insert into ops.sources values ('a', 'b', 'c')")
    with warehouse.open() as con:
        assert con.execute("from ops.sources").fetchall() == [("a", "b", "c")]


def test_the_connection_is_closed_when_the_block_fails(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb", lock_timeout_seconds=0.1)
    with pytest.raises(ZeroDivisionError), warehouse.open() as con:
        raise ZeroDivisionError
    with pytest.raises(duckdb.ConnectionException):
        con.execute("select 1")
    with warehouse.open() as again:
        assert again.execute("select 1").fetchone() == (1,)


def test_a_second_process_waits_in_vain_and_is_told_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with (
        other_process(HOLDER, path),
        pytest.raises(WarehouseBusyError) as busy,
        Warehouse(path, lock_timeout_seconds=0.2).open(),
    ):
        pass
    text = str(busy.value)
    assert "w.duckdb has been in use by another run" in text
    assert "GHL_PAYMENTS_LOCK_TIMEOUT_SECONDS" in text
    assert str(tmp_path) not in text


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "w.duckdb"
    with other_process(HOLDER, path) as holder, caplog.at_level(logging.INFO):
        threading.Timer(0.2, holder.kill).start()
        started = time.monotonic()
        with Warehouse(path, lock_timeout_seconds=20).open() as con:
            assert con.execute("select count(*) from ops.migrations").fetchone() != (0,)
    assert time.monotonic() - started < 10
    assert "Waiting for the warehouse w.duckdb" in caplog.text


def test_a_program_without_our_lock_is_named_as_the_cause(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with Warehouse(path).open():
        pass
    with other_process(STRANGER, path), pytest.raises(WarehouseBusyError) as busy, Warehouse(path).open():
        pass
    assert "does not use our lock" in str(busy.value)
    assert "ghl_payments_reports.duckdb" in str(busy.value)
    with Warehouse(path).open() as con:
        assert con.execute("select 1").fetchone() == (1,)


def test_a_file_that_is_no_database_is_no_busy_warehouse(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(duckdb.Error), Warehouse(path).open():
        pass


def test_threads_of_one_process_take_turns(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb", lock_timeout_seconds=20)
    with warehouse.open() as con:
        con.execute("create table seen (n integer)")

    def write(number: int) -> None:
        with warehouse.open() as con:
            rows = con.execute("select count(*) from seen").fetchone()
            time.sleep(0.02)
            con.execute("insert into seen values (?)", [rows[0] if rows else -1])

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with warehouse.open() as con:
        assert con.execute("select n from seen order by n").fetchall() == [(0,), (1,), (2,)]


SOURCES = {("connection", "halo"): "https://halo.example", ("location", "L1"): "https://ghl.example"}


def test_a_warehouse_takes_the_same_and_further_sources(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    for _ in range(2):
        warehouse.claim_for(SOURCES)
    warehouse.claim_for({**SOURCES, ("location", "L2"): "https://ghl.example"})
    with warehouse.open() as con:
        assert con.execute("select count(*) from ops.sources").fetchone() == (3,)


@pytest.mark.parametrize("other", [
    {("connection", "halo"): "https://other.example"},
    {("location", "L1"): "https://sandbox.example"},
    {("location", "L9"): "https://sandbox.example"},
])  # fmt: skip
def test_a_warehouse_refuses_another_account(tmp_path: Path, other: dict[tuple[str, str], str]) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    warehouse.claim_for(SOURCES)
    with pytest.raises(ForeignWarehouseError, match="GHL_PAYMENTS_HOME"):
        warehouse.claim_for(other)
    with warehouse.open() as con:
        assert con.execute("select count(*) from ops.sources").fetchone() == (2,)


def test_the_refusal_shows_no_path_as_it_may_be_a_secret(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    receiver = ("connection", "rankr")
    warehouse.claim_for({receiver: "https://receiver.example/hooks/T0PSECRET"})
    for other in ("https://receiver.example/hooks/0THERSECRET", "https://else.example/T0PSECRET #0123456789ab"):
        with pytest.raises(ForeignWarehouseError, match=r"at https://receiver\.example, the settings") as caught:
            warehouse.claim_for({receiver: other})
        assert "SECRET" not in str(caught.value)


def test_every_session_counts_in_utc_and_fetches_no_extensions(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "w.duckdb", memory_limit="300MB").open() as con:
        found = con.execute(
            "select current_setting('TimeZone'), current_setting('autoinstall_known_extensions'), "
            "current_setting('memory_limit')"
        ).fetchone()
        assert con.execute("select instant('2026-02-03T23:30:00-05:00')::varchar").fetchone() == (
            "2026-02-04 04:30:00",
        )
    assert found == ("UTC", False, "286.1 MiB")


@pytest.mark.parametrize("statement", ["select 1", "select * from no_such_table"])
def test_a_transaction_that_an_error_left_open_neither_hides_the_error_nor_keeps_the_file(
    tmp_path: Path, statement: str
) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb", 1)
    with pytest.raises(KeyboardInterrupt), warehouse.open() as con:  # noqa: PT012
        con.execute("begin")
        con.execute("insert into ops.sources values ('connection', 'halo', 'half done')")
        with suppress(duckdb.Error):
            con.execute(statement)
        raise KeyboardInterrupt
    with warehouse.open() as con:
        assert con.execute("select count(*) from ops.sources").fetchone() == (0,)
