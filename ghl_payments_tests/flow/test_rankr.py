"""The signed HTTP target in the loop: what is planted is found, told once, proven where it can be read, and no more."""

from __future__ import annotations

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, Row, as_key, converged, settled

TARGETS = ("rankr",)


def test_a_seeded_receiver_is_reported_exactly_as_planted_and_told_once(loop: LoopFactory) -> None:
    world = loop(seed=2, orders=100, targets=TARGETS)
    world.good_turn()
    assert as_key(world.diffs()) == as_key(world.answer_key())
    verified = world.changes(state="verified", system="rankr")
    assert {row["record_type"] for row in verified} >= {"order", "transaction", "fulfillment"}
    converged(world)
