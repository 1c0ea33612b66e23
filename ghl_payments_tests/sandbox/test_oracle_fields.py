"""Which compared fields of a Halo record differ, in which class, and what money that puts at stake."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ghl_payments.domain.diff_kinds import FIELD_CLASSES
from ghl_payments.sandbox.oracle import CLASSES, judge
from ghl_payments_tests.sandbox.oracle_states import (
    NOW,
    OLD,
    agreed_halo,
    custom,
    order,
    parcel,
    state,
)


def test_every_compared_field_has_a_known_class() -> None:
    assert set(CLASSES.values()) == set(FIELD_CLASSES)


SALES_ORDER_EDITS: list[tuple[dict[str, Any], str, list[str], int | None]] = [
    ({"total": Decimal("101.25")}, "amount", ["total"], 75),
    ({"total": Decimal("100.4999999")}, "amount", [], None),
    ({"currency_code": 8}, "currency", ["currency"], 10_050),
    ({"currency_code": 99}, "currency", ["currency"], 10_050),
    ({"date": "2026-02-02T10:00:00Z"}, "date", ["date"], None),
    ({"date": "2026-02-01T10:00:00"}, "date", [], None),
    ({"ship_date": OLD}, "date", ["ship_date"], None),
    ({"ship_status": "fulfilled"}, "status", ["ship_status"], None),
    ({"ship_status": ""}, "status", [], None),
    ({"client_id": 44}, "contact", ["client"], None),
    ({"customfields": custom(Status="pending", Amount="100.50", Currency="USD")}, "status", ["status"], None),
    ({"customfields": custom(Status="completed", Amount="100.5", Currency="USD")}, "amount", ["amount_text"], 0),
    (
        {"customfields": custom(Status="completed", Amount="100.50", Currency="EUR")},
        "currency",
        ["currency_text"],
        10_050,
    ),
    (
        {"customfields": custom(Status="completed", Amount="100.50", Currency="USD", Tracking="X 1")},
        "other",
        ["tracking"],
        None,
    ),
    (
        {"customfields": custom(Status="completed", Amount="100.50", Currency="USD", SubscriptionStatus="active")},
        "status",
        ["subscription_status"],
        None,
    ),
]


@pytest.mark.parametrize(("edit", "class_", "fields", "minor"), SALES_ORDER_EDITS)
def test_an_edited_sales_order_differs_in_one_class(
    edit: dict[str, Any], class_: str, fields: list[str], minor: int | None
) -> None:
    halo = agreed_halo()
    halo["SalesOrder"][0] |= edit
    rows = judge(state(halo=halo), NOW)
    expected = [("field_differs", class_, fields, ["3"], minor, "USD" if minor is not None else None)] if fields else []
    assert [
        (row["kind"], row["class"], row["fields"], row["native_ids"], row["amount_minor"], row["currency"])
        for row in rows
    ] == expected


def test_each_differing_class_has_a_row_of_its_own() -> None:
    halo = agreed_halo()
    halo["SalesOrder"][0] |= {"total": 90, "ship_status": "fulfilled", "date": "2026-02-02T10:00:00Z"}
    assert [row["class"] for row in judge(state(halo=halo), NOW)] == ["amount", "date", "status"]


def test_total_and_currency_together_put_the_whole_amount_at_stake() -> None:
    halo = agreed_halo()
    halo["SalesOrder"][0] |= {"total": 90, "currency_code": 8}
    assert [(row["class"], row["amount_minor"]) for row in judge(state(halo=halo), NOW)] == [
        ("amount", 10_050),
        ("currency", 10_050),
    ]


def test_an_invoice_and_its_payment_are_compared_too() -> None:
    halo = agreed_halo()
    halo["Invoice"][0] |= {"total": 99, "invoice_date": "2026-02-03T10:00:00Z"}
    halo["InvoicePayment"][0] |= {"amount": 101, "date": "2026-02-03T10:00:00Z"}
    found = [
        (row["record_type"], row["class"], row["fields"], row["amount_minor"]) for row in judge(state(halo=halo), NOW)
    ]
    assert found == [
        ("invoice", "amount", ["total"], 150),
        ("invoice", "date", ["invoice_date"], None),
        ("invoice_payment", "amount", ["amount"], 50),
        ("invoice_payment", "date", ["date"], None),
    ]


def test_deliveries_are_written_in_the_order_they_were_made() -> None:
    parcels = [
        parcel("f2", "2026-02-03T10:00:00.000Z", 1, {"trackingNumber": "22"}),
        parcel("f1", "2026-02-02T10:00:00.000Z", 1, {"shippingCarrier": "UPS", "trackingNumber": "11"}, {}),
    ]
    item = {"name": "Thing", "qty": 3, "price": {"_id": "p1", "amount": Decimal("33.5"), "currency": "USD"}}
    halo = agreed_halo()
    halo["SalesOrder"][0] |= {"ship_status": "partly fulfilled", "ship_date": "2026-02-02T10:00:00Z"}
    halo["SalesOrder"][0]["customfields"] += custom(
        Tracking="UPS 11; 22",
        Fulfillments='[{"id":"f1","items":[{"price":"p1","qty":1}]},{"id":"f2","items":[{"price":"p1","qty":1}]}]',
    )
    document = state(orders=[order(items=[item])], fulfillments={"o1": parcels}, halo=halo)
    assert judge(document, NOW) == []
    parcels.append(parcel("f3", "2026-02-04T10:00:00.000Z", 1))
    assert [row["fields"] for row in judge(document, NOW)] == [["fulfillments"], ["ship_status"]]


def test_statuses_of_live_subscriptions_are_joined() -> None:
    subscriptions = [
        {"_id": "s1", "entityId": "o1", "status": "canceled", "liveMode": True},
        {"_id": "s2", "entityId": "o1", "status": "active", "liveMode": True},
        {"_id": "s3", "entityId": "o1", "status": "unpaid", "liveMode": True, "markAsTest": True},
    ]
    halo = agreed_halo()
    halo["SalesOrder"][0]["customfields"] += custom(SubscriptionStatus="active,canceled")
    assert judge(state(subscriptions=subscriptions, halo=halo), NOW) == []
