"""The sandboxed GHL answers as the payments contract says."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import ghl_state, order, transaction

ORDERS = "/payments/orders"
TRANSACTIONS = "/payments/transactions"


def get(box: RunningSandbox, path: str, **query: Any) -> httpx.Response:
    """One request of the first location, with its altId and altType unless they are None."""
    asked = {"altId": box.location_id(), "altType": "location"} | query
    with box.ghl() as client:
        return client.get(path, params={name: value for name, value in asked.items() if value is not None})


def ids(answer: httpx.Response) -> list[str]:
    """The ids of a page, shortened to their last hexadecimal digits."""
    return [row["_id"].lstrip("a0") for row in answer.json()["data"]]


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    """Five orders over the turn of a month, two of them at the same instant, and their transactions."""
    running = sandbox()
    moments = (
        "2026-09-30T23:59:59.999Z",
        "2026-10-01T00:00:00.000Z",
        "2026-10-15T10:00:00.000Z",
        "2026-10-15T10:00:00.000Z",
        "2026-10-31T23:30:00.000Z",
    )
    orders = [order(n, moment) for n, moment in enumerate(moments, 1)]
    orders[1] |= {"paymentStatus": "unpaid", "status": "pending", "liveMode": False}
    running.put_state(
        ghl_state(
            orders=orders,
            transactions=[transaction(n, m) for n, m in enumerate(moments, 1)],
            fulfillments={orders[0]["_id"]: [{"_id": "f1", "items": []}]},
        )
    )
    return running


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        (ORDERS, {"altId": None}, "altId"),
        (ORDERS, {"limit": "ten"}, "limit"),
        (ORDERS, {"offset": "-1"}, "offset"),
        (ORDERS, {"paymentStatus": "settled"}, "paymentStatus"),
        (ORDERS, {"startAt": "yesterday"}, "startAt"),
        (TRANSACTIONS, {"altType": None}, "altType"),
        (TRANSACTIONS, {"altType": "company"}, "altType"),
    ],
)
def test_a_bad_parameter_is_422_with_an_array_that_names_it(
    box: RunningSandbox, path: str, query: dict[str, str | None], named: str
) -> None:
    answer = get(box, path, **query)
    assert answer.status_code == 422
    assert any(named in message for message in answer.json()["message"])


def test_orders_need_no_alt_type_and_a_trailing_slash_is_fine(box: RunningSandbox) -> None:
    assert get(box, f"{ORDERS}/", altType=None).json()["totalCount"] == 5


def test_pages_are_newest_first_by_creation_then_id(box: RunningSandbox) -> None:
    assert ids(get(box, ORDERS)) == ["5", "4", "3", "2", "1"]
    assert ids(get(box, ORDERS, limit=2, offset=1)) == ["4", "3"]
    beyond = get(box, ORDERS, limit=2, offset=9).json()
    assert beyond == {"data": [], "totalCount": 5}


def test_default_limit_is_10_and_the_cap_100(sandbox: SandboxFactory) -> None:
    box = sandbox()
    box.put_state(ghl_state(orders=[order(n, "2026-10-01T00:00:00.000Z") for n in range(1, 121)]))
    assert len(get(box, ORDERS).json()["data"]) == 10
    assert len(get(box, ORDERS, limit=500).json()["data"]) == 100


@pytest.mark.parametrize(
    ("window", "found"),
    [
        ({"startAt": "2026-10-01T00:00:00.000Z", "endAt": "2026-10-31T23:59:59.999Z"}, ["5", "4", "3", "2"]),
        ({"startAt": "2026-10-01", "endAt": "2026-10-31"}, ["5", "4", "3", "2"]),
        ({"endAt": "2026-09-30T23:59:59.999Z"}, ["1"]),
        ({"startAt": "2026-10-15T10:00:00.001Z"}, ["5"]),
        ({"startAt": "2027-01-01"}, []),
    ],
)
def test_date_filters_include_both_ends_and_the_whole_day_of_a_bare_end(
    box: RunningSandbox, window: dict[str, str], found: list[str]
) -> None:
    answer = get(box, ORDERS, **window)
    assert ids(answer) == found
    assert answer.json()["totalCount"] == len(found)


@pytest.mark.parametrize(
    ("switch", "window", "found"),
    [
        ("date_only_exclusive", {"startAt": "2026-10-01", "endAt": "2026-10-31"}, ["4", "3", "2"]),
        ("date_only_exclusive", {"startAt": "2026-10-01", "endAt": "2026-10-31T23:59:59.999Z"}, ["5", "4", "3", "2"]),
        ("wider", {"startAt": "2026-10-01", "endAt": "2026-10-31"}, ["5", "4", "3", "2", "1"]),
        ("narrower", {"startAt": "2026-10-01T00:00:00.000Z", "endAt": "2026-10-31T23:59:59.999Z"}, ["4", "3", "2"]),
    ],
)
def test_the_date_filter_can_be_switched_to_other_readings(
    box: RunningSandbox, switch: str, window: dict[str, str], found: list[str]
) -> None:
    box.switches(ghl_date_filter=switch)
    assert ids(get(box, ORDERS, **window)) == found


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        (ORDERS, {"paymentStatus": "unpaid"}, ["2"]),
        (ORDERS, {"status": "completed", "startAt": "2026-10-01"}, ["5", "4", "3"]),
        (ORDERS, {"paymentMode": "test"}, ["2"]),
        (ORDERS, {"contactId": "contact0000000000003"}, ["3"]),
        (ORDERS, {"search": "contact 0004"}, ["4"]),
        (ORDERS, {"sourceId": "elsewhere"}, []),
        (TRANSACTIONS, {"entityId": f"{3:024x}"}, ["3"]),
        (TRANSACTIONS, {"entityId": f"{3:024x}", "paymentMode": "test"}, []),
        (TRANSACTIONS, {"status": "failed"}, ["5", "4", "3", "2", "1"]),
    ],
)
def test_filters_select_and_unknown_parameters_are_ignored(
    box: RunningSandbox, path: str, query: dict[str, str], found: list[str]
) -> None:
    assert ids(get(box, path, **query)) == found


def test_an_orders_list_row_is_flat_and_its_detail_nested(box: RunningSandbox) -> None:
    row = get(box, ORDERS, offset=4).json()["data"][0]
    assert row["contactName"] == "Contact 0001"
    assert (row["subtotal"], row["discount"], row["couponCode"]) == (110, 10, "TENOFF")
    assert (row["sourceType"], row["sourceSubType"], row["totalProducts"]) == ("funnel", "one_step_order_form", 1)
    assert not {"items", "amountSummary", "source", "contactSnapshot", "traceId"} & row.keys()
    detail = get(box, f"{ORDERS}/{row['_id']}").json()
    assert detail["items"][0]["name"] == "Sample"
    assert "contactName" not in detail


def test_a_transactions_mark_as_test_stands_only_in_its_detail(box: RunningSandbox) -> None:
    row = get(box, TRANSACTIONS, limit=1).json()["data"][0]
    assert (row["entitySourceType"], row["paymentProviderType"]) == ("funnel", "stripe")
    assert row["paymentProviderConnectedAccount"] == "account1"
    assert "markAsTest" not in row
    assert get(box, f"{TRANSACTIONS}/{row['_id']}").json()["markAsTest"] is False


def test_private_list_facts_show_in_lists_and_never_in_details(sandbox: SandboxFactory) -> None:
    box = sandbox()
    charge = transaction(1, "2026-10-01T00:00:00.000Z", _list={"paymentMethod": {"card": {"brand": "visa"}}})
    box.put_state(ghl_state(transactions=[charge]))
    assert get(box, TRANSACTIONS).json()["data"][0]["paymentMethod"] == {"card": {"brand": "visa"}}
    assert "_list" not in get(box, f"{TRANSACTIONS}/{charge['_id']}").json()
    assert box.state()["ghl"]["locations"][0]["transactions"][0]["_list"] == charge["_list"]


def test_amounts_keep_their_digits(sandbox: SandboxFactory) -> None:
    box = sandbox()
    box.put_state({"ghl": {"locations": [{"transactions": []}]}})
    raw = b'{"ghl":{"locations":[{"transactions":[{"_id":"t1","amount":0.12345,"createdAt":"2026-10-01"}]}]}}'
    box.http.put("/_sandbox/state", content=raw).raise_for_status()
    assert b'"amount":0.12345' in get(box, TRANSACTIONS).content
    assert b'"amount":0.12345' in get(box, f"{TRANSACTIONS}/t1").content


@pytest.mark.parametrize(
    ("path", "name"), [(ORDERS, "Order"), (TRANSACTIONS, "Transaction"), ("/payments/subscriptions", "Subscription")]
)
def test_an_unknown_id_is_404_in_the_payments_services_own_shape(box: RunningSandbox, path: str, name: str) -> None:
    body = get(box, f"{path}/nowhere").json()
    assert (body["status"], body["message"], body["name"]) == (404, f"{name} not found", "HttpException")
    box.switches(ghl_not_found=400)
    answer = get(box, f"{path}/nowhere")
    assert (answer.status_code, answer.json()) == (400, {"statusCode": 400, "message": f"{name} not found"})


def test_details_come_in_the_shape_that_is_switched_on(box: RunningSandbox) -> None:
    path = f"{ORDERS}/{1:024x}"
    plain = get(box, path).json()
    box.switches(ghl_detail_shape="array")
    assert get(box, path).json() == [plain]
    box.switches(ghl_detail_shape="data")
    assert get(box, path).json() == {"data": plain}


def test_fulfillments_are_a_list_in_an_envelope_and_404_without_their_order(box: RunningSandbox) -> None:
    assert get(box, f"{ORDERS}/{1:024x}/fulfillments").json()["data"][0]["_id"] == "f1"
    assert get(box, f"{ORDERS}/{2:024x}/fulfillments").json() == {"status": True, "data": []}
    assert get(box, f"{ORDERS}/nowhere/fulfillments").status_code == 404
    assert get(box, f"{ORDERS}/{1:024x}/fulfillments", altType=None).status_code == 422


def test_providers_are_answered_as_a_list(sandbox: SandboxFactory) -> None:
    box = sandbox()
    box.put_state(ghl_state(providers=[{"_id": "p1", "route": "pay-here"}]))
    answer = get(box, "/payments/integrations/provider/whitelabel")
    assert answer.json() == {"providers": [{"_id": "p1", "route": "pay-here"}]}


def test_rows_without_a_readable_date_are_listed_but_in_no_window(sandbox: SandboxFactory) -> None:
    box = sandbox()
    nameless = order(2, "2026-10-01T00:00:00.000Z")
    del nameless["_id"]
    box.put_state(ghl_state(orders=[order(1, "not a date"), nameless, order(3, "2026-10-02T00:00:00.000Z")]))
    assert get(box, ORDERS).json()["totalCount"] == 3
    assert get(box, ORDERS, startAt="1990-01-01").json()["totalCount"] == 2
    assert get(box, ORDERS, endAt="2100-01-01").json()["totalCount"] == 2


def test_an_unknown_path_cannot_be_got(box: RunningSandbox) -> None:
    answer = get(box, "/payments/refunds")
    assert (answer.status_code, answer.json()["message"]) == (404, "Cannot GET /payments/refunds")
