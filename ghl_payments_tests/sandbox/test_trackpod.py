"""The sandboxed Track-POD by itself: key, paths, types, writes, removed orders, cursors, windows, acts, webhooks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from ghl_payments.sandbox.limits import Rate, SlidingWindow
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.loopback import Reply, loopback
from ghl_payments_tests.running_sandbox import RunningSandbox, loopback_client

ORDER: dict[str, Any] = {
    "Number": "GHL-1", "Id": "1", "Client": "Contact 0001", "Address": "1 Sample Street", "COD": 12.5,
    "CustomerReferenceId": "place1", "Note": "Ring twice",
    "GoodsList": [{"GoodsId": "p1", "Quantity": 2, "Cost": 5}, {"GoodsId": "p2", "Quantity": 1, "Cost": 2.5}],
}  # fmt: skip


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    return sandbox()


def client_of(box: RunningSandbox, **headers: str) -> httpx.Client:
    system = box.ready["systems"]["trackpod"]
    usual = {"X-API-KEY": system["api_key"], "Accept": "application/json"}
    return loopback_client(system["base_url"], usual | headers)


@pytest.fixture
def api(box: RunningSandbox) -> Iterator[httpx.Client]:
    with client_of(box) as client:
        yield client


def act(box: RunningSandbox, action: str, **body: Any) -> dict[str, Any]:
    doc: dict[str, Any] = box.control("POST", f"/trackpod/{action}", {"id": "1"} | body)
    return doc


def read(api: httpx.Client, key: str = "1") -> dict[str, Any]:
    doc: dict[str, Any] = api.get(f"/Order/Id/{key}").raise_for_status().json()
    return doc


def test_every_call_needs_the_key_and_a_test_call_answers_by_what_is_accepted(box: RunningSandbox) -> None:
    for headers, status, text in (
        ({}, 200, '"ok"'), ({"Accept": "*/*"}, 200, "ok"), ({"X-API-KEY": "wrong"}, 401, ""),
        ({"Accept": "application/xml"}, 406, ""),
    ):  # fmt: skip
        with client_of(box, **headers) as client:
            answer = client.get("/Test")
            assert answer.status_code == status
            assert not text or answer.text == text


def test_paths_are_found_in_any_case_and_other_methods_are_refused_with_those_there_are(api: httpx.Client) -> None:
    assert api.post("/order", json=ORDER).status_code == 201
    for path in ("/Order/Id/1", "/order/id/1", "/ORDER/NUMBER/GHL-1", "/order/number/GHL-1/list", "/order/id/1/"):
        assert api.get(path).status_code == 200
    assert (api.head("/Order/Id/1").status_code, api.head("/Order/Id/1").headers["allow"]) == (405, "DELETE, GET")
    assert api.patch("/Order", json=ORDER).headers["allow"] == "POST, PUT"
    assert api.get("/Invoice").status_code == 404


def test_bodies_are_json_and_say_so(api: httpx.Client) -> None:
    assert api.post("/Order", content=b"{}").status_code == 415
    assert api.post("/Order", content=b"<a/>", headers={"Content-Type": "application/xml"}).status_code == 415
    typed = {"Content-Type": "application/json; charset=utf-8"}
    assert api.post("/Order", content=b"{", headers=typed).status_code == 400
    assert api.post("/Order", content=b"[]", headers=typed).status_code == 400


def test_a_new_order_is_answered_without_its_track_id_and_read_with_all_fields(
    box: RunningSandbox, api: httpx.Client
) -> None:
    answer = api.post("/Order", json=ORDER)
    assert answer.json() == {"Status": 201, "Title": "Created", "Detail": "Order was created"}
    assert answer.headers["location"].endswith("/trackpod/Order/Id/1")
    doc = read(api)
    assert (doc["Type"], doc["COD"], doc["CODActual"], doc["StatusId"]) == (0, 12.5, None, None)
    assert (doc["CreateSource"], doc["Date"]) == ("WebApi", "2026-11-16T00:00:00")
    assert "RouteStatus" not in doc
    assert not doc["CreateDateUtc"].endswith("Z")
    assert [line["QuantityFact"] for line in doc["GoodsList"]] == [None, None]
    (effect,) = box.effects()
    assert (effect["record_type"], effect["key"], effect["native_id"]) == ("order", "ghl:order:1", doc["TrackId"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"Client": None}, {"Address": " "}, {"Number": "1" * 51}, {"Type": 2}, {"Date": "16.11."}, {"COD": "12"},
        {"Note": "n" * 501}, {"GoodsList": [{"Quantity": "2"}]}, {"GoodsList": {}}, {"Phone": 5}, {"Email": "e" * 256},
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_taken_says_why_and_leaves_nothing(
    box: RunningSandbox, api: httpx.Client, wrong: dict[str, Any]
) -> None:
    answer = api.post("/Order", json=ORDER | wrong)
    assert (answer.status_code, sorted(answer.json())) == (400, ["Detail", "Status", "Title"])
    assert (box.effects(), box.state()["trackpod"]["Order"]) == ([], [])


def test_sending_an_order_twice_makes_two_and_the_most_recent_one_is_meant(api: httpx.Client) -> None:
    for client in ("First", "Second"):
        api.post("/Order", json=ORDER | {"Client": client})
    assert read(api)["Client"] == "Second"
    assert [doc["Client"] for doc in api.get("/Order/Number/GHL-1/List").json()] == ["Second", "First"]
    assert api.put("/Order", json=ORDER | {"Client": "Third"}).status_code == 202
    first, second = reversed(api.get("/Order/Number/GHL-1/List").json())
    assert (first["Client"], second["Client"]) == ("First", "Third")
    assert api.put(f"/Order/TrackId/{first['TrackId']}", json=ORDER | {"Client": "Fourth"}).status_code == 202
    assert api.get(f"/Order/TrackId/{first['TrackId']}").json()["Client"] == "Fourth"
    assert read(api)["Client"] == "Third"


def test_no_more_than_the_last_25_orders_of_a_number_are_listed(api: httpx.Client) -> None:
    rows = [ORDER | {"Id": str(n)} for n in range(30)]
    answer = api.post("/Order/Bulk", json=rows).json()
    assert answer[0] == {"Number": "GHL-1", "Id": "0", "Error": None}
    assert [doc["Id"] for doc in api.get("/Order/Number/GHL-1/List").json()] == [str(n) for n in range(29, 4, -1)]


def test_bulk_takes_what_is_right_and_says_of_each_other_why_not(box: RunningSandbox, api: httpx.Client) -> None:
    rows = [ORDER, ORDER | {"Id": "2", "Address": ""}, 7]
    answer = api.post("/Order/Bulk", json=rows).json()
    assert [bool(row["Error"]) for row in answer] == [False, True, True]
    assert [effect["native_id"] for effect in box.effects()] == [read(api)["TrackId"]]
    for rows in ([], [ORDER] * 501):
        assert api.post("/Order/Bulk", json=rows).status_code == 400
    box.switches(trackpod_bulk_status=201)
    answer = api.post("/Order/Bulk", json=[ORDER | {"Id": "3"}])
    assert (answer.status_code, answer.content) == (201, b"")


@pytest.mark.parametrize(("switch", "note"), [("replace", None), ("merge", "Ring twice")])
def test_an_update_replaces_or_merges_as_the_account_does(
    box: RunningSandbox, api: httpx.Client, switch: str, note: str | None
) -> None:
    box.switches(trackpod_put=switch)
    api.post("/Order", json=ORDER)
    before = read(api)
    needed = {name: ORDER[name] for name in ("Id", "Client", "Address")}
    assert api.put("/Order", json=needed | {"COD": 3}).status_code == 202
    after = read(api)
    assert (after["COD"], after["Note"], after["Date"]) == (3, note, before["Date"])
    assert after["TrackId"] == before["TrackId"]
    assert after["ChangeDate"] > before["ChangeDate"]


def test_the_address_of_a_routed_order_stays_or_is_refused(box: RunningSandbox, api: httpx.Client) -> None:
    api.post("/Order", json=ORDER)
    act(box, "route", date="2026-11-18")
    moved = ORDER | {"Address": "2 Other Street", "COD": 1}
    assert api.put("/Order", json=moved).status_code == 202
    assert (read(api)["Address"], read(api)["COD"]) == ("1 Sample Street", 1)
    box.switches(trackpod_frozen_address="refused")
    assert api.put("/Order", json=moved).status_code == 400


def test_a_processed_order_is_changed_by_force_only(box: RunningSandbox, api: httpx.Client) -> None:
    api.post("/Order", json=ORDER)
    act(box, "start")
    assert api.put("/Order", json=ORDER).status_code == 202
    box.switches(trackpod_in_progress="processed")
    assert api.put("/Order", json=ORDER).status_code == 405
    act(box, "deliver", cash="12.5")
    track_id = read(api)["TrackId"]
    assert api.put("/Order?forceUpdate=false", json=ORDER).status_code == 405
    assert api.put(f"/Order/TrackId/{track_id}?forceUpdate=true", json=ORDER).status_code == 405
    assert api.put("/Order?forceUpdate=true", json=ORDER | {"COD": 9}).status_code == 202
    assert (read(api)["COD"], read(api)["StatusId"], read(api)["CODActual"]) == (9, 3, "12.50")


def test_a_removed_order_is_gone_and_stays_known(box: RunningSandbox, api: httpx.Client) -> None:
    api.post("/Order", json=ORDER)
    track_id = read(api)["TrackId"]
    assert api.delete("/Order/Id/1").json()["Status"] == 200
    for answer in (
        api.get("/Order/Id/1"), api.get("/Order/Number/GHL-1"), api.get("/Order/Number/GHL-1/List"),
        api.put("/Order", json=ORDER),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()["Order"]["Id"], answer.json()["Title"]) == (410, "1", "Gone")
        assert answer.json()["Order"]["DeletedBy"]
    assert api.get(f"/Order/TrackId/{track_id}").status_code == 404
    assert api.delete("/Order/Id/1").status_code == 404
    assert api.put(f"/Order/TrackId/{track_id}", json=ORDER).status_code == 404
    api.post("/Order", json=ORDER)
    assert read(api)["TrackId"] != track_id
    assert [effect["method"] for effect in box.effects()] == ["POST", "DELETE", "POST"]


def test_what_never_was_is_not_found_and_what_has_a_status_is_not_removed(
    box: RunningSandbox, api: httpx.Client
) -> None:
    assert api.get("/Order/Id/1").status_code == 404
    assert api.put("/Order", json=ORDER).status_code == 404
    assert api.get("/Order/Number/GHL-1/List").json() == []
    assert api.get("/Order/TrackId/1").status_code == 400
    api.post("/Order", json=ORDER)
    act(box, "reject")
    assert api.delete("/Order/Number/GHL-1").status_code == 400


def test_orders_are_listed_by_their_day_and_by_the_day_of_their_route(box: RunningSandbox, api: httpx.Client) -> None:
    api.post("/Order", json=ORDER | {"Date": "2026-11-16"})
    act(box, "route", date="2026-11-18")
    assert [doc["Id"] for doc in api.get("/Order/Date/2026-11-16").json()] == ["1"]
    assert [doc["Id"] for doc in api.get("/Order/Date/2026-11-16T09:00:00").json()] == ["1"]
    assert api.get("/Order/Date/2026-11-18").json() == []
    assert [doc["Id"] for doc in api.get("/Order/Route/Date/2026-11-18").json()] == ["1"]
    assert [doc["Id"] for doc in api.get("/Order/Route/Code/R20261118").json()] == ["1"]
    assert api.get("/Order/Date/tomorrow").status_code == 400


def test_changes_of_status_are_listed_for_a_day_and_no_longer(box: RunningSandbox, api: httpx.Client) -> None:
    for n in "12":
        api.post("/Order", json=ORDER | {"Id": n})
    act(box, "deliver")
    for text in ("2026-11-16T10:00:00", "2026-11-16%2010:00:00", "2026-11-15T12:00:00"):
        assert [doc["Id"] for doc in api.get(f"/Order/Status/Date/{text}").json()] == ["1"]
    assert api.get("/Order/Status/Date/2026-11-16T13:00:00").json() == []
    assert api.get("/Order/Status/Date/2026-11-15T11:59:59").status_code == 400
    box.switches(trackpod_old_cursor="clamp")
    assert [doc["Id"] for doc in api.get("/Order/Status/Date/2026-01-01").json()] == ["1"]


def test_drivers_hand_over_whole_or_in_part_and_collect_cash_as_text(box: RunningSandbox, api: httpx.Client) -> None:
    api.post("/Order", json=ORDER)
    done = act(box, "partial", quantities={"p1": 1, "p2": 0}, cash="7.5", at="2026-11-16T09:30:00")
    assert (done["StatusId"], done["CODActual"], done["StatusDate"]) == (4, "7.50", "2026-11-16T09:30:00")
    assert [line["QuantityFact"] for line in done["GoodsList"]] == [1, 0]
    assert act(box, "collect", amount="12")["CODActual"] == "12.00"
    again = act(box, "reschedule")
    assert (again["StatusId"], again["RescheduledTimes"], again["RouteNumber"], again["CODActual"]) == (
        None,
        1,
        None,
        None,
    )
    assert act(box, "deliver")["StatusId"] == 3
    assert act(box, "reject", reason=1)["StatusId"] == 2
    assert act(box, "remove")["Id"] == "1"
    assert api.get("/Order/Id/1").json()["Order"]["DeletedBy"] == "dispatcher"
    assert [effect["method"] for effect in box.effects()] == ["POST"]
    for path in ("/trackpod/dance", "/trackpod/deliver"):
        assert box.http.post(f"/_sandbox{path}", json={"id": "nobody"}).status_code == 400


def test_complete_and_reject_need_a_route_and_work_once(box: RunningSandbox, api: httpx.Client) -> None:
    api.post("/Order", json=ORDER)
    assert api.put("/Order/Id/1/Complete", json={}).status_code == 400
    act(box, "route")
    body = {"CODActual": 12.5, "GoodsList": [{"GoodsId": "p1", "QuantityFact": 1}], "StatusDate": "2026-11-16T10:00:00"}
    assert api.put("/Order/Number/GHL-1/Complete", json=body).status_code == 200
    doc = read(api)
    assert (doc["StatusId"], doc["CODActual"], doc["StatusDate"]) == (4, "12.50", "2026-11-16T10:00:00")
    assert [line["QuantityFact"] for line in doc["GoodsList"]] == [1, 1]
    assert api.put(f"/Order/TrackId/{doc['TrackId']}/Reject", json={}).status_code == 400


def test_a_restricted_key_is_refused_methods_and_does_not_see_other_shippers(
    box: RunningSandbox, api: httpx.Client
) -> None:
    for n, shipper in (("1", "a"), ("2", "b")):
        api.post("/Order", json=ORDER | {"Id": n, "ShipperId": shipper})
    box.switches(trackpod_key_methods=["GET"])
    assert api.delete("/Order/Id/1").status_code == 403
    box.switches(trackpod_key_refusal=401)
    assert api.post("/Order", json=ORDER).status_code == 401
    box.switches(trackpod_key_shipper="b")
    assert [api.get(f"/Order/Id/{n}").status_code for n in "12"] == [404, 200]
    assert [doc["Id"] for doc in api.get("/Order/Date/2026-11-16").json()] == ["2"]


def test_unknown_fields_and_the_status_of_unscheduled_orders_are_as_the_account_has_them(
    box: RunningSandbox, api: httpx.Client
) -> None:
    assert api.post("/Order", json=ORDER | {"Colour": "red"}).status_code == 201
    box.switches(trackpod_unknown_fields="refused", trackpod_unscheduled_status="zero")
    assert api.post("/Order", json=ORDER | {"Colour": "red"}).status_code == 400
    api.post("/Order", json=ORDER)
    assert read(api)["StatusId"] == 0


def test_more_than_twenty_requests_a_second_are_refused_with_the_headers_that_say_so(sandbox: SandboxFactory) -> None:
    with client_of(sandbox(limits="vendor")) as client:
        answers = [client.get("/Test") for _ in range(21)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429]
        assert [int(answer.headers["x-rate-limit-remaining"]) for answer in answers[:3]] == [399, 398, 397]
        assert answers[-1].headers["retry-after"] == "1"
        assert answers[-1].headers["x-rate-limit-reset"].endswith("Z")
        time.sleep(1.05)
        assert client.get("/Test").status_code == 200


def test_both_windows_hold_and_what_was_refused_does_not_count() -> None:
    window = SlidingWindow(Rate(5, 60, burst=(3, 1)))
    assert [window.admit() for _ in range(5)] == [True] * 3 + [False] * 2
    assert 0 < window.wait() <= 1
    time.sleep(window.wait())
    assert [window.admit() for _ in range(3)] == [True, True, False]
    assert window.left() == 0
    assert 55 < window.wait() <= 60


@pytest.mark.parametrize("fault", ["status", "lost_reply", "status_after_commit"])
def test_faults_strike_track_pod_as_they_strike_the_others(box: RunningSandbox, api: httpx.Client, fault: str) -> None:
    box.fault(fault, status=500, system="trackpod", method="POST", times=1)
    try:
        assert api.post("/Order", json=ORDER).status_code == 500
    except httpx.RemoteProtocolError:
        assert fault == "lost_reply"
    assert api.get("/Order/Id/1").status_code == (404 if fault == "status" else 200)


def test_an_empty_list_and_a_stale_read_can_be_had(box: RunningSandbox, api: httpx.Client) -> None:
    api.post("/Order", json=ORDER)
    box.fault("empty_list", system="trackpod", times=1)
    assert [len(api.get("/Order/Date/2026-11-16").json()) for _ in range(2)] == [0, 1]
    box.fault("stale_reads", seconds=60, system="trackpod", times=1)
    assert [api.get("/Order/Id/1").status_code for _ in range(2)] == [404, 200]


def test_reset_takes_back_what_clients_and_people_did_and_ids_begin_again(
    box: RunningSandbox, api: httpx.Client
) -> None:
    ids = []
    for _ in range(2):
        api.post("/Order", json=ORDER)
        ids.append(read(api)["TrackId"])
        act(box, "remove")
        box.reset()
        assert box.state()["trackpod"] == {"Order": [], "Removed": []}
    assert ids[0] == ids[1]


def test_what_happens_to_orders_is_told_doubled_and_again_after_a_refusal(
    box: RunningSandbox, api: httpx.Client
) -> None:
    taken: list[dict[str, Any]] = []

    async def watch() -> int:
        async with loopback(lambda request: Reply(status=503 if len(hooks.seen) == 1 else 200)) as hooks:
            url = f"{hooks.base_url}/hooks/secret"
            box.control("PUT", "/webhooks", {"system": "trackpod", "url": url, "copies": 2, "reverse": True})
            for do in (lambda: api.post("/Order", json=ORDER), lambda: act(box, "deliver"), lambda: act(box, "remove")):
                await asyncio.to_thread(do)
            for _ in range(100):
                if len(hooks.seen) == 7:
                    break
                await asyncio.sleep(0.1)
            taken.extend(msgspec.json.decode(request.body) for request in hooks.seen[1:])
            assert all(request.path == "/hooks/secret" for request in hooks.seen)
            return len(hooks.seen)

    assert asyncio.run(watch()) == 7
    told = {message["Metadata"]["Event"]: message["Data"] for message in taken}
    events = [message["Metadata"]["Event"] for message in taken]
    assert sorted(events) == ["OrderCreated"] * 2 + ["OrderDeleted"] * 2 + ["OrderUpdated"] * 2
    assert (told["OrderUpdated"]["Id"], told["OrderUpdated"]["StatusId"]) == ("1", 3)
    assert told["OrderDeleted"]["DeletedBy"] == "dispatcher"
