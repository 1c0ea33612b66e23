"""Act! in the seeded world: agreement without defects, every kind of defect in the key, the same bytes for a seed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ghl_payments.domain.sandbox_identity import DEFAULT_NOW
from ghl_payments.sandbox.act_switches import ActSwitches
from ghl_payments.sandbox.codec import encode
from ghl_payments.sandbox.world import generate

FORMS = pytest.mark.parametrize(
    "switches", [ActSwitches(), ActSwitches(act_custom_tables=False), ActSwitches(act_source_id="dropped")]
)


def key_of(switches: ActSwitches, *, defects: bool, orders: int = 400) -> list[Any]:
    world = generate(11, orders, DEFAULT_NOW, defects=defects, switches={"act": switches})
    return [row for row in world.answer_key if row["system"] == "act"]


@FORMS
def test_without_defects_there_is_nothing_but_what_act_has_no_form_for(switches: ActSwitches) -> None:
    assert {row["kind"] for row in key_of(switches, defects=False)} <= {"not_representable", "pending"}


@FORMS
def test_with_defects_every_kind_is_there(switches: ActSwitches) -> None:
    found = Counter((row["record_type"], row["kind"], row["class"]) for row in key_of(switches, defects=True))
    for record_type in ("opportunity", "payment", "subscription"):
        assert found[record_type, "missing_in_target", None]
        assert found[record_type, "duplicate_in_target", None]
        assert found[record_type, "field_differs", "amount"]
    assert found["contact", "missing_in_target", None] == 1
    for class_ in ("status", "date", "currency", "contact", "other"):
        assert found["opportunity", "field_differs", class_]
    assert found["opportunity", "test_record_in_live", None]
    assert found["opportunity", "unverifiable", None]
    assert found["opportunity", "missing_in_source", None]


@FORMS
def test_a_seed_always_gives_the_same_database(switches: ActSwitches) -> None:
    first, second = (generate(5, 60, DEFAULT_NOW, switches={"act": switches}).state["act"] for _ in range(2))
    assert encode(first) == encode(second)


def test_the_rest_of_the_world_does_not_depend_on_acts_form() -> None:
    first, second = (
        generate(5, 60, DEFAULT_NOW, switches={"act": switches}).state
        for switches in (ActSwitches(), ActSwitches(act_custom_tables=False))
    )
    assert all(encode(first[name]) == encode(second[name]) for name in first if name != "act")


@pytest.mark.parametrize("orders", [0, 1, 5, 17])
def test_small_worlds_have_a_database_too(orders: int) -> None:
    state = generate(3, orders, DEFAULT_NOW).state["act"]
    assert len(state["contacts"]) >= 6
