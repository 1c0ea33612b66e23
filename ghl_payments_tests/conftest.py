"""Fixtures for all tests: the bundled sandbox over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from ghl_payments_tests.running_sandbox import Options, RunningSandbox, SandboxPool


class SandboxFactory(Protocol):
    """`sandbox(seed=7, orders=0, limits="scaled")`; no orders make a world that is empty but for its locations."""

    def __call__(
        self, seed: int = 7, orders: int = 0, limits: str = "scaled", switches: tuple[str, ...] = ()
    ) -> RunningSandbox:
        """A sandbox of this test's own."""


@pytest.fixture(scope="session")
def sandbox_pool() -> Iterator[SandboxPool]:
    """The sandbox processes of this test session."""
    pool = SandboxPool()
    yield pool
    pool.stop()


@pytest.fixture
def sandbox(sandbox_pool: SandboxPool, tmp_path: Path) -> Iterator[SandboxFactory]:
    """Starts sandboxes, or takes them from the pool; every one is in its seeded state."""
    taken: list[tuple[Options, RunningSandbox]] = []

    def take(seed: int = 7, orders: int = 0, limits: str = "scaled", switches: tuple[str, ...] = ()) -> RunningSandbox:
        options = (seed, orders, limits, switches)
        running = sandbox_pool.take(*options)
        taken.append((options, running))
        folder = tmp_path / f"sandbox{len(taken)}"
        folder.mkdir()
        running.write_env(folder)
        return running

    yield take
    sandbox_pool.give_back(taken)
