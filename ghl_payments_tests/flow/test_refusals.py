"""Limits, sign-in, rights and refused records: what can wait waits, what cannot says so, and nothing is lost."""

from __future__ import annotations

from decimal import Decimal

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import as_key, meanwhile, one_effect_each, settled
from ghl_payments_tests.flow.shop import charge, order, shop

EARLIER = "2026-10-05T09:00:00.000Z"


def test_a_storm_of_rate_limits_costs_time_and_nothing_else(loop: LoopFactory) -> None:
    world = loop(seed=3, orders=60)
    world.only_first_location()
    world.sandbox.fault("status", status=429, system="ghl", probability=0.2)
    world.sandbox.fault("status", status=429, headers={"Retry-After": "1"}, system="halo", path="/api/.*", times=3)
    world.sandbox.fault(
        "status", status=429, headers={"Retry-After": "1"}, system="halo", method="POST", path="/api/.*", times=3
    )
    world.good_turn()
    here = [row for row in world.sandbox.answer_key() if row["location_id"] == world.locations[0]]
    assert as_key(world.diffs()) == as_key(here)
    settled(world)
    refused = [row for row in world.sandbox.requests() if row["status"] == 429]
    assert len(refused) > 20


def test_a_rate_limit_that_does_not_say_how_long_is_waited_out(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1))
    shop_loop.sandbox.fault("status", status=429, system="halo", method="POST", path="/api/.*", times=1)
    shop_loop.good_turn()
    settled(shop_loop)
    assert [row["attempts"] for row in shop_loop.changes()] == [1] * 5


def test_a_token_that_expires_in_mid_run_is_replaced(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1, 2))
    shop_loop.sandbox.fault("latency", seconds=0.2, system="halo", method="POST", path="/api/.*")

    def expire() -> None:
        shop_loop.sandbox.fault("expire_tokens", system="halo")

    with meanwhile(lambda: len(shop_loop.sandbox.effects()) > 0, expire):
        shop_loop.good_turn()
    assert [row["method"] for row in shop_loop.sandbox.requests() if row["status"] == 401] != []
    settled(shop_loop)
    assert shop_loop.states() == {"verified": 10}


def test_what_is_not_allowed_fails_the_run_with_its_remedy_and_the_next_run_does_it_all(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1))
    shop_loop.sandbox.fault("status", status=401, system="halo", path="/api/.*")
    said = shop_loop.failed_turn()
    assert "actual_halo: Unauthorised: halo GET" in said
    assert "Check the credential of this connection" in said
    assert shop_loop.sql("select * from outbox.changes") == []

    for status, error in ((401, "Unauthorised"), (403, "Forbidden")):
        shop_loop.sandbox.clear_faults()
        shop_loop.sandbox.fault("status", status=status, system="halo", method="POST", path="/api/.*")
        said = shop_loop.failed_turn()
        assert f"push__halo: {error}: halo POST /api/" in said
        assert f"answered {status}" in said
        assert shop_loop.sandbox.effects() == []
        assert {row["state"] for row in shop_loop.sql("select state from outbox.changes")} == {"approved"}

    shop_loop.sandbox.clear_faults()
    shop_loop.good_turn()
    settled(shop_loop)
    assert shop_loop.states() == {"verified": 5}


def test_a_refused_record_waits_until_it_is_worth_another_try_and_the_rest_goes_on(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1, 2))
    shop_loop.sandbox.fault("status", status=400, body={"Message": "The amount is not accepted"}, system="halo",
                            method="POST", path="/api/InvoicePayment", times=1)  # fmt: skip
    shop_loop.good_turn()
    one_effect_each(shop_loop)
    assert shop_loop.states() == {"refused": 1, "verified": 9}
    [refused] = shop_loop.changes(state="refused")
    assert refused["record_type"] == "invoice_payment"
    assert "answered 400" in refused["reason"]

    shop_loop.good_turn()
    one_effect_each(shop_loop)
    assert shop_loop.states() == {"refused": 1, "verified": 9}
    assert [row["key"] for row in shop_loop.diffs(state="open")] == [refused["key"]]

    number = int(refused["key"].removeprefix("ghl:txn:txn"))
    state = shop_loop.sandbox.state()
    place = state["ghl"]["locations"][0]
    place["transactions"] = [charge(number, createdAt=EARLIER), charge(3 - number)]
    shop_loop.sandbox.put_state(state)
    shop_loop.good_turn()
    effects = [(row["record_type"], row["key"]) for row in shop_loop.sandbox.effects()]
    assert effects == [("invoice_payment", refused["key"])]
    assert shop_loop.states() == {"refused": 1, "verified": 10}
    assert shop_loop.open_pushable() == 0


def test_a_target_that_stores_something_else_than_was_sent_is_not_written_for_ever(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop())
    state = shop(known=[1], location_id=shop_loop.locations[0])
    price = order(1)["items"][0]["price"] | {"amount": Decimal(7)}
    state["ghl"]["locations"][0]["orders"][0] = order(
        1, amount=Decimal(7), items=[{"_id": "item1", "name": "Thing", "qty": 1, "price": price}]
    )
    state["ghl"]["locations"][0]["transactions"][0] = charge(1, amount=Decimal(7))
    shop_loop.sandbox.put_state(state)
    shop_loop.sandbox.switches(halo_lines_on_update="append")
    shop_loop.good_turn()
    reasons = {row["record_type"]: row["reason"] for row in shop_loop.changes(state="refused")}
    assert set(reasons) == {"sales_order", "invoice"}
    assert all("not_converging" in reason for reason in reasons.values())
    before = len(shop_loop.sandbox.effects())
    shop_loop.good_turn()
    assert len(shop_loop.sandbox.effects()) == before


