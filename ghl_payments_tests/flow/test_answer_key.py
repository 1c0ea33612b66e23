"""The first turn finds what is planted, neither more nor less, and the second finds nothing left to do."""

from __future__ import annotations

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import as_key, converged


@pytest.mark.parametrize(("seed", "orders"), [(1, 1000), (2, 100)])
def test_the_first_turn_reports_exactly_what_is_planted_and_the_second_finds_nothing_to_do(
    loop: LoopFactory, seed: int, orders: int
) -> None:
    world = loop(seed=seed, orders=orders)
    world.good_turn()
    assert as_key(world.diffs()) == as_key(world.sandbox.answer_key())
    converged(world)
