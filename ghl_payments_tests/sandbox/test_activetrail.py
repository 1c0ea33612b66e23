"""The sandboxed ActiveTrail by itself: token, windows, pages, upserts, orders without a list, and open questions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.running_sandbox import RunningSandbox, loopback_client

EVER = {"CustomerStates": "ALL", "FromDate": "2000-01-01", "ToDate": "2079-01-01"}
GROUP = "/api/groups/1/members"


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    running = sandbox()
    contacts = [
        {"id": n, "email": f"c{n}@example.com", "sms": f"+1555{n:04d}", "_created": "2020-01-01T00:00:00Z"}
        for n in range(1, 4)
    ]
    contacts.append({"id": 4, "email": "new@example.com", "_created": "2026-11-10T00:00:00Z"})
    groups = [{"id": 1, "name": "Ours"}]
    hold = {"contacts": contacts, "groups": groups, "members": [[1, 1], [1, 2], [1, 4]]}
    running.put_state(running.state() | {"activetrail": hold})
    return running


@pytest.fixture
def api(box: RunningSandbox) -> Iterator[httpx.Client]:
    system = box.ready["systems"]["activetrail"]
    with loopback_client(system["base_url"], {"Authorization": system["token"]}) as client:
        yield client


def held(box: RunningSandbox) -> dict[str, Any]:
    part: dict[str, Any] = box.state()["activetrail"]
    return part


def test_the_token_goes_bare(box: RunningSandbox) -> None:
    system = box.ready["systems"]["activetrail"]
    for header, status in ((system["token"], 200), (f"Bearer {system['token']}", 401), ("", 401)):
        with loopback_client(system["base_url"], {"Authorization": header} if header else None) as client:
            answer = client.get("/api/account/balance")
            assert answer.status_code == status
    assert answer.json() == {"Message": "APIKeyMissing"}


def test_lists_without_dates_show_three_months_only(api: httpx.Client) -> None:
    assert [doc["id"] for doc in api.get("/api/contacts").json()] == [4]
    assert api.get(GROUP).json()["count"] == 1
    assert [doc["id"] for doc in api.get("/api/contacts", params=EVER).json()] == [1, 2, 3, 4]
    answer = api.get("/API/GROUPS/1/members", params={name.lower(): value for name, value in EVER.items()}).json()
    assert (answer["count"], [doc["id"] for doc in answer["contacts"]]) == (3, [1, 2, 4])


@pytest.mark.parametrize("limit", [0, 101, "many"])
def test_a_limit_out_of_range_is_refused(api: httpx.Client, limit: object) -> None:
    assert api.get("/api/contacts", params=EVER | {"Limit": str(limit)}).status_code == 400


@pytest.mark.parametrize(
    ("switches", "first", "zeroth"),
    [
        ({}, [1, 2], [1, 2]),
        ({"activetrail_page_base": 0}, [3, 4], [1, 2]),
        ({"activetrail_page_zero": "error"}, [1, 2], None),
        ({"activetrail_page_cap": 1}, [1, 2], [1, 2]),
    ],
)
def test_pages_begin_where_the_account_says(
    box: RunningSandbox, api: httpx.Client, switches: dict[str, Any], first: list[int], zeroth: list[int] | None
) -> None:
    box.switches(**switches)

    def page(number: int) -> list[int] | None:
        answer = api.get("/api/contacts", params=EVER | {"Page": number, "Limit": 2})
        return [doc["id"] for doc in answer.json()] if answer.status_code == 200 else None

    assert (page(1), page(0)) == (first, zeroth)
    if "activetrail_page_cap" in switches:
        assert page(2) == []


def test_a_search_finds_parts_of_addresses(box: RunningSandbox, api: httpx.Client) -> None:
    assert [doc["id"] for doc in api.get("/api/contacts", params=EVER | {"SearchTerm": "C2@"}).json()] == [2]
    box.switches(activetrail_search="ignored")
    assert len(api.get("/api/contacts", params=EVER | {"SearchTerm": "C2@"}).json()) == 4


def test_posting_a_member_updates_by_address_or_creates(box: RunningSandbox, api: httpx.Client) -> None:
    updated = api.post(GROUP, json={"email": "C3@EXAMPLE.COM", "ext1": "x"}).json()
    assert (updated["id"], updated["ext1"], updated["sms"]) == (3, "x", "+15550003")
    created = api.post(GROUP, json={"sms": "+1 555 9999", "num1": 5, "unknown": 1}).json()
    assert (created["id"], created["num1"], created["state"]) == (5, 5, "Active")
    assert sorted(held(box)["members"])[-2:] == [[1, 4], [1, 5]]
    assert [(row["native_id"], row["record_type"]) for row in box.effects()] == [("3", "contact"), ("5", "contact")]


def test_addresses_of_two_contacts_need_a_merge(box: RunningSandbox, api: httpx.Client) -> None:
    before = held(box)
    answer = api.post(GROUP, json={"email": "c1@example.com", "sms": "+15550002"})
    assert (answer.status_code, answer.json()) == (409, {"Message": "ResolveMergeNeeded"})
    assert api.put("/api/contacts/1", json={"email": "c2@example.com"}).status_code == 409
    assert held(box) == before


@pytest.mark.parametrize("value", [1.5, "7", True, 2**31, -(2**31) - 1])
def test_a_number_field_takes_32_bit_integers_only(api: httpx.Client, value: object) -> None:
    assert api.post(GROUP, json={"email": "c1@example.com", "num1": value}).status_code == 400
    assert api.get("/api/contacts/1").json()["num1"] is None


@pytest.mark.parametrize(("switch", "sms"), [("partial", "+15550001"), ("replace", None)])
def test_a_put_of_a_contact_is_partial_or_not(box: RunningSandbox, api: httpx.Client, switch: str, sms: object) -> None:
    box.switches(activetrail_contact_put=switch)
    answer = api.put("/api/contacts/1", json={"email": "c1@example.com", "ext2": "y"})
    assert (answer.status_code, answer.content) == (200, b"")
    doc = api.get("/api/contacts/1").json()
    assert (doc["ext2"], doc["sms"], doc["id"]) == ("y", sms, 1)


def test_external_ids_are_given_once_and_found(box: RunningSandbox, api: httpx.Client) -> None:
    pair = {"customerId": 2, "externalId": "X", "externalName": "ghl"}
    assert api.post("/api/external/mapping", json=pair).status_code == 200
    assert api.post("/api/external/mapping", json=pair | {"customerId": 1}).status_code == 400
    assert api.post("/api/external/mapping", json=pair | {"externalId": "Y"}).status_code == 400
    assert api.get("/api/external/contact/X", params={"externalName": "ghl"}).json()["id"] == 2
    assert api.get("/api/external/contact/X", params={"externalName": "other"}).content == b""
    unmapped = api.get("/api/external/unmapped", params=EVER).json()
    assert [doc["id"] for doc in unmapped] == [1, 3, 4]
    box.switches(activetrail_external="attach")
    assert api.get("/api/external/contact/X").status_code == 404


def test_orders_bind_names_in_any_case_and_answer_in_one(api: httpx.Client) -> None:
    assert (
        api.post("/api/commerce/Order", json=[{"ORDERID": "o1", "totalamount": 10.5, "Ext1": "x"}]).status_code == 200
    )
    doc = api.get("/api/commerce/order/o1").json()
    assert (doc["orderId"], doc["totalAmount"], doc["ext1"], doc["email"]) == ("o1", 10.5, "x", None)


def test_orders_are_neither_listed_nor_deleted_nor_made_by_a_put(api: httpx.Client) -> None:
    api.post("/api/commerce/Order", json=[{"orderId": "o1"}])
    assert api.get("/api/commerce/Order").status_code == 405
    assert api.delete("/api/commerce/Order/o1").status_code == 405
    assert api.put("/api/commerce/Order/o2", json={}).status_code == 404
    assert api.post("/api/commerce/Order", json={"orderId": "o3"}).status_code == 400
    assert api.post("/api/commerce/Order", json=[{"orderId": "o3", "totalAmount": "1"}]).status_code == 400
    assert api.post("/api/commerce/Order", json=[{"orderId": "o3", "purchaseDate": "soon"}]).status_code == 400


def test_a_put_of_an_order_empties_what_it_does_not_send(box: RunningSandbox, api: httpx.Client) -> None:
    api.post("/api/commerce/Order", json=[{"orderId": "o1", "totalAmount": 5, "ext1": "x"}])
    box.switches(activetrail_write_answer="no_content")
    assert api.put("/api/commerce/Order/o1", json={"totalamount": 6}).status_code == 204
    doc = api.get("/api/commerce/Order/o1").json()
    assert (doc["totalAmount"], doc["ext1"]) == (6, None)


@pytest.mark.parametrize(("switch", "status", "total"), [("overwrite", 200, 2), ("error", 400, 1)])
def test_a_second_post_of_an_order_does_as_the_account_does(
    box: RunningSandbox, api: httpx.Client, switch: str, status: int, total: int
) -> None:
    box.switches(activetrail_duplicate_order=switch)
    api.post("/api/commerce/Order", json=[{"orderId": "o1", "totalAmount": 1}])
    assert api.post("/api/commerce/Order", json=[{"orderId": "o1", "totalAmount": 2}]).status_code == status
    assert api.get("/api/commerce/Order/o1").json()["totalAmount"] == total


def test_an_unknown_order_is_a_404_or_nothing(box: RunningSandbox, api: httpx.Client) -> None:
    assert api.get("/api/commerce/Order/none").status_code == 404
    box.switches(activetrail_unknown_order="empty")
    answer = api.get("/api/commerce/Order/none")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(("switch", "status"), [("missing", 404), ("forbidden", 403)])
def test_an_account_may_have_no_commerce_area(box: RunningSandbox, api: httpx.Client, switch: str, status: int) -> None:
    box.switches(activetrail_commerce=switch)
    assert api.get("/api/commerce/schema").status_code == status
    assert api.post("/api/commerce/Order", json=[{"orderId": "o1"}]).status_code == status


def test_more_than_the_window_allows_is_a_429(sandbox: SandboxFactory) -> None:
    box = sandbox(limits="vendor")
    system = box.ready["systems"]["activetrail"]
    with loopback_client(system["base_url"], {"Authorization": system["token"]}) as client:
        statuses = [client.get("/api/account/balance").status_code for _ in range(21)]
    assert statuses == [200] * 20 + [429]


def test_a_reset_takes_back_every_write_and_ids_repeat(sandbox: SandboxFactory) -> None:
    box = sandbox(orders=60)
    before = held(box)
    system = box.ready["systems"]["activetrail"]
    with loopback_client(system["base_url"], {"Authorization": system["token"]}) as client:
        made = [_one_of_each(client) for _ in range(2) if box.reset() is None]
    assert made[0] == made[1]
    box.reset()
    assert held(box) == before


def _one_of_each(client: httpx.Client) -> tuple[Any, Any]:
    group = client.post("/api/groups", json={"name": "Another"}).json()
    contact = client.post(f"/api/groups/{group['id']}/members", json={"email": "x@example.com"}).json()
    client.post("/api/commerce/Order", json=[{"orderId": "o1"}])
    client.post("/api/external/mapping", json={"customerId": contact["id"], "externalId": "x", "externalName": "y"})
    return group["id"], contact["id"]
