"""GHL against Halo: every kind of disagreement, its money and its reason; what cannot be judged is never called wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghl_payments.warehouse import reconcile
from ghl_payments_tests.sandbox.oracle_states import (
    CONTACT,
    LOCATION,
    NOW,
    OLD,
    ORDER,
    OTHER,
    TXN,
    ago,
    agreed_halo,
    custom,
    link,
    order,
    parcel,
    txn,
)
from ghl_payments_tests.warehouse.desk import Desk, Row, later, target
from ghl_payments_tests.warehouse.worlds import World

Document = dict[str, Any]
EMPTY_HALO = {"Currency": agreed_halo()["Currency"]}


def edited(**changes: Mapping[str, Any]) -> Document:
    """The agreed Halo with its first record of a resource changed, e.g. `SalesOrder={"total": 7}`."""
    halo = agreed_halo()
    for resource, change in changes.items():
        halo[resource][0] |= change
    return halo


def halo_rows(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Diffs against Halo by (record type, key)."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["system"] == "halo":
            found.setdefault((row["record_type"], row["key"]), []).append(row)
    return found


def verdicts(rows: Iterable[Row]) -> set[tuple[str, str, str]]:
    return {(row["record_type"], row["key"], row["kind"]) for row in rows if row["system"] == "halo"}


def judged(desk: Desk, halo: Document, orders: list[Document] | None = None, transactions: list[Document] | None = None,
           **parts: Any) -> list[Row]:  # fmt: skip
    desk.purchases([order()] if orders is None else orders, [txn()] if transactions is None else transactions, **parts)
    desk.halo_holds(halo)
    return desk.judge()


def test_agreement_is_silence(desk: Desk) -> None:
    assert judged(desk, agreed_halo()) == []


def test_an_empty_halo_lacks_every_record_and_each_can_be_written(desk: Desk) -> None:
    rows = judged(desk, EMPTY_HALO)
    assert verdicts(rows) == {
        (record_type, key, "missing_in_target")
        for record_type, key in (("client", CONTACT), ("user", CONTACT), ("sales_order", ORDER), ("invoice", ORDER),
                                 ("invoice_payment", TXN))
    }  # fmt: skip
    assert {row["pushable"] for row in rows} == {True}
    money = {row["record_type"]: (row["amount_minor"], row["currency"]) for row in rows}
    assert money == {"client": (None, None), "user": (None, None)} | dict.fromkeys(
        ("sales_order", "invoice", "invoice_payment"), (10_050, "USD")
    )


def test_what_changed_within_the_lag_is_pending_and_exactly_at_the_limit_it_is_not(desk: Desk) -> None:
    orders = [order("young", updatedAt=ago(seconds=299)), order("old", updatedAt=ago(seconds=300)),
              order("future", updatedAt=ago(seconds=-60))]  # fmt: skip
    rows = halo_rows(judged(desk, EMPTY_HALO, orders, []))
    kinds = {key: row["kind"] for (record_type, key), [row] in rows.items() if record_type == "sales_order"}
    assert kinds == {
        "ghl:order:young": "pending", "ghl:order:old": "missing_in_target", "ghl:order:future": "pending",
    }  # fmt: skip
    assert [row["kind"] for row in rows["client", CONTACT]] == ["missing_in_target"]
    assert not rows["sales_order", "ghl:order:young"][0]["pushable"]


def test_a_difference_within_the_lag_is_one_pending_row(desk: Desk) -> None:
    halo = edited(SalesOrder={"total": 1, "customfields": custom(Status="pending")})
    [row] = judged(desk, halo, [order(updatedAt=ago(seconds=60))])
    assert (row["kind"], row["class"], row["fields"], row["native_ids"]) == ("pending", None, [], ["3"])
    assert (row["amount_minor"], row["currency"]) == (10_050, "USD")


@pytest.mark.parametrize(("total", "stake"), [("100.51", 1), ("100.49", 1), ("201", 10_050), ("-100.5", 20_100)])
def test_a_total_differs_both_ways_by_its_distance(desk: Desk, total: str, stake: int) -> None:
    [row] = judged(desk, edited(SalesOrder={"total": Decimal(total)}))
    assert (row["kind"], row["class"], row["amount_minor"], row["pushable"]) == ("field_differs", "amount", stake, True)
    assert row["fields"] == [
        {"field": "total", "desired": "10050", "actual": str(10_050 + stake * (1 if float(total) > 100.5 else -1))}
    ]


def test_a_targets_double_is_no_difference(desk: Desk) -> None:
    halo = edited(SalesOrder={"total": Decimal("100.50000000000001")}, Invoice={"total": Decimal("100.4999999")})
    assert judged(desk, halo) == []


def test_a_tolerance_holds_exactly_to_its_limit_and_says_what_it_lets_pass(desk: Desk) -> None:
    mapping = desk.halo.mapping
    record = mapping.record_types["sales_order"]
    total = record.fields["total"].model_copy(update={"tolerance": 2})
    record = record.model_copy(update={"fields": record.fields | {"total": total}})
    loose = mapping.model_copy(update={"record_types": mapping.record_types | {"sales_order": record}})
    desk.halo = replace(desk.halo, mapping=loose)
    assert judged(desk, edited(SalesOrder={"total": Decimal("100.52")})) == []
    for total_text, stake in (("100.53", 3), ("100.47", 3)):
        desk.halo_holds(edited(SalesOrder={"total": Decimal(total_text)}))
        [row] = desk.judge()
        assert (row["class"], row["amount_minor"]) == ("amount", stake)


def test_each_class_of_differing_fields_is_a_row_of_its_own(desk: Desk) -> None:
    halo = edited(SalesOrder={
        "total": 7, "currency_code": 8, "date": "2026-02-02T10:00:00Z", "ship_status": "fulfilled", "client_id": 99,
        "customfields": custom(Status="pending", Amount="7.00", Currency="EUR", Tracking="UPS", Fulfillments="[]"),
    })  # fmt: skip
    rows = judged(desk, halo)
    found = {row["class"]: sorted(field["field"] for field in row["fields"]) for row in rows}
    assert found == {
        "amount": ["amount_text", "total"], "currency": ["currency", "currency_text"], "status": ["ship_status", "status"],
        "date": ["date"], "contact": ["client"], "other": ["tracking"], "quantity": ["fulfillments"],
    }  # fmt: skip
    by_class = {row["class"]: row for row in rows}
    assert by_class["amount"]["amount_minor"] == by_class["currency"]["amount_minor"] == 10_050
    assert {name: row["amount_minor"] for name, row in by_class.items() if name not in ("amount", "currency")} == (
        dict.fromkeys(("status", "date", "contact", "other", "quantity"))
    )


def test_what_the_target_owns_is_reported_and_never_written(desk: Desk) -> None:
    halo = edited(Invoice={"invoice_date": "2026-02-09T00:00:00Z", "client_id": 77})
    rows = judged(desk, halo)
    assert {(row["class"], row["pushable"], row["reason"]) for row in rows} == {
        ("date", False, "the target owns these fields"), ("contact", False, "the target owns these fields"),
    }  # fmt: skip


def test_only_the_amount_text_differing_puts_no_money_at_stake(desk: Desk) -> None:
    halo = edited(SalesOrder={"customfields": custom(OrderId="o1", Status="completed", Amount="9.00", Currency="USD")})
    [row] = judged(desk, halo)
    assert (row["class"], row["amount_minor"], row["currency"]) == ("amount", 0, "USD")


def test_a_second_record_with_the_key_is_a_duplicate_and_nothing_else(desk: Desk) -> None:
    halo = edited(SalesOrder={"total": 1})
    halo["SalesOrder"].append(halo["SalesOrder"][0] | {"id": 12, "total": 7})
    halo["Client"].append({"id": 9, "name": "Twin"})
    halo["ExternalLink"].append(link("client", 9, CONTACT) | {"id": 999_999})
    rows = halo_rows(judged(desk, halo))
    assert set(rows) == {("sales_order", ORDER), ("client", CONTACT)}
    [doubled] = rows["sales_order", ORDER]
    assert (doubled["kind"], sorted(doubled["native_ids"]), doubled["amount_minor"]) == (
        "duplicate_in_target",
        ["12", "3"],
        700,
    )
    assert rows["client", CONTACT][0]["amount_minor"] is None


def test_children_of_a_doubled_parent_wait(desk: Desk) -> None:
    halo = agreed_halo() | {"SalesOrder": [], "Invoice": [], "InvoicePayment": [],
                            "ExternalLink": [link("client", 1, CONTACT), link("user", 2, CONTACT)]}  # fmt: skip
    halo["Client"].append({"id": 9, "name": "Twin"})
    halo["ExternalLink"].append(link("client", 9, CONTACT))
    rows = halo_rows(judged(desk, halo))
    assert {(kind, row["pushable"]) for (kind, _), [row] in rows.items() if kind != "client"} == {
        ("sales_order", False), ("invoice", False), ("invoice_payment", False),
    }  # fmt: skip
    assert rows["sales_order", ORDER][0]["reason"] == "waits for its client, which cannot be written yet"


def test_an_orphan_is_one_only_when_ghl_answers_404_or_does_not_want_it(desk: Desk) -> None:
    halo = edited(
        SalesOrder={"po_number": "ghl:order:o9"},
        InvoicePayment={"intent_id": "ghl:txn:t9", "thirdpartyid": "ghl:txn:t9"},
    )
    halo["ExternalLink"] = halo["ExternalLink"][:2]
    halo["Invoice"][0]["thirdpartyinvoicenumber"] = "ghl:order:zero"
    rows = judged(desk, halo, [order("zero", amount=0), order()], [txn(status="failed"), txn("keep", entityId="o1")])
    orphans = {row["key"]: row for row in rows if row["kind"] == "missing_in_source"}
    assert set(orphans) == {"ghl:order:o9", "ghl:txn:t9", "ghl:order:zero"}
    assert {row["amount_minor"] for row in orphans.values()} == {10_050}
    assert "404" not in str(orphans["ghl:order:zero"]["reason"])
    assert not any(row["pushable"] for row in orphans.values())


def test_without_the_answer_404_nothing_is_an_orphan(desk: Desk) -> None:
    desk.purchases([order()], [txn()])
    halo = agreed_halo()
    halo["SalesOrder"].append(halo["SalesOrder"][0] | {"id": 30, "po_number": "ghl:order:o9"})
    desk.halo_holds(halo)
    desk.stage()
    reconcile.derive_desired(desk.con, [desk.halo], LOCATION)
    reconcile.reconcile_target(desk.con, desk.halo, LOCATION, as_of=NOW, lag_seconds=300)
    assert desk.diffs() == []
    assert verdicts(desk.judge()) == {("sales_order", "ghl:order:o9", "missing_in_source")}


def test_a_cross_reference_whose_record_is_gone_tells_of_a_deletion(desk: Desk) -> None:
    halo = agreed_halo() | {"SalesOrder": []}
    rows = halo_rows(judged(desk, halo, [order(updatedAt=ago(seconds=5))]))
    [row] = rows["sales_order", ORDER]
    assert (row["kind"], row["amount_minor"], row["native_ids"], row["pushable"]) == (
        "deleted_in_target",
        10_050,
        [],
        False,
    )


def test_a_record_known_before_and_gone_by_404_was_deleted_even_without_a_cross_reference(desk: Desk) -> None:
    judged(desk, agreed_halo())
    desk.halo_holds(agreed_halo() | {"InvoicePayment": []})
    [lost] = desk.judge()
    assert (lost["kind"], lost["key"]) == ("unverifiable", TXN)
    desk.read_singly("invoice_payment", {"5": None})
    [gone] = desk.judge()
    assert (gone["kind"], gone["key"], gone["amount_minor"]) == ("deleted_in_target", TXN, 10_050)


def test_a_test_record_in_a_live_halo_is_named_with_what_stands_there(desk: Desk) -> None:
    rows = judged(desk, edited(SalesOrder={"total": 7}), [order(markAsTest=True)], [txn(liveMode=False)])
    assert {(row["record_type"], row["kind"], row["amount_minor"]) for row in rows if row["system"] == "halo"} == {
        ("sales_order", "test_record_in_live", 700), ("invoice", "test_record_in_live", 10_050),
        ("invoice_payment", "test_record_in_live", 10_050),
    }  # fmt: skip


def test_an_unreadable_row_on_either_side_is_unverifiable_and_never_missing(desk: Desk) -> None:
    halo = edited(InvoicePayment={"amount": "n/a"})
    halo["Invoice"].append(halo["Invoice"][0] | {"id": 40, "thirdpartyinvoicenumber": "ghl:txn:t3"})
    orders = [order(), order("o2", amount="x"), order("o3", currency="XXZ", liveMode=False)]
    transactions = [txn(), txn("t2", currency="XXZ"), txn("t3", createdAt="soon", entityType="page")]
    rows = judged(desk, halo, orders, transactions)
    assert verdicts(rows) == {
        ("invoice_payment", TXN, "unverifiable"), ("sales_order", "ghl:order:o2", "unverifiable"),
        ("invoice_payment", "ghl:txn:t2", "unverifiable"), ("invoice_payment", "ghl:txn:t3", "unverifiable"),
        ("invoice", "ghl:txn:t3", "unverifiable"),
    }  # fmt: skip
    assert {(row["amount_minor"], row["pushable"]) for row in rows} == {(None, False)}


def test_an_unreadable_parcel_never_takes_the_others_out_of_halo(desk: Desk) -> None:
    [row] = judged(desk, agreed_halo(), fulfillments={"o1": [parcel("f1", OLD, 1), parcel("f2", "soon", 1)]})
    assert (row["kind"], row["key"], row["pushable"]) == ("unverifiable", ORDER, False)


def test_unverifiable_comes_before_duplicate_and_duplicate_before_test_and_test_before_missing(desk: Desk) -> None:
    halo = agreed_halo()
    twin = halo["SalesOrder"][0]
    halo["SalesOrder"] += [
        twin | {"id": 31, "po_number": "ghl:order:bad"}, twin | {"id": 32, "po_number": "ghl:order:bad"},
        twin | {"id": 33, "po_number": "ghl:order:test"}, twin | {"id": 34, "po_number": "ghl:order:test"},
        twin | {"id": 35, "po_number": "ghl:order:test2"}, twin | {"id": 36, "po_number": "ghl:order:nan", "total": "x"},
        twin | {"id": 37, "po_number": "ghl:order:nan"},
    ]  # fmt: skip
    orders = [order(), order("bad", amount="x"), order("test", liveMode=False), order("test2", markAsTest=True)]
    assert verdicts(judged(desk, halo, orders)) == {
        ("sales_order", "ghl:order:bad", "unverifiable"), ("sales_order", "ghl:order:nan", "unverifiable"),
        ("sales_order", "ghl:order:test", "duplicate_in_target"), ("sales_order", "ghl:order:test2", "test_record_in_live"),
    }  # fmt: skip


def test_an_incomplete_list_proves_no_absence_but_shows_differences(desk: Desk) -> None:
    desk.purchases([order(), order("o2")], [txn()])
    desk.halo_holds(edited(SalesOrder={"total": 7}), incomplete=["invoice"])
    assert verdicts(desk.judge()) == {("sales_order", ORDER, "field_differs")}


def test_a_key_counts_without_its_cross_reference_and_under_a_merged_contacts_old_name(desk: Desk) -> None:
    halo = agreed_halo()
    halo["ExternalLink"] = [link("client", 1, "ghl:contact:c0"), link("user", 2, "ghl:contact:c0")]
    assert judged(desk, halo, transactions=[txn(mergedFromContactId="c0")]) == []


def test_records_without_our_key_are_nobodys_business(desk: Desk) -> None:
    halo = agreed_halo()
    halo["SalesOrder"] += [
        {"id": 50, "po_number": "PO-7", "total": "n/a"},
        {"id": 51, "po_number": "ghl:txn:t1", "total": 5},
    ]
    halo["Invoice"] += [{"id": 50, "thirdpartyinvoicenumber": "QB-1", "total": None}]
    halo["ExternalLink"] += [link("client", 60, "ghl:order:o1"), link("sales_order", 61, "crm:7")]
    assert judged(desk, halo) == []
    unmanaged = desk.rows("actual.records", "key is null")
    assert {(row["record_type"], row["native_id"]) for row in unmanaged} == {
        ("sales_order", "50"), ("sales_order", "51"), ("invoice", "50"),
    }  # fmt: skip


def test_the_same_ids_in_two_locations_of_one_tenant_are_different_records(desk: Desk) -> None:
    halo = agreed_halo()
    halo["Client"].append({"id": 101, "name": "Other"})
    halo["Users"].append({"id": 102, "client_id": 101})
    halo["SalesOrder"].append(halo["SalesOrder"][0] | {
        "id": 103, "client_id": 101, "currency_code": 9, "total": 500,
        "customfields": custom(OrderId="o1", Status="completed", Amount="500", Currency="JPY"),
    })  # fmt: skip
    halo["Currency"].append({"id": 9, "code": "JPY"})
    halo["ExternalLink"] += [link("client", 101, CONTACT, OTHER), link("user", 102, CONTACT, OTHER)]
    desk.halo = target(only_location=None)
    desk.purchases([order()], [txn()])
    desk.purchases([order(currency="JPY", amount=500)], location_id=OTHER)
    desk.halo_holds(halo)
    assert (desk.judge(), desk.judge(location_id=OTHER)) == ([], [])
    desk.purchases([order(currency="JPY", amount=499, updatedAt=ago(days=1))], location_id=OTHER, at=later(hours=1))
    assert {(row["record_type"], row["class"]) for row in desk.judge(location_id=OTHER)} == {("sales_order", "amount")}
    assert desk.judge() == []


def test_the_same_data_gives_the_same_verdict_in_any_month(desk: Desk) -> None:
    world = World(3, purchases=6)
    desk.purchases(world.place["orders"], world.place["transactions"], fulfillments=world.place["fulfillments"])
    desk.halo_holds(world.halo)
    first, second = desk.judge(now=NOW), desk.judge(now=NOW)
    assert [row["diff_id"] for row in first] == [row["diff_id"] for row in second]
    shift = timedelta(days=40)
    assert {row["diff_id"] for row in desk.judge(now=NOW + shift, lag_seconds=300 + int(shift.total_seconds()))} == {
        row["diff_id"] for row in first
    }


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=False))
def test_the_order_of_rows_never_changes_a_diff(desk: Desk, random: Any) -> None:
    world = World(11, purchases=8)
    found = []
    for at in (NOW, later(hours=1)):
        for table in ("raw.orders", "raw.transactions", "raw.fulfillments", "actual.documents", "reconciliation.diffs"):
            desk.con.execute(f"delete from {table}")
        place, halo = world.place, {name: list(documents) for name, documents in world.halo.items()}
        for documents in (place["orders"], place["transactions"], place["subscriptions"], *halo.values()):
            random.shuffle(documents)
        desk.purchases(place["orders"], place["transactions"], subscriptions=place["subscriptions"],
                       fulfillments=place["fulfillments"], at=at)  # fmt: skip
        desk.halo_holds(halo)
        found.append([comparable(row) for row in desk.judge()])
    assert found[0] == found[1]
    assert found[0]


def comparable(row: Row) -> Row:
    return {name: value for name, value in row.items() if not isinstance(value, datetime)}
