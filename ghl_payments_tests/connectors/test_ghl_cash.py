"""Cash recorded in GHL through the sandbox: read right before, sent once, known again, and refused in every doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ghl_payments.connectors.base import DesiredRecord, WriteAnswer
from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.connect import OPTIONS
from ghl_payments.connectors.ghl.payments import due_minor, payment_body, payment_of, recorded_as
from ghl_payments.connectors.ghl.target import GhlTarget
from ghl_payments.domain.money import CURRENCY_EXPONENTS, parse_major
from ghl_payments.transport import errors
from ghl_payments.transport.jsontext import decode, encode
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.support import QUICK, Result, landed, unlimited
from ghl_payments_tests.loopback import Reply, Request, json_reply, loopback
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import ghl_state, order, transaction

ORDER = f"{1:024x}"
KEY = "trackpod:order:track-1"
POST = r"/payments/orders/\w+/record-payment"
CREATED = "2026-10-01T00:00:00.000Z"


def cash(amount: str | None = "10000", key: str = KEY, **changes: str | None) -> DesiredRecord:
    """A record of cash as the mapping wants it, in minor units."""
    fields = {"order_id": ORDER, "amount": amount, "currency": "USD", "mode": "cash",
              "note": "Cash collected on delivery", "collected_at": "2026-10-20T10:00:00.000Z"}  # fmt: skip
    return DesiredRecord("order_payment", key, "place", fields | changes)


def unpaid(**changes: Any) -> dict[str, Any]:
    return order(1, CREATED, **{"status": "pending", "paymentStatus": "unpaid"} | changes)


def paid(number: int, amount: object, **changes: Any) -> dict[str, Any]:
    """A card payment of the order."""
    return transaction(number, CREATED, **{"entityId": ORDER, "amount": amount} | changes)


@pytest.fixture
def shop(sandbox: SandboxFactory) -> RunningSandbox:
    """A location with one order of 100 USD of which nothing is paid."""
    running = sandbox()
    running.put_state(ghl_state(orders=[unpaid()]))
    return running


def with_target(
    sandbox: RunningSandbox, use: Callable[[GhlTarget], Awaitable[Result]], *, token: str = "", record_cash: bool = True
) -> Result:
    ghl = sandbox.ready["systems"]["ghl"]
    place = ghl["locations"][0]

    async def main() -> Result:
        client = GhlClient(ghl["base_url"], place["id"], SecretStr(token or place["token"]), unlimited(), retry=QUICK)
        target = GhlTarget(client, f"ghl/{place['id']}", record_cash=record_cash)
        try:
            return await use(target)
        finally:
            await target.aclose()

    return asyncio.run(main())


def create(sandbox: RunningSandbox, record: DesiredRecord, **how: Any) -> WriteAnswer:
    return with_target(sandbox, lambda target: target.create(record), **how)


def in_ghl(sandbox: RunningSandbox) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The order and its transactions."""
    place = sandbox.state()["ghl"]["locations"][0]
    return place["orders"][0], place["transactions"]


def test_cash_pays_its_order_once_with_its_exact_amount_and_a_marker(shop: RunningSandbox) -> None:
    answer = create(shop, cash())
    assert answer == WriteAnswer(ORDER, 200)
    sold, (made,) = in_ghl(shop)
    assert (sold["paymentStatus"], made["amount"], made["status"]) == ("paid", 100, "succeeded")
    (effect,) = shop.effects()
    assert (effect["record_type"], effect["native_id"]) == ("order_payment", f"{ORDER}/{made['_id']}")
    body = {name: value for name, value in effect["body"].items() if not name.startswith("alt")}
    assert body == {
        "mode": "cash", "amount": 100, "isPartialPayment": False,
        "notes": f"Cash collected on delivery [ghl_payments {KEY}]", "meta": {"ghl_payments": f"[ghl_payments {KEY}]"},
    }  # fmt: skip


def test_less_than_is_due_says_that_it_is_a_part(shop: RunningSandbox) -> None:
    shop.put_state(ghl_state(orders=[unpaid(paymentStatus="partially_paid")], transactions=[paid(1, Decimal("30.25"))]))
    create(shop, cash("6974"))
    assert in_ghl(shop)[0]["paymentStatus"] == "partially_paid"
    assert (shop.effects()[0]["body"]["amount"], shop.effects()[0]["body"]["isPartialPayment"]) == (
        Decimal("69.74"),
        True,
    )
    create(shop, cash("1", key="trackpod:order:track-2"))
    assert in_ghl(shop)[0]["paymentStatus"] == "paid"
    assert shop.effects()[1]["body"]["isPartialPayment"] is False


