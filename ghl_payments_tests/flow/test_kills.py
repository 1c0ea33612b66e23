"""The process is killed at the worst moments; the next run finds out what became of its writes and goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, settled
from ghl_payments_tests.flow.shop import Document, books, shop
from ghl_payments_tests.running_sandbox import RunningSandbox

Moment = Callable[[], bool]


def _after_claim(sandbox: RunningSandbox) -> Moment:
    """A new user needs its client's site first, so the claimed change waits for that answer with nothing sent."""
    sandbox.fault("latency", seconds=20, system="halo", method="GET", path=r"/api/Client/\d+", times=1)
    return lambda: _struck(sandbox) == 1 and not _written(sandbox, "user")


def _before_the_answer(sandbox: RunningSandbox) -> Moment:
    sandbox.fault("latency", seconds=20, when="after", system="halo", method="POST", path="/api/Invoice", times=1)
    return lambda: _written(sandbox, "invoice")


def _before_the_record(sandbox: RunningSandbox) -> Moment:
    """The answer is there; what was written is being read back, and only then is anything recorded."""
    sandbox.fault("latency", seconds=20, system="halo", method="GET", path=r"/api/InvoicePayment/\d+", times=1)
    return lambda: _struck(sandbox) == 1


def _struck(sandbox: RunningSandbox) -> int:
    return sum(fault["struck"] for fault in sandbox.control("GET", "/faults"))


def _written(sandbox: RunningSandbox, record_type: str) -> bool:
    return any(effect["record_type"] == record_type for effect in sandbox.effects())


def _world(loop: Loop) -> Document:
    """Purchase 1 is in Halo but for its user; purchase 2 is not there at all."""
    state = shop(2, known=[1], location_id=loop.locations[0])
    state["halo"]["Users"] = [user for user in state["halo"]["Users"] if user["id"] != 101]
    state["halo"]["SalesOrder"] = [order for order in state["halo"]["SalesOrder"] if order["id"] != 101]
    state["halo"]["Invoice"][-1].pop("salesorder_id")
    return state


@pytest.mark.parametrize("moment", [_after_claim, _before_the_answer, _before_the_record])
def test_a_run_after_a_kill_leaves_one_effect_a_change_and_the_same_books(
    loop: LoopFactory, moment: Callable[[RunningSandbox], Moment]
) -> None:
    shop_loop = loop(state=shop())
    shop_loop.sandbox.put_state(_world(shop_loop))
    shop_loop.killed_run(moment(shop_loop.sandbox))
    shop_loop.sandbox.clear_faults()
    in_flight = shop_loop.sql("select state, count(*) as n from outbox.changes where state = 'claimed' group by all")
    assert in_flight, "the kill came before anything was claimed"

    shop_loop.good_turn()

    settled(shop_loop)
    after = books(shop_loop.sandbox.state())
    shop_loop.sandbox.put_state(shop(known=[1, 2], location_id=shop_loop.locations[0]))
    assert after == books(shop_loop.sandbox.state())
