"""GHL written to through the sandbox: what is sent once, what is never sent, and what is found again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from ghl_payments.connectors.base import DesiredRecord, WriteAnswer
from ghl_payments.connectors.ghl.bodies import capped, fulfillment_ids, open_items
from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.target import GhlTarget
from ghl_payments.transport import errors
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.support import QUICK, Result, landed, unlimited
from ghl_payments_tests.loopback import Reply, Request, json_reply, loopback
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import ghl_state, order

ORDER = f"{1:024x}"
KEY = "halo:sales_order:7"
POST = r"/payments/orders/\w+/fulfillments"
WHITE_LABEL = "/payments/integrations/provider/whitelabel"
PROVIDER = {
    "unique_name": "easy-direct", "title": "Easy Direct", "provider": "nmi", "description": "Cards",
    "image_url": "https://example.com/logo.png",
}  # fmt: skip


def item(price_id: str, qty: int = 1, kind: str = "PHYSICAL") -> dict[str, Any]:
    product = {"_id": f"product-{price_id}", "name": "Thing", "productType": kind}
    price = {"_id": price_id, "name": "Default", "type": "one_time", "currency": "USD", "amount": 10}
    return {"_id": f"line-{price_id}", "name": "Thing", "qty": qty, "price": price, "product": product}


def parcel(key: str = KEY, tracking: str | None = "T1", carrier: str | None = "UPS", **units: int) -> DesiredRecord:
    lines = [{"price_id": price_id, "quantity": str(n)} for price_id, n in (units or {"p1": 2}).items()]
    fields = {"order_id": ORDER, "tracking": tracking, "carrier": carrier, "tracking_url": None}
    return DesiredRecord("fulfillment", key, "place", {**fields, "items": json.dumps(lines)})


def provider(**changes: str | None) -> DesiredRecord:
    return DesiredRecord("provider", "ghl:provider:easy-direct", "place", {**PROVIDER, **changes})


@pytest.fixture
def shop(sandbox: SandboxFactory) -> RunningSandbox:
    """A location with one order of two units of `p1`, in two lines, and one of `p2`."""
    running = sandbox()
    items = [item("p1"), item("p2"), item("p1")]
    running.put_state(ghl_state(orders=[order(1, "2026-10-01T00:00:00.000Z", items=items)]))
    return running


def with_target(
    sandbox: RunningSandbox, use: Callable[[GhlTarget], Awaitable[Result]], *, token: str = "", notify: bool = False
) -> Result:
    """Run `use` with a target of the first location."""
    ghl = sandbox.ready["systems"]["ghl"]
    place = ghl["locations"][0]

    async def main() -> Result:
        client = GhlClient(ghl["base_url"], place["id"], SecretStr(token or place["token"]), unlimited(), retry=QUICK)
        target = GhlTarget(client, f"ghl/{place['id']}", notify_customer=notify)
        try:
            return await use(target)
        finally:
            await target.aclose()

    return asyncio.run(main())


def app_token(sandbox: RunningSandbox) -> str:
    """The access token of a marketplace app."""
    oauth = sandbox.ready["systems"]["ghl"]["oauth"]
    form = {
        "client_id": oauth["client_id"], "client_secret": oauth["client_secret"], "grant_type": "authorization_code",
        "code": sandbox.oauth_code(sandbox.location_id(), "payments/integration.readonly payments/integration.write"),
    }  # fmt: skip
    token: str = sandbox.http.post("/ghl/oauth/token", data=form).json()["access_token"]
    return token


def create(sandbox: RunningSandbox, record: DesiredRecord, **how: Any) -> WriteAnswer:
    return with_target(sandbox, lambda target: target.create(record), **how)


def in_ghl(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.state()["ghl"]["locations"][0]["fulfillments"].get(ORDER, [])
    return found


def test_a_delivery_becomes_one_fulfillment_and_nobody_is_mailed(shop: RunningSandbox) -> None:
    answer = create(shop, parcel(p1=2, p2=1))
    (made,) = in_ghl(shop)
    assert answer == WriteAnswer(f"{ORDER}/{made['_id']}", 200)
    assert made["trackings"] == [{"trackingNumber": "T1", "shippingCarrier": "UPS"}]
    assert {line["_id"]: line["qty"] for line in made["items"]} == {"p1": 2, "p2": 1}
    (effect,) = shop.effects()
    assert (effect["record_type"], effect["native_id"]) == ("fulfillment", answer.native_id)
    assert effect["body"]["notifyCustomer"] is False


def test_the_customer_is_mailed_only_when_the_option_says_so(shop: RunningSandbox) -> None:
    create(shop, parcel(carrier=None), notify=True)
    body = shop.effects()[0]["body"]
    assert body["notifyCustomer"] is True
    assert body["trackings"] == [{"trackingNumber": "T1"}]


@pytest.mark.parametrize("marks", [{"markAsTest": True}, {"liveMode": False}])
def test_nothing_is_sent_for_an_order_that_has_become_a_test_since_it_was_planned(
    shop: RunningSandbox, marks: dict[str, bool]
) -> None:
    state = ghl_state(orders=[order(1, "2026-10-01T00:00:00.000Z", items=[item("p1", 2)], **marks)])
    shop.put_state(state)
    with pytest.raises(errors.Rejected, match="test mode"):
        create(shop, parcel())
    assert shop.effects() == []


def test_any_2xx_is_an_answer(shop: RunningSandbox) -> None:
    shop.switches(ghl_write_status=201)
    assert create(shop, parcel()).status == 201


@pytest.mark.parametrize("again", ["T1", "t1", " T 1 "])
def test_a_tracking_number_that_ghl_has_is_not_sent_again(shop: RunningSandbox, again: str) -> None:
    first = create(shop, parcel())
    assert create(shop, parcel(tracking=again, p2=1)).native_id == first.native_id
    assert len(shop.effects()) == 1


def test_units_are_kept_to_what_was_ordered_and_not_yet_sent(shop: RunningSandbox) -> None:
    create(shop, parcel(tracking="T1", p1=1))
    create(shop, parcel(tracking="T2", p1=9, p2=9, p9=1))
    assert [{line["_id"]: line["qty"] for line in made["items"]} for made in in_ghl(shop)] == [
        {"p1": 1}, {"p1": 1, "p2": 1},
    ]  # fmt: skip
    with pytest.raises(errors.Rejected, match="nothing of it is left"):
        create(shop, parcel(tracking="T3", p1=1))
    assert len(shop.effects()) == 2


@pytest.mark.parametrize("touches", ["nothing", "updated_at", "status"])
def test_what_a_fulfillment_changes_in_its_order_is_open(shop: RunningSandbox, touches: str) -> None:
    shop.switches(ghl_fulfillment_touches=touches)
    before = shop.state()["ghl"]["locations"][0]["orders"][0]
    create(shop, parcel(p1=1))
    some = shop.state()["ghl"]["locations"][0]["orders"][0]
    create(shop, parcel(tracking="T2", p1=1, p2=1))
    whole = shop.state()["ghl"]["locations"][0]["orders"][0]
    assert (before["updatedAt"] != some["updatedAt"]) == (touches != "nothing")
    expected = [None, None] if touches != "status" else ["partially_fulfilled", "fulfilled"]
    assert [some.get("fulfillmentStatus"), whole.get("fulfillmentStatus")] == expected


@pytest.mark.parametrize(
    ("record", "text"),
    [(parcel(tracking=" "), "tracking number"),
     (DesiredRecord("fulfillment", KEY, "place", {"order_id": ORDER, "tracking": "T1", "items": "[1]"}), "price ids"),
     (DesiredRecord("fulfillment", KEY, "place", {"order_id": ORDER, "tracking": "T1", "items": None}), "price ids"),
     (provider(title=None), "title")],
)  # fmt: skip
def test_what_cannot_be_written_is_rejected_before_anything_is_sent(
    shop: RunningSandbox, record: DesiredRecord, text: str
) -> None:
    with pytest.raises(errors.Rejected, match=text):
        create(shop, record)
    assert shop.requests() == []


@pytest.mark.parametrize("not_found", [404, 400])
def test_an_order_that_ghl_does_not_have_is_not_found(shop: RunningSandbox, not_found: int) -> None:
    shop.put_state(ghl_state(orders=[]))
    shop.switches(ghl_not_found=not_found)
    with pytest.raises(errors.NotFound):
        create(shop, parcel())


@pytest.mark.parametrize("fault", ["lost_reply", "status_after_commit", "truncated_json"])
def test_a_lost_answer_is_unknown_done_once_and_found_by_its_tracking(
    shop: RunningSandbox, tmp_path: Path, fault: str
) -> None:
    shop.fault(fault, system="ghl", method="POST", path=POST, times=1)

    async def use(target: GhlTarget) -> tuple[list[str], WriteAnswer]:
        with pytest.raises(errors.OutcomeUnknown):
            await target.create(parcel())
        found = await target.find("fulfillment", KEY, "place", tmp_path / "x.zst")
        return found, await target.create(parcel())

    found, again = with_target(shop, use)
    (made,) = in_ghl(shop)
    assert found == [f"{ORDER}/{made['_id']}"]
    assert again.native_id == found[0]
    assert len(shop.effects()) == 1
    (line,) = landed(tmp_path / "x.zst")
    assert (line["envelope"]["native_id"], line["envelope"]["status"]) == (ORDER, 200)
    assert [doc["_id"] for doc in line["body"]["data"]] == [made["_id"]]


def test_after_a_crash_the_key_alone_finds_nothing_and_create_still_writes_nothing_twice(
    shop: RunningSandbox, tmp_path: Path
) -> None:
    first = create(shop, parcel())
    assert with_target(shop, lambda t: t.find("fulfillment", KEY, "place", tmp_path / "x.zst")) == []
    assert landed(tmp_path / "x.zst") == []
    assert create(shop, parcel()).native_id == first.native_id
    assert len(shop.effects()) == 1


def test_a_refused_request_changed_nothing_and_is_sent_again(shop: RunningSandbox) -> None:
    shop.fault("status", system="ghl", method="POST", path=POST, status=429, times=2)
    create(shop, parcel())
    assert len(shop.effects()) == 1


def test_a_bad_token_and_a_missing_scope_say_what_to_do(shop: RunningSandbox) -> None:
    with pytest.raises(errors.Unauthorised) as caught:
        create(shop, parcel(), token="pit-wrong")
    assert not isinstance(caught.value, errors.MissingScope)
    shop.fault("no_scope", system="ghl", scope="payments/orders.write")
    # Refused, and no end of the push: what other systems are to be told must not wait for a tick in GHL.
    with pytest.raises(errors.Rejected, match=r"(?s)payments/orders\.write.*retry --connection ghl"):
        create(shop, parcel())
    assert shop.effects() == []


def test_a_row_that_ghl_refuses_is_rejected(shop: RunningSandbox) -> None:
    shop.fault("status", system="ghl", method="POST", path=POST, status=422, body={"message": ["items wrong"]})
    with pytest.raises(errors.Rejected):
        create(shop, parcel())


def test_nothing_can_be_changed_in_ghl(shop: RunningSandbox) -> None:
    for record in (parcel(), provider()):
        with pytest.raises(errors.Rejected, match="cannot change it"):
            with_target(shop, lambda target, record=record: target.update("x", record, ["carrier"]))  # type: ignore[misc]
    assert shop.requests() == []


def test_orders_are_read_by_id_whole_gone_or_unreadable(shop: RunningSandbox, tmp_path: Path) -> None:
    made = create(shop, parcel()).native_id
    shop.fault("html", system="ghl", path=f"/payments/orders/{2:024x}/fulfillments")
    ids = [ORDER, made, f"{ORDER}/other", "gone", f"{2:024x}"]
    statuses = with_target(shop, lambda target: target.read_details("fulfillment", ids, tmp_path / "x.zst"))
    assert statuses == {ORDER: 200, made: 200, f"{ORDER}/other": 404, "gone": 404, f"{2:024x}": 0}
    lines = {line["envelope"]["native_id"]: line for line in landed(tmp_path / "x.zst")}
    assert set(lines) == {ORDER, "gone", f"{2:024x}"}
    assert [doc["_id"] for doc in lines[ORDER]["body"]["data"]] == [made.partition("/")[2]]
    assert (lines["gone"]["envelope"]["status"], lines["gone"]["body"]) == (404, None)


def test_a_provider_is_created_by_an_app_only_and_known_by_its_name(shop: RunningSandbox, tmp_path: Path) -> None:
    with pytest.raises(errors.Rejected, match="marketplace app"):
        create(shop, provider())
    assert shop.effects() == []
    token = app_token(shop)
    made = create(shop, provider(), token=token)
    assert create(shop, provider(title="Another"), token=token).native_id == made.native_id
    assert len(shop.effects()) == 1
    (doc,) = shop.state()["ghl"]["locations"][0]["providers"]
    assert (doc["route"], doc["title"], doc["provider"]) == ("easy-direct", "Easy Direct", "nmi")
    path = tmp_path / "x.zst"
    assert with_target(shop, lambda t: t.find("provider", "ghl:provider:easy-direct", "place", path)) == [
        made.native_id
    ]
    assert with_target(shop, lambda t: t.find("provider", "ghl:provider:easy", "place", path)) == []
    statuses = with_target(shop, lambda t: t.read_details("provider", [made.native_id, "gone"], path))
    assert statuses == {made.native_id: 200, "gone": 404}


@pytest.mark.parametrize("fault", ["lost_reply", "status_after_commit"])
def test_a_provider_whose_answer_is_lost_is_found_and_not_made_twice(
    shop: RunningSandbox, tmp_path: Path, fault: str
) -> None:
    token = app_token(shop)
    shop.fault(fault, system="ghl", method="POST", path=WHITE_LABEL, times=1)
    with pytest.raises(errors.OutcomeUnknown):
        create(shop, provider(), token=token)
    path = tmp_path / "x.zst"
    (found,) = with_target(shop, lambda t: t.find("provider", "ghl:provider:easy-direct", "place", path))
    assert create(shop, provider(), token=token).native_id == found
    assert len(shop.effects()) == 1


def test_providers_are_listed_whole_with_an_id_the_loop_knows(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox()
    providers = [{"_id": f"m{n:03d}", "route": f"name-{n}", "title": "T"} for n in range(230)]
    running.put_state(ghl_state(providers=providers))
    certificate = with_target(running, lambda target: target.read("provider", tmp_path / "x.zst"))
    assert (certificate.complete, certificate.rows, certificate.unique_ids, certificate.pages) == (True, 230, 230, 3)
    rows = [row for line in landed(tmp_path / "x.zst") for row in line["body"]]
    assert [row["id"] for row in rows] == [row["_id"] for row in rows] == [row["_id"] for row in providers]


def test_a_list_that_ignores_offset_ends_and_no_provider_at_all_is_an_empty_list(
    sandbox: SandboxFactory, tmp_path: Path
) -> None:
    running = sandbox()
    running.put_state(ghl_state(providers=[]))
    certificate = with_target(running, lambda target: target.read("provider", tmp_path / "x.zst"))
    assert (certificate.complete, certificate.rows) == (True, 0)
    assert [line["body"] for line in landed(tmp_path / "x.zst")] == [[]]
    running.put_state(ghl_state(providers=[{"_id": "m1", "route": "a"}]))
    running.fault("ignored_filter", system="ghl", params=["offset"])
    certificate = with_target(running, lambda target: target.read("provider", tmp_path / "x.zst"))
    assert (certificate.complete, certificate.rows) == (True, 1)


def test_a_provider_without_an_id_makes_the_list_incomplete(tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        return json_reply({"providers": [{"route": "a"}, {"_id": "m1", "route": "b"}]})

    async def main() -> Any:
        async with loopback(answer) as server:
            client = GhlClient(server.base_url, "place", SecretStr("pit-x"), unlimited(), retry=QUICK)
            try:
                return await GhlTarget(client, "ghl/place").read("provider", tmp_path / "x.zst")
            finally:
                await client.aclose()

    certificate = asyncio.run(main())
    assert (certificate.complete, certificate.reason) == (False, "row_without_id: a provider has no `_id`")


def test_a_payment_made_elsewhere_is_recorded_once_and_notes_are_read(shop: RunningSandbox) -> None:
    unpaid = order(1, "2026-10-01T00:00:00.000Z", paymentStatus="unpaid", status="pending")
    shop.put_state(ghl_state(orders=[unpaid], notes={ORDER: [{"body": "call back"}]}))

    async def use(target: GhlTarget) -> tuple[bytes, WriteAnswer]:
        client = target._client
        part = await client.record_payment(ORDER, {"mode": "cash", "amount": Decimal("40.5"), "isPartialPayment": True})
        assert shop.state()["ghl"]["locations"][0]["orders"][0]["paymentStatus"] == "partially_paid"
        await client.record_payment(ORDER, {"mode": "cheque", "cheque": {"number": "9"}})
        with pytest.raises(errors.Rejected):
            await client.record_payment(ORDER, {"mode": "other"})
        with pytest.raises(errors.Rejected):
            await client.record_payment(ORDER, {"mode": "gold"})
        return await client.notes(ORDER), part

    notes, answer = with_target(shop, use)
    assert answer == WriteAnswer(ORDER, 200)
    place = shop.state()["ghl"]["locations"][0]
    assert (place["orders"][0]["paymentStatus"], place["orders"][0]["status"]) == ("paid", "completed")
    assert sorted(Decimal(str(row["amount"])) for row in place["transactions"]) == [Decimal("40.5"), Decimal("59.5")]
    assert [effect["record_type"] for effect in shop.effects()] == ["order_payment", "order_payment"]
    assert json.loads(notes)["data"] == [{"body": "call back"}]


UNITS = st.dictionaries(st.sampled_from(["p1", "p2", "p3"]), st.integers(0, 9), max_size=3)


@settings(max_examples=200, deadline=None)
@given(ordered=st.lists(st.tuples(st.sampled_from(["p1", "p2"]), st.integers(1, 5)), max_size=5),
       deliveries=st.lists(UNITS, max_size=6))  # fmt: skip
def test_no_series_of_deliveries_ever_sends_more_than_was_ordered(
    ordered: list[tuple[str, int]], deliveries: list[dict[str, int]]
) -> None:
    document = {"items": [item(price_id, qty) for price_id, qty in ordered]}
    total: dict[str, int] = {}
    for price_id, qty in ordered:
        total[price_id] = total.get(price_id, 0) + qty
    sent: list[dict[str, Any]] = []
    for wanted in deliveries:
        left = open_items(document, sent)
        items = capped({price_id: Decimal(units) for price_id, units in wanted.items()}, left)
        assert all(0 < units <= wanted[price_id] for price_id, units in items.items())
        sent.append({"items": [{"price": {"_id": price_id}, "qty": units} for price_id, units in items.items()]})
    for price_id, units in total.items():
        gone = sum(line["qty"] for doc in sent for line in doc["items"] if line["price"]["_id"] == price_id)
        assert gone <= units
        assert gone == min(units, sum(wanted.get(price_id, 0) for wanted in deliveries))


@given(st.text(alphabet="aZ09- ", min_size=1).filter(str.strip))
def test_a_tracking_number_is_found_whatever_its_case_and_blanks(number: str) -> None:
    doc = {"_id": "f1", "trackings": [{"trackingNumber": number}]}
    assert fulfillment_ids([doc], f" {number.lower()} ") == fulfillment_ids([doc], number.upper()) == ["f1"]
    assert fulfillment_ids([doc], number + "x") == []


def test_what_is_not_physical_is_never_open_and_an_odd_quantity_stops_everything(shop: RunningSandbox) -> None:
    document = {"items": [item("p1", 2, "DIGITAL"), item("p2", 1, "PHYSICAL/DIGITAL"), item("p3", 1, "SERVICE")]}
    assert open_items(document, []) == {"p2": 1}
    state = ghl_state(
        orders=[order(1, "2026-10-01T00:00:00.000Z", items=[item("p1", 2)])],
        fulfillments={ORDER: [{"_id": "f1", "items": [{"_id": "p1", "qty": "several"}]}]},
    )
    shop.put_state(state)
    with pytest.raises(errors.Rejected, match="not a number"):
        create(shop, parcel())
