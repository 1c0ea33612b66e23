"""Every way of writing to every system, with its answers lost, and runs killed around it: still one effect a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, as_key
from ghl_payments_tests.running_sandbox import RunningSandbox

WRITES = [
    ("activetrail", "POST", r"/api/groups/\d+/members"),
    ("activetrail", "PUT", r"/api/contacts/\d+"),
    ("activetrail", "POST", "/api/external/mapping"),
    ("activetrail", "POST", "/api/commerce/Order"),
    ("activetrail", "PUT", "/api/commerce/Order/.+"),
    ("act", "POST", "/api/opportunities"),
    ("act", "PUT", "/api/opportunities/[^/]+"),
    ("act", "(PUT|DELETE)", "/api/opportunities/[^/]+/products/[^/]+"),
    ("act", "POST", "/api/custom/entities/[^/]+"),
    ("act", "PUT", "/api/custom/entities/[^/]+/[^/]+"),
    ("halo", "POST", "/api/(Client|Users|SalesOrder|Invoice|InvoicePayment)"),
]
"""Contacts and products that are new to Act! are written in `test_act.py`, where its database is empty."""


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
    """All that the first turn found and no more, all of it written that can be, and nothing left for a further turn."""
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
    world = small_world(loop, system, 7, 200)
    methods = method.strip("()").split("|")
    faults = [
        world.sandbox.fault("lost_reply", system=system, method=name, path=path, times=3)["id"] for name in methods
    ]
    world.good_turn()
    struck = {fault["id"]: fault["struck"] for fault in world.sandbox.control("GET", "/faults")}
    assert sum(struck[number] for number in faults) > 0, "nothing was written this way"
    world.sandbox.clear_faults()
    once_each(world)


def _arrived(sandbox: RunningSandbox, system: str) -> Callable[[], bool]:
    """Claimed and sent, and the system has not done it yet."""
    for method in ("POST", "PUT"):
        sandbox.fault("latency", seconds=20, system=system, method=method, path=RECORDS[system], times=1)
    return lambda: _struck(sandbox) >= 1


def _done(sandbox: RunningSandbox, system: str) -> Callable[[], bool]:
    """Done, and nobody was told."""
    for method in ("POST", "PUT"):
        sandbox.fault("latency", seconds=20, when="after", system=system, method=method, path=RECORDS[system], times=1)
    return lambda: _struck(sandbox) >= 1 and len(_records(sandbox, system)) >= 1


def _told(sandbox: RunningSandbox, system: str) -> Callable[[], bool]:
    """The first was answered, and is recorded after the second only."""
    for method in ("POST", "PUT"):
        sandbox.fault("latency", seconds=1, system=system, method=method, path=RECORDS[system], times=20)
    return lambda: len(_records(sandbox, system)) >= 2


RECORDS = {
    "activetrail": r"/api/(groups/\d+/members|contacts/\d+|commerce/Order.*)",
    "act": "/api/(contacts|opportunities|custom/entities).*",
    "halo": "/api/(Client|Users|SalesOrder|Invoice|InvoicePayment)",
}


def _struck(sandbox: RunningSandbox) -> int:
    return sum(fault["struck"] for fault in sandbox.control("GET", "/faults"))


def _records(sandbox: RunningSandbox, system: str) -> Counter[str]:
    keys = [effect["key"] or "" for effect in sandbox.effects() if effect["system"] == system]
    return Counter(key for key in keys if key.startswith("ghl:") and not key.startswith("ghl:probe"))


@pytest.mark.parametrize("moment", [_arrived, _done, _told])
@pytest.mark.parametrize("system", ["activetrail", "act"])
def test_a_run_killed_around_a_write_leaves_one_effect_a_change(
    loop: LoopFactory, system: str, moment: Callable[[RunningSandbox, str], Callable[[], bool]]
) -> None:
    world = small_world(loop, system, 2, 60)
    world.killed_run(moment(world.sandbox, system))
    assert world.sql("select 1 from outbox.changes where state in ('claimed', 'sent')"), "killed too early"
    world.sandbox.clear_faults()
    world.good_turn()
    once_each(world)
