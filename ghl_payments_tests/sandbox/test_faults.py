"""Programmable faults strike the requests they are meant for, as often as they are meant to, and do what they say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import ghl_state, halo_state, order

ORDERS = "/payments/orders"


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    """Nine orders in GHL, a client in Halo."""
    running = sandbox()
    orders = [order(n, f"2026-10-0{n}T00:00:00.000Z") for n in range(1, 10)]
    running.put_state(ghl_state(orders=orders) | halo_state())
    return running


@pytest.fixture
def halo(box: RunningSandbox) -> Iterator[httpx.Client]:
    """Signed in to Halo."""
    with box.halo() as client:
        yield client


@pytest.fixture
def ghl(box: RunningSandbox) -> Iterator[httpx.Client]:
    """With the first location's token and ids."""
    with box.ghl() as client:
        client.params = httpx.QueryParams({"altId": box.location_id(), "altType": "location"})
        yield client


def clients(halo: httpx.Client) -> int:
    """How many clients Halo has."""
    count: int = halo.get("/api/Client").json()["record_count"]
    return count


def test_a_status_strikes_before_anything_is_written(box: RunningSandbox, halo: httpx.Client) -> None:
    box.fault(
        "status",
        status=503,
        system="halo",
        method="POST",
        path="/api/client",
        times=2,
        body={"error": "busy"},
        headers={"Retry-After": "7"},
    )
    refused = [halo.post("/api/Client", json=[{"name": "New"}]) for _ in range(3)]
    assert [answer.status_code for answer in refused] == [503, 503, 201]
    assert (refused[0].json(), refused[0].headers["Retry-After"]) == ({"error": "busy"}, "7")
    assert clients(halo) == 2
    assert [fault["remaining"] for fault in box.control("GET", "/faults")] == [0]


def test_a_status_after_commit_hides_a_write_that_was_done(box: RunningSandbox, halo: httpx.Client) -> None:
    box.fault("status_after_commit", status=502, method="POST", times=1)
    assert halo.post("/api/Client", json=[{"name": "New"}]).status_code == 502
    assert clients(halo) == 2
    assert len(box.effects()) == 1


