"""The sandboxed Halo tenant reads and signs in as the contract says; writing is tested in `test_halo_writes`."""

from __future__ import annotations

from typing import Any

import pytest

from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import halo_state


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    """Five sales orders, two invoices of ours, a payment, links; one client is inactive."""
    running = sandbox()
    running.put_state(
        halo_state(
            Client=[
                {"id": 1, "name": "Client One", "main_site_id": 1},
                {"id": 2, "name": "Gone", "inactive": True, "main_site_id": 2},
            ],
            SalesOrder=[
                {
                    "id": n,
                    "client_id": 1 + n % 2,
                    "user_id": 1,
                    "title": f"Order {n}",
                    "po_number": f"PO-{n}",
                    "currency_code": 11,
                    "date": f"2026-10-0{n}T00:00:00.000Z",
                    "lines": [{"name": "Thing", "quantity": n, "price": 10}],
                }
                for n in range(1, 6)
            ],
            Invoice=[
                {
                    "id": n,
                    "client_id": 1,
                    "thirdpartyinvoicenumber": f"ghl:order:{n}",
                    "currency_code": 11,
                    "invoice_date": f"2026-10-0{n}T10:00:00.000Z",
                    "last_modified": f"2026-11-0{n}T10:00:00.000Z",
                    "lines": [{"item_shortdescription": "Thing", "qty_order": 1, "unit_price": 50}],
                }
                for n in (1, 2)
            ],
            InvoicePayment=[{"invoice_id": 1, "client_id": 1, "amount": 20, "intent_id": "ghl:txn:1"}],
            ExternalLink=[
                {"table_id": 996, "halo_id": 1, "third_party_id": "ghl:order:1", "third_party_secondary_id": "L"},
                {"table_id": 995, "halo_id": 1, "third_party_id": "ghl:order:1", "third_party_secondary_id": "L"},
                {"table_id": 996, "halo_id": 2, "third_party_id": "ghl:order:1"},
            ],
        )
    )
    return running


def rows(box: RunningSandbox, resource: str, **query: Any) -> list[dict[str, Any]]:
    """The rows of one list answer, whatever its key."""
    with box.halo() as client:
        body = client.get(f"/api/{resource}", params={"pageinate": "true", "order": "id"} | query).json()
    found: list[dict[str, Any]] = next(value for value in body.values() if isinstance(value, list))
    return found


def ids(box: RunningSandbox, resource: str, **query: Any) -> list[int]:
    """The ids of one list answer."""
    return [row["id"] for row in rows(box, resource, **query)]


def test_sign_in_takes_the_tenant_in_query_or_form_and_knows_its_secret(box: RunningSandbox) -> None:
    halo = box.ready["systems"]["halo"]
    url = "/halo/auth/token"
    form = {"grant_type": "client_credentials", "client_id": halo["client_id"], "client_secret": halo["client_secret"]}
    token = box.http.post(url, params={"tenant": halo["tenant"]}, data=form).json()
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
    assert box.http.post(url, data=form | {"tenant": halo["tenant"]}).status_code == 200
    assert box.http.post(url, params={"tenant": "other"}, data=form).status_code == 500
    wrong = box.http.post(url, data=form | {"client_secret": "guess"})
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


def test_discovery_is_open_and_names_the_token_server(box: RunningSandbox) -> None:
    info = box.http.get("/halo/api/authinfo").json()
    assert info == {"auth_url": f"{box.base_url}/halo/auth", "tenant_id": "sandbox7"}


def test_dead_tokens_are_401_and_missing_scopes_403_with_empty_bodies(box: RunningSandbox) -> None:
    with box.halo("read:customers") as client:
        assert client.get("/api/Client").status_code == 200
        forbidden = client.get("/api/Invoice")
        assert (forbidden.status_code, forbidden.content) == (403, b"")
        assert client.post("/api/Client", json=[{"name": "New"}]).status_code == 403
        box.fault("expire_tokens", system="halo")
        expired = client.get("/api/Client")
        assert (expired.status_code, expired.content) == (401, b"")


def test_paths_are_case_insensitive_and_booleans_may_be_capitalised(box: RunningSandbox) -> None:
    with box.halo() as client:
        body = client.get("/API/salesorder", params={"pageinate": "True", "page_size": 2, "page_no": 3}).json()
    assert (body["page_no"], body["page_size"], body["record_count"]) == (3, 2, 5)
    assert [row["id"] for row in body["salesorders"]] == [5]


def test_pages_are_capped_at_100_rows(sandbox: SandboxFactory) -> None:
    box = sandbox()
    box.put_state(halo_state(ExternalLink=[{"table_id": 2, "halo_id": n, "third_party_id": "x"} for n in range(120)]))
    assert len(rows(box, "ExternalLink", page_size=1000)) == 100
    assert len(rows(box, "ExternalLink", page_size=100, page_no=2)) == 20


def test_without_pageinate_count_limits_the_answer(box: RunningSandbox) -> None:
    assert ids(box, "SalesOrder", pageinate="false", count=3) == [1, 2, 3]
    assert ids(box, "SalesOrder", pageinate="false") == [1, 2, 3, 4, 5]


