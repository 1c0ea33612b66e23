"""Cash that a driver took at the door: off by default; switched on, its order is paid in GHL once and for all to see."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, Row, as_key, meanwhile, settled
from ghl_payments_tests.flow.shop import AMOUNT, LONG_AGO, Document, charge, order, shop
from ghl_payments_tests.running_sandbox import RunningSandbox

TRACK = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
KEY = f"trackpod:order:{TRACK}"
POST = r"/payments/orders/\w+/record-payment"
DELIVERED = "2026-10-07T12:00:00"


def brought(location_id: str, cash: str = "100.50", **changes: Any) -> Document:
    """Order 1 as Track-POD holds it: delivered, and paid at the door."""
    goods = [{"GoodsId": "price1", "GoodsName": "Thing", "Quantity": 1, "QuantityFact": 1, "Cost": AMOUNT}]
    return {
        "TrackId": TRACK, "Number": "GHL-order1", "Id": "order1", "CustomerReferenceId": location_id, "Type": 0,
        "Date": "2026-10-07T00:00:00", "RouteDate": "2026-10-07T00:00:00", "RouteStatus": "Closed", "StatusId": 3,
        "Status": "Delivered", "StatusDate": DELIVERED, "COD": AMOUNT, "CODActual": cash, "Client": "Contact 0001",
        "Address": "1 Sample Street, Sampletown", "GoodsList": goods,
    } | changes  # fmt: skip


def world(location_id: str, *, cash: str = "100.50", **changes: Any) -> Document:
    """One purchase of which nothing is paid, delivered and noted in GHL, with a Halo that does not know of it."""
    sold = order(1, **{"status": "pending", "paymentStatus": "unpaid"} | changes)
    parcel = {
        "_id": "parcel1", "trackings": [{"trackingNumber": TRACK, "shippingCarrier": "Track-POD"}],
        "items": [{"_id": "price1", "price": sold["items"][0]["price"], "qty": 1}],
        "createdAt": LONG_AGO, "updatedAt": LONG_AGO,
    }  # fmt: skip
    state = shop(orders=[sold], fulfillments={"order1": [parcel]})
    return state | {"trackpod": {"Order": [brought(location_id, cash)]}}


def switch(loop: Loop, *, on: bool, policy: str = "auto") -> None:
    """What a person says of GHL in connections.yaml."""
    loop.edit_connections(
        lambda document: document["connections"]["ghl"].update(policy=policy, options={"record_cash": on})
    )


@pytest.fixture
def shop_loop(loop: LoopFactory) -> Loop:
    """Cash off, as it is by default."""
    location_id = loop(state=shop()).locations[0]
    made = loop(state=world(location_id), targets=("ghl", "halo", "trackpod"))
    made.edit_connections(lambda document: document["connections"]["ghl"].update(policy="auto"))
    return made


def in_ghl(loop: Loop) -> tuple[Row, list[Row]]:
    """The order and its transactions."""
    place = loop.sandbox.state()["ghl"]["locations"][0]
    return place["orders"][0], place["transactions"]


def cash_effects(sandbox: RunningSandbox) -> list[Row]:
    return [effect for effect in sandbox.effects() if effect["record_type"] == "order_payment"]


def paid_once(loop: Loop) -> None:
    """GHL has the cash once, proven and shown as irreversible; Halo has it too; a further turn does nothing."""
    sold, (made,) = in_ghl(loop)
    assert (sold["paymentStatus"], made["amount"]) == ("paid", AMOUNT)
    assert len(cash_effects(loop.sandbox)) == 1
    (change,) = loop.changes(record_type="order_payment")
    assert (change["key"], change["state"], change["irreversible"]) == (KEY, "verified", True)
    assert (change["native_id"], change["amount_minor"]) == (f"order1/{made['_id']}", 10050)
    payments = [doc for doc in loop.sandbox.state()["halo"]["InvoicePayment"] if doc.get("intent_id") != "pi_native"]
    assert [doc["amount"] for doc in payments] == [AMOUNT]
    settled(loop)
    before = loop.sandbox.effects()
    loop.good_turn()
    assert loop.sandbox.effects() == before
    assert loop.open_pushable() == 0


def test_off_by_default_cash_is_found_and_planned_and_nothing_is_written(shop_loop: Loop) -> None:
    shop_loop.good_turn()
    (diff,) = shop_loop.diffs(record_type="order_payment")
    assert (diff["key"], diff["kind"], diff["amount_minor"], diff["currency"]) == (
        KEY,
        "missing_in_target",
        10050,
        "USD",
    )
    assert (diff["state"], diff["pushable"]) == ("open", False)
    (change,) = shop_loop.changes(record_type="order_payment")
    assert (change["state"], change["irreversible"], change["attempts"]) == ("planned", True, 0)
    for told in (diff["reason"], change["reason"]):
        assert "off by default" in told
        assert "irreversible" in told
        assert "options.record_cash" in told
    assert in_ghl(shop_loop)[1] == cash_effects(shop_loop.sandbox) == []
    assert shop_loop.open_pushable() == 0
    before = shop_loop.sandbox.effects()
    shop_loop.good_turn()
    assert shop_loop.sandbox.effects() == before
    assert [row["change_id"] for row in shop_loop.changes(record_type="order_payment")] == [change["change_id"]]
    assert "record-payment" not in "\n".join(request["path"] for request in shop_loop.sandbox.requests())


def test_commands_show_what_is_irreversible(shop_loop: Loop) -> None:
    shop_loop.good_turn()
    changes = shop_loop.command("changes").stdout
    assert "create, irreversible" in changes
    assert "options.record_cash" in changes
    assert "Irreversible among them: 1 planned" in shop_loop.command("status").stdout


def test_switched_on_one_turn_pays_the_order_in_ghl_and_brings_the_payment_to_halo(shop_loop: Loop) -> None:
    switch(shop_loop, on=True)
    shop_loop.good_turn()
    paid_once(shop_loop)


def test_what_was_planned_while_it_was_off_is_the_change_that_goes_once_it_is_on(shop_loop: Loop) -> None:
    shop_loop.good_turn()
    (planned,) = shop_loop.changes(record_type="order_payment")
    switch(shop_loop, on=True)
    shop_loop.good_turn()
    paid_once(shop_loop)
    assert shop_loop.changes(record_type="order_payment")[0]["change_id"] == planned["change_id"]


def test_switched_on_under_a_preview_it_is_still_only_planned(shop_loop: Loop) -> None:
    switch(shop_loop, on=True, policy="preview")
    shop_loop.good_turn()
    (change,) = shop_loop.changes(record_type="order_payment")
    assert (change["state"], change["reason"]) == ("planned", None)
    assert cash_effects(shop_loop.sandbox) == []


@pytest.mark.parametrize("shows", ["notes", "mode", "provider", "nothing"])
@pytest.mark.parametrize("fault", ["lost_reply", "status_after_commit"])
def test_a_lost_answer_leads_to_one_payment_however_little_ghl_shows_of_it(
    shop_loop: Loop, fault: str, shows: str
) -> None:
    shop_loop.sandbox.switches(ghl_recorded_payment_shows=shows)
    switch(shop_loop, on=True)
    shop_loop.sandbox.fault(fault, system="ghl", method="POST", path=POST, times=1)
    shop_loop.good_turn()
    paid_once(shop_loop)
    assert [row["attempts"] for row in shop_loop.changes(record_type="order_payment")] == [1]


def test_a_server_error_before_anything_was_recorded_leads_to_one_payment_in_the_next_run(shop_loop: Loop) -> None:
    switch(shop_loop, on=True)
    shop_loop.sandbox.fault("status", system="ghl", method="POST", path=POST, status=500, times=1)
    shop_loop.good_turn()
    (change,) = shop_loop.changes(record_type="order_payment")
    assert (change["state"], change["attempts"]) == ("unknown", 1)
    assert "a later run looks again" in change["reason"]
    shop_loop.good_turn()
    paid_once(shop_loop)
    assert [row["attempts"] for row in shop_loop.changes(record_type="order_payment")] == [2]


@pytest.mark.parametrize("shows", ["notes", "provider"])
def test_a_part_whose_answer_was_lost_and_that_ghl_does_not_show_at_once_is_not_recorded_twice(
    shop_loop: Loop, shows: str
) -> None:
    shop_loop.sandbox.put_state(world(shop_loop.locations[0], cash="20"))
    shop_loop.sandbox.switches(ghl_recorded_payment_shows=shows)
    switch(shop_loop, on=True)
    shop_loop.sandbox.fault("lost_reply", system="ghl", method="POST", path=POST, times=1)
    shop_loop.sandbox.fault("empty_list", system="ghl", method="GET", path="/payments/transactions")
    shop_loop.good_turn()
    (change,) = shop_loop.changes(record_type="order_payment")
    assert (change["state"], change["attempts"]) == ("unknown", 1)
    shop_loop.sandbox.clear_faults()
    a_part_once(shop_loop)


@pytest.mark.parametrize("shows", ["notes", "provider"])
def test_when_the_answer_is_lost_and_reading_back_fails_too_the_next_run_finds_it(shop_loop: Loop, shows: str) -> None:
    box = shop_loop.sandbox
    box.put_state(world(shop_loop.locations[0], cash="20"))
    box.switches(ghl_recorded_payment_shows=shows)
    switch(shop_loop, on=True)
    box.fault("latency", system="ghl", method="POST", path=POST, times=1, seconds=2, when="after")
    box.fault("lost_reply", system="ghl", method="POST", path=POST, times=1)
    no_reading = partial(box.fault, "status", system="ghl", method="GET", path="/payments/transactions", status=500)
    with meanwhile(lambda: len(cash_effects(box)) == 1, no_reading):
        shop_loop.failed_turn()
    (change,) = shop_loop.changes(record_type="order_payment")
    assert (change["state"], change["attempts"]) == ("unknown", 1)
    box.clear_faults()
    a_part_once(shop_loop)


def a_part_once(loop: Loop) -> None:
    """The next run proves the one payment of 20 and sends nothing, nor does a further one."""
    for _ in range(2):
        loop.good_turn()
        sold, (made,) = in_ghl(loop)
        assert (sold["paymentStatus"], made["amount"]) == ("partially_paid", 20)
        assert len(cash_effects(loop.sandbox)) == 1
        (change,) = loop.changes(record_type="order_payment")
        assert (change["state"], change["native_id"]) == ("verified", f"order1/{made['_id']}")
        assert change["attempts"] == 1


def test_a_payment_of_another_kind_and_of_just_that_amount_leaves_the_cash_to_a_person(shop_loop: Loop) -> None:
    state = world(shop_loop.locations[0], cash="20")
    state["ghl"]["locations"][0]["transactions"] = [
        charge(1, amount=20, createdAt="2026-10-07T15:00:00.000Z", updatedAt=LONG_AGO)
    ]
    shop_loop.sandbox.put_state(state)
    switch(shop_loop, on=True)
    shop_loop.good_turn()
    (change,) = shop_loop.changes(record_type="order_payment")
    assert change["state"] == "refused"
    assert "a payment of this amount is there" in change["reason"]
    shop_loop.good_turn()
    assert cash_effects(shop_loop.sandbox) == []
    assert [row["kind"] for row in shop_loop.diffs(record_type="order_payment")] == ["missing_in_target"]


def _sent_without_an_answer(sandbox: RunningSandbox) -> Callable[[], bool]:
    sandbox.fault("latency", system="ghl", method="POST", path=POST, times=1, seconds=30, when="after")
    return lambda: len(cash_effects(sandbox)) == 1


@pytest.mark.parametrize("shows", ["notes", "provider", "nothing"])
def test_a_run_that_is_killed_between_sending_and_recording_leads_to_one_payment(shop_loop: Loop, shows: str) -> None:
    shop_loop.only_targets("ghl", "trackpod")  # what must be read before the kill takes its time
    shop_loop.sandbox.switches(ghl_recorded_payment_shows=shows)
    switch(shop_loop, on=True)
    shop_loop.killed_run(_sent_without_an_answer(shop_loop.sandbox))
    assert shop_loop.sql("select state from outbox.changes where record_type = 'order_payment'") == [
        {"state": "claimed"}
    ]
    shop_loop.sandbox.clear_faults()
    shop_loop.only_targets("ghl", "halo", "trackpod")
    shop_loop.good_turn()
    paid_once(shop_loop)


def test_the_known_fault_of_ghls_api_is_refused_with_words_and_holds_nothing_up(shop_loop: Loop) -> None:
    shop_loop.sandbox.switches(ghl_record_payment="not_found")
    switch(shop_loop, on=True)
    shop_loop.good_turn()
    (change,) = shop_loop.changes(record_type="order_payment")
    assert change["state"] == "refused"
    assert "by hand" in change["reason"]
    assert [row["state"] for row in shop_loop.changes(record_type="sales_order")] == ["verified"]
    shop_loop.good_turn()
    assert cash_effects(shop_loop.sandbox) == []


def test_cash_that_people_recorded_in_ghl_themselves_is_not_recorded_again(shop_loop: Loop) -> None:
    place = shop_loop.locations[0]
    state = world(place, status="completed", paymentStatus="paid")
    state["ghl"]["locations"][0]["transactions"] = [{
        "_id": "byhand", "currency": "USD", "amount": AMOUNT, "amountRefunded": 0, "status": "succeeded",
        "liveMode": True, "markAsTest": False, "entityType": "order", "entityId": "order1", "contactId": "contact1",
        "chargeSnapshot": {"mode": "cash"}, "createdAt": "2026-10-07T15:00:00.000Z", "updatedAt": LONG_AGO,
    }]  # fmt: skip
    shop_loop.sandbox.put_state(state)
    switch(shop_loop, on=True)
    shop_loop.good_turn()
    assert shop_loop.diffs(record_type="order_payment") == []
    assert cash_effects(shop_loop.sandbox) == []


def test_more_than_is_due_is_for_a_person(shop_loop: Loop) -> None:
    shop_loop.sandbox.put_state(world(shop_loop.locations[0], cash="120"))
    switch(shop_loop, on=True)
    shop_loop.good_turn()
    (diff,) = shop_loop.diffs(record_type="order_payment")
    assert (diff["kind"], diff["amount_minor"]) == ("not_representable", 12000)
    assert "than is due" in diff["reason"]


def test_a_part_leaves_the_rest_due(shop_loop: Loop) -> None:
    shop_loop.sandbox.put_state(world(shop_loop.locations[0], cash="40.25"))
    switch(shop_loop, on=True)
    shop_loop.good_turn()
    sold, (made,) = in_ghl(shop_loop)
    assert (sold["paymentStatus"], made["amount"]) == ("partially_paid", Decimal("40.25"))
    settled(shop_loop)


@pytest.mark.parametrize("on", [False, True])
def test_a_seeded_world_reports_its_cash_as_planted(loop: LoopFactory, on: bool) -> None:
    switches = (f"ghl_cash_recorded={str(on).lower()}",)
    seeded = loop(seed=3, orders=60, targets=("ghl", "halo", "trackpod"), switches=switches)
    seeded.only_first_location()
    switch(seeded, on=on)
    key = [row for row in seeded.answer_key() if row["system"] != "trackpod" or on]
    assert any(row["record_type"] == "order_payment" for row in key)
    seeded.good_turn()
    found = [row for row in seeded.diffs() if row["system"] != "trackpod" or on]
    assert as_key(found) == as_key(key)
    assert bool(cash_effects(seeded.sandbox)) is on
    before = seeded.sandbox.effects()
    seeded.good_turn()
    assert seeded.sandbox.effects() == before
    assert seeded.open_pushable() == 0
