"""Every capability forced down to its fallback, one system after the other: the same verdicts, and still one effect."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Row, as_key

FORCED = {
    "halo": dict.fromkeys(
        ("external_link_filter", "invoice_filter", "payment_filter", "order_search", "invoice_changes"), "scan"
    ),
    "act": {
        "custom_fields": "ready", "database_currency": "USD", "custom_tables": "unavailable",
        "opportunity_put": "replaces", "order_search": "scan", "contact_search": "scan", "payment_search": "scan",
    },
    "activetrail": {
        "commerce": "available", "slots": "own", "unknown_order": "empty", "external_pair": "none",
        "page_base": "zero", "contact_search": "none", "contact_update": "whole",
    },
}  # fmt: skip
"""All are forced, so that no probe asks; what would make the account useless is left at its best."""

SWITCHES = {
    "halo": (),
    "act": ("act_custom_tables=false",),
    "activetrail": ("activetrail_page_base=0", "activetrail_unknown_order=empty"),
}


def force(system: str, levels: Mapping[str, str], document: Row) -> None:
    document["connections"][system]["capabilities"] = dict(levels)


@pytest.mark.parametrize("system", FORCED)
def test_at_the_lowest_levels_a_system_is_judged_and_repaired_all_the_same(loop: LoopFactory, system: str) -> None:
    world = loop(seed=4, orders=100, targets=(system,), switches=SWITCHES[system])
    world.only_first_location()
    world.edit_connections(lambda document: force(system, FORCED[system], document))
    for method in ("POST", "PUT"):
        world.sandbox.fault("lost_reply", system=system, method=method, path="/(api|act.web.api/api)/.*", times=3)
    world.good_turn()
    world.sandbox.clear_faults()
    assert as_key(world.diffs()) == as_key(world.answer_key())
    assert world.states().keys() <= {"verified", "superseded"}
    before = world.sandbox.effects()
    world.good_turn()
    assert world.sandbox.effects() == before
    assert as_key(world.diffs()) == as_key(world.answer_key())


def test_without_a_commerce_area_only_the_roll_up_is_kept_and_orders_are_said_to_have_no_place(
    loop: LoopFactory,
) -> None:
    world = loop(seed=4, orders=100, targets=("activetrail",), switches=("activetrail_commerce=forbidden",))
    world.only_first_location()
    world.good_turn()
    assert as_key(world.diffs()) == as_key(world.answer_key())
    orders = world.diffs(record_type="commerce_order", kind="not_representable")
    assert len(orders) > 20
    assert any("commerce" in (row["reason"] or "") for row in orders)
    assert not any("/commerce/" in row["path"] for row in world.sandbox.requests() if row["method"] != "GET")
    assert world.open_pushable() == 0
