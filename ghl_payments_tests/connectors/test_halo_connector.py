"""Halo read, searched and written through the sandbox, with the ambiguities its contract leaves open."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ghl_payments.connectors.base import DesiredRecord, ReadCertificate, WriteAnswer
from ghl_payments.connectors.halo.connector import HaloConnector
from ghl_payments.transport import errors
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.support import landed, with_halo
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import halo_state

PLACE = "location1"
AT = "2026-11-01T08:30:00.000Z"
LINES = [
    {"name": "Widget", "quantity": "2", "price": "10.50", "note": "ghl:line:1"},
    {"name": "Tax", "quantity": "1", "price": "0.99", "note": "ghl:line:tax"},
]


def client(key: str = "ghl:contact:C1") -> DesiredRecord:
    return DesiredRecord("client", key, PLACE, {"name": "Contact 0001"})


def sales_order(**fields: str | None) -> DesiredRecord:
    values: dict[str, str | None] = {
        "title": "GHL order O1", "date": AT, "ship_date": None, "ship_status": None, "currency": "USD",
        "lines": json.dumps(LINES), "order_id": "O1", "status": "completed", "amount_text": "21.99",
        "currency_text": "USD", "updated_at": AT, "tracking": None, "fulfillments": '[{"id":"F1","items":[]}]',
        "subscription_status": None, "total": "2199",
    }  # fmt: skip
    return DesiredRecord("sales_order", "ghl:order:O1", PLACE, values | fields, {"client": "1", "user": "1"})


def invoice(key: str = "ghl:order:O1", **fields: str | None) -> DesiredRecord:
    values: dict[str, str | None] = {
        "reference": "ch_1", "invoice_date": AT, "currency": "USD", "total": "2199",
        "lines": json.dumps([{"name": "GHL order O1", "quantity": "1", "price": "21.99"}]),
    }  # fmt: skip
    return DesiredRecord("invoice", key, PLACE, values | fields, {"client": "1"})


def payment(invoice_id: str, **fields: str | None) -> DesiredRecord:
    values: dict[str, str | None] = {"amount": "2199", "currency": "USD", "date": AT}
    return DesiredRecord(
        "invoice_payment", "ghl:txn:T1", PLACE, values | fields, {"invoice": invoice_id, "client": "1"}
    )


def create(sandbox: RunningSandbox, record: DesiredRecord) -> WriteAnswer:
    return with_halo(sandbox, lambda halo: halo.create(record))


def update(sandbox: RunningSandbox, native_id: str, record: DesiredRecord, *changed: str) -> WriteAnswer:
    return with_halo(sandbox, lambda halo: halo.update(native_id, record, changed))


def find(sandbox: RunningSandbox, path: Path, record_type: str, key: str, place: str = PLACE) -> list[str]:
    return with_halo(sandbox, lambda halo: halo.find(record_type, key, place, path))


def document(sandbox: RunningSandbox, path: Path, record_type: str, native_id: str) -> dict[str, Any]:
    with_halo(sandbox, lambda halo: halo.read_details(record_type, [native_id], path))
    (line,) = landed(path)
    body: dict[str, Any] = line["body"]
    return body


def custom_fields(order: dict[str, Any]) -> dict[str, Any]:
    return {field["name"]: field["value"] for field in order["customfields"]}


@pytest.fixture
def halo(sandbox: SandboxFactory) -> RunningSandbox:
    running = sandbox()
    running.put_state(halo_state())
    return running


async def read_all(connector: HaloConnector, folder: Path) -> dict[str, ReadCertificate]:
    types = (*connector.record_types, *connector.auxiliary_types)
    return {name: await connector.read(name, folder / f"{name}.zst") for name in types}


def test_every_record_type_of_a_world_is_read_completely(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox(orders=300)
    world = running.state()["halo"]
    tables = {"client": "Client", "user": "Users", "sales_order": "SalesOrder", "invoice": "Invoice",
              "invoice_payment": "InvoicePayment", "external_link": "ExternalLink", "currency": "Currency"}  # fmt: skip
    certificates = with_halo(running, lambda connector: read_all(connector, tmp_path))
    for record_type, certificate in certificates.items():
        truth = {document["id"] for document in world[tables[record_type]]}
        lines = landed(tmp_path / f"{record_type}.zst")
        rows = [row for line in lines for row in _rows(line["body"])]
        assert certificate.complete, certificate
        assert certificate.declared == certificate.rows == certificate.unique_ids == len(truth)
        assert {row["id"] for row in rows} == truth
        assert {line["envelope"]["record_type"] for line in lines} == {record_type}
        assert {line["envelope"]["connection"] for line in lines} == {"halo"}


def _rows(body: Any) -> list[dict[str, Any]]:
    if isinstance(body, list):
        return body
    (rows,) = [value for name, value in body.items() if isinstance(value, list) and name != "columns"]
    return list(rows)


@pytest.mark.parametrize("switch", [{"halo_bare_arrays": True}, {"halo_sales_order_key": "orders"}])
def test_other_envelopes_are_read_as_well(sandbox: SandboxFactory, tmp_path: Path, switch: dict[str, Any]) -> None:
    running = sandbox(orders=300)
    truth = {document["id"] for document in running.state()["halo"]["SalesOrder"]}
    running.switches(**switch)
    certificate = with_halo(running, lambda connector: connector.read("sales_order", tmp_path / "x.zst"))
    assert certificate.complete
    assert certificate.unique_ids == len(truth)
    assert {row["id"] for line in landed(tmp_path / "x.zst") for row in _rows(line["body"])} == truth


def test_a_missing_right_is_an_error_and_no_empty_list(halo: RunningSandbox, tmp_path: Path) -> None:
    halo.fault("no_scope", system="halo", scope="invoices")
    halo.fault("no_scope", system="halo", scope="read:invoices")
    with pytest.raises(errors.Forbidden, match="right"):
        with_halo(halo, lambda connector: connector.read("invoice", tmp_path / "x.zst"))
    assert not (tmp_path / "x.zst").exists()


def test_a_page_that_stays_unreadable_makes_the_read_incomplete(halo: RunningSandbox, tmp_path: Path) -> None:
    halo.fault("html", system="halo", path="/api/client")
    certificate = with_halo(halo, lambda connector: connector.read("client", tmp_path / "x.zst"))
    assert (certificate.complete, certificate.attempts) == (False, 3)
    assert (certificate.reason or "").startswith("page_unreadable")


def test_one_token_serves_all_requests_and_a_dead_one_is_replaced_once(halo: RunningSandbox, tmp_path: Path) -> None:
    async def use(connector: HaloConnector) -> None:
        ids = [str(number) for number in range(1, 40)]
        await connector.read_details("client", ids, tmp_path / "x.zst")
        halo.fault("expire_tokens", system="halo", times=1)
        await connector.read_details("client", ids, tmp_path / "x.zst")
        await connector.create(client())

    with_halo(halo, use)
    tokens = [request for request in halo.requests() if request["path"].lower().endswith("/auth/token")]
    assert len(tokens) == 2
    assert sum(request["status"] == 401 for request in halo.requests()) <= 8  # those in flight when it died
    assert len(halo.effects()) == 1


@pytest.mark.parametrize(
    ("changed", "expected", "text"),
    [({"client_secret": "wrong"}, errors.Unauthorised, "client id or secret"),
     ({"tenant": "wrong"}, errors.Unauthorised, "wrong tenant name")],
)  # fmt: skip
def test_a_failed_sign_in_says_what_to_check_and_no_secret(
    halo: RunningSandbox, tmp_path: Path, changed: dict[str, str], expected: type[errors.ApiError], text: str
) -> None:
    with pytest.raises(expected, match=text) as caught:
        with_halo(halo, lambda connector: connector.read("client", tmp_path / "x.zst"), **changed)
    assert halo.ready["systems"]["halo"]["client_secret"] not in str(caught.value)


def test_the_well_known_token_address_is_used_when_discovery_fails(halo: RunningSandbox, tmp_path: Path) -> None:
    halo.fault("status", system="halo", path="/api/authinfo", status=404)
    assert with_halo(halo, lambda connector: connector.read("client", tmp_path / "x.zst")).complete


def test_a_whole_tree_of_records_is_created_with_keys_links_and_exact_totals(
    halo: RunningSandbox, tmp_path: Path
) -> None:
    async def use(connector: HaloConnector) -> dict[str, str]:
        made = await connector.create(client())
        user = DesiredRecord(
            "user", "ghl:contact:C1", PLACE,
            {"name": "Contact 0001", "first_name": "Contact", "last_name": "0001", "phone": None,
             "email": "contact0001@example.com"},
            {"client": made.native_id},
        )  # fmt: skip
        ids = {"client": made.native_id, "user": (await connector.create(user)).native_id}
        order = sales_order()
        ids["sales_order"] = (
            await connector.create(DesiredRecord("sales_order", order.key, PLACE, order.fields, ids))
        ).native_id
        bill = invoice()
        ids["invoice"] = (await connector.create(DesiredRecord("invoice", bill.key, PLACE, bill.fields, ids))).native_id
        paid = payment(ids["invoice"])
        ids["invoice_payment"] = (
            await connector.create(DesiredRecord("invoice_payment", paid.key, PLACE, paid.fields, ids))
        ).native_id
        return ids

    ids = with_halo(halo, use)
    path = tmp_path / "x.zst"
    keys = {"client": "ghl:contact:C1", "user": "ghl:contact:C1", "sales_order": "ghl:order:O1",
            "invoice": "ghl:order:O1", "invoice_payment": "ghl:txn:T1"}  # fmt: skip
    for record_type, key in keys.items():
        assert find(halo, path, record_type, key) == [ids[record_type]]
    made = {name: document(halo, path, name, native_id) for name, native_id in ids.items()}
    order, bill, paid = made["sales_order"], made["invoice"], made["invoice_payment"]
    assert made["user"]["site_id"] == made["client"]["main_site_id"]
    assert "phonenumber" not in made["user"]
    assert (order["total"], order["po_number"], order["currency_code"]) == (Decimal("21.99"), "ghl:order:O1", 11)
    assert custom_fields(order) == {
        "CFGHLOrderId": "O1", "CFGHLStatus": "completed", "CFGHLAmount": "21.99", "CFGHLCurrency": "USD",
        "CFGHLUpdatedAt": AT, "CFGHLFulfillments": '[{"id":"F1","items":[]}]',
    }  # fmt: skip
    (link,) = order["external_links"]
    assert (link["third_party_id"], link["third_party_secondary_id"], link["third_party_type"], link["table_id"]) == (
        "ghl:order:O1", PLACE, "order", 996,
    )  # fmt: skip
    assert (bill["thirdpartyinvoicenumber"], bill["total"], bill["amountdue"]) == ("ghl:order:O1", Decimal("21.99"), 0)
    assert bill["salesorder_id"] == order["id"]
    assert bill["invoice_date"] == bill["duedate"] == AT
    assert (paid["amount"], paid["intent_id"], paid["thirdpartyid"]) == (Decimal("21.99"), "ghl:txn:T1", "ghl:txn:T1")
    quiet = {effect["record_type"]: effect["body"].get("_dont_fire_automations") for effect in halo.effects()}
    assert (quiet["sales_order"], quiet["invoice"]) == (True, True)


def test_minor_units_follow_the_currency(halo: RunningSandbox, tmp_path: Path) -> None:
    bill = create(halo, invoice(currency="JPY")).native_id
    made = create(halo, payment(bill, amount="500", currency="JPY"))
    assert document(halo, tmp_path / "x.zst", "invoice_payment", made.native_id)["amount"] == 500


@pytest.mark.parametrize(
    ("record", "text"),
    [(sales_order(currency="XTS"), "no currency 'XTS'"), (sales_order(lines=None), "lines are not"),
     (sales_order(lines='[{"quantity":"x","price":"1"}]'), "not a number"), (payment("1", amount="1.5"), "amount"),
     (payment("1", currency="XTS"), "amount or currency")],
)  # fmt: skip
def test_what_cannot_be_written_is_rejected_before_anything_is_sent(
    halo: RunningSandbox, record: DesiredRecord, text: str
) -> None:
    with pytest.raises(errors.Rejected, match=text):
        create(halo, record)
    assert halo.effects() == []


def test_a_field_that_halo_computes_or_does_not_know_is_never_written(halo: RunningSandbox) -> None:
    made = create(halo, sales_order())
    with pytest.raises(errors.Rejected, match="client"):
        update(halo, made.native_id, sales_order(), "client")
    assert len(halo.effects()) == 1


def test_an_update_sends_the_changed_fields_only_and_clears_what_is_gone(halo: RunningSandbox, tmp_path: Path) -> None:
    made = create(halo, sales_order(tracking="UPS 1", ship_status="fulfilled", ship_date=AT))
    update(halo, made.native_id, sales_order(status="pending"), "status", "tracking", "ship_status", "ship_date")
    body = halo.effects()[-1]["body"]
    assert sorted(body) == ["_dont_fire_automations", "customfields", "id", "ship_date", "ship_status"]
    assert (body["ship_date"], body["ship_status"]) == (None, "")
    order = document(halo, tmp_path / "x.zst", "sales_order", made.native_id)
    assert custom_fields(order)["CFGHLStatus"] == "pending"
    assert custom_fields(order)["CFGHLTracking"] == ""
    assert order["total"] == Decimal("21.99")


def test_a_total_is_repaired_through_the_lines_which_keep_their_ids(halo: RunningSandbox, tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    made = create(halo, sales_order())
    before = document(halo, path, "sales_order", made.native_id)
    with halo.halo() as someone:
        edited = [dict(line, price=99) for line in before["lines"]]
        extra = {"name": "Added by hand", "quantity": 1, "price": 5}
        lines = [{name: line[name] for name in ("id", "name", "quantity", "price", "note")} for line in edited]
        answer = someone.post("/api/SalesOrder", json=[{"id": int(made.native_id), "lines": [*_plain(lines), extra]}])
        answer.raise_for_status()
    assert document(halo, path, "sales_order", made.native_id)["total"] != Decimal("21.99")
    update(halo, made.native_id, sales_order(), "total")
    after = document(halo, path, "sales_order", made.native_id)
    assert after["total"] == Decimal("21.99")
    assert [line["id"] for line in after["lines"]] == [line["id"] for line in before["lines"]]


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=float))


@pytest.mark.parametrize("semantics", ["replace", "merge"])
def test_lines_are_rewritten_right_whether_halo_replaces_or_merges_them(
    halo: RunningSandbox, tmp_path: Path, semantics: str
) -> None:
    halo.switches(halo_lines_on_update=semantics)
    made = create(halo, sales_order())
    longer = [*LINES, {"name": "Shipping", "quantity": "1", "price": "4.00", "note": "ghl:line:shipping"}]
    update(halo, made.native_id, sales_order(lines=json.dumps(longer)), "lines")
    order = document(halo, tmp_path / "x.zst", "sales_order", made.native_id)
    assert order["total"] == Decimal("25.99")
    assert len(order["lines"]) == 3


def test_an_invoice_total_and_a_payment_are_repaired(halo: RunningSandbox, tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    bill = create(halo, invoice()).native_id
    dearer = json.dumps([{"name": "GHL order O1", "quantity": "1", "price": "30.00"}])
    update(halo, bill, invoice(lines=dearer, total="3000"), "total")
    assert document(halo, path, "invoice", bill)["total"] == 30
    assert len(document(halo, path, "invoice", bill)["lines"]) == 1
    paid = create(halo, payment(bill)).native_id
    update(halo, paid, payment(bill, amount="1000", date="2026-11-02T00:00:00Z"), "amount", "date")
    assert document(halo, path, "invoice_payment", paid)["amount"] == 10
    assert halo.effects()[-1]["body"]["date"] == "2026-11-02T00:00:00Z"


@pytest.mark.parametrize("fault", ["lost_reply", "status_after_commit"])
def test_a_write_whose_answer_is_lost_is_unknown_done_once_and_found_by_its_key(
    halo: RunningSandbox, tmp_path: Path, fault: str
) -> None:
    halo.fault(fault, system="halo", method="POST", path="/api/salesorder", times=1)
    with pytest.raises(errors.OutcomeUnknown):
        create(halo, sales_order())
    assert len(halo.effects()) == 1
    assert len(find(halo, tmp_path / "x.zst", "sales_order", "ghl:order:O1")) == 1


def test_a_refused_write_changed_nothing_and_may_be_sent_again(halo: RunningSandbox) -> None:
    halo.fault("status", system="halo", method="POST", path="/api/salesorder", status=429, times=2)
    create(halo, sales_order())
    assert len(halo.effects()) == 1


@pytest.mark.parametrize("ignored", [[], ["third_party_id", "table_id", "intent_id", "search"]])
def test_a_search_is_exact_whether_or_not_the_tenant_honours_filters(
    halo: RunningSandbox, tmp_path: Path, ignored: list[str]
) -> None:
    halo.switches(halo_ignored_filters=ignored)
    path = tmp_path / "x.zst"
    order, other = create(halo, sales_order()).native_id, create(halo, invoice()).native_id
    paid = create(halo, payment(other)).native_id
    longer = DesiredRecord("sales_order", "ghl:order:O12", PLACE, sales_order().fields, {"client": "1", "user": "1"})
    create(halo, longer)
    create(halo, invoice("ghl:order:O12"))
    assert find(halo, path, "sales_order", "ghl:order:O1") == [order]
    assert find(halo, path, "invoice", "ghl:order:O1") == [other]
    assert find(halo, path, "invoice_payment", "ghl:txn:T1") == [paid]
    assert find(halo, path, "client", "ghl:order:O1") == []
    assert landed(path) == []


def test_records_of_another_location_are_no_hits(halo: RunningSandbox, tmp_path: Path) -> None:
    create(halo, sales_order())
    create(halo, client())
    for record_type, key in (("sales_order", "ghl:order:O1"), ("client", "ghl:contact:C1")):
        assert find(halo, tmp_path / "x.zst", record_type, key, "location2") == []


def test_duplicates_are_all_found_and_a_dangling_link_is_landed_as_gone(halo: RunningSandbox, tmp_path: Path) -> None:
    first, second = create(halo, sales_order()).native_id, create(halo, sales_order()).native_id
    path = tmp_path / "x.zst"
    assert find(halo, path, "sales_order", "ghl:order:O1") == [first, second]
    state = halo.state()
    state["halo"]["SalesOrder"] = [doc for doc in state["halo"]["SalesOrder"] if str(doc["id"]) != first]
    halo.put_state(state)
    assert find(halo, path, "sales_order", "ghl:order:O1") == [second]
    lines = {line["envelope"]["native_id"]: (line["envelope"]["status"], line["body"]) for line in landed(path)}
    assert lines[first] == (404, None)


def test_details_tell_what_is_there_what_is_gone_and_what_could_not_be_read(
    halo: RunningSandbox, tmp_path: Path
) -> None:
    made = create(halo, sales_order()).native_id
    halo.fault("html", system="halo", path="/api/salesorder/77")
    halo.fault("status", system="halo", path="/api/salesorder/78", status=503)
    ids = [made, "99", "77", "78"]
    statuses = with_halo(halo, lambda connector: connector.read_details("sales_order", ids, tmp_path / "x.zst"))
    assert statuses == {made: 200, "99": 404, "77": 0, "78": 503}


Use = Callable[[HaloConnector], Awaitable[Any]]


def test_a_user_needs_a_client_with_a_site(halo: RunningSandbox) -> None:
    fields = {"name": "Contact 0002"}
    with pytest.raises(errors.Rejected, match="needs a client"):
        create(halo, DesiredRecord("user", "ghl:contact:C2", PLACE, fields))
    with pytest.raises(errors.NotFound):
        create(halo, DesiredRecord("user", "ghl:contact:C2", PLACE, fields, {"client": "404"}))
