"""GHL against Halo where the whole reading matters: certificates, tolerances, two locations, and independence of order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from ghl_payments.warehouse import reconcile
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, OTHER, ago, agreed_halo, custom, link, order, txn
from ghl_payments_tests.warehouse.desk import Desk, Row, later, target
from ghl_payments_tests.warehouse.gallery import Purchase, halo_of, hang
from ghl_payments_tests.warehouse.worlds import World


def kinds(rows: list[Row]) -> set[tuple[str, str, str]]:
    return {(row["record_type"], row["key"], row["kind"]) for row in rows}


def test_an_incomplete_list_proves_no_absence_but_shows_differences(desk: Desk) -> None:
    seen, unseen = Purchase(1), Purchase(2)
    hang(desk, [seen])
    seen.sales_order["total"] = 7
    desk.purchases([seen.order, unseen.order], [seen.txn, unseen.txn])
    desk.halo_holds(halo_of([seen]), incomplete=["invoice"])
    assert kinds(desk.judge()) == {("sales_order", "ghl:order:o1", "field_differs")}


def test_without_the_answer_404_nothing_is_an_orphan(desk: Desk) -> None:
    purchase = Purchase(1)
    purchase.orders.clear()
    purchase.transactions.clear()
    hang(desk, [purchase])
    desk.stage()
    reconcile.derive_desired(desk.con, [desk.halo], LOCATION)
    reconcile.reconcile_target(desk.con, desk.halo, LOCATION, as_of=NOW, lag_seconds=300)
    assert desk.diffs() == []


def test_a_record_known_before_and_gone_by_404_was_deleted_even_without_a_cross_reference(desk: Desk) -> None:
    purchase = Purchase(1)
    hang(desk, [purchase])
    assert desk.judge() == []
    purchase.without("InvoicePayment")
    desk.halo_holds(halo_of([purchase]))
    assert kinds(desk.judge()) == {("invoice_payment", "ghl:txn:t1", "unverifiable")}
    desk.read_singly("invoice_payment", {"15": None})
    [gone] = desk.judge()
    assert (gone["kind"], gone["key"], gone["amount_minor"]) == ("deleted_in_target", "ghl:txn:t1", 10_050)


def test_a_tolerance_holds_exactly_to_its_limit(desk: Desk) -> None:
    record = desk.halo.mapping.record_types["sales_order"]
    fields = record.fields | {"total": record.fields["total"].model_copy(update={"tolerance": 2})}
    types = desk.halo.mapping.record_types | {"sales_order": record.model_copy(update={"fields": fields})}
    desk.halo = replace(desk.halo, mapping=desk.halo.mapping.model_copy(update={"record_types": types}))
    purchases = [Purchase(number) for number in range(1, 6)]
    for purchase, total in zip(purchases, ("100.52", "100.48", "100.53", "100.47", "100.5"), strict=True):
        purchase.sales_order["total"] = Decimal(total)
    hang(desk, purchases)
    assert {(row["key"], row["amount_minor"]) for row in desk.judge()} == {("ghl:order:o3", 3), ("ghl:order:o4", 3)}


def test_the_same_ids_in_two_locations_of_one_tenant_are_different_records(desk: Desk) -> None:
    halo = agreed_halo()
    halo["Client"].append({"id": 101})
    halo["Users"].append({"id": 102, "client_id": 101})
    halo["SalesOrder"].append(halo["SalesOrder"][0] | {
        "id": 103, "client_id": 101, "currency_code": 9, "total": 500,
        "customfields": custom(OrderId="o1", Status="completed", Amount="500", Currency="JPY"),
    })  # fmt: skip
    halo["Currency"].append({"id": 9, "code": "JPY"})
    contact = "ghl:contact:c1"
    halo["ExternalLink"] += [link("client", 101, contact, OTHER), link("user", 102, contact, OTHER)]
    desk.halo = target(only_location=None)
    desk.purchases([order()], [txn()])
    yen = {"currency": "JPY", "paymentStatus": "unpaid"}
    desk.purchases([order(amount=500, **yen)], location_id=OTHER)
    desk.halo_holds(halo)
    assert (desk.judge(), desk.judge(location_id=OTHER)) == ([], [])
    desk.purchases([order(amount=499, updatedAt=ago(days=1), **yen)], location_id=OTHER, at=later(hours=1))
    [changed] = desk.judge(location_id=OTHER)
    assert (changed["record_type"], changed["class"], changed["amount_minor"]) == ("sales_order", "amount", 1)
    assert desk.diffs() == []


def comparable(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if not isinstance(value, datetime)} for row in rows]


def load(desk: Desk, world: World, at: datetime = NOW) -> None:
    place = world.place
    desk.purchases(place["orders"], place["transactions"], subscriptions=place["subscriptions"],
                   fulfillments=place["fulfillments"], at=at)  # fmt: skip
    desk.halo_holds(world.halo)


def test_the_same_data_gives_the_same_verdict_in_any_month(desk: Desk) -> None:
    load(desk, World(3, purchases=6))
    first = comparable(desk.judge())
    months = timedelta(days=70)
    assert first
    assert comparable(desk.judge(now=NOW + months, lag_seconds=300 + int(months.total_seconds()))) == first


def test_the_order_of_rows_never_changes_a_diff(desk: Desk) -> None:
    world, shuffle, found = World(11, purchases=14), Random(5).shuffle, []
    for _ in range(2):
        for table in ("raw.orders", "raw.transactions", "raw.fulfillments", "actual.documents", "actual.reads"):
            desk.con.execute(f"delete from {table}")
        load(desk, world)
        found.append(comparable(desk.judge()))
        for documents in (world.place["orders"], world.place["transactions"], *world.halo.values()):
            shuffle(documents)
    assert found[0] == found[1]
    assert len(found[0]) > 10
