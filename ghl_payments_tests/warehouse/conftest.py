"""Fixtures of the warehouse's tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ghl_payments.warehouse.connection import Warehouse
from ghl_payments_tests.warehouse.desk import Desk


@pytest.fixture(scope="session")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of the newest layout without rows, to be copied."""
    warehouse = Warehouse(tmp_path_factory.mktemp("empty") / "ghl_payments.duckdb")
    with warehouse.open():
        pass
    return warehouse.path


@pytest.fixture
def desk(tmp_path: Path, empty_warehouse: Path) -> Iterator[Desk]:
    """An open warehouse of the test's own."""
    path = tmp_path / "ghl_payments.duckdb"
    shutil.copyfile(empty_warehouse, path)
    with Warehouse(path).open() as con:
        con.execute("set threads = 1")  # a handful of rows takes longer with more
        yield Desk(tmp_path, con)
