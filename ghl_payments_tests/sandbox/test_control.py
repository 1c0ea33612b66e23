"""The sandbox's own API: state in and out, logs, answer key, reset, switches."""

from __future__ import annotations

from decimal import Decimal

from ghl_payments.sandbox.vendors import vendor_modules
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.sandbox.states import ghl_state, halo_state, order, transaction


def test_a_state_comes_back_as_it_was_put(sandbox: SandboxFactory) -> None:
    box = sandbox()
    box.put_state(
        ghl_state(
            orders=[order(1, "2026-10-01T00:00:00.000Z", amount=Decimal("0.10"))],
            transactions=[transaction(1, "2026-10-01T00:00:00.000Z", _list={"paymentMethod": {}})],
            fulfillments={f"{1:024x}": [{"_id": "f1"}]},
            providers=[{"_id": "p1"}],
        )
        | halo_state(SalesOrder=[{"client_id": 1, "user_id": 1, "po_number": "ghl:order:1"}])
        | {"elsewhere": {"records": [{"id": 1}]}}
    )
    first = box.http.get("/_sandbox/state").content
    assert box.http.put("/_sandbox/state", content=first).status_code == 200
    assert box.http.get("/_sandbox/state").content == first
    assert b'"amount":0.10' in first
    assert box.state()["elsewhere"] == {"records": [{"id": 1}]}


def test_missing_ids_totals_tokens_and_tables_are_filled_in(sandbox: SandboxFactory) -> None:
    box = sandbox()
    lines = [{"name": "Thing", "quantity": 2, "price": Decimal("1.25")}]
    link = {"third_party_id": "ghl:order:1", "third_party_secondary_id": "L"}
    box.put_state(
        {"ghl": {"locations": [{"orders": []}]}}
        | halo_state(
            SalesOrder=[
                {"id": 7, "client_id": 1, "lines": lines, "external_links": [link]},
                {"client_id": 1, "new_external_link": link, "total": "n/a", "lines": lines},
            ],
            Invoice=[
                {
                    "client_id": 1,
                    "thirdpartyinvoicenumber": "ghl:order:1",
                    "lines": [{"qty_order": 1, "unit_price": 9}],
                    "payments": [{"amount": 9, "intent_id": "ghl:txn:1"}],
                }
            ],
        )
    )
    state = box.state()
    assert state["ghl"]["locations"][0]["id"] == box.location_id()
    halo = state["halo"]
    assert [(doc["id"], doc["total"]) for doc in halo["SalesOrder"]] == [(7, Decimal("2.50")), (8, "n/a")]
    assert [(doc["table_id"], doc["halo_id"]) for doc in halo["ExternalLink"]] == [(996, 7), (996, 8)]
    assert [(doc["amountpaid"], doc["amountdue"]) for doc in halo["Invoice"]] == [(9, 0)]
    assert halo["InvoicePayment"][0]["invoice_id"] == halo["Invoice"][0]["id"]
    assert halo["RecurringInvoice"] == []


def test_locations_beyond_the_seeded_ones_get_ids_and_tokens_of_their_own(sandbox: SandboxFactory) -> None:
    box = sandbox()
    box.put_state({"ghl": {"locations": [{}, {}, {}, {"id": "given", "token": "pit-given"}]}})
    locations = box.state()["ghl"]["locations"]
    assert len({location["id"] for location in locations}) == 4
    assert len({location["token"] for location in locations}) == 4
    headers = {"Authorization": "Bearer pit-given", "Version": "v3"}
    assert box.http.get("/ghl/payments/orders", params={"altId": "given"}, headers=headers).status_code == 200


def test_links_inside_documents_are_not_doubled(sandbox: SandboxFactory) -> None:
    box = sandbox()
    link = {"id": 4, "table_id": 996, "halo_id": 1, "third_party_id": "ghl:order:1"}
    box.put_state(halo_state(SalesOrder=[{"id": 1, "client_id": 1, "external_links": [link]}], ExternalLink=[link]))
    assert box.state()["halo"]["ExternalLink"] == [link]


def test_a_state_that_cannot_be_loaded_changes_nothing(sandbox: SandboxFactory) -> None:
    box = sandbox()
    box.put_state(halo_state())
    before = box.state()
    for body in (b"[]", b"{", b'{"halo":{"Client":[{"id":1},{"id":1}]}}', b'{"ghl":{"locations":[{"orders":[1]}]}}'):
        answer = box.http.put("/_sandbox/state", content=body)
        assert (answer.status_code, "error" in answer.json()) == (400, True)
    assert box.state() == before


def test_putting_a_state_clears_logs_and_faults_and_the_answer_key_is_gone(sandbox: SandboxFactory) -> None:
    box = sandbox()
    assert box.answer_key() == []
    box.put_state(halo_state())
    with box.halo() as halo:
        halo.post("/api/Client", json=[{"name": "New"}])
    box.fault("empty_list")
    assert (len(box.effects()), len(box.requests())) == (1, 2)
    box.put_state(halo_state())
    assert (box.effects(), box.requests(), box.control("GET", "/faults")) == ([], [], [])
    assert box.http.get("/_sandbox/answer-key").status_code == 404


def test_requests_are_logged_in_order_and_can_be_counted(sandbox: SandboxFactory) -> None:
    box = sandbox()
    with box.ghl() as ghl:
        ghl.get("/payments/orders", params={"altId": box.location_id(), "limit": 5})
        ghl.get("/payments/nowhere")
    rows = box.requests()
    assert [(row["seq"], row["system"], row["method"], row["path"], row["status"]) for row in rows] == [
        (1, "ghl", "GET", "/payments/orders", 200),
        (2, "ghl", "GET", "/payments/nowhere", 404),
    ]
    assert "limit=5" in rows[0]["query"]
    assert rows[0]["at_ms"] <= rows[1]["at_ms"]
    assert box.control("GET", "/requests?count=1") == {"count": 2}


def test_reset_brings_the_seeded_world_its_ids_stamps_and_answer_key_back(sandbox: SandboxFactory) -> None:
    box = sandbox(orders=60)
    seeded, key = box.http.get("/_sandbox/state").content, box.answer_key()
    created = []
    for _ in range(2):
        with box.halo() as halo:
            created.append(halo.post("/api/Client", json=[{"name": "New"}]).json())
            halo.delete("/api/Invoice/1")
            halo.delete("/api/SalesOrder/2")
        box.put_state(halo_state())
        box.switches(halo_bare_arrays=True)
        box.reset()
        assert box.http.get("/_sandbox/state").content == seeded
        assert box.answer_key() == key
        assert box.control("GET", "/switches")["halo_bare_arrays"] is False
    assert created[0] == created[1]


def test_switches_are_checked_and_changed_one_by_one(sandbox: SandboxFactory) -> None:
    box = sandbox()
    assert box.switches(ghl_not_found=400)["ghl_date_filter"] == "exact"
    for body in (b'{"ghl_not_found":500}', b'{"ghl_found":404}', b"[]"):
        assert box.http.put("/_sandbox/switches", content=body).status_code == 400
    assert box.control("GET", "/switches")["ghl_not_found"] == 400


def test_unknown_control_endpoints_and_systems_say_what_is_known(sandbox: SandboxFactory) -> None:
    box = sandbox()
    answer = box.http.get("/_sandbox/nothing")
    assert answer.status_code == 404
    assert "GET /_sandbox/state" in answer.json()["known"]
    assert box.http.get("/").json()["known"] == sorted(vendor_modules())