def test_it_is_off_by_default_even_where_it_is_asked_for(shop: RunningSandbox) -> None:
    assert OPTIONS().record_cash is False
    with pytest.raises(errors.Rejected, match=r"options\.record_cash"):
        create(shop, cash(), record_cash=False)
    assert shop.requests() == []


@pytest.mark.parametrize(
    ("sold", "payments", "record", "text"),
    [
        ({"paymentStatus": "paid"}, [], cash(), "already paid"),
        ({}, [paid(1, 100)], cash(), "already paid"),
        ({}, [paid(1, 60), paid(2, Decimal("0.01"))], cash("4000"), r"USD 40\.00\) than is due in GHL \(39\.99"),
        ({"liveMode": False}, [], cash(), "test mode"),
        ({"markAsTest": True}, [], cash(), "test mode"),
        ({"status": "cancelled"}, [], cash(), "cancelled"),
        ({"currency": "EUR"}, [], cash(), "another currency"),
        ({}, [paid(1, 5, currency="EUR")], cash(), "another currency"),
        ({}, [paid(1, 50, amountRefunded=5)], cash("5000"), "paid back"),
        ({}, [paid(1, 50, status="refunded")], cash("5000"), "paid back"),
        ({"paymentStatus": "refunded"}, [], cash("5000"), "paid back"),
        ({"amount": Decimal("100.005")}, [], cash(), "cannot be read exactly"),
        ({}, [paid(1, "ten")], cash(), "cannot be read exactly"),
    ],
)  # fmt: skip
def test_in_every_doubt_nothing_is_sent(
    shop: RunningSandbox, sold: dict[str, Any], payments: list[dict[str, Any]], record: DesiredRecord, text: str
) -> None:
    shop.put_state(ghl_state(orders=[unpaid(**sold)], transactions=payments))
    with pytest.raises(errors.Rejected, match=text):
        create(shop, record)
    assert {request["method"] for request in shop.requests()} == {"GET"}


@pytest.mark.parametrize("record", [
    cash(None), cash("0"), cash("-5"), cash("10.5"), cash(order_id=None), cash(currency=None), cash(mode="card"),
])  # fmt: skip
def test_what_cannot_be_asked_is_rejected_before_anything_is_read(shop: RunningSandbox, record: DesiredRecord) -> None:
    with pytest.raises(errors.Rejected, match="Nothing was sent"):
        create(shop, record)
    assert shop.requests() == []


def test_failed_payments_renewals_and_those_of_others_take_nothing_from_what_is_due(shop: RunningSandbox) -> None:
    renewals = [
        paid(number, 20, subscriptionId="s1", createdAt=f"2026-10-0{number}T00:00:00.000Z") for number in (3, 4)
    ]
    payments = [paid(1, 100, status="failed"), paid(2, 100, entityId="other"), *renewals]
    shop.put_state(ghl_state(orders=[unpaid()], transactions=payments))
    create(shop, cash("8000"))
    assert len(shop.effects()) == 1


def test_what_carries_the_marker_is_taken_over(shop: RunningSandbox) -> None:
    create(shop, cash("4000"))
    _, (made,) = in_ghl(shop)
    assert create(shop, cash("4000")) == WriteAnswer(f"{ORDER}/{made['_id']}", 200)
    assert len(shop.effects()) == 1


@pytest.mark.parametrize("shows", ["mode", "provider", "nothing"])
def test_a_payment_of_that_amount_that_says_no_more_may_be_it_and_nothing_is_sent(
    shop: RunningSandbox, shows: str
) -> None:
    shop.switches(ghl_recorded_payment_shows=shows)
    create(shop, cash("4000"))
    for key in (KEY, "trackpod:order:track-2"):
        with pytest.raises(errors.Rejected, match=r"a payment of this amount is there .* record it by hand"):
            create(shop, cash("4000", key=key))
    assert len(shop.effects()) == 1


YOUNG = "2026-10-20T12:00:00.000Z"