def test_order_takes_property_names_and_directions(box: RunningSandbox) -> None:
    assert ids(box, "SalesOrder", order="id", orderdesc="true") == [5, 4, 3, 2, 1]
    assert ids(box, "SalesOrder", order="client_id", order2="date", orderdesc2="true") == [4, 2, 5, 3, 1]
    assert ids(box, "Invoice", order="last_modified", orderdesc="True") == [2, 1]


def test_list_rows_are_reduced_and_details_are_whole(box: RunningSandbox) -> None:
    row = rows(box, "SalesOrder", page_size=1)[0]
    assert (row["client_name"], row["total"], row["po_number"]) == ("Gone", 10, "PO-1")
    assert not {"lines", "customfields", "external_links"} & row.keys()
    with box.halo() as client:
        detail = client.get("/api/SalesOrder/1", params={"includedetails": "true"}).json()
        invoice = client.get("/api/Invoice/1").json()
    assert (detail["lines"][0]["net_total"], detail["lines"][0]["salesorder_id"]) == (10, 1)
    assert [link["third_party_id"] for link in detail["external_links"]] == ["ghl:order:1"]
    assert [payment["intent_id"] for payment in invoice["payments"]] == ["ghl:txn:1"]
    assert (invoice["amountpaid"], invoice["amountdue"], invoice["paymentstatus"]) == (20, 30, 1)


def test_lines_and_ids_can_be_asked_for(box: RunningSandbox) -> None:
    assert rows(box, "Invoice", includelines="true")[0]["lines"][0]["net_amount"] == 50
    assert rows(box, "Invoice", idonly="true") == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize(
    ("resource", "query", "found"),
    [
        ("Client", {}, [1]),
        ("Client", {"includeinactive": "true"}, [1, 2]),
        ("SalesOrder", {"client_id": 1}, [2, 4]),
        ("SalesOrder", {"client_ids": "1,2"}, [1, 2, 3, 4, 5]),
        ("SalesOrder", {"search": "po-3"}, [3]),
        ("SalesOrder", {"third_party_id": "ghl:order:1"}, [1, 2, 3, 4, 5]),
        ("Invoice", {"third_party_id": "ghl:order:2"}, [2]),
        ("Invoice", {"third_party_id": "nonsense"}, []),
        ("Invoice", {"datesearch": "invoice_date", "startdate": "2026-10-02"}, [2]),
        ("Invoice", {"datesearch": "last_modified", "start_date": "2026-11-01", "end_date": "2026-11-01"}, [1]),
        ("Invoice", {"datesearch": "last_modified", "startdate": "2099-01-01"}, []),
        ("InvoicePayment", {"intent_id": "ghl:txn:1"}, [1]),
        ("InvoicePayment", {"intent_id": "ghl:txn:9"}, []),
        ("ExternalLink", {"third_party_id": "ghl:order:1", "table_id": 996}, [1, 3]),
        ("ExternalLink", {"halo_id": 1, "third_party_secondary_id": "L"}, [1, 2]),
        ("Users", {"search": "CONTACT 0001", "client_id": 1}, [1]),
    ],
)
def test_filters_are_exact_and_search_is_contains(
    box: RunningSandbox, resource: str, query: dict[str, Any], found: list[int]
) -> None:
    assert ids(box, resource, **query) == found


def test_an_old_tenant_ignores_filters_it_does_not_know(box: RunningSandbox) -> None:
    box.switches(halo_ignored_filters=["third_party_id"])
    assert ids(box, "Invoice", third_party_id="nonsense") == [1, 2]


def test_the_list_key_of_sales_orders_and_the_envelope_can_be_switched(box: RunningSandbox) -> None:
    with box.halo() as client:
        box.switches(halo_sales_order_key="orders")
        assert len(client.get("/api/SalesOrder").json()["orders"]) == 5
        box.switches(halo_bare_arrays=True)
        assert len(client.get("/api/SalesOrder", params={"pageinate": "true", "page_size": 2}).json()) == 2


def test_currencies_come_whole_whatever_page_is_asked_for(box: RunningSandbox) -> None:
    assert [row["code"] for row in rows(box, "Currency", page_size=1, page_no=2)] == ["USD", "JPY"]


def test_unknown_ids_and_resources_are_404(box: RunningSandbox) -> None:
    with box.halo() as client:
        assert client.get("/api/SalesOrder/99").status_code == 404
        assert client.get("/api/Unheard").status_code == 404
        assert client.put("/api/SalesOrder/1", json={}).status_code == 405


def test_the_request_over_the_limit_is_429_with_the_vendors_text(sandbox: SandboxFactory) -> None:
    box = sandbox(limits="vendor")
    with box.halo() as client:
        answers = [client.get("/api/Currency") for _ in range(301)]
    assert [answer.status_code for answer in answers] == [200] * 300 + [429]
    assert answers[-1].text == "Rate Limit Reached - 300 Requests per rolling 5 minute window"
    assert "Retry-After" not in answers[-1].headers
