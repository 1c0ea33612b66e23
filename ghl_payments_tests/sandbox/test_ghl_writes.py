"""The sandboxed GHL takes writes as the payments contract says, and leaves open what that leaves open."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import ghl_state, order

ORDER = f"{1:024x}"
FULFILL, PAY = f"/payments/orders/{ORDER}/fulfillments", f"/payments/orders/{ORDER}/record-payment"
WHITE_LABEL = "/payments/integrations/provider/whitelabel"
PARCEL: dict[str, Any] = {
    "trackings": [{"trackingNumber": "T1"}], "items": [{"priceId": "price1", "qty": 1}], "notifyCustomer": False,
}  # fmt: skip
PROVIDER: dict[str, Any] = {
    "uniqueName": "easy-direct", "title": "Easy", "provider": "nmi", "description": "Cards",
    "imageUrl": "https://example.com/a.png",
}  # fmt: skip


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    """A location with one order of two units, not paid."""
    running = sandbox()
    line = {"_id": "item1", "name": "Sample", "qty": 2, "price": {"_id": "price1", "type": "one_time"}}
    unpaid = order(1, "2026-10-01T00:00:00.000Z", items=[line], paymentStatus="unpaid", status="pending")
    running.put_state(ghl_state(orders=[unpaid]))
    return running


def post(box: RunningSandbox, path: str, body: Any, **account: str | None) -> httpx.Response:
    """One POST of the first location; `account` replaces altId and altType, None leaves one out."""
    whole = {"altId": box.location_id(), "altType": "location"} | account
    document = {n: v for n, v in whole.items() if v is not None} | body if isinstance(body, dict) else body
    with box.ghl() as client:
        return client.post(path, json=document)


def as_app(box: RunningSandbox, body: dict[str, Any]) -> httpx.Response:
    """A POST of a provider with the token of a marketplace app."""
    oauth = box.ready["systems"]["ghl"]["oauth"]
    form = {"client_id": oauth["client_id"], "client_secret": oauth["client_secret"],
            "grant_type": "authorization_code", "code": box.oauth_code(box.location_id(), "payments/integration.readonly payments/integration.write")}  # fmt: skip
    token = box.http.post("/ghl/oauth/token", data=form).json()["access_token"]
    account = {"altId": box.location_id(), "altType": "location"}
    with box.ghl() as client:
        return client.post(WHITE_LABEL, json=account | body, headers={"Authorization": f"Bearer {token}"})


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        (FULFILL, without(PARCEL, "trackings"), "trackings"),
        (FULFILL, without(PARCEL, "items"), "items"),
        (FULFILL, without(PARCEL, "notifyCustomer"), "notifyCustomer"),
        (FULFILL, PARCEL | {"notifyCustomer": "no"}, "notifyCustomer must be a boolean"),
        (FULFILL, PARCEL | {"items": []}, "items should not be empty"),
        (FULFILL, PARCEL | {"items": [{"priceId": "price1"}]}, "items.0.qty"),
        (FULFILL, PARCEL | {"items": [{"priceId": "price1", "qty": 0}]}, "qty must be a positive number"),
        (FULFILL, PARCEL | {"items": [{"_id": "price1", "qty": 1}]}, "property _id should not exist"),
        (FULFILL, PARCEL | {"trackings": [{"number": "T1"}]}, "property number should not exist"),
        (FULFILL, PARCEL | {"altType": "company"}, "altType must be one of"),
        (PAY, {"mode": "gold"}, "mode must be one of"),
        (PAY, {}, "mode"),
        (PAY, {"mode": "card", "card": {"brand": "visa"}}, "card.property brand should not exist"),
        (PAY, {"mode": "cash", "amount": "10"}, "amount must be a number"),
    ],
)
def test_a_bad_body_is_422_with_an_array_that_names_it(
    box: RunningSandbox, path: str, body: dict[str, Any], named: str
) -> None:
    answer = post(box, path, body)
    assert answer.status_code == 422
    assert any(named in message for message in answer.json()["message"]), answer.json()
    assert box.effects() == []


@pytest.mark.parametrize("changes", [
    {"uniqueName": "Easy"}, {"uniqueName": "-easy"}, {"uniqueName": "easy2"}, {"provider": "stripe"},
    {"imageUrl": "http://example.com/a.png"}, {"title": ""},
])  # fmt: skip
def test_a_bad_provider_is_422(box: RunningSandbox, changes: dict[str, str]) -> None:
    answer = as_app(box, PROVIDER | changes)
    assert answer.status_code == 422
    assert any(next(iter(changes)) in message for message in answer.json()["message"])


def test_what_is_no_json_object_is_400(box: RunningSandbox) -> None:
    assert post(box, FULFILL, ["x"]).status_code == 400


def test_an_unknown_order_has_the_payments_services_own_404(box: RunningSandbox) -> None:
    answer = post(box, "/payments/orders/other/fulfillments", PARCEL)
    assert answer.status_code == 404
    assert {name: answer.json()[name] for name in ("status", "message", "name")} == {
        "status": 404, "message": "Order not found", "name": "HttpException",
    }  # fmt: skip


def test_another_locations_id_is_forbidden(box: RunningSandbox) -> None:
    assert post(box, FULFILL, PARCEL, altId="somewhere-else").status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "scope"),
    [(FULFILL, PARCEL, "payments/orders.write"), (PAY, {"mode": "cash"}, "payments/orders.collectPayment"),
     (WHITE_LABEL, PROVIDER, "payments/integration.write")],
)  # fmt: skip
def test_every_write_has_a_scope_of_its_own(box: RunningSandbox, path: str, body: dict[str, Any], scope: str) -> None:
    box.fault("no_scope", system="ghl", scope=scope)
    answer = post(box, path, body)
    assert (answer.status_code, answer.json()["message"]) == (401, "The token is not authorized for this scope.")


def test_a_fulfillment_is_answered_with_what_it_holds_and_listed_after(box: RunningSandbox) -> None:
    answer = post(box, FULFILL, PARCEL)
    assert answer.status_code == 200
    made = answer.json()["data"]
    assert made["items"][0] | {"price": None} == {"_id": "price1", "name": "Sample", "price": None, "qty": 1}
    assert (made["altId"], made["trackings"]) == (box.location_id(), PARCEL["trackings"])
    with box.ghl() as client:
        listed = client.get(FULFILL, params={"altId": box.location_id(), "altType": "location"}).json()
    assert listed == {"status": True, "data": [made]}
    (effect,) = box.effects()
    assert (effect["record_type"], effect["key"], effect["native_id"]) == (
        "fulfillment", f"ghl:fulfillment:{made['_id']}", f"{ORDER}/{made['_id']}",
    )  # fmt: skip


@pytest.mark.parametrize(("switch", "status"), [("refused", 400), ("accepted", 200)])
def test_what_more_than_ordered_leads_to_is_open(box: RunningSandbox, switch: str, status: int) -> None:
    box.switches(ghl_over_fulfillment=switch)
    both = [{"priceId": "price1", "qty": 2}, {"priceId": "price1", "qty": 1}]
    assert post(box, FULFILL, PARCEL | {"items": both}).status_code == status
    assert post(box, FULFILL, PARCEL).status_code == 200
    assert post(box, FULFILL, PARCEL | {"items": [{"priceId": "price1", "qty": 2}]}).status_code == status


def test_a_price_that_is_not_in_the_order_is_refused(box: RunningSandbox) -> None:
    assert post(box, FULFILL, PARCEL | {"items": [{"priceId": "price2", "qty": 1}]}).status_code == 400


def test_writes_are_undone_by_a_reset_and_kept_in_the_state(sandbox: SandboxFactory) -> None:
    seeded = sandbox(orders=60)
    before = seeded.http.get("/_sandbox/state").content
    place = seeded.state()["ghl"]["locations"][0]
    sold = next(doc for doc in place["orders"] if doc["_id"] not in place["fulfillments"])
    price_id = sold["items"][0]["price"]["_id"]
    path = f"/payments/orders/{sold['_id']}/fulfillments"
    post(seeded, path, PARCEL | {"items": [{"priceId": price_id, "qty": 1}]}).raise_for_status()
    as_app(seeded, PROVIDER).raise_for_status()
    after = seeded.state()["ghl"]["locations"][0]
    assert len(after["fulfillments"][sold["_id"]]) == 1
    assert [row["route"] for row in after["providers"]][-1] == "easy-direct"
    seeded.reset()
    assert seeded.http.get("/_sandbox/state").content == before


def test_a_stale_read_does_not_show_a_write_yet(box: RunningSandbox) -> None:
    post(box, FULFILL, PARCEL)
    box.fault("stale_reads", system="ghl", seconds=60)
    with box.ghl() as client:
        answer = client.get(FULFILL, params={"altId": box.location_id(), "altType": "location"})
    assert answer.json()["data"] == []


def test_a_provider_takes_an_app_and_a_name_only_once(box: RunningSandbox) -> None:
    assert post(box, WHITE_LABEL, PROVIDER).status_code == 401
    assert as_app(box, PROVIDER).json()["route"] == "easy-direct"
    assert as_app(box, PROVIDER).status_code == 400


def test_a_payment_made_elsewhere_pays_the_order(box: RunningSandbox) -> None:
    assert post(box, PAY, {"mode": "cash", "amount": 40, "isPartialPayment": True}).json() == {"success": True}
    assert box.state()["ghl"]["locations"][0]["orders"][0]["paymentStatus"] == "partially_paid"
    assert post(box, PAY, {"mode": "card", "card": {"type": "visa", "last4": "4242"}}).status_code == 200
    place = box.state()["ghl"]["locations"][0]
    amounts = sorted(row["amount"] for row in place["transactions"])
    assert (place["orders"][0]["paymentStatus"], amounts) == ("paid", [40, 60])
    assert post(box, PAY, {"mode": "cash"}).status_code == 400


@pytest.mark.parametrize(
    ("shows", "snapshot", "meta"),
    [("notes", {"mode": "cash", "notes": "at the door"}, {"mark": "x"}), ("mode", {"mode": "cash"}, None),
     ("provider", None, None), ("nothing", None, None)],
)  # fmt: skip
def test_how_much_a_recorded_payment_tells_of_itself_is_open_and_lists_never_tell_its_meta(
    box: RunningSandbox, shows: str, snapshot: dict[str, str] | None, meta: dict[str, str] | None
) -> None:
    box.switches(ghl_recorded_payment_shows=shows)
    post(
        box,
        PAY,
        {"mode": "cash", "amount": 40, "isPartialPayment": True, "notes": "at the door", "meta": {"mark": "x"}},
    )
    account = {"altId": box.location_id(), "altType": "location"}
    with box.ghl() as client:
        (listed,) = client.get("/payments/transactions", params=account | {"entityId": ORDER}).json()["data"]
        detail = client.get(f"/payments/transactions/{listed['_id']}", params=account).json()
    assert (listed.get("chargeSnapshot"), "meta" in listed) == (snapshot, False)
    assert (detail.get("chargeSnapshot"), detail.get("meta")) == (snapshot, meta)
    assert (listed["status"], listed["entityType"], listed["amount"]) == ("succeeded", "order", 40)
    assert listed.get("paymentProviderType") == ("manual" if shows == "provider" else None)
    (effect,) = box.effects()
    assert (effect["record_type"], effect["native_id"]) == ("order_payment", f"{ORDER}/{listed['_id']}")


def test_the_known_fault_of_recording_payments_is_a_switch_and_changes_nothing(box: RunningSandbox) -> None:
    before = box.state()
    box.switches(ghl_record_payment="not_found")
    answer = post(box, PAY, {"mode": "cash", "amount": 40})
    assert (answer.status_code, answer.json()["message"]) == (404, "Order not found")
    assert box.state() == before
    assert box.effects() == []
