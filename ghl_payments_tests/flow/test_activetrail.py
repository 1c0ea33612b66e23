"""ActiveTrail in the loop: what is planted is found, all of it is repaired once, and nobody is doubled."""

from __future__ import annotations

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import as_key, converged

TARGETS = ("ghl", "halo", "activetrail")


def test_a_seeded_account_is_reported_exactly_as_planted_and_repaired_once(loop: LoopFactory) -> None:
    world = loop(seed=2, orders=100, targets=TARGETS)
    world.good_turn()
    assert as_key(world.diffs()) == as_key(world.answer_key())
    assert {row["record_type"] for row in world.changes(state="verified", system="activetrail")} == {
        "contact", "commerce_order",
    }  # fmt: skip
    converged(world)


def test_an_empty_account_is_filled_and_a_lost_answer_doubles_nobody(loop: LoopFactory) -> None:
    world = loop(seed=2, orders=30, targets=("activetrail",))
    world.only_first_location()
    state = world.sandbox.state()
    world.sandbox.put_state(state | {"activetrail": {}})
    world.sandbox.fault("lost_reply", system="activetrail", method="POST", path="/api/(groups/.*|commerce/.*)", times=4)
    world.good_turn()
    held = world.sandbox.state()["activetrail"]
    for contacts in (held["contacts"], held["orders"]):
        assert contacts
    keys = [doc["ext25"] for doc in held["contacts"]]
    assert len(keys) == len(set(keys)) == len(held["members"])
    assert len(held["groups"]) == 1
    assert not {"claimed", "sent", "unknown", "approved"} & world.states().keys()
    before = world.sandbox.effects()
    world.good_turn()
    assert world.sandbox.effects() == before
