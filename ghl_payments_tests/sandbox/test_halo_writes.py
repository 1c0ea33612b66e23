"""Writing to the sandboxed Halo: array POSTs, computed totals, links, payments, DELETE, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import Doc, halo_state

LINK = {"third_party_id": "ghl:order:1", "third_party_secondary_id": "L1", "third_party_type": "order"}
LINES = [
    {"name": "Thing", "quantity": 3, "price": 10.1, "note": "ghl:line:1"},
    {"name": "Discount", "quantity": 1, "price": -0.3, "note": "ghl:line:discount"},
]
ORDER = {"client_id": 1, "user_id": 1, "po_number": "ghl:order:1", "currency_code": 11, "lines": LINES}


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    """A tenant with one client, one user, two currencies."""
    running = sandbox()
    running.put_state(halo_state())
    return running


@pytest.fixture
def halo(box: RunningSandbox) -> Iterator[httpx.Client]:
    """Signed in to that tenant."""
    with box.halo() as client:
        yield client


def post(halo: httpx.Client, resource: str, **element: Any) -> Doc:
    """Save one record and answer what Halo answers."""
    answer = halo.post(f"/api/{resource}", json=[element])
    assert answer.status_code == 201, answer.text
    doc: Doc = answer.json()
    return doc


def test_a_new_sales_order_gets_id_totals_and_link_in_one_request(box: RunningSandbox, halo: httpx.Client) -> None:
    saved = post(
        halo,
        "SalesOrder",
        **ORDER,
        new_external_link=LINK,
        customfields=[{"name": "CFGHLStatus", "value": "completed"}, {"name": "CFUnknown", "value": "lost"}],
    )
    assert halo.get(f"/api/SalesOrder/{saved['id']}").json() == saved
    assert (saved["total"], saved["client_name"]) == (30.0, "Client One")
    assert [line["net_total"] for line in saved["lines"]] == [30.3, -0.3]
    assert [(field["name"], field["value"]) for field in saved["customfields"]] == [("CFGHLStatus", "completed")]
    link = halo.get("/api/ExternalLink", params={"third_party_id": "ghl:order:1"}).json()["externallinks"][0]
    assert (link["table_id"], link["halo_id"], link["third_party_secondary_id"]) == (996, saved["id"], "L1")
    effect = box.effects()[0]
    assert (effect["record_type"], effect["key"], effect["native_id"]) == ("sales_order", "ghl:order:1", "1")
    assert (effect["system"], effect["method"], effect["path"]) == ("halo", "POST", "/api/SalesOrder")
    assert effect["body"]["po_number"] == "ghl:order:1"


def test_computed_and_unknown_properties_are_ignored(halo: httpx.Client) -> None:
    saved = post(halo, "SalesOrder", **ORDER, total=999, client_name="Nobody", nonsense=1)
    assert (saved["total"], saved["client_name"]) == (30.0, "Client One")
    assert "nonsense" not in saved


def test_an_update_changes_only_what_is_given_and_moves_the_stamp(halo: httpx.Client) -> None:
    old = post(halo, "SalesOrder", **ORDER, customfields=[{"name": "CFGHLStatus", "value": "pending"}])
    new = post(
        halo,
        "SalesOrder",
        id=old["id"],
        ship_status="fulfilled",
        customfields=[{"name": "CFGHLTracking", "value": "UPS 1"}],
    )
    assert (new["ship_status"], new["po_number"], new["total"]) == ("fulfilled", "ghl:order:1", 30.0)
    assert {field["name"]: field["value"] for field in new["customfields"]} == {
        "CFGHLStatus": "pending",
        "CFGHLTracking": "UPS 1",
    }
    assert new["last_update_time"] > old["last_update_time"]


@pytest.mark.parametrize(
    ("mode", "names", "total"),
    [
        ("replace", ["Thing", "New"], 42.0),
        ("merge", ["Thing", "Discount", "New"], 41.7),
        ("append", ["Thing", "Discount", "Thing", "New"], 72.0),
    ],
)
def test_sent_lines_replace_merge_or_append(
    box: RunningSandbox, halo: httpx.Client, mode: str, names: list[str], total: float
) -> None:
    old = post(halo, "SalesOrder", **ORDER)
    box.switches(halo_lines_on_update=mode)
    sent = [{"id": old["lines"][0]["id"], "quantity": 4, "name": "Thing", "price": 10}, {"name": "New", "price": 2}]
    new = post(halo, "SalesOrder", id=old["id"], lines=sent)
    assert [line["name"] for line in new["lines"]] == names
    assert new["total"] == total
    assert len({line["id"] for line in new["lines"]}) == len(names)


def test_add_lines_always_appends(halo: httpx.Client) -> None:
    old = post(halo, "SalesOrder", **ORDER)
    new = post(halo, "SalesOrder", id=old["id"], add_lines=[{"name": "Adjustment", "quantity": 1, "price": 0.5}])
    assert [line["name"] for line in new["lines"]] == ["Thing", "Discount", "Adjustment"]
    assert new["total"] == 30.5


def test_payments_settle_their_invoice_and_unsettle_it_when_deleted(halo: httpx.Client) -> None:
    invoice = post(
        halo,
        "Invoice",
        client_id=1,
        thirdpartyinvoicenumber="ghl:order:1",
        currency_code=11,
        lines=[{"item_shortdescription": "GHL order 1", "qty_order": 1, "unit_price": 30}],
    )
    assert (invoice["total"], invoice["amountdue"], invoice["paymentstatus"]) == (30, 30, 0)
    payments = [
        post(
            halo, "InvoicePayment", invoice_id=invoice["id"], client_id=1, amount=amount, intent_id=f"ghl:txn:{amount}"
        )
        for amount in (10, 20)
    ]
    paid = halo.get(f"/api/Invoice/{invoice['id']}").json()
    assert (paid["amountpaid"], paid["amountdue"], paid["paymentstatus"]) == (30, 0, 2)
    assert paid["last_modified"] > invoice["last_modified"]
    assert halo.delete(f"/api/InvoicePayment/{payments[0]['id']}").status_code == 200
    assert halo.get(f"/api/Invoice/{invoice['id']}").json()["amountdue"] == 10
    row = halo.get("/api/Invoice", params={"third_party_id": "ghl:order:1"}).json()["invoices"][0]
    assert (row["amountpaid"], row["paymentstatus"]) == (20, 1)


def test_a_deleted_record_is_404_and_leaves_its_link_behind(box: RunningSandbox, halo: httpx.Client) -> None:
    saved = post(halo, "SalesOrder", **ORDER, new_external_link=LINK)
    assert halo.delete(f"/api/SalesOrder/{saved['id']}").status_code == 200
    assert halo.get(f"/api/SalesOrder/{saved['id']}").status_code == 404
    assert halo.get("/api/ExternalLink").json()["record_count"] == 1
    assert halo.delete(f"/api/SalesOrder/{saved['id']}").status_code == 404
    assert [(effect["method"], effect["key"]) for effect in box.effects()] == [
        ("POST", "ghl:order:1"),
        ("DELETE", "ghl:order:1"),
    ]
    assert post(halo, "SalesOrder", **ORDER)["id"] == saved["id"] + 1


def test_a_new_client_has_a_site_that_its_users_belong_to(halo: httpx.Client) -> None:
    client = post(halo, "Client", name="Contact 0002", new_external_link=LINK | {"third_party_id": "ghl:contact:2"})
    assert (client["inactive"], client["external_links"][0]["table_id"]) == (False, 2)
    user = post(halo, "Users", name="Contact 0002", client_id=client["id"])
    assert user["site_id"] == client["main_site_id"]


def test_links_are_not_unique(halo: httpx.Client) -> None:
    for _ in range(2):
        post(halo, "ExternalLink", table_id=2, halo_id=1, third_party_id="ghl:contact:1")
    assert halo.get("/api/ExternalLink", params={"third_party_id": "ghl:contact:1"}).json()["record_count"] == 2


@pytest.mark.parametrize(
    ("resource", "body", "status", "text"),
    [
        ("SalesOrder", ORDER, 400, "array"),
        ("SalesOrder", [], 400, "array"),
        ("SalesOrder", ["x"], 400, "array"),
        ("SalesOrder", [{"client_id": 1}], 400, "user ID must be provided"),
        ("SalesOrder", [{"id": 99, "title": "x"}], 404, ""),
        ("SalesOrder", [ORDER | {"client_id": 99}], 400, "Client 99 was not found"),
        ("SalesOrder", [ORDER | {"currency_code": 99}], 400, "Currency 99 was not found"),
        ("SalesOrder", [ORDER | {"date": "yesterday"}], 400, "[0].date"),
        ("SalesOrder", [ORDER | {"lines": [{"price": "ten"}]}], 400, "[0].lines[0].price"),
        ("SalesOrder", [ORDER | {"lines": "none"}], 400, "[0].lines"),
        ("Invoice", [{"lines": []}], 400, "client_id must be provided"),
        ("InvoicePayment", [{"amount": 1, "invoice_id": 9}], 400, "Invoice 9 was not found"),
        ("InvoicePayment", [{"amount": "1", "invoice_id": 9}], 400, "[0].amount"),
        ("Client", [{"ref": "x"}], 400, "name must be provided"),
        ("Currency", [{"code": "EUR"}], 405, ""),
    ],
)
def test_what_cannot_be_saved_is_refused_and_has_no_effect(
    box: RunningSandbox, halo: httpx.Client, resource: str, body: Any, status: int, text: str
) -> None:
    before = box.state()
    answer = halo.post(f"/api/{resource}", json=body)
    assert answer.status_code == status
    assert text in answer.text
    assert box.state() == before
    assert box.effects() == []


def test_money_is_exact_decimal_text_in_answers(halo: httpx.Client) -> None:
    lines = [{"name": "Tenth", "quantity": 1, "price": 0.1}, {"name": "Fifth", "quantity": 1, "price": 0.2}]
    answer = halo.post("/api/SalesOrder", json=[ORDER | {"lines": lines}])
    assert '"total":0.3,' in answer.text