def test_a_lost_reply_commits_and_closes_the_connection(box: RunningSandbox, halo: httpx.Client) -> None:
    box.fault("lost_reply", method="POST", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        halo.post("/api/Client", json=[{"name": "New"}])
    assert clients(halo) == 2
    assert [row["status"] for row in box.requests() if row["path"] == "/api/Client"] == [0, 200]


def test_latency_is_before_or_after_the_commit(box: RunningSandbox, halo: httpx.Client) -> None:
    box.fault("latency", seconds=0.3, when="after", method="POST", times=1)
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        halo.post("/api/Client", json=[{"name": "New"}], timeout=0.1)
    assert clients(halo) == 2
    box.fault("latency", seconds=0.2, method="GET", times=1)
    assert clients(halo) == 2
    assert time.monotonic() - began >= 0.3


def test_a_request_that_waits_while_another_state_is_loaded_does_nothing_to_it(
    box: RunningSandbox, halo: httpx.Client
) -> None:
    box.fault("latency", seconds=0.5, method="POST", times=1)
    with pytest.raises(httpx.ReadTimeout):
        halo.post("/api/Client", json=[{"name": "New"}], timeout=0.1)
    assert box.control("GET", "/faults")[0]["struck"] == 1
    box.put_state(halo_state())
    time.sleep(0.8)
    assert (box.effects(), box.requests()) == ([], [])
    assert clients(halo) == 1


def test_html_and_truncated_json_come_with_200(box: RunningSandbox, ghl: httpx.Client) -> None:
    box.fault("html", path=ORDERS, times=1)
    page = ghl.get(ORDERS)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    box.fault("truncated_json", times=1)
    cut = ghl.get(ORDERS)
    assert cut.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        cut.json()
    assert ghl.get(ORDERS).json()["totalCount"] == 9


def test_lists_can_be_empty_though_nothing_is_gone(box: RunningSandbox, ghl: httpx.Client, halo: httpx.Client) -> None:
    box.fault("empty_list")
    assert ghl.get(ORDERS).json() == {"data": [], "totalCount": 0}
    assert clients(halo) == 0
    assert ghl.get(f"{ORDERS}/{1:024x}").status_code == 200


def test_named_query_parameters_can_be_ignored(box: RunningSandbox, ghl: httpx.Client) -> None:
    box.fault("ignored_filter", params=["startAt", "endAt"], path=ORDERS)
    assert ghl.get(ORDERS, params={"startAt": "2026-10-09"}).json()["totalCount"] == 9


def test_stale_reads_answer_the_past_and_only_to_gets(box: RunningSandbox, halo: httpx.Client) -> None:
    saved = halo.post("/api/Client", json=[{"name": "New"}]).json()
    halo.post("/api/Client", json=[{"id": saved["id"], "name": "Renamed"}])
    box.fault("stale_reads", seconds=60, system="halo")
    assert clients(halo) == 1
    assert halo.get(f"/api/Client/{saved['id']}").status_code == 404
    assert halo.post("/api/Client", json=[{"id": saved["id"], "ref": "r"}]).json()["name"] == "Renamed"
    box.clear_faults()
    assert halo.get(f"/api/Client/{saved['id']}").json()["ref"] == "r"


def page_through(ghl: httpx.Client, **query: Any) -> tuple[list[int], list[int]]:
    """(last digits of the ids, totals) of pages of three."""
    found, totals = [], []
    for offset in range(0, 15, 3):
        page = ghl.get(ORDERS, params={"limit": 3, "offset": offset} | query).json()
        found += [int(row["_id"][-1], 16) for row in page["data"]]
        totals.append(page["totalCount"])
    return found, totals


def test_an_insert_between_pages_repeats_a_row(box: RunningSandbox, ghl: httpx.Client) -> None:
    box.fault("page_drift", op="insert", times=1)
    found, totals = page_through(ghl)
    assert found == [9, 8, 7, 7, 6, 5, 4, 3, 2, 1]
    assert totals == [9, 10, 10, 10, 10]


def test_a_delete_between_pages_skips_a_row(box: RunningSandbox, ghl: httpx.Client) -> None:
    box.fault("page_drift", op="delete", times=1)
    found, totals = page_through(ghl)
    assert found == [9, 8, 7, 5, 4, 3, 2, 1]
    assert totals == [9, 8, 8, 8, 8]


def test_a_backdated_insert_falls_into_the_window_that_is_read(box: RunningSandbox, ghl: httpx.Client) -> None:
    box.fault("page_drift", op="backdated_insert", every=2)
    _, totals = page_through(ghl, startAt="2026-10-03")
    assert totals == [7, 7, 8, 8, 9]
    assert ghl.get(ORDERS, params={"endAt": "2026-10-02"}).json()["totalCount"] == 2


def test_scopes_can_be_withdrawn(box: RunningSandbox, ghl: httpx.Client, halo: httpx.Client) -> None:
    box.fault("no_scope", scope="payments/orders.readonly")
    box.fault("no_scope", scope="edit:customers")
    assert ghl.get(ORDERS).json()["message"] == "The token is not authorized for this scope."
    assert halo.post("/api/Client", json=[{"name": "New"}]).status_code == 403
    assert clients(halo) == 1


def test_an_exhausted_day_says_so_in_its_headers(box: RunningSandbox, ghl: httpx.Client) -> None:
    box.fault("daily_exhausted", system="ghl", times=1)
    answer = ghl.get(ORDERS)
    assert (answer.status_code, answer.headers["X-RateLimit-Daily-Remaining"]) == (429, "0")
    assert ghl.get(ORDERS).status_code == 200


def test_probability_is_seeded(box: RunningSandbox, ghl: httpx.Client) -> None:
    runs = []
    for _ in range(2):
        box.fault("status", status=500, probability=0.5)
        runs.append([ghl.get(ORDERS).status_code for _ in range(20)])
        box.clear_faults()
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


def test_the_oldest_fitting_ending_strikes_and_the_next_waits_its_turn(box: RunningSandbox, ghl: httpx.Client) -> None:
    box.fault("status", status=500, times=1)
    box.fault("status", status=502, times=1)
    assert [ghl.get(ORDERS).status_code for _ in range(3)] == [500, 502, 200]


def test_paths_match_as_a_whole(box: RunningSandbox, ghl: httpx.Client) -> None:
    box.fault("status", status=500, path="/PAYMENTS/orders")
    assert ghl.get(ORDERS).status_code == 500
    assert ghl.get(f"{ORDERS}/{1:024x}").status_code == 200


@pytest.mark.parametrize(
    "body", [b'{"fault":"flood"}', b'{"fault":"status","stats":500}', b"{", b"[]", b'{"fault":"status","path":"("}']
)
def test_a_fault_that_makes_no_sense_is_refused(box: RunningSandbox, body: bytes) -> None:
    answer = box.http.post("/_sandbox/faults", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert box.control("GET", "/faults") == []
