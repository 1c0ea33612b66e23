"""What status and run say about money: each sale once, though several records stand for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghl_payments.commands import published
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.publish import publish

INSERT = (
    "insert into reconciliation.diffs (diff_id, location_id, live, system, record_type, key, kind, fields, native_ids, "
    "amount_minor, currency, pushable, first_seen, last_seen, state) values (?, 'LOC1', true, ?, ?, ?, ?, '[]', '[]', "
    "?, ?, true, now()::timestamp, now()::timestamp, ?)"
)


def test_a_sale_that_is_missing_as_order_invoice_and_payment_counts_once(tmp_path: Path) -> None:
    missing = "missing_in_target"
    rows = [
        ("halo", "sales_order", "ghl:order:1", missing, 1250, "USD", "open"),
        ("halo", "invoice", "ghl:order:1", missing, 1250, "USD", "open"),
        ("halo", "invoice_payment", "ghl:txn:1", missing, 1250, "USD", "open"),
        ("halo", "client", "ghl:contact:1", missing, None, None, "open"),
        ("halo", "sales_order", "ghl:order:2", missing, 500, "JPY", "open"),
        ("halo", "sales_order", "ghl:order:3", missing, 9900, "USD", "closed"),
        ("act", "opportunity", "ghl:order:1", missing, 1250, "USD", "open"),
        ("ghl", "transaction", "ghl:txn:9", "duplicate_charge", 300, "USD", "open"),
    ]
    warehouse = Warehouse(tmp_path / "w.duckdb")
    with warehouse.open() as con:
        con.executemany(INSERT, [(f"D{number}", *row) for number, row in enumerate(rows)])
    publish(warehouse, tmp_path / "r.duckdb")
    with published.connect(tmp_path / "r.duckdb") as con:
        summary = published.diff_summary(con)
        said = {(row["system"], row["kind"]): (row["count"], row["amount_minor"]) for row in summary["by"]}
    assert summary["open"] == 7
    assert said == {
        ("halo", missing): (5, {"USD": 1250, "JPY": 500}),
        ("act", missing): (1, {"USD": 1250}),
        ("ghl", "duplicate_charge"): (1, {"USD": 300}),
    }


@pytest.mark.parametrize(
    ("sums", "once"),
    [
        ({}, {}),
        ({"invoice": {"USD": 5}, "transaction": {"USD": 7, "EUR": 1}}, {"USD": 5}),
        ({"sales_order": {"USD": 0}, "order": {"USD": 4}}, {"USD": 4}),
        ({"opportunity": {"USD": 2}, "deal": {"USD": 3}}, {"USD": 3}),
        ({"opportunity": {"USD": 2}, "transaction": {"USD": 9}}, {"USD": 9}),
    ],
)
def test_money_comes_from_the_first_record_type_that_has_any(
    sums: dict[str, dict[str, int]], once: dict[str, int]
) -> None:
    assert published.each_sale_once(sums) == once
