"""Fixtures of the flow tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.flow.loop import Loop

LONG = {
    "test_act": (), "test_activetrail": (), "test_every_write_path": (), "test_fallbacks": (), "test_trackpod": (),
    "test_kills_of_other_targets": (),
    "test_answer_key": ("test_a_second_turn_without_outside_changes_has_no_effect_and_leaves_nothing_to_push",),
    "test_backfill": ("test_a_backfill_killed_in_the_middle_goes_on_without_scanning_complete_slices_again",),
    "test_cash": ("test_off_by_default_cash_is_found_and_planned_and_nothing_is_written",),
    "test_deliveries": ("test_one_turn_brings_a_noted_parcel_to_ghl_and_its_state_back_to_halo",),
    "test_rankr": ("test_an_answer_lost_once_is_sent_again_as_the_same_event_and_has_one_effect",),
    "test_webhooks": ("test_a_new_order_is_written_and_verified_without_a_sweep",),
}  # fmt: skip
"""Modules whose tests take long together, and those of their tests that the default suite runs all the same."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the long tests: `make test-all` runs them, `make test` does not."""
    for item in items:
        kept = LONG.get(item.path.stem)
        if item.path.parent.name == "flow" and kept is not None and getattr(item, "originalname", "") not in kept:
            item.add_marker("long")


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
