"""What the oracle calls a diff between GHL and Halo, on states small enough to check by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ghl_payments.sandbox.oracle import judge
from ghl_payments_tests.sandbox.oracle_states import (
    CONTACT,
    LOCATION,
    NOW,
    ORDER,
    OTHER,
    TXN,
    ago,
    agreed_halo,
    custom,
    link,
    location,
    only_row,
    order,
    state,
    txn,
    verdicts,
)


def test_agreement_gives_no_rows() -> None:
    assert judge(state(), NOW) == []


def test_an_empty_halo_lacks_every_record() -> None:
    document = state(halo={"Currency": [{"id": 7, "code": "USD"}]})
    assert verdicts(document) == [
        ("client", CONTACT, "missing_in_target"),
        ("invoice", ORDER, "missing_in_target"),
        ("invoice_payment", TXN, "missing_in_target"),
        ("sales_order", ORDER, "missing_in_target"),
        ("user", CONTACT, "missing_in_target"),
    ]
    stakes = {row["record_type"]: (row["amount_minor"], row["currency"]) for row in judge(document, NOW)}
    assert stakes["sales_order"] == stakes["invoice"] == stakes["invoice_payment"] == (10_050, "USD")
    assert stakes["client"] == stakes["user"] == (None, None)


@pytest.mark.parametrize(("seconds", "kind"), [(299, "pending"), (300, "missing_in_target"), (-5, "pending")])
def test_a_record_changed_within_the_lag_window_is_pending(seconds: int, kind: str) -> None:
    fresh = order(updatedAt=ago(seconds=seconds))
    halo = agreed_halo() | {"SalesOrder": [], "ExternalLink": agreed_halo()["ExternalLink"][:2]}
    halo["ExternalLink"].append(link("invoice", 4, ORDER))
    assert ("sales_order", ORDER, kind) in verdicts(state(orders=[fresh], halo=halo))


def test_a_contact_that_an_older_record_needs_is_not_pending() -> None:
    document = state(orders=[order(), order("o2", updatedAt=ago(seconds=10))], halo={})
    assert ("client", CONTACT, "missing_in_target") in verdicts(document)
    assert ("sales_order", "ghl:order:o2", "pending") in verdicts(document)


def test_a_difference_within_the_lag_window_is_one_pending_row_without_a_class() -> None:
    halo = agreed_halo()
    halo["SalesOrder"][0] |= {"total": 1, "customfields": custom(Status="pending")}
    row = only_row(state(orders=[order(updatedAt=ago(seconds=60))], halo=halo), "halo")
    assert (row["kind"], row["class"], row["fields"], row["native_ids"]) == ("pending", None, [], ["3"])
    assert row["amount_minor"] == 10_050


def test_a_second_record_with_the_key_is_a_duplicate_and_nothing_else() -> None:
    halo = agreed_halo()
    halo["SalesOrder"].append(halo["SalesOrder"][0] | {"id": 12, "total": 7})
    row = only_row(state(halo=halo))
    assert (row["kind"], row["native_ids"], row["amount_minor"]) == ("duplicate_in_target", ["12", "3"], 700)


def test_the_same_key_in_two_locations_is_no_duplicate() -> None:
    document = state()
    twin = location([order()], [txn()]) | {"id": OTHER}
    document["ghl"]["locations"].append(twin)
    for name, shift in (("Client", 10), ("Users", 10), ("SalesOrder", 10), ("Invoice", 10), ("InvoicePayment", 10)):
        references = ("id", "client_id", "user_id", "invoice_id", "salesorder_id")
        document["halo"][name] += [
            {field: value + shift if field in references else value for field, value in doc.items()}
            for doc in document["halo"][name]
        ]
    document["halo"]["ExternalLink"] += [
        row | {"id": row["id"] + 5_000, "halo_id": row["halo_id"] + 10, "third_party_secondary_id": OTHER}
        for row in document["halo"]["ExternalLink"]
    ]
    assert judge(document, NOW) == []


def test_a_dead_cross_reference_means_deleted_unless_another_record_has_the_key() -> None:
    halo = agreed_halo()
    halo["ExternalLink"].append(link("sales_order", 55, ORDER))
    assert judge(state(halo=halo), NOW) == []
    halo["SalesOrder"] = []
    row = only_row(state(halo=halo))
    assert (row["record_type"], row["kind"], row["native_ids"], row["amount_minor"]) == (
        "sales_order",
        "deleted_in_target",
        [],
        10_050,
    )


def test_records_of_an_order_that_ghl_no_longer_has_are_orphans_but_never_clients() -> None:
    assert verdicts(state(orders=[], transactions=[])) == [
        ("invoice", ORDER, "missing_in_source"),
        ("invoice_payment", TXN, "missing_in_source"),
        ("sales_order", ORDER, "missing_in_source"),
    ]


@pytest.mark.parametrize(
    ("orders", "transactions", "record_type"),
    [
        ([order(amount=0)], [txn()], "sales_order"),
        ([order(paymentStatus="unpaid")], [txn(status="failed")], "invoice"),
        ([order(paymentStatus="unpaid")], [txn(status="pending")], "invoice_payment"),
        ([order(amount=0)], [txn(amount=0)], "invoice_payment"),
    ],
)
def test_a_record_that_ghl_has_but_does_not_ask_for_is_an_orphan(
    orders: list[dict[str, Any]], transactions: list[dict[str, Any]], record_type: str
) -> None:
    found = verdicts(state(orders=orders, transactions=transactions))
    assert (record_type, TXN if record_type == "invoice_payment" else ORDER, "missing_in_source") in found


@pytest.mark.parametrize("test_form", [{"liveMode": False}, {"markAsTest": True}])
def test_test_records_in_halo_are_named_and_want_nothing(test_form: dict[str, Any]) -> None:
    document = state(orders=[order(**test_form)], transactions=[txn(**test_form)])
    assert verdicts(document) == [
        ("invoice", ORDER, "test_record_in_live"),
        ("invoice_payment", TXN, "test_record_in_live"),
        ("sales_order", ORDER, "test_record_in_live"),
    ]
    assert judge(document | {"halo": {}}, NOW) == []


def test_an_unreadable_order_is_unverifiable_whether_or_not_halo_has_it() -> None:
    unreadable = [order(currency="XXQ")]
    rows = [row for row in judge(state(orders=unreadable), NOW) if row["record_type"] == "sales_order"]
    assert [(row["kind"], row["native_ids"], row["amount_minor"]) for row in rows] == [("unverifiable", ["3"], None)]
    assert ("sales_order", ORDER, "unverifiable") in verdicts(state(orders=unreadable, halo={}))


def test_an_invoice_of_unreadable_rows_is_never_an_orphan() -> None:
    document = state(orders=[order(amount="n/a")], transactions=[txn(amount=10**14)])
    assert {row[2] for row in verdicts(document)} == {"unverifiable"}


def test_a_halo_record_whose_total_is_no_number_is_unverifiable() -> None:
    halo = agreed_halo()
    halo["Invoice"][0] |= {"total": "n/a", "invoice_date": "2026-02-05T10:00:00Z"}
    row = only_row(state(halo=halo))
    assert (row["record_type"], row["kind"], row["native_ids"], row["amount_minor"]) == (
        "invoice",
        "unverifiable",
        ["4"],
        None,
    )


def test_a_record_may_carry_its_key_in_its_own_field_only() -> None:
    halo = agreed_halo()
    halo["ExternalLink"] = halo["ExternalLink"][:2]
    assert judge(state(halo=halo), NOW) == []
    halo["InvoicePayment"][0]["intent_id"] = None
    assert judge(state(halo=halo), NOW) == []


def test_a_payment_finds_its_location_through_its_parents() -> None:
    document = state()
    document["ghl"]["locations"].append(location([], []) | {"id": OTHER})
    document["halo"]["ExternalLink"] = document["halo"]["ExternalLink"][:2]
    assert judge(document, NOW) == []


def test_records_without_our_key_are_left_alone() -> None:
    halo = agreed_halo()
    halo["SalesOrder"].append({"id": 80, "po_number": "PO-1", "total": "n/a"})
    halo["Invoice"].append({"id": 81, "thirdpartyinvoicenumber": "ghl:sub:9", "total": 5})
    halo["ExternalLink"].append(link("sales_order", 80, "quickbooks:1"))
    assert judge(state(halo=halo), NOW) == []


def test_a_merged_contact_keeps_its_client() -> None:
    merged = txn(contactId="c2", mergedFromContactId="c1")
    assert judge(state(transactions=[merged]), NOW) == []
    twice = agreed_halo()
    twice["Client"].append({"id": 9, "name": "Contact 0001"})
    twice["ExternalLink"].append(link("client", 9, "ghl:contact:c2"))
    row = only_row(state(transactions=[merged], halo=twice))
    assert (row["key"], row["kind"], row["native_ids"]) == ("ghl:contact:c2", "duplicate_in_target", ["1", "9"])


def test_contacts_merged_in_a_circle_end_somewhere() -> None:
    circle = [txn(contactId="c2", mergedFromContactId="c1"), txn("t2", contactId="c1", mergedFromContactId="c2")]
    assert judge(state(transactions=circle, halo={}), NOW)


def test_what_is_pending_now_is_missing_later() -> None:
    document = state(orders=[order(updatedAt=ago(seconds=10))], transactions=[txn(updatedAt=ago(seconds=10))], halo={})
    assert {row["kind"] for row in judge(document, NOW)} == {"pending"}
    assert {row["kind"] for row in judge(document, NOW + timedelta(minutes=5))} == {"missing_in_target"}


def test_rows_name_their_location_and_are_live() -> None:
    assert {(row["location_id"], row["live"]) for row in judge(state(halo={}), NOW)} == {(LOCATION, True)}
