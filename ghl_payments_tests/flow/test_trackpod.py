"""The whole loop against Track-POD: what is planted is found, orders are sent once, deliveries reach GHL once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, as_key, converged, one_effect_each
from ghl_payments_tests.flow.shop import contact, order
from ghl_payments_tests.running_sandbox import loopback_client

RECENT = "2026-11-05T10:00:00.000Z"
EARLY, LATER = "2026-11-15T09:00:00", "2026-11-16T09:00:00"
"""In the account's time, some hours before the sandbox's now: what is too fresh is pending."""


@pytest.mark.parametrize("targets", [("trackpod",), ("ghl", "trackpod")], ids=["alone", "with GHL"])
def test_what_is_planted_is_reported_exactly_and_then_it_converges(loop: LoopFactory, targets: Any) -> None:
    world = loop(seed=7, orders=250, targets=targets)
    key = [row for row in world.answer_key() if row["system"] == "trackpod" or row["record_type"] == "fulfillment"]
    world.good_turn()
    found = [row for row in world.diffs() if row["system"] == "trackpod" or row["record_type"] == "fulfillment"]
    assert as_key(found) == as_key(key)
    kinds = {row["kind"] for row in key}
    assert {
        "missing_in_target",
        "field_differs",
        "duplicate_in_target",
        "missing_in_source",
        "deleted_in_target",
    } <= kinds
    one_effect_each(world)
    converged(world)


def sold(number: int, **changes: Any) -> dict[str, Any]:
    """An unpaid order of 2 units that has to be brought to somebody."""
    home = {"address1": f"{number} Test Street", "city": "Testville", "postalCode": "12345", "country": "DE"}
    usual = {
        "paymentStatus": "unpaid",
        "createdAt": RECENT,
        "updatedAt": RECENT,
        "contactSnapshot": contact(number) | home,
    }
    made = order(number, **usual | changes)
    made["items"][0] |= {"qty": 2, "product": {"_id": f"product{number}", "productType": "PHYSICAL"}}
    return made


def shop_of(loop: LoopFactory, *orders: dict[str, Any], targets: tuple[str, ...] = ("trackpod",)) -> Loop:
    """A shop with these orders, and a Track-POD that holds one order of somebody else's."""
    world = loop(targets=targets)
    state = world.sandbox.state()
    place = state["ghl"]["locations"][0] | {"orders": list(orders), "transactions": [], "subscriptions": []}
    native = {"TrackId": "00000000-0000-4000-8000-000000000001", "Number": "1007", "Type": 0, "Client": "Native",
              "Address": "2 Other Street", "Date": "2026-11-10T00:00:00", "GoodsList": []}  # fmt: skip
    state["ghl"]["locations"], state["trackpod"] = [place], {"Order": [native]}
    world.sandbox.put_state(state)
    world.only_first_location()
    return world


def orders_of(world: Loop) -> dict[str, dict[str, Any]]:
    """Our orders in Track-POD by Id; none may be there twice."""
    ours = [row for row in world.sandbox.state()["trackpod"]["Order"] if row["Number"].startswith("GHL-")]
    assert len({row["Id"] for row in ours}) == len(ours)
    return {row["Id"]: row for row in ours}


def people(world: Loop, action: str, **body: Any) -> None:
    """What a dispatcher or driver does."""
    world.sandbox.control("POST", f"/trackpod/{action}", body)


def parcels(world: Loop, order_id: str) -> list[tuple[str, list[int]]]:
    """(tracking number, quantities) of each fulfillment of an order in GHL."""
    found = world.sandbox.state()["ghl"]["locations"][0].get("fulfillments", {}).get(order_id, [])
    return [(row["trackings"][0]["trackingNumber"], [item["qty"] for item in row["items"]]) for row in found]


