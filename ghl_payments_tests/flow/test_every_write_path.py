"""Every way of writing to every system, with its answers lost: still one effect a change."""

from __future__ import annotations

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, as_key

WRITES = [
    ("activetrail", "POST", r"/api/groups/\d+/members"),
    ("activetrail", "PUT", r"/api/contacts/\d+"),
    ("activetrail", "POST", "/api/external/mapping"),
    ("activetrail", "POST", "/api/commerce/Order"),
    ("activetrail", "PUT", "/api/commerce/Order/.+"),
    ("act", "PUT", "/api/opportunities/[^/]+"),
    ("act", "(PUT|DELETE)", "/api/opportunities/[^/]+/products/[^/]+"),
    ("act", "POST", "/api/custom/entities/[^/]+"),
    ("act", "PUT", "/api/custom/entities/[^/]+/[^/]+"),
    ("halo", "POST", "/api/(Client|Users|SalesOrder|Invoice|InvoicePayment)"),
]
"""Contacts and products that are new to Act! are written in `test_act.py`, where its database is empty."""


NEW_ORDERS = {"/api/commerce/Order", "/api/opportunities"}
"""The world of seed 7 has all other ways of writing, that of seed 9 these."""

BEST = {
    "act": {
        "custom_fields": "ready", "custom_tables": "available", "database_currency": "USD",
        "opportunity_put": "replaces", "order_search": "source_id", "contact_search": "custom_field",
        "payment_search": "column",
    },
    "activetrail": {
        "commerce": "available", "unknown_order": "not_found", "external_pair": "find", "page_base": "one",
        "contact_search": "exact", "contact_update": "whole", "slots": "own",
    },
    "trackpod": {"change_feed": "status"},
    "halo": {},
}  # fmt: skip
"""All known beforehand, so that no probe's write meets the trouble meant for records."""


def small_world(loop: LoopFactory, system: str, seed: int, orders: int) -> Loop:
    """One location of a seeded world with one target."""
    world = loop(seed=seed, orders=orders, targets=(system,))
    world.only_first_location()
    world.edit_connections(lambda document: document["connections"][system].update(capabilities=BEST[system]))
    return world


def once_each(world: Loop) -> None:
    """What was found is what is planted and no more, such as duplicates, and nothing is left for a further turn."""
    before = world.sandbox.effects()
    world.good_turn()
    assert world.sandbox.effects() == before
    assert as_key(world.diffs()) == as_key(world.answer_key())
    assert world.open_pushable() == 0
    assert not {"claimed", "sent", "unknown", "approved", "refused"} & world.states().keys()


@pytest.mark.parametrize(("system", "method", "path"), WRITES)
def test_lost_answers_of_one_way_of_writing_leave_one_effect_a_change(
    loop: LoopFactory, system: str, method: str, path: str
) -> None:
    world = small_world(loop, system, 9 if path in NEW_ORDERS else 7, 200)
    methods = method.strip("()").split("|")
    faults = [
        world.sandbox.fault("lost_reply", system=system, method=name, path=path, times=3)["id"] for name in methods
    ]
    world.good_turn()
    struck = {fault["id"]: fault["struck"] for fault in world.sandbox.control("GET", "/faults")}
    assert sum(struck[number] for number in faults) > 0, "nothing was written this way"
    world.sandbox.clear_faults()
    once_each(world)


def test_an_opportunity_cut_off_from_its_products_is_finished_as_an_update_in_the_next_turn(loop: LoopFactory) -> None:
    """Its products are requests of their own, so a lost answer to the first leaves it without; it is not made again."""
    world = small_world(loop, "act", 9, 200)
    lost = world.sandbox.fault("lost_reply", system="act", method="POST", path="/api/opportunities", times=3)
    world.good_turn()
    assert world.sandbox.control("GET", "/faults")[0]["struck"] > 0, lost
    world.sandbox.clear_faults()
    world.good_turn()
    before = world.sandbox.effects()
    world.good_turn()
    assert world.sandbox.effects() == before
    assert world.open_pushable() == 0
    made = [e["key"] for e in before if (e["method"], e["path"]) == ("POST", "/api/opportunities")]
    assert len(made) == len(set(made)) > 0
    assert as_key(world.answer_key()).items() <= as_key(world.diffs()).items()
