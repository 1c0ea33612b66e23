"""GHL against Halo, case by case: every kind of disagreement, its money and its reason, and what is none at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ghl_payments.warehouse.connection import Warehouse
from ghl_payments_tests.sandbox.oracle_states import OLD, ago, custom, link, parcel, txn
from ghl_payments_tests.warehouse.desk import Desk, Row
from ghl_payments_tests.warehouse.gallery import Purchase, hang

Verdict = tuple[str, str, int | None]
"""(record type, kind or class of a field_differs, minor units at stake)."""
Spoil = Callable[[Purchase], None]

ALL = ("client", "user", "sales_order", "invoice", "invoice_payment")


def nothing_there(kind: str) -> set[Verdict]:
    return {(record_type, kind, None if record_type in ("client", "user") else 10_050) for record_type in ALL}


def absent(p: Purchase) -> None:
    p.without("Client", "Users", "SalesOrder", "Invoice", "InvoicePayment")


def absent_and_young(p: Purchase) -> None:
    absent(p)
    p.order["updatedAt"] = p.txn["updatedAt"] = ago(seconds=299)


def absent_and_just_old_enough(p: Purchase) -> None:
    absent(p)
    p.order["updatedAt"] = p.txn["updatedAt"] = ago(seconds=300)


def a_contact_of_an_older_order_too(p: Purchase) -> None:
    absent_and_young(p)
    p.transactions.append(txn(f"u{p.number}", contactId=f"c{p.number}", entityType=None, entityId=None, amount=1))


def different_and_young(p: Purchase) -> None:
    p.sales_order |= {"total": 1, "ship_status": "fulfilled"}
    p.order["updatedAt"] = ago(seconds=60)


def total(text: str) -> Spoil:
    def spoil(p: Purchase) -> None:
        p.sales_order["total"] = Decimal(text)

    return spoil


def seven_classes(p: Purchase) -> None:
    p.sales_order |= {"total": 7, "currency_code": 8, "date": "2026-02-02T10:00:00Z", "ship_status": "fulfilled",
                      "client_id": 99_999, "customfields": custom(Status="pending", Amount="7.00", Currency="EUR",
                                                                  Tracking="UPS", Fulfillments="[]")}  # fmt: skip


def amount_text(p: Purchase) -> None:
    p.custom("Amount", "9.00")


def milliseconds(p: Purchase) -> None:
    p.order["createdAt"] = p.txn["createdAt"] = "2026-02-01T10:00:00.999Z"
    p.sales_order["date"] = p.invoice["invoice_date"] = "2026-02-01T10:00:00"
    p.payment["date"] = "2026-02-01T11:00:00.250+01:00"


def owned_by_halo(p: Purchase) -> None:
    p.invoice |= {"invoice_date": "2026-02-09T00:00:00Z", "client_id": 99_999}


def payment_in_another_amount(p: Purchase) -> None:
    p.payment["amount"] = 100


def two_orders(p: Purchase) -> None:
    p.sales_order["total"] = 1
    p.halo["SalesOrder"].append(p.sales_order | {"id": p.halo_id(6), "total": 7})


def two_clients(p: Purchase) -> None:
    p.halo["Client"].append({"id": p.halo_id(6)})
    p.halo["ExternalLink"].append(link("client", p.halo_id(6), p.key("contact")))


def two_clients_and_nothing_else(p: Purchase) -> None:
    p.without("SalesOrder", "Invoice", "InvoicePayment")
    two_clients(p)


def unknown_to_ghl(p: Purchase) -> None:
    p.orders.clear()
    p.transactions.clear()


def wanted_no_more(p: Purchase) -> None:
    p.order["amount"] = 0
    p.txn["status"] = "failed"


def deleted(p: Purchase) -> None:
    p.halo["SalesOrder"] = []
    p.order["updatedAt"] = ago(seconds=5)


def in_test_mode(p: Purchase) -> None:
    p.order["markAsTest"] = True
    p.txn["liveMode"] = False
    p.sales_order["total"] = 7


def unreadable_order(p: Purchase) -> None:
    p.order["amount"] = "x"


def unreadable_order_in_test_mode(p: Purchase) -> None:
    p.order |= {"amount": "x", "markAsTest": True}


def unreadable_charge(p: Purchase) -> None:
    p.txn["currency"] = "XXZ"


def unreadable_in_halo(p: Purchase) -> None:
    p.payment["amount"] = "n/a"
    p.invoice["total"] = "100.5"


def unreadable_parcel(p: Purchase) -> None:
    p.fulfillments[f"o{p.number}"] = [parcel("f1", OLD, 1), parcel("f2", "soon", 1)]


def doubled_and_unreadable(p: Purchase) -> None:
    p.order["amount"] = "x"
    p.halo["SalesOrder"].append(p.sales_order | {"id": p.halo_id(6)})


def doubled_in_test_mode(p: Purchase) -> None:
    p.order["liveMode"] = p.txn["liveMode"] = False
    p.without("Invoice", "InvoicePayment")
    p.halo["SalesOrder"].append(p.sales_order | {"id": p.halo_id(6)})


def by_its_own_field_only(p: Purchase) -> None:
    p.halo["ExternalLink"] = p.halo["ExternalLink"][:2]


def under_a_merged_contacts_name(p: Purchase) -> None:
    p.txn["mergedFromContactId"] = f"old{p.number}"
    for document in p.halo["ExternalLink"][:2]:
        document["third_party_id"] = f"ghl:contact:old{p.number}"


def nobodys(p: Purchase) -> None:
    p.halo["SalesOrder"] += [{"id": p.halo_id(6), "po_number": "PO-7", "total": "n/a"},
                             {"id": p.halo_id(7), "po_number": "ghl:txn:t9", "total": 5}]  # fmt: skip
    p.halo["Invoice"].append({"id": p.halo_id(6), "thirdpartyinvoicenumber": "ghl:contact:c9", "total": None})
    p.halo["ExternalLink"] += [link("client", p.halo_id(8), p.key("order")), link("sales_order", p.halo_id(8), "crm:7")]


def in_part(p: Purchase) -> None:
    p.txn["amountRefunded"] = Decimal("20.25")


def doubles(p: Purchase) -> None:
    p.sales_order["total"] = Decimal("100.50000000000001")
    p.invoice["total"] = Decimal("100.4999999")


def yen_in_a_dollar_order(p: Purchase) -> None:
    p.order |= {"currency": "JPY", "amount": 500}
    p.without("Invoice", "InvoicePayment")
    p.transactions.clear()
    p.order["paymentStatus"] = "unpaid"
    p.sales_order |= {"currency_code": 7, "total": 500}
    p.custom("Amount", "500")
    p.custom("Currency", "JPY")


CASES: dict[str, tuple[Spoil, set[Verdict]]] = {
    "agreement is silence": (lambda p: None, set()),
    "what Halo lacks is missing": (absent, nothing_there("missing_in_target")),
    "what changed 299 s ago is pending": (absent_and_young, nothing_there("pending")),
    "what changed 300 s ago is judged": (absent_and_just_old_enough, nothing_there("missing_in_target")),
    "a contact that an older charge needs is not pending": (a_contact_of_an_older_order_too, {
        ("client", "missing_in_target", None), ("user", "missing_in_target", None),
        ("invoice", "missing_in_target", 100), ("invoice_payment", "missing_in_target", 100),
        ("sales_order", "pending", 10_050), ("invoice", "pending", 10_050), ("invoice_payment", "pending", 10_050),
    }),
    "a young difference is one pending row": (different_and_young, {("sales_order", "pending", 10_050)}),
    "a cent too much differs by a cent": (total("100.51"), {("sales_order", "amount", 1)}),
    "a cent too little differs by a cent": (total("100.49"), {("sales_order", "amount", 1)}),
    "a total of the wrong sign differs by twice": (total("-100.5"), {("sales_order", "amount", 20_100)}),
    "a stored double is the amount it means": (doubles, set()),
    "each class of fields is a row": (seven_classes, {
        ("sales_order", "amount", 10_050), ("sales_order", "currency", 10_050), ("sales_order", "status", None),
        ("sales_order", "date", None), ("sales_order", "contact", None), ("sales_order", "other", None),
        ("sales_order", "quantity", None),
    }),
    "an amount text alone puts no money at stake": (amount_text, {("sales_order", "amount", 0)}),
    "an instant is the same in every zone and fraction": (milliseconds, set()),
    "what Halo owns differs without a push": (owned_by_halo, {("invoice", "date", None), ("invoice", "contact", None)}),
    "a payment differs by its distance": (payment_in_another_amount, {("invoice_payment", "amount", 50)}),
    "a second record is a duplicate and nothing else": (two_orders, {("sales_order", "duplicate_in_target", 700)}),
    "a second client has no amount": (two_clients, {("client", "duplicate_in_target", None)}),
    "children of a doubled client are missing": (two_clients_and_nothing_else, {
        ("client", "duplicate_in_target", None), ("sales_order", "missing_in_target", 10_050),
        ("invoice", "missing_in_target", 10_050), ("invoice_payment", "missing_in_target", 10_050),
    }),
    "what GHL answers 404 for is an orphan": (unknown_to_ghl, {
        ("sales_order", "missing_in_source", 10_050), ("invoice", "missing_in_source", 10_050),
        ("invoice_payment", "missing_in_source", 10_050),
    }),
    "what GHL wants no more is an orphan": (wanted_no_more, {
        ("sales_order", "missing_in_source", 10_050), ("invoice", "missing_in_source", 10_050),
        ("invoice_payment", "missing_in_source", 10_050),
    }),
    "a dead cross-reference tells of a deletion": (deleted, {("sales_order", "deleted_in_target", 10_050)}),
    "a test record in live is named with what stands there": (in_test_mode, {
        ("sales_order", "test_record_in_live", 700), ("invoice", "test_record_in_live", 10_050),
        ("invoice_payment", "test_record_in_live", 10_050),
    }),
    "an unreadable order is unverifiable, its invoice is not": (unreadable_order, {("sales_order", "unverifiable", None)}),
    "an unreadable test order is a test record": (unreadable_order_in_test_mode, {
        ("sales_order", "test_record_in_live", 10_050), ("invoice", "test_record_in_live", 10_050),
    }),
    "an unreadable charge makes its invoice unverifiable too": (unreadable_charge, {
        ("invoice_payment", "unverifiable", None), ("invoice", "unverifiable", None),
    }),
    "what cannot be read in Halo is unverifiable": (unreadable_in_halo, {
        ("invoice_payment", "unverifiable", None), ("invoice", "unverifiable", None),
    }),
    "an unreadable parcel takes no other out of Halo": (unreadable_parcel, {("sales_order", "unverifiable", None)}),
    "unverifiable comes before duplicate": (doubled_and_unreadable, {("sales_order", "unverifiable", None)}),
    "duplicate comes before test record": (doubled_in_test_mode, {("sales_order", "duplicate_in_target", 10_050)}),
    "a key counts without a cross-reference": (by_its_own_field_only, set()),
    "a merged contact keeps its client": (under_a_merged_contacts_name, set()),
    "records without our key are nobody's business": (nobodys, set()),
    "a refund has no form in Halo": (in_part, {("invoice_payment", "not_representable", 2_025)}),
    "a wrong currency is one difference and not two": (yen_in_a_dollar_order, {("sales_order", "currency", 500)}),
}  # fmt: skip


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, empty_warehouse: Path) -> dict[int, list[Row]]:
    """Diffs against Halo by the number of their purchase."""
    folder = tmp_path_factory.mktemp("gallery")
    shutil.copyfile(empty_warehouse, folder / "w.duckdb")
    with Warehouse(folder / "w.duckdb").open() as con:
        desk = Desk(folder, con)
        purchases = [Purchase(number) for number in range(1, len(CASES) + 1)]
        for purchase, (spoil, _) in zip(purchases, CASES.values(), strict=True):
            spoil(purchase)
        hang(desk, purchases)
        found: dict[int, list[Row]] = {}
        for row in desk.judge():
            if row["system"] == "halo":
                found.setdefault(int("".join(filter(str.isdigit, row["key"]))), []).append(row)
    return found


def rows_of(gallery: dict[int, list[Row]], sentence: str) -> list[Row]:
    return gallery.get(list(CASES).index(sentence) + 1, [])


@pytest.mark.parametrize("sentence", CASES)
def test_in_this_case(gallery: dict[int, list[Row]], sentence: str) -> None:
    found = rows_of(gallery, sentence)
    assert {(row["record_type"], row["class"] or row["kind"], row["amount_minor"]) for row in found} == CASES[sentence][
        1
    ]
    assert all((row["currency"] is None) == (row["amount_minor"] is None) for row in found)


def test_only_what_a_write_can_close_is_pushable(gallery: dict[int, list[Row]]) -> None:
    pushable = {(row["kind"], row["class"]) for rows in gallery.values() for row in rows if row["pushable"]}
    assert {kind for kind, _ in pushable} == {"missing_in_target", "field_differs"}
    assert {class_ for kind, class_ in pushable if kind == "field_differs"} == {
        "amount", "currency", "status", "date", "other", "quantity",
    }  # fmt: skip
    owned = rows_of(gallery, "what Halo owns differs without a push")
    assert {(row["pushable"], row["reason"]) for row in owned} == {(False, "the target owns these fields")}


def test_children_of_a_doubled_parent_wait_and_say_so(gallery: dict[int, list[Row]]) -> None:
    waiting = [
        row for row in rows_of(gallery, "children of a doubled client are missing") if row["record_type"] != "client"
    ]
    assert {row["pushable"] for row in waiting} == {False}
    assert "waits for its client, which cannot be written yet" in {row["reason"] for row in waiting}


def test_a_difference_shows_both_sides_of_each_field(gallery: dict[int, list[Row]]) -> None:
    [cent] = rows_of(gallery, "a cent too much differs by a cent")
    assert cent["fields"] == [{"field": "total", "desired": "10050", "actual": "10051"}]
    by_class = {row["class"]: row["fields"] for row in rows_of(gallery, "each class of fields is a row")}
    assert [field["field"] for field in by_class["amount"]] == ["amount_text", "total"]
    assert [field["field"] for field in by_class["status"]] == ["ship_status", "status"]
    assert by_class["other"] == [{"field": "tracking", "desired": None, "actual": "UPS"}]


def test_a_diff_names_the_records_that_exist_and_no_others(gallery: dict[int, list[Row]]) -> None:
    def ids(sentence: str) -> list[list[str]]:
        return sorted(sorted(native[-1:] for native in row["native_ids"]) for row in rows_of(gallery, sentence))

    assert ids("a second record is a duplicate and nothing else") == [["3", "6"]]
    assert ids("a dead cross-reference tells of a deletion") == [[]]
    assert ids("a young difference is one pending row") == [["3"]]
    assert ids("what GHL answers 404 for is an orphan") == [["3"], ["4"], ["5"]]


def test_reasons_say_how_sure_we_are(gallery: dict[int, list[Row]]) -> None:
    def reasons(sentence: str) -> set[Any]:
        return {row["reason"] for row in rows_of(gallery, sentence)}

    assert reasons("what GHL answers 404 for is an orphan") == {"GHL has no such record (asked for by id)"}
    assert reasons("what GHL wants no more is an orphan") == {
        "GHL has the order, and it asks for no such record", "GHL has the transaction, and its status is failed",
    }  # fmt: skip
    assert reasons("a dead cross-reference tells of a deletion") == {
        "a cross-reference names it, and it is gone (404 by id)"
    }
    assert reasons("a refund has no form in Halo") == {"a refund has no settled form of its own in the target"}
    assert reasons("an unreadable order is unverifiable, its invoice is not") == {
        "its GHL row is in quarantine: amount_not_numeric"
    }
