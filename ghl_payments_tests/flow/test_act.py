"""The whole loop against Act!: what is planted is found, what can be written is written once, in either form."""

from __future__ import annotations

from typing import Any

import pytest

from ghl_payments.sandbox.act_switches import ActSwitches
from ghl_payments.sandbox.oracle_act import judge
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments_tests.connectors.support import as_of
from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, Row, as_key

FALLBACK = ("act_custom_tables=false", 'act_source_id="dropped"', "act_custom_field_filter=false")


def expected(loop: Loop, switches: ActSwitches) -> list[Row]:
    """The answer key of the state as it is: nothing flows back into GHL here."""
    state = loop.sandbox.state()
    books = {row["id"]: read_location(row) for row in state["ghl"]["locations"]}
    return [dict(row) for row in judge(state["act"], books, as_of(loop.sandbox), switches)]


def effects_on_records(loop: Loop) -> list[tuple[str, str]]:
    """(record type, key) of each write but those of probes, and of products, which belong to their opportunity."""
    return sorted(
        (row["record_type"], row["key"])
        for row in loop.sandbox.effects()
        if row["record_type"] != "product" and not (row["key"] or "ghl:probe:").startswith("ghl:probe:")
    )


@pytest.mark.parametrize(
    ("words", "switches"),
    [((), ActSwitches()), (FALLBACK, ActSwitches(act_custom_tables=False, act_source_id="dropped"))],
    ids=["tables", "fallback"],
)
def test_a_database_in_either_form_is_reported_exactly_as_planted_and_then_converges(
    loop: LoopFactory, words: tuple[str, ...], switches: Any
) -> None:
    world = loop(seed=3, orders=120, targets=("act",), switches=words)
    key = expected(world, switches)
    world.good_turn()
    assert as_key(world.diffs(system="act")) == as_key(key)
    assert len(key) > 20
    assert set(world.states()) == {"verified"}
    before = effects_on_records(world)
    assert len(before) > 5
    world.good_turn()
    assert effects_on_records(world) == before
    assert world.open_pushable() == 0


def test_an_empty_database_is_filled_completely_and_nothing_twice_though_answers_are_lost(loop: LoopFactory) -> None:
    world = loop(seed=5, orders=30, targets=("act",))
    state = world.sandbox.state()
    state["act"] = {"contacts": [{"fullName": "Native", "emailAddress": "n@example.com"}],
                    "opportunities": [{"name": "Native"}]}  # fmt: skip
    world.sandbox.put_state(state)
    for path in (".*/custom/entities/GHL_PAYMENT", ".*/contacts", ".*/opportunities/[^/]+/products"):
        world.sandbox.fault("lost_reply", system="act", method="POST", path=path, times=2)
    world.sandbox.fault(
        "status_after_commit", system="act", method="POST", path=".*/GHL_SUBSCRIPTION", status=502, times=1
    )
    world.good_turn()
    assert set(world.states()) == {"verified"}
    kinds = {row["kind"] for row in expected(world, ActSwitches())}
    assert kinds <= {"not_representable", "unverifiable", "pending"}
    left = world.sandbox.effects()
    world.good_turn()
    assert world.open_pushable() == 0
    assert world.sandbox.effects() == left
