"""The process is killed at the worst moments; the next run finds out what became of its writes and goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, settled, wait_until
from ghl_payments_tests.flow.shop import Document, books, shop
from ghl_payments_tests.running_sandbox import RunningSandbox

Moment = Callable[[], bool]


def _claimed_only(sandbox: RunningSandbox) -> Moment:
    """A new user needs its client's site first, so the claimed change waits for that answer with nothing sent."""
    sandbox.fault("latency", seconds=20, system="halo", method="GET", path=r"/api/Client/\d+", times=1)
    return lambda: _struck(sandbox) == 1 and not _written(sandbox, "user")


def _sent_without_an_answer(sandbox: RunningSandbox) -> Moment:
    sandbox.fault("latency", seconds=20, when="after", system="halo", method="POST", path="/api/Invoice", times=1)
    return lambda: _written(sandbox, "invoice") == 1


def _answered_and_not_recorded(sandbox: RunningSandbox) -> Moment:
    """Of two clients sent one after the other, the first is there; both are recorded after the second only."""
    sandbox.fault("latency", seconds=1, system="halo", method="POST", path="/api/Client", times=2)
    return lambda: _written(sandbox, "client") == 1


def _recorded_and_not_read_back(sandbox: RunningSandbox) -> Moment:
    sandbox.fault("latency", seconds=20, system="halo", method="GET", path=r"/api/InvoicePayment/\d+", times=1)
    return lambda: _struck(sandbox) == 1


def _struck(sandbox: RunningSandbox) -> int:
    return sum(fault["struck"] for fault in sandbox.control("GET", "/faults"))


def _written(sandbox: RunningSandbox, record_type: str) -> int:
    return sum(effect["record_type"] == record_type for effect in sandbox.effects())


def _world(loop: Loop) -> Document:
    """Purchase 1 is in Halo but for its user and its order; purchases 2 and 3 are not there at all."""
    state = shop(2, 3, known=[1], location_id=loop.locations[0])
    for table in ("Users", "SalesOrder"):
        state["halo"][table] = [doc for doc in state["halo"][table] if doc["id"] != 101]
    state["halo"]["Invoice"][-1].pop("salesorder_id")
    return state


@pytest.mark.parametrize(
    "moment", [_claimed_only, _sent_without_an_answer, _answered_and_not_recorded, _recorded_and_not_read_back]
)
def test_a_run_after_a_kill_leaves_one_effect_a_change_and_the_same_books(
    loop: LoopFactory, moment: Callable[[RunningSandbox], Moment]
) -> None:
    shop_loop = loop(state=shop())
    shop_loop.sandbox.put_state(_world(shop_loop))
    shop_loop.killed_run(moment(shop_loop.sandbox))
    in_flight = shop_loop.sql("select distinct state from outbox.changes where state in ('claimed', 'sent')")
    assert in_flight, "the kill came before anything was claimed"
    if moment is _answered_and_not_recorded:
        wait_until(lambda: _written(shop_loop.sandbox, "client") == 2)
    shop_loop.sandbox.clear_faults()

    shop_loop.good_turn()

    settled(shop_loop)
    after = books(shop_loop.sandbox.state())
    shop_loop.sandbox.put_state(shop(known=[1, 2, 3], location_id=shop_loop.locations[0]))
    assert after == books(shop_loop.sandbox.state())