@pytest.mark.parametrize("shown", [
    {"chargeSnapshot": {"mode": "cash"}, "paymentProvider": {}}, {"paymentProviderType": "manual"},
    {"chargeSnapshot": {}, "chargeId": "pi_1"}, {"chargeSnapshot": {"mode": "cheque"}},
    {"chargeSnapshot": {"mode": "cash"}, "createdAt": "2026-10-19T10:00:00.000Z"}, {"liveMode": False},
])  # fmt: skip
def test_a_payment_of_whatever_kind_may_say_in_its_detail_that_it_is_ours(
    shop: RunningSandbox, tmp_path: Path, shown: dict[str, Any]
) -> None:
    told = {"meta": {"ghl_payments": f"[ghl_payments {KEY}]"}}
    bare = paid(1, 40, **{"createdAt": YOUNG} | shown)
    shop.put_state(ghl_state(orders=[unpaid()], transactions=[bare]))
    with pytest.raises(errors.Rejected, match="a payment of this amount is there"):
        create(shop, cash("4000"))
    shop.put_state(ghl_state(orders=[unpaid()], transactions=[bare | told]))
    assert create(shop, cash("4100")).native_id == f"{ORDER}/{bare['_id']}"
    with_target(shop, lambda target: target.read_details("order_payment", [ORDER], tmp_path / "x.zst"))
    (line,) = landed(tmp_path / "x.zst")
    assert line["body"]["data"][0]["meta"] == told["meta"]
    assert shop.effects() == []


@pytest.mark.parametrize("changes", [
    {"amount": Decimal("40.01")}, {"createdAt": "2026-10-19T09:59:59.000Z"}, {"status": "failed"},
    {"chargeSnapshot": {"mode": "cash", "notes": "[ghl_payments trackpod:order:track-12]"}},
])  # fmt: skip
def test_another_payment_is_not_taken_for_it(shop: RunningSandbox, changes: dict[str, Any]) -> None:
    other = {"chargeSnapshot": {"mode": "cash"}, "createdAt": YOUNG, "paymentProvider": {}}
    shop.put_state(ghl_state(orders=[unpaid()], transactions=[paid(1, 40) | other | changes]))
    create(shop, cash("4000"))
    assert len(shop.effects()) == 1


def test_of_payments_older_than_the_collection_no_detail_is_read(shop: RunningSandbox) -> None:
    shop.put_state(ghl_state(orders=[unpaid()], transactions=[paid(1, 5), paid(2, 6, createdAt=YOUNG)]))
    create(shop, cash("4000"))
    details = [request["path"] for request in shop.requests() if "/transactions/" in request["path"]]
    assert len(details) == 1


@pytest.mark.parametrize("shows", ["notes", "mode", "provider", "nothing"])
@pytest.mark.parametrize("fault", ["lost_reply", "status_after_commit", "truncated_json"])
def test_a_lost_answer_is_unknown_done_once_and_found_by_reading_back(
    shop: RunningSandbox, tmp_path: Path, fault: str, shows: str
) -> None:
    shop.switches(ghl_recorded_payment_shows=shows)
    shop.fault(fault, system="ghl", method="POST", path=POST, times=1)

    async def use(target: GhlTarget) -> tuple[list[str], WriteAnswer]:
        with pytest.raises(errors.OutcomeUnknown):
            await target.create(cash("4000"))
        found = await target.find("order_payment", KEY, "place", tmp_path / "x.zst")
        return found, await target.create(cash("4000"))

    found, again = with_target(shop, use)
    _, (made,) = in_ghl(shop)
    assert found == [f"{ORDER}/{made['_id']}"] == [again.native_id]
    assert len(shop.effects()) == 1
    (line,) = landed(tmp_path / "x.zst")
    assert (line["envelope"]["native_id"], line["envelope"]["status"]) == (ORDER, 200)


@pytest.mark.parametrize("shows", ["notes", "mode", "provider", "nothing"])
def test_after_a_crash_the_key_alone_finds_nothing_and_nothing_is_recorded_twice(
    shop: RunningSandbox, tmp_path: Path, shows: str
) -> None:
    shop.switches(ghl_recorded_payment_shows=shows)
    create(shop, cash("4000"))
    assert with_target(shop, lambda t: t.find("order_payment", KEY, "place", tmp_path / "x.zst")) == []
    if shows == "notes":
        create(shop, cash("4000"))
    else:
        with pytest.raises(errors.Rejected, match="a payment of this amount is there"):
            create(shop, cash("4000"))
    assert len(shop.effects()) == 1


