"""Single documents: versions, look-ups by id, and which records need theirs."""

from __future__ import annotations

from typing import Any

import pytest

from ghl_payments.warehouse import reconcile
from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.queries import run
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, OLD, ago, agreed_halo, order, parcel, txn
from ghl_payments_tests.warehouse.desk import Desk, later


def needed(desk: Desk, stream: str, *, warm: bool = False, detailed: bool = False) -> list[str]:
    keys = {"location_id": LOCATION, "warm": warm, "as_of": naive(NOW), "detailed": detailed}
    return [row[0] for row in run(desk.con, f"raw/needed_{stream}", keys)]


def lookups(desk: Desk) -> dict[str, int]:
    return dict(desk.con.execute("select id, status from raw.lookups").fetchall())


def test_a_detail_is_current_until_its_list_row_changes(desk: Desk) -> None:
    desk.list("orders", order())
    assert needed(desk, "order_details") == ["o1"]
    desk.details("order_details", {"o1": order()})
    assert needed(desk, "order_details") == []
    desk.list("orders", order(status="refunded", updatedAt=ago(days=1)), at=later(hours=1))
    assert needed(desk, "order_details") == ["o1"]


def test_an_unchanged_detail_fetched_again_is_current_without_a_new_version(desk: Desk) -> None:
    desk.list("orders", order())
    desk.details("order_details", {"o1": {"_id": "o1", "items": []}})
    desk.list("orders", order(status="refunded", updatedAt=ago(days=1)), at=later(hours=1))
    assert desk.details("order_details", {"o1": {"_id": "o1", "items": []}}, at=later(hours=2)) == 0
    assert needed(desk, "order_details") == []
    assert desk.details("order_details", {"o1": {"_id": "o1", "items": [1]}}, at=later(hours=3)) == 1
    assert [row["is_current"] for row in sorted(desk.rows("raw.order_details"), key=lambda r: r["valid_from"])] == [
        False,
        True,
    ]


def test_the_answer_404_is_remembered_and_is_no_document(desk: Desk) -> None:
    assert desk.details("transaction_details", {"t9": None, "t1": txn()}) == 1
    assert lookups(desk) == {"t9": 404, "t1": 200}
    desk.details("transaction_details", {"t9": txn("t9")}, at=later(hours=1))
    assert lookups(desk)["t9"] == 200


def test_other_answers_prove_nothing(desk: Desk) -> None:
    path = desk.land(({"kind": "detail", "id": "o1", "status": 500, "fetched_at": NOW.isoformat()}, {"error": 1}))
    from ghl_payments.warehouse.landing_load import load_details

    assert load_details(desk.con, path, "order_details", LOCATION, NOW) == 0
    assert lookups(desk) == {}


def test_an_order_is_asked_for_when_a_target_or_a_charge_names_it_and_no_list_has_it(desk: Desk) -> None:
    desk.list("orders", order())
    desk.details("order_details", {"o1": order()})
    desk.list("transactions", txn(entityId="o7"), txn("t2", entityId="o8", status="failed"))
    desk.halo_holds({"SalesOrder": [{"id": 3, "total": 5, "po_number": "ghl:order:o9"}]})
    reconcile.derive_actual(desk.con, desk.halo)
    assert needed(desk, "order_details") == ["o7", "o9"]


def test_an_order_that_left_a_complete_list_is_asked_for(desk: Desk) -> None:
    desk.list("orders", order())
    desk.details("order_details", {"o1": order()})
    desk.list("orders", at=later(hours=1))
    assert needed(desk, "order_details") == ["o1"]


def test_only_a_warm_scan_reads_parcels_of_unchanged_orders_that_are_not_all_shipped(desk: Desk) -> None:
    long_ago = "2025-12-01T00:00:00Z"
    two = {"name": "Thing", "qty": 2, "price": {"_id": "p1", "amount": 5}}
    orders = [order("open", items=[two], createdAt=long_ago), order("sent", items=[two], createdAt=long_ago)]
    desk.list("orders", *orders, order("fresh", createdAt=ago(days=3)))
    assert needed(desk, "fulfillments") == ["fresh", "open", "sent"]
    desk.details("order_details", {document["_id"]: document for document in orders})
    parcels: dict[str, Any] = {"open": [parcel("f1", OLD, 1)], "sent": [parcel("f2", OLD, 2)], "fresh": []}
    desk.details("fulfillments", {order_id: {"data": documents} for order_id, documents in parcels.items()})
    desk.stage("fulfillments")
    assert needed(desk, "fulfillments") == []
    assert needed(desk, "fulfillments", warm=True) == ["fresh", "open"]


def test_a_digital_line_does_not_wait_for_a_parcel(desk: Desk) -> None:
    digital = {"name": "File", "qty": 1, "price": {"_id": "p1", "amount": 5}, "product": {"productType": "DIGITAL"}}
    document = order(items=[digital], createdAt="2025-12-01T00:00:00Z")
    desk.list("orders", document)
    desk.details("order_details", {"o1": document})
    desk.details("fulfillments", {"o1": {"data": []}})
    assert needed(desk, "fulfillments", warm=True) == []


def test_a_charge_needs_its_detail_only_while_the_target_lacks_it_or_disagrees(desk: Desk) -> None:
    desk.list("orders", order())
    desk.list("transactions", txn())
    assert needed(desk, "transaction_details") == ["t1"]
    desk.halo_holds(agreed_halo())
    reconcile.derive_actual(desk.con, desk.halo)
    assert needed(desk, "transaction_details") == []
    desk.list("transactions", txn(amount=7, updatedAt=ago(days=1)), at=later(hours=1))
    assert needed(desk, "transaction_details") == ["t1"]


@pytest.mark.parametrize("changes", [{"status": "failed"}, {"amount": 0}, {"liveMode": False}])
def test_what_no_target_will_ever_hold_costs_no_request(desk: Desk, changes: dict[str, Any]) -> None:
    desk.list("transactions", txn(**changes))
    assert needed(desk, "transaction_details") == []


def test_charges_of_an_order_marked_as_test_in_its_detail_are_looked_at(desk: Desk) -> None:
    desk.list("orders", order())
    desk.list("transactions", txn())
    desk.halo_holds(agreed_halo())
    reconcile.derive_actual(desk.con, desk.halo)
    desk.details("order_details", {"o1": order(markAsTest=True)})
    assert needed(desk, "transaction_details") == ["t1"]


def test_a_payment_whose_transaction_no_list_has_is_asked_for(desk: Desk) -> None:
    desk.halo_holds(agreed_halo())
    reconcile.derive_actual(desk.con, desk.halo)
    assert needed(desk, "transaction_details") == ["t1"]


def test_a_subscription_needs_its_detail_while_its_orders_record_shows_another_status(desk: Desk) -> None:
    subscription = {"_id": "s1", "liveMode": True, "entityType": "order", "entityId": "o1", "status": "active",
                    "createdAt": OLD}  # fmt: skip
    desk.list("subscriptions", subscription, subscription | {"_id": "s2", "liveMode": False})
    desk.halo_holds(agreed_halo())
    reconcile.derive_actual(desk.con, desk.halo)
    assert needed(desk, "subscription_details") == ["s1"]
    halo = agreed_halo()
    halo["SalesOrder"][0]["customfields"].append({"name": "CFGHLSubscriptionStatus", "value": "active"})
    desk.halo_holds(halo)
    reconcile.derive_actual(desk.con, desk.halo)
    assert needed(desk, "subscription_details") == []
    assert needed(desk, "subscription_details", detailed=True) == ["s1"]
