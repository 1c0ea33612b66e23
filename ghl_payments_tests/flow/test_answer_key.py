"""The first turn finds what is planted, neither more nor less, and the second finds nothing left to do."""

from __future__ import annotations

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import as_key, converged, settled


def test_a_thousand_orders_are_reported_exactly_as_planted_and_every_change_is_proven(loop: LoopFactory) -> None:
    """`benchmarks/precision.py` does the same for further seeds."""
    world = loop(seed=1, orders=1000)
    world.good_turn()
    assert as_key(world.diffs()) == as_key(world.sandbox.answer_key())
    settled(world)


def test_a_second_turn_without_outside_changes_has_no_effect_and_leaves_nothing_to_push(loop: LoopFactory) -> None:
    world = loop(seed=2, orders=100)
    world.good_turn()
    assert as_key(world.diffs()) == as_key(world.sandbox.answer_key())
    converged(world)
