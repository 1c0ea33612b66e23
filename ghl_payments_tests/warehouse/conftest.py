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

Builder = Callable[[Desk], None]
Stocked = Callable[[Builder], Desk]


@pytest.fixture(scope="session")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of the newest layout without rows, to be copied."""
    warehouse = Warehouse(tmp_path_factory.mktemp("empty") / "ghl_payments.duckdb")
    with warehouse.open():
        pass
    return warehouse.path


@pytest.fixture(scope="session")
def built_warehouse(tmp_path_factory: pytest.TempPathFactory, empty_warehouse: Path) -> Callable[[Builder], Path]:
    """A warehouse as a builder leaves it, built once a session, to be copied."""

    @cache
    def make(build: Builder) -> Path:
        opened = _opened(tmp_path_factory.mktemp("built"), empty_warehouse)
        desk = next(opened)
        build(desk)
        next(opened, None)
        return desk.folder / "ghl_payments.duckdb"

    return make


@pytest.fixture
def desk(tmp_path: Path, empty_warehouse: Path) -> Iterator[Desk]:
    """An open warehouse of the test's own."""
    yield from _opened(tmp_path, empty_warehouse)


@pytest.fixture
def stocked(tmp_path: Path, built_warehouse: Callable[[Builder], Path]) -> Iterator[Stocked]:
    """`stocked(builder)`: an open warehouse of the test's own, as the builder leaves it."""
    with ExitStack() as stack:

        def take(build: Builder) -> Desk:
            opened = _opened(tmp_path, built_warehouse(build))
            stack.callback(next, opened, None)
            return next(opened)

        yield take


def _opened(folder: Path, template: Path) -> Iterator[Desk]:
    path = folder / "ghl_payments.duckdb"
    shutil.copyfile(template, path)
    with Warehouse(path).open() as con:
        con.execute("set threads = 1")  # a handful of rows takes longer with more
        yield Desk(folder, con)
