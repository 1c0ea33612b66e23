"""Limits, sign-in, rights and refused records: what can wait waits, what cannot says so, and nothing is lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import as_key, meanwhile, one_effect_each, settled
from ghl_payments_tests.flow.shop import charge, order, shop

EARLIER = "2026-10-05T09:00:00.000Z"


def test_a_storm_of_rate_limits_costs_time_and_nothing_else(loop: LoopFactory) -> None:
    world = loop(seed=3, orders=60)
    world.only_first_location()
    limited: dict[str, Any] = {"status": 429, "path": ".*"}
    world.sandbox.fault("status", **limited, system="ghl", probability=0.2)
    world.sandbox.fault("status", **limited, system="halo", headers={"Retry-After": "1"}, times=3)
    world.sandbox.fault("status", **limited, system="halo", method="POST", headers={"Retry-After": "1"}, times=3)
    world.sandbox.fault("status", **limited, system="halo", method="POST", times=1)
    world.good_turn()
    here = [row for row in world.answer_key() if row["location_id"] == world.locations[0]]
    assert as_key(world.diffs()) == as_key(here)
    settled(world)
    refused = [row for row in world.sandbox.requests() if row["status"] == 429]
    assert len(refused) > 20
    assert {row["attempts"] for row in world.changes()} == {1}


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
    """Worth it is a record that is wanted differently now, or one whose cause a person has settled."""
    shop_loop = loop(state=shop(1, 2))
    shop_loop.sandbox.fault("status", status=400, body={"Message": "The amount is not accepted"}, system="halo",
                            method="POST", path="/api/InvoicePayment", times=2)  # fmt: skip
    keys = ["ghl:txn:txn1", "ghl:txn:txn2"]
    for _ in range(2):
        shop_loop.good_turn()
        one_effect_each(shop_loop)
        assert shop_loop.states() == {"refused": 2, "verified": 8}
        refused = shop_loop.changes(state="refused")
        assert [(row["key"], row["attempts"]) for row in refused] == [(key, 1) for key in keys]
        assert all("answered 400" in row["reason"] for row in refused)
        assert [row["key"] for row in shop_loop.diffs(state="open")] == keys

    retried = shop_loop.command("retry", "--connection", "halo", "--change", refused[0]["change_id"])
    assert "1 refused changes" in retried.stdout
    state = shop_loop.sandbox.state()
    state["ghl"]["locations"][0]["transactions"] = [charge(1), charge(2, createdAt=EARLIER)]
    shop_loop.sandbox.put_state(state)
    shop_loop.good_turn()
    effects = [(row["record_type"], row["key"]) for row in shop_loop.sandbox.effects()]
    assert sorted(effects) == [("invoice_payment", key) for key in keys]
    assert shop_loop.states()["verified"] == 10
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
