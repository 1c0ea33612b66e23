"""The published copy: replaced whole, readers keep what they opened, nothing half-written stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.publish import REPORTS, publish
from ghl_payments.warehouse.queries import SQL_ROOT


def orders(con: duckdb.DuckDBPyConnection) -> list[str]:
    return [row[0] for row in con.execute("select order_id from staging.orders order by 1").fetchall()]


def add_order(warehouse: Warehouse, order_id: str) -> None:
    with warehouse.open() as con:
        con.execute("insert into staging.orders (location_id, order_id) values ('L', ?)", [order_id])


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "ghl_payments.duckdb")


def test_a_reader_keeps_the_copy_it_opened_and_the_next_one_sees_the_new(warehouse: Warehouse, tmp_path: Path) -> None:
    published = tmp_path / "reports" / "ghl_payments_reports.duckdb"
    add_order(warehouse, "o1")
    publish(warehouse, published)
    reader = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
count = lambda: print(con.execute("select count(*) from staging.orders").fetchone()[0], flush=True)
count(); sys.stdin.readline(); count()
"""
    command = [sys.executable, "-c", reader, str(published)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        add_order(warehouse, "o2")
        publish(warehouse, published)
        with duckdb.connect(str(published), read_only=True) as fresh:
            assert orders(fresh) == ["o1", "o2"]
        out, _ = process.communicate("\n", timeout=30)
    assert out == "1\n"


def test_only_the_copy_itself_is_left_beside_it(warehouse: Warehouse, tmp_path: Path) -> None:
    published = tmp_path / "reports" / "copy.duckdb"
    (tmp_path / "reports").mkdir()
    published.with_name("copy.duckdb.tmp").write_bytes(b"left by a crash")
    size = publish(warehouse, published)
    assert [path.name for path in published.parent.iterdir()] == ["copy.duckdb"]
    assert size == published.stat().st_size


def test_the_copy_holds_every_report(warehouse: Warehouse, tmp_path: Path) -> None:
    published = tmp_path / "copy.duckdb"
    publish(warehouse, published)
    with duckdb.connect(str(published), read_only=True) as con:
        assert all(con.execute(f"select count(*) from reports.{report}").fetchone() == (0,) for report in REPORTS)
    assert set(REPORTS) == {path.stem for path in (SQL_ROOT / "reports").glob("*.sql")}


def test_the_copy_is_complete_without_a_write_ahead_log(warehouse: Warehouse, tmp_path: Path) -> None:
    add_order(warehouse, "o1")
    alone = tmp_path / "alone"
    alone.mkdir()
    publish(warehouse, alone / "copy.duckdb")
    with duckdb.connect(str(alone / "copy.duckdb"), read_only=True) as con:
        assert orders(con) == ["o1"]
