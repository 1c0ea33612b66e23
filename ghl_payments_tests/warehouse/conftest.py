"""Fixtures of the warehouse's tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from ghl_payments.warehouse.connection import Warehouse
from ghl_payments_tests.warehouse.desk import Desk
from ghl_payments_tests.warehouse.gallery import NATIVES, Purchase, hang

Stocked = Callable[[int], Desk]


@pytest.fixture(scope="session")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of the newest layout without rows, to be copied."""
    warehouse = Warehouse(tmp_path_factory.mktemp("empty") / "ghl_payments.duckdb")
    with warehouse.open():
        pass
    return warehouse.path


@pytest.fixture(scope="session")
def judged_warehouse(tmp_path_factory: pytest.TempPathFactory, empty_warehouse: Path) -> Callable[[int], Path]:
    """A warehouse with that many purchases, none of which Halo holds yet, and their diffs; to be copied."""

    @cache
    def make(purchases: int) -> Path:
        folder = tmp_path_factory.mktemp("judged")
        path = folder / "ghl_payments.duckdb"
        shutil.copyfile(empty_warehouse, path)
        with Warehouse(path).open() as con:
            desk = Desk(folder, con)
            stock = [Purchase(number) for number in range(1, purchases + 1)]
            for purchase in stock:
                purchase.without("Client", "Users", "SalesOrder", "Invoice", "InvoicePayment")
            hang(desk, stock, natives=NATIVES)
            desk.judge()
        return path

    return make


@pytest.fixture
def desk(tmp_path: Path, empty_warehouse: Path) -> Iterator[Desk]:
    """An open warehouse of the test's own."""
    yield from _opened(tmp_path, empty_warehouse)


@pytest.fixture
def stocked(tmp_path: Path, judged_warehouse: Callable[[int], Path]) -> Iterator[Stocked]:
    """`stocked(2)`: an open warehouse of the test's own, with two purchases that Halo lacks and their diffs."""
    with ExitStack() as stack:

        def take(purchases: int = 1) -> Desk:
            opened = _opened(tmp_path, judged_warehouse(purchases))
            stack.callback(next, opened, None)
            return next(opened)

        yield take


def _opened(folder: Path, template: Path) -> Iterator[Desk]:
    path = folder / "ghl_payments.duckdb"
    shutil.copyfile(template, path)
    with Warehouse(path).open() as con:
        con.execute("set threads = 1")  # a handful of rows takes longer with more
        yield Desk(folder, con)
