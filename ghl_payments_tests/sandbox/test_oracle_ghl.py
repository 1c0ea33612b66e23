"""What the oracle takes from GHL's own books: charges, invoices, what Halo has no form for, broken invariants."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ghl_payments.sandbox.oracle import judge
from ghl_payments_tests.sandbox.oracle_states import (
    NOW,
    ORDER,
    TXN,
    ago,
    only_row,
    order,
    state,
    txn,
    verdicts,
)


def _stakes(document: dict[str, Any], kind: str) -> dict[tuple[str, str], tuple[int | None, str | None]]:
    return {
        (row["record_type"], row["key"]): (row["amount_minor"], row["currency"])
        for row in judge(document, NOW)
        if row["kind"] == kind
    }


def _wanted(**parts: Any) -> dict[tuple[str, str], tuple[int | None, str | None]]:
    return _stakes(state(halo={}, **parts), "missing_in_target")


def test_part_payments_meet_on_one_invoice_over_the_whole_order() -> None:
    wanted = _wanted(transactions=[txn("t1", amount=40), txn("t2", amount=Decimal("60.5"))])
    assert wanted["invoice", ORDER] == (10_050, "USD")
    assert wanted["invoice_payment", "ghl:txn:t1"] == (4_000, "USD")
    assert wanted["invoice_payment", "ghl:txn:t2"] == (6_050, "USD")


def test_failed_pending_and_zero_transactions_want_nothing() -> None:
    idle = [txn("t1", status="failed"), txn("t2", status="pending"), txn("t3", amount=0)]
    assert not [row for row in _wanted(transactions=idle) if row[0] in ("invoice", "invoice_payment")]


def test_each_renewal_has_an_invoice_of_its_own() -> None:
    charges = [txn(f"t{n}", subscriptionId="s1", createdAt=f"2026-02-0{n}T10:00:00.000Z") for n in (1, 2, 3)]
    invoices = sorted(key for record_type, key in _wanted(transactions=charges) if record_type == "invoice")
    assert invoices == [ORDER, "ghl:txn:t2", "ghl:txn:t3"]


def test_after_a_free_trial_every_charge_is_a_renewal() -> None:
    charges = [txn("t1", subscriptionId="s1", amount=0), txn("t2", subscriptionId="s1", createdAt=ago(days=1))]
    wanted = _wanted(orders=[order(amount=0)], transactions=charges)
    assert sorted(row for row in wanted if row[0] != "user") == [
        ("client", "ghl:contact:c1"),
        ("invoice", "ghl:txn:t2"),
        ("invoice_payment", "ghl:txn:t2"),
    ]


def test_a_failed_first_attempt_does_not_make_the_first_charge_a_renewal() -> None:
    charges = [txn("t1", subscriptionId="s1", status="failed"), txn("t2", subscriptionId="s1", createdAt=ago(days=1))]
    assert ("invoice", ORDER) in _wanted(transactions=charges)


def test_charges_of_an_invoice_are_summed_and_others_stand_alone() -> None:
    charges = [
        txn("t1", entityType="invoice", entityId="i1", amount=10),
        txn("t2", entityType="invoice", entityId="i1", amount=5),
        txn("t3", entityType="manual", entityId=None, amount=3),
        txn("t4", entityType="order", entityId=None, amount=4),
    ]
    wanted = _wanted(orders=[], transactions=charges)
    assert {key: minor for (record_type, key), (minor, _) in wanted.items() if record_type == "invoice"} == {
        "ghl:invoice:i1": 1_500,
        "ghl:txn:t3": 300,
        "ghl:txn:t4": 400,
    }


@pytest.mark.parametrize(
    "which", [[], [order(currency="EUR")], [order(amount=0)], [order(liveMode=False)], [order(amount=Decimal("9.999"))]]
)
def test_an_invoice_without_a_sound_order_is_the_sum_of_its_charges(which: list[dict[str, Any]]) -> None:
    assert _wanted(orders=which, transactions=[txn(amount=7)])["invoice", ORDER] == (700, "USD")


def test_minor_units_follow_the_currency() -> None:
    charges = [
        txn("t1", entityType="manual", currency="JPY", amount=500),
        txn("t2", entityType="manual", currency="KWD", amount=Decimal("1.234")),
    ]
    wanted = _wanted(orders=[], transactions=charges)
    assert wanted["invoice", "ghl:txn:t1"] == (500, "JPY")
    assert wanted["invoice_payment", "ghl:txn:t2"] == (1_234, "KWD")


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ({"amount": Decimal("10.005")}, (None, None)),
        ({"contactId": None, "entityType": "manual", "entityId": None}, (10_050, "USD")),
        ({"amountRefunded": Decimal("30.25")}, (3_025, "USD")),
        ({"amountRefunded": Decimal("0.005")}, (None, None)),
        ({"status": "refunded"}, (10_050, "USD")),
        ({"status": "refunded", "amountRefunded": 100}, (10_000, "USD")),
        ({"currency": "JPY", "amount": Decimal("0.5")}, (None, None)),
    ],
)
def test_halo_has_no_form_for_some_charges(change: dict[str, Any], row: tuple[int | None, str | None]) -> None:
    document = state(orders=[], transactions=[txn(**change)], halo={})
    assert _stakes(document, "not_representable") == {("invoice_payment", TXN): row}


def test_a_refunded_charge_is_still_wanted_with_its_gross_amount() -> None:
    wanted = _wanted(orders=[order(paymentStatus="refunded")], transactions=[txn(status="refunded")])
    assert wanted["invoice_payment", TXN] == (10_050, "USD")


@pytest.mark.parametrize(
    ("change", "row"), [({"contactId": None}, (10_050, "USD")), ({"amount": Decimal("10.001")}, (None, None))]
)
def test_halo_has_no_form_for_some_orders(change: dict[str, Any], row: tuple[int | None, str | None]) -> None:
    document = state(orders=[order(**change)], transactions=[], halo={})
    assert _stakes(document, "not_representable") == {("sales_order", ORDER): row}


def test_a_record_that_is_not_representable_is_no_orphan() -> None:
    document = state(transactions=[txn(amount=Decimal("100.505"))])
    assert verdicts(document) == [("invoice_payment", TXN, "not_representable")]


def test_a_charge_without_contact_takes_its_orders() -> None:
    assert judge(state(transactions=[txn(contactId=None)]), NOW) == []


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "XXQ"},
        {"currency": None},
        {"amount": "1,234.50"},
        {"amount": None},
        {"amount": 10**13},
        {"createdAt": "yesterday"},
        {"createdAt": None},
    ],
)
def test_rows_that_cannot_be_read_are_unverifiable(change: dict[str, Any]) -> None:
    document = state(orders=[order(**change)], transactions=[txn(**change)], halo={})
    assert verdicts(document) == [("invoice_payment", TXN, "unverifiable"), ("sales_order", ORDER, "unverifiable")]
    assert verdicts(document, "ghl") == []


@pytest.mark.parametrize(
    ("status", "charges", "kind", "minor"),
    [
        ("paid", [], "paid_without_transaction", 10_050),
        ("partially_paid", [txn(status="failed")], "paid_without_transaction", 10_050),
        ("unpaid", [], None, None),
        ("paid", [txn()], None, None),
        ("paid", [txn(amount=100)], "amount_not_tied", 50),
        ("paid", [txn(amount=0)], "amount_not_tied", 10_050),
        ("unpaid", [txn(amount=101)], "amount_not_tied", 50),
        ("paid", [txn(currency="EUR")], "amount_not_tied", 10_050),
        ("unpaid", [txn(amount=1)], "payment_status_disagrees", 10_050),
        ("partially_paid", [txn()], "payment_status_disagrees", 10_050),
        ("partially_paid", [txn(amount=1)], None, None),
        ("paid", [txn(status="refunded")], "payment_status_disagrees", 10_050),
        ("paid", [txn(amountRefunded=100)], None, None),
        ("refunded", [txn(status="refunded")], None, None),
        ("refunded", [txn(amountRefunded=100)], "payment_status_disagrees", 10_050),
    ],
)
def test_orders_are_held_against_their_charges(
    status: str, charges: list[dict[str, Any]], kind: str | None, minor: int | None
) -> None:
    document = state(orders=[order(paymentStatus=status)], transactions=charges)
    rows = [(row["kind"], row["key"], row["amount_minor"]) for row in judge(document, NOW) if row["system"] == "ghl"]
    assert rows == ([(kind, ORDER, minor)] if kind else [])


def test_renewals_are_no_part_of_the_first_orders_books() -> None:
    charges = [txn("t1", subscriptionId="s1"), txn("t2", subscriptionId="s1", createdAt=ago(days=1))]
    assert verdicts(state(transactions=charges), "ghl") == []


@pytest.mark.parametrize(
    "document",
    [
        state(orders=[order(updatedAt=ago(seconds=100))], transactions=[]),
        state(orders=[order(amount=0)], transactions=[]),
        state(transactions=[txn(currency="XXQ")]),
        state(transactions=[txn(amount=Decimal("1.001"))]),
    ],
)
def test_orders_that_cannot_be_judged_fairly_are_not(document: dict[str, Any]) -> None:
    assert verdicts(document, "ghl") == []


def test_a_charge_of_an_unknown_order_is_named_even_for_a_renewal() -> None:
    charges = [txn("t1", subscriptionId="s1"), txn("t2", subscriptionId="s1", createdAt=ago(days=1))]
    assert verdicts(state(orders=[], transactions=charges), "ghl") == [
        ("transaction", "ghl:txn:t1", "transaction_without_order"),
        ("transaction", "ghl:txn:t2", "transaction_without_order"),
    ]


@pytest.mark.parametrize(
    ("kept", "rows"),
    [(order(currency="XXQ"), []), (order(liveMode=False), [("order", ORDER, "paid_without_transaction")])],
)
def test_a_charge_of_an_unreadable_or_test_order_has_an_order(kept: dict[str, Any], rows: list[Any]) -> None:
    assert verdicts(state(orders=[kept]), "ghl") == rows


def test_test_records_are_judged_among_themselves() -> None:
    row = only_row(state(orders=[order(liveMode=False)], transactions=[], halo={}))
    assert (row["system"], row["live"], row["kind"]) == ("ghl", False, "paid_without_transaction")