def test_what_was_refused_leaves_no_claim_to_a_payment_that_comes_later(shop: RunningSandbox) -> None:
    shop.fault("status", system="ghl", method="POST", path=POST, status=422, body={"message": ["no"]}, times=1)

    async def use(target: GhlTarget) -> None:
        with pytest.raises(errors.Rejected):
            await target.create(cash("4000"))
        shop.put_state(ghl_state(orders=[unpaid()], transactions=[paid(1, 40, createdAt=YOUNG)]))
        with pytest.raises(errors.Rejected, match="a payment of this amount is there"):
            await target.create(cash("4000"))

    with_target(shop, use)


def test_when_the_answer_is_lost_and_reading_back_fails_too_nothing_is_found_and_nothing_sent_again(
    shop: RunningSandbox, tmp_path: Path
) -> None:
    shop.switches(ghl_recorded_payment_shows="provider")
    shop.fault("lost_reply", system="ghl", method="POST", path=POST, times=1)

    async def use(target: GhlTarget) -> list[str]:
        with pytest.raises(errors.OutcomeUnknown):
            await target.create(cash("2000"))
        shop.fault("status", system="ghl", method="GET", path="/payments/transactions", status=500)
        with pytest.raises(errors.Transient):
            await target.find("order_payment", KEY, "place", tmp_path / "x.zst")
        with pytest.raises(errors.Transient):
            await target.create(cash("2000"))
        shop.clear_faults()
        return await target.find("order_payment", KEY, "place", tmp_path / "y.zst")

    found = with_target(shop, use)
    _, (made,) = in_ghl(shop)
    assert found == [f"{ORDER}/{made['_id']}"]
    assert len(shop.effects()) == 1


def test_a_server_error_before_anything_was_recorded_is_unknown_and_sent_again_only_after_reading(
    shop: RunningSandbox, tmp_path: Path
) -> None:
    shop.fault("status", system="ghl", method="POST", path=POST, status=500, times=1)

    async def use(target: GhlTarget) -> list[str]:
        with pytest.raises(errors.OutcomeUnknown):
            await target.create(cash())
        return await target.find("order_payment", KEY, "place", tmp_path / "x.zst")

    assert with_target(shop, use) == []
    assert [request["method"] for request in shop.requests()].count("POST") == 1
    assert shop.effects() == []


def test_a_request_refused_for_its_rate_is_sent_again(shop: RunningSandbox) -> None:
    shop.fault("status", system="ghl", method="POST", path=POST, status=429, times=2)
    create(shop, cash())
    assert len(shop.effects()) == 1


def test_not_found_to_an_order_that_is_there_is_a_known_fault_and_says_so(shop: RunningSandbox) -> None:
    shop.switches(ghl_record_payment="not_found")
    with pytest.raises(errors.Rejected, match=r"(?s)known fault.*by hand.*retry --connection ghl"):
        create(shop, cash())
    assert shop.effects() == []


@pytest.mark.parametrize("not_found", [404, 400])
def test_an_order_that_ghl_does_not_have_is_not_found(shop: RunningSandbox, not_found: int) -> None:
    shop.put_state(ghl_state(orders=[]))
    shop.switches(ghl_not_found=not_found)
    with pytest.raises(errors.NotFound):
        create(shop, cash())


def test_a_bad_token_a_missing_scope_and_a_refused_row_say_what_to_do(shop: RunningSandbox) -> None:
    with pytest.raises(errors.Unauthorised):
        create(shop, cash(), token="pit-wrong")
    fault = shop.fault("no_scope", system="ghl", scope="payments/orders.collectPayment")
    with pytest.raises(errors.Rejected, match=r"(?s)payments/orders\.collectPayment.*retry --connection ghl"):
        create(shop, cash())
    shop.clear_faults()
    shop.fault("status", system="ghl", method="POST", path=POST, status=422, body={"message": ["amount wrong"]})
    with pytest.raises(errors.Rejected):
        create(shop, cash())
    shop.clear_faults()
    shop.fault("status", system="ghl", method="POST", path=POST, status=409, body={"message": "payment in progress"})
    with pytest.raises(errors.Conflict):
        create(shop, cash())
    assert shop.effects() == [], fault


