"""A delivery that Halo's people noted reaches GHL once, and what GHL then says reaches Halo in the same turn."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, Row
from ghl_payments_tests.flow.shop import order, shop

TRACKING, CARRIER = "CFDeliveryTracking", "CFDeliveryCarrier"
POST = r"/payments/orders/\w+/fulfillments"


def with_ghl(document: Row, **ghl: Any) -> None:
    """GHL among the targets, and Halo's people filling fields of their own."""
    document["connections"]["ghl"].update({"policy": "auto"} | ghl)
    document["connections"]["halo"]["options"] = {
        "delivery_tracking_field": TRACKING,
        "delivery_carrier_field": CARRIER,
    }
    for place in document["locations"]:
        place["targets"] = ["ghl", "halo"]


@pytest.fixture
def told(loop: LoopFactory) -> Loop:
    """Two purchases that Halo knows, of the first of which a parcel was noted there."""
    location_id = loop(state=shop()).locations[0]
    two_lines = [
        {"_id": f"line{n}", "name": "Thing", "qty": 1,
         "price": {"_id": "price1", "name": "Default", "type": "one_time", "currency": "USD", "amount": 50.25}}
        for n in (1, 2)
    ]  # fmt: skip
    state = shop(known=[1, 2], location_id=location_id)
    state["ghl"]["locations"][0]["orders"][0] = order(1, items=two_lines)
    (noted,) = [doc for doc in state["halo"]["SalesOrder"] if doc["po_number"] == "ghl:order:order1"]
    noted["lines"] = [
        {"name": "Thing", "quantity": 1, "price": 50.25, "note": f"ghl:line:{n}"} for n in (1, 2)
    ]  # fmt: skip
    noted["customfields"] += [{"name": TRACKING, "value": "1Z 9"}, {"name": CARRIER, "value": "UPS"}]
    made = loop(state=state)
    made.edit_connections(with_ghl)
    return made


def fulfillments(loop: Loop) -> list[Row]:
    found: list[Row] = loop.sandbox.state()["ghl"]["locations"][0]["fulfillments"].get("order1", [])
    return found


def in_halo(loop: Loop) -> dict[str, str]:
    (doc,) = [d for d in loop.sandbox.state()["halo"]["SalesOrder"] if d.get("po_number") == "ghl:order:order1"]
    return {field["name"]: field["value"] for field in doc["customfields"]} | {"ship_status": doc["ship_status"]}


def only_one_parcel(loop: Loop) -> None:
    """GHL holds the parcel once, Halo says so, and a further turn does nothing."""
    (parcel,) = fulfillments(loop)
    assert parcel["trackings"] == [{"trackingNumber": "1Z 9", "shippingCarrier": "UPS"}]
    assert [(line["_id"], line["qty"]) for line in parcel["items"]] == [("price1", 2)]
    said = in_halo(loop)
    assert (said["CFGHLTracking"], said["ship_status"]) == ("UPS 1Z 9", "fulfilled")
    assert json.loads(said["CFGHLFulfillments"])[0]["id"] == parcel["_id"]
    before = loop.sandbox.effects()
    loop.good_turn()
    assert loop.sandbox.effects() == before
    assert loop.open_pushable() == 0


def test_one_turn_brings_a_noted_parcel_to_ghl_and_its_state_back_to_halo(told: Loop) -> None:
    told.good_turn()
    [change] = told.changes(system="ghl")
    assert (change["key"].startswith("halo:sales_order:"), change["state"]) == (True, "verified")
    only_one_parcel(told)


@pytest.mark.parametrize("fault", ["lost_reply", "status_after_commit"])
def test_a_lost_answer_leads_to_one_parcel(told: Loop, fault: str) -> None:
    told.sandbox.fault(fault, system="ghl", method="POST", path=POST, times=1)
    told.good_turn()
    only_one_parcel(told)


def test_a_run_that_is_killed_after_the_request_writes_no_second_parcel(told: Loop) -> None:
    told.sandbox.fault("latency", system="ghl", method="POST", path=POST, times=1, seconds=30, when="after")
    told.killed_run(lambda: len(fulfillments(told)) == 1)
    told.sandbox.clear_faults()
    told.good_turn()
    only_one_parcel(told)


def test_a_preview_writes_nothing_and_says_what_it_would(told: Loop) -> None:
    told.edit_connections(lambda document: with_ghl(document, policy="preview"))
    told.good_turn()
    assert fulfillments(told) == []
    [diff] = told.diffs(system="ghl", record_type="fulfillment", state="open")
    assert (diff["kind"], diff["amount_minor"]) == ("missing_in_target", None)


def test_what_was_planned_in_a_preview_and_sent_later_still_comes_back_to_halo_in_the_turn_that_sends_it(
    told: Loop,
) -> None:
    told.edit_connections(lambda document: with_ghl(document, policy="preview"))
    told.good_turn()
    told.edit_connections(with_ghl)
    told.good_turn()
    only_one_parcel(told)


def test_what_a_system_said_before_it_was_switched_off_reaches_ghl_no_more(told: Loop) -> None:
    told.edit_connections(lambda document: with_ghl(document, policy="preview"))
    told.good_turn()
    told.edit_connections(with_ghl)
    told.edit_connections(lambda document: document["connections"]["halo"].update(policy="off"))
    told.good_turn()
    assert fulfillments(told) == []
    assert told.diffs(system="ghl", record_type="fulfillment", state="open") == []


def test_a_provider_that_a_private_token_may_not_create_is_refused_and_holds_nothing_up(told: Loop) -> None:
    provider = {"unique_name": "easy-direct", "title": "Easy", "provider": "nmi", "description": "Cards",
                "image_url": "https://example.com/a.png"}  # fmt: skip
    told.edit_connections(lambda document: document["locations"][0].update(providers=[provider]))
    told.good_turn()
    states = {row["record_type"]: row["state"] for row in told.changes(system="ghl")}
    assert states == {"fulfillment": "verified", "provider": "refused"}
    assert len(fulfillments(told)) == 1