def test_lost_answers_on_the_way_there_make_no_order_twice_and_lose_no_change(loop: LoopFactory) -> None:
    world = shop_of(loop, *(sold(number) for number in range(1, 6)))
    world.sandbox.fault("lost_reply", system="trackpod", method="POST", path=".*/Order", times=2)
    world.sandbox.fault("status_after_commit", system="trackpod", method="POST", path=".*/Order", status=500, times=1)
    world.sandbox.fault("status", system="trackpod", method="POST", path=".*/Order", status=503, times=1)
    world.good_turn()
    assert set(orders_of(world)) == {f"order{number}" for number in range(1, 6)}
    assert set(world.states()) == {"verified"}
    for order_id in ("order1", "order2"):
        people(world, "edit", id=order_id, set={"COD": 1, "Note": "ring twice"})
    world.sandbox.fault("lost_reply", system="trackpod", method="PUT", path=".*/Order/TrackId/.*", times=1)
    world.sandbox.fault(
        "status_after_commit", system="trackpod", method="PUT", path=".*/TrackId/.*", status=502, times=1
    )
    world.good_turn()
    for order_id in ("order1", "order2"):
        assert (orders_of(world)[order_id]["COD"], orders_of(world)[order_id]["Note"]) == (
            Decimal("100.5"),
            "ring twice",
        )
    assert set(world.states()) == {"verified"}
    converged(world)


def test_two_deliveries_of_one_order_reach_ghl_as_two_and_nothing_reaches_it_twice(loop: LoopFactory) -> None:
    world = shop_of(loop, sold(1), sold(2), targets=("ghl", "trackpod"))
    world.good_turn()
    track_id = orders_of(world)["order1"]["TrackId"]
    people(world, "partial", id="order1", quantities={"price1": 1}, at=EARLY)
    world.sandbox.fault("lost_reply", system="ghl", method="POST", path=".*/fulfillments", times=1)
    world.good_turn()
    assert parcels(world, "order1") == [(track_id, [1])]
    people(world, "reschedule", id="order1")
    world.good_turn()
    assert parcels(world, "order1") == [(track_id, [1])]
    people(world, "deliver", id="order1", quantities={"price1": 1}, at=LATER)
    people(world, "deliver", id="order2", at=LATER)
    world.good_turn()
    assert parcels(world, "order1") == [(track_id, [1]), (f"{track_id}#1", [1])]
    assert parcels(world, "order2") == [(orders_of(world)["order2"]["TrackId"], [2])]
    links = world.sandbox.state()["ghl"]["locations"][0]["fulfillments"]["order2"][0]["trackings"]
    assert links[0]["trackingUrl"] == orders_of(world)["order2"]["TrackLink"]
    converged(world)


def test_what_people_did_in_track_pod_stays_done(loop: LoopFactory) -> None:
    world = shop_of(loop, *(sold(number) for number in range(1, 4)))
    world.good_turn()
    people(world, "remove", id="order1")
    people(world, "deliver", id="order2")
    people(world, "edit", id="order2", set={"COD": 1})
    people(world, "edit", id="order3", set={"Address": "9 Corrected Street", "Date": "2026-11-18T00:00:00"})
    before = world.sandbox.effects()
    world.good_turn()
    assert world.sandbox.effects() == before
    [row] = world.diffs(system="trackpod", state="open")
    assert (row["key"], row["kind"], row["pushable"]) == ("ghl:order:order1", "deleted_in_target", False)
    assert orders_of(world)["order3"]["Address"] == "9 Corrected Street"


def test_an_order_that_a_person_removes_between_the_plan_and_the_push_is_not_made_again(loop: LoopFactory) -> None:
    world = shop_of(loop, sold(1), sold(2))
    world.edit_connections(lambda document: document["connections"]["trackpod"].update(policy="preview"))
    world.good_turn()
    account = world.sandbox.ready["systems"]["trackpod"]
    with loopback_client(account["base_url"], {"X-API-KEY": account["api_key"]}) as http:
        for number in (1, 2):
            body = {"Id": f"order{number}", "Number": f"GHL-order{number}", "Client": "x", "Address": "y"}
            assert http.post("/Order", json=body).status_code == 201
    people(world, "remove", id="order1")
    before = len(world.sandbox.effects())
    world.edit_connections(lambda document: document["connections"]["trackpod"].update(policy="auto"))
    world.good_turn()
    assert set(orders_of(world)) == {"order2"}
    assert len(world.sandbox.effects()) == before + 1  # the second was taken over
    kinds = {row["key"]: row["kind"] for row in world.diffs(system="trackpod", state="open")}
    changes = {row["key"]: row for row in world.changes(system="trackpod") if row["state"] == "refused"}
    assert (
        kinds == {"ghl:order:order1": "deleted_in_target"}
        or "A person removed" in changes["ghl:order:order1"]["reason"]
    )
