"""Single GHL records read again over HTTP: list row and detail agree, in any order, and nothing is gone for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.extract import Extraction, extract_list
from ghl_payments.connectors.ghl.refresh import Again, refresh_records
from ghl_payments.sandbox.ghl_forms import LIST_ONLY
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.queries import dicts
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.support import as_of, with_ghl
from ghl_payments_tests.flow.shop import charge, order, shop
from ghl_payments_tests.running_sandbox import RunningSandbox

LATER = "2026-11-10T09:00:00.000Z"
PRICE = {"_id": "p", "name": "Monthly", "type": "recurring", "currency": "USD", "amount": 5}


class Store:
    """A warehouse that records are read into."""

    def __init__(self, sandbox: RunningSandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.warehouse = Warehouse(folder / "w.duckdb")

    def extraction(self, client: GhlClient) -> Extraction:
        return Extraction(client, self.warehouse, self.folder / "landing", client.location_id, as_of(self.sandbox))

    def refresh(self, orders: Sequence[str], invoices: Sequence[str] = ()) -> Again:
        return with_ghl(self.sandbox, lambda client: refresh_records(self.extraction(client), orders, invoices))

    def sweep(self, stream: str) -> None:
        with_ghl(self.sandbox, lambda client: extract_list(self.extraction(client), stream))

    def rows(self, query: str) -> list[dict[str, Any]]:
        with self.warehouse.open() as con:
            return dicts(con, query)

    def held(self) -> list[dict[str, Any]]:
        """Everything current, without times and file names."""
        parts = [
            f"select '{stream}' as stream, t.id, t.content_hash, t.list_hash, t.absent_at from raw.{stream} as t "
            "where t.is_current"
            for stream in ("orders", "order_details", "fulfillments", "transactions", "transaction_details",
                           "subscriptions", "subscription_details")
        ]  # fmt: skip
        return self.rows(" union all ".join(parts) + " order by all")

    def refreshed(self) -> set[str]:
        return {row["key"] for row in self.rows("select key from raw.refreshed")}


Make = Callable[..., Store]


@pytest.fixture
def store(sandbox: SandboxFactory, tmp_path: Path) -> Make:
    running = sandbox()
    made: list[Store] = []

    def make(**state: Any) -> Store:
        if state:
            running.put_state(shop(**state))
        folder = tmp_path / f"store{len(made)}"
        folder.mkdir()
        made.append(Store(running, folder))
        return made[-1]

    return make


def test_an_order_that_nobody_knew_is_there_with_everything_that_belongs_to_it(store: Make) -> None:
    shelf = store(orders=[order(1), order(2)], transactions=[charge(1), charge(2)])
    again = shelf.refresh(["order1"])
    assert (again.found, again.absent, again.failed) == (["order1"], [], [])
    held = {(row["stream"], row["id"]) for row in shelf.held()}
    assert held == {
        ("orders", "order1"), ("order_details", "order1"), ("fulfillments", "order1"),
        ("transactions", "txn1"), ("transaction_details", "txn1"),
    }  # fmt: skip
    assert shelf.refreshed() == {"ghl:order:order1", "ghl:txn:txn1", "ghl:contact:contact1"}
    assert not shelf.rows("from raw.slices union all by name from raw.sweeps")


def test_the_order_in_which_events_come_and_how_often_makes_no_difference(store: Make) -> None:
    """Trap of disorder: each permutation of single refreshes, and all at once, end in the same rows."""
    first = store(orders=[order(n) for n in (1, 2, 3)], transactions=[charge(n) for n in (1, 2, 3)])
    first.refresh(["order1", "order2", "order3"])
    for ids in list(permutations(["order1", "order2", "order3"]))[::2]:
        other = store()
        for order_id in (*ids, ids[0]):
            other.refresh([order_id])
        assert other.held() == first.held()
        assert other.refreshed() == first.refreshed()


def test_a_change_is_a_new_version_whose_detail_is_current(store: Make) -> None:
    shelf = store(orders=[order(1, status="pending", paymentStatus="unpaid")])
    shelf.sweep("orders")
    shelf.refresh(["order1"])
    state = shelf.sandbox.state()
    place = state["ghl"]["locations"][0]
    place["orders"][0] |= {"status": "completed", "paymentStatus": "paid", "updatedAt": LATER}
    place["transactions"].append(charge(1, createdAt=LATER, updatedAt=LATER))
    shelf.sandbox.put_state(state)
    again = shelf.refresh(["order1"])
    assert again.requests == 5
    (row,) = shelf.rows(
        "select o.doc ->> '$.status' as status, d.list_hash = o.content_hash as is_current, "
        "(select count(*) from raw.orders) as versions from raw.orders as o inner join raw.order_details as d "
        "on d.id = o.id and d.is_current where o.is_current"
    )
    assert row == {"status": "completed", "is_current": True, "versions": 2}
    assert "ghl:txn:txn1" in shelf.refreshed()


def test_a_404_is_noted_and_takes_nothing_away(store: Make) -> None:
    shelf = store(orders=[order(1), order(2)], transactions=[charge(1)])
    shelf.sweep("orders")
    state = shelf.sandbox.state()
    state["ghl"]["locations"][0]["orders"] = state["ghl"]["locations"][0]["orders"][1:]
    shelf.sandbox.put_state(state)
    again = shelf.refresh(["order1", "never"])
    assert again.absent == ["order1", "never"]
    assert not shelf.rows("from raw.orders where absent_at is not null")
    assert not shelf.rows("from raw.order_details")
    assert shelf.refreshed() == set()


def test_a_merged_contact_is_followed(store: Make) -> None:
    shelf = store(orders=[order(1)])
    shelf.sweep("orders")
    state = shelf.sandbox.state()
    state["ghl"]["locations"][0]["orders"][0] |= {"contactId": "merged", "updatedAt": LATER}
    shelf.sandbox.put_state(state)
    assert shelf.refresh(["order1"]).failed == []
    rows = shelf.rows("select doc ->> '$.contactId' as contact from raw.orders where is_current")
    assert rows == [{"contact": "merged"}]
    assert {"ghl:order:order1", "ghl:contact:merged"} <= shelf.refreshed()


def test_an_order_without_a_contact_is_found_by_its_day(store: Make) -> None:
    alone = {name: value for name, value in order(1).items() if name not in ("contactId", "contactSnapshot")}
    shelf = store(orders=[alone, order(2)])
    assert shelf.refresh(["order1"]).failed == []
    assert [row["id"] for row in shelf.rows("select id from raw.orders")] == ["order1"]


def test_a_filter_that_the_api_ignores_brings_no_foreign_rows(store: Make) -> None:
    shelf = store(orders=[order(1), order(2)], transactions=[charge(1), charge(2)])
    shelf.sandbox.fault("ignored_filter", system="ghl", params=["contactId", "entityId"])
    shelf.refresh(["order1"])
    held = {(row["stream"], row["id"]) for row in shelf.held()}
    assert held & {("orders", "order2"), ("transactions", "txn2")} == set()
    assert {("orders", "order1"), ("transactions", "txn1")} <= held


def test_subscriptions_are_read_where_an_item_or_a_charge_speaks_of_one(store: Make) -> None:
    item = {"_id": "i", "name": "Plan", "qty": 1, "price": PRICE}
    plan = {"_id": "sub1", "subscriptionId": "sub_x", "contactId": "contact1", "amount": 5, "currency": "USD",
            "status": "active", "liveMode": True, "entityType": "order", "entityId": "order1",
            "createdAt": LATER, "updatedAt": LATER}  # fmt: skip
    shelf = store(
        orders=[order(1, items=[item]), order(2)], transactions=[charge(2, subscriptionId="sub2")],
        subscriptions=[plan, plan | {"_id": "sub2", "entityId": "elsewhere"}],
    )  # fmt: skip
    shelf.refresh(["order1", "order2"])
    held = {(row["stream"], row["id"]) for row in shelf.held()}
    assert {("subscriptions", "sub1"), ("subscription_details", "sub1"), ("subscriptions", "sub2")} <= held
    assert "ghl:sub:sub1" in shelf.refreshed()


def test_an_invoice_event_reads_the_charges_that_pay_it(store: Make) -> None:
    paid = charge(1, entityType="invoice", entityId="invoice1")
    shelf = store(orders=[order(2)], transactions=[paid, charge(2)])
    shelf.refresh([], ["invoice1"])
    assert {(row["stream"], row["id"]) for row in shelf.held()} == {
        ("transactions", "txn1"), ("transaction_details", "txn1")
    }  # fmt: skip
    assert {"ghl:txn:txn1", "ghl:invoice:invoice1"} <= shelf.refreshed()


def test_a_list_that_lags_behind_its_detail_is_not_taken_for_settled(store: Make) -> None:
    shelf = store(orders=[order(1, **{LIST_ONLY: {"updatedAt": "2026-10-05T09:00:00.000Z"}})])
    assert shelf.refresh(["order1"]).found == ["order1"]
    assert shelf.refreshed() == set()
