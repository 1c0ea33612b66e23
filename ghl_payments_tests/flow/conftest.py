"""Fixtures of the flow tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.flow.loop import Loop


class LoopFactory(Protocol):
    """`loop(orders=60)` for a seeded world, `loop(state=shop(1, 2))` for a written one."""

    def __call__(
        self,
        *,
        seed: int = 7,
        orders: int = 0,
        state: dict[str, Any] | None = None,
        targets: Sequence[str] | None = ("halo",),
        switches: tuple[str, ...] = (),
    ) -> Loop:
        """An installation of this test's own; for a written state of one location, with that one only.

        `targets` are all of the sandbox's when None.
        """


@pytest.fixture
def loop(sandbox: SandboxFactory, tmp_path: Path) -> LoopFactory:
    """Installations, each with a sandbox, a warehouse and a working directory of its own."""

    def make(
        *,
        seed: int = 7,
        orders: int = 0,
        state: dict[str, Any] | None = None,
        targets: Sequence[str] | None = ("halo",),
        switches: tuple[str, ...] = (),
    ) -> Loop:
        running = sandbox(seed=seed, orders=orders, switches=switches)
        folder = tmp_path / f"cwd{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        made = Loop(running, folder)
        if targets is not None:
            made.only_targets(*targets)
        if state is not None:
            running.put_state(state)
            if len(state["ghl"]["locations"]) == 1:
                made.only_first_location()
        return made

    return make