def test_it_is_read_by_order_and_by_transaction(shop: RunningSandbox, tmp_path: Path) -> None:
    create(shop, cash("4000"))
    _, (made,) = in_ghl(shop)
    ids = [ORDER, f"{ORDER}/{made['_id']}", f"{ORDER}/other", "gone"]
    statuses = with_target(shop, lambda target: target.read_details("order_payment", ids, tmp_path / "x.zst"))
    assert statuses == dict(zip(ids, [200, 200, 404, 200], strict=True))
    lines = {line["envelope"]["native_id"]: line for line in landed(tmp_path / "x.zst")}
    assert [doc["_id"] for doc in lines[ORDER]["body"]["data"]] == [made["_id"]]
    assert lines["gone"]["body"]["data"] == []


def test_nothing_of_it_can_be_changed_or_listed(shop: RunningSandbox, tmp_path: Path) -> None:
    with pytest.raises(errors.Rejected, match="cannot change it"):
        with_target(shop, lambda target: target.update("x", cash(), ["amount"]))
    with pytest.raises(ValueError, match="cannot list"):
        with_target(shop, lambda target: target.read("order_payment", tmp_path / "x.zst"))


def served(
    answer: Callable[[Request], Reply], use: Callable[[GhlTarget], Awaitable[Result]]
) -> tuple[Result, list[Request]]:
    async def main() -> tuple[Result, list[Request]]:
        async with loopback(answer) as server:
            client = GhlClient(server.base_url, "place", SecretStr("pit-x"), unlimited(), retry=QUICK)
            target = GhlTarget(client, "ghl/place", record_cash=True)
            try:
                return await use(target), server.seen
            finally:
                await target.aclose()

    return asyncio.run(main())


def test_when_ghl_ignores_the_filter_for_an_order_nothing_is_sent() -> None:
    def answer(request: Request) -> Reply:
        if request.path.endswith("/transactions"):
            return json_reply({"data": [paid(1, 5, entityId="another")], "totalCount": 1})
        return json_reply(unpaid())

    async def use(target: GhlTarget) -> None:
        with pytest.raises(errors.Rejected, match="entityId"):
            await target.create(cash())

    _, seen = served(answer, use)
    assert {request.method for request in seen} == {"GET"}


def test_all_pages_of_an_orders_transactions_count() -> None:
    rows = [paid(number, 1) for number in range(1, 151)]

    def answer(request: Request) -> Reply:
        if request.path.endswith("/transactions"):
            offset = int(request.query["offset"])
            return json_reply({"data": rows[offset : offset + 100], "totalCount": len(rows)})
        return json_reply(unpaid(amount=150))

    async def use(target: GhlTarget) -> None:
        with pytest.raises(errors.Rejected, match="already paid"):
            await target.create(cash())

    served(answer, use)


def test_an_answer_that_does_not_say_success_leaves_the_outcome_unknown() -> None:
    def answer(request: Request) -> Reply:
        if request.method == "POST":
            return json_reply({"success": False})
        return json_reply({"data": [], "totalCount": 0} if request.path.endswith("/transactions") else unpaid())

    async def use(target: GhlTarget) -> None:
        with pytest.raises(errors.OutcomeUnknown):
            await target.create(cash())

    _, seen = served(answer, use)
    assert [request.method for request in seen].count("POST") == 1


@given(st.integers(1, 10**13), st.sampled_from(sorted(CURRENCY_EXPONENTS)), st.integers(0, 10**13))
def test_the_amount_on_the_wire_is_exact_in_every_currency(minor: int, currency: str, more: int) -> None:
    payment = payment_of(cash(str(minor), currency=currency))
    body = decode(encode(payment_body(payment, minor + more)))
    assert parse_major(str(body["amount"]), currency).minor == minor
    assert body["isPartialPayment"] is (more > 0)


@given(st.lists(st.tuples(st.integers(0, 12_000), st.sampled_from(["succeeded", "failed", "pending"])), max_size=5),
       st.integers(1, 12_000))  # fmt: skip
def test_never_more_than_is_due_is_recorded(payments: list[tuple[int, str]], minor: int) -> None:
    documents = [
        paid(number, Decimal(amount) / 100, status=status, createdAt=datetime(2026, 10, 1, tzinfo=UTC).isoformat())
        for number, (amount, status) in enumerate(payments)
    ]
    due = due_minor(payment_of(cash(str(minor))), unpaid(), documents)
    before = sum(amount for amount, status in payments if status == "succeeded")
    assert due == 10_000 - before if before + minor <= 10_000 else isinstance(due, str)
    assert recorded_as(payment_of(cash(str(minor))), documents) == []
