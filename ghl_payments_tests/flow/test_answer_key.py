"""The first turn finds what is planted, neither more nor less, and the second finds nothing left to do."""

from __future__ import annotations

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import as_key, converged, settled


def test_a_thousand_orders_are_reported_exactly_as_planted_and_every_change_is_proven(loop: LoopFactory) -> None:
    """`benchmarks/precision.py` does the same for further seeds."""
    world = loop(seed=1, orders=1000, targets=("ghl", "halo"))
    world.good_turn()
    assert as_key(world.diffs()) == as_key(world.answer_key())
    settled(world)


def test_a_second_turn_without_outside_changes_has_no_effect_and_leaves_nothing_to_push(loop: LoopFactory) -> None:
    world = loop(seed=2, orders=100)
    world.good_turn()
    assert as_key(world.diffs()) == as_key(world.answer_key())
    converged(world)


def test_every_shape_that_the_contracts_leave_open_gives_the_same_answer(loop: LoopFactory) -> None:
    world = loop(seed=4, orders=60)
    world.only_first_location()
    world.policy("preview")
    world.sandbox.switches(
        ghl_detail_shape="array", ghl_not_found=400, ghl_date_filter="wider", halo_bare_arrays=True,
        halo_ignored_filters=["order", "table_id", "third_party_id", "search"],
    )  # fmt: skip
    world.good_turn()
    assert as_key(world.diffs()) == as_key(world.answer_key())
