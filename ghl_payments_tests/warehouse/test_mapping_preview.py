"""One key under a mapping, read-only: the same verdicts as the diffs, and nobody's data unless it is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ghl_payments.domain.mapping import FieldRule
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.mapping_preview import MASK, RecordPreview, nearest_keys, prepare, preview
from ghl_payments.warehouse.reconcile import Target
from ghl_payments_tests.sandbox.oracle_states import LOCATION
from ghl_payments_tests.warehouse.desk import Desk, target
from ghl_payments_tests.warehouse.gallery import Purchase, hang

AGREED, DIFFERENT, MISSING, DOUBLED, ORPHAN, REFUNDED, UNREADABLE = range(1, 8)


def spoil(purchases: dict[int, Purchase]) -> None:
    different = purchases[DIFFERENT]
    different.sales_order |= {"total": Decimal("100.51"), "ship_status": "fulfilled", "date": "2026-02-03T00:00:00Z"}
    different.custom("Tracking", "UPS")
    different.invoice["client_id"] = 1
    purchases[MISSING].without("SalesOrder")
    doubled = purchases[DOUBLED]
    doubled.halo["SalesOrder"].append(doubled.sales_order | {"id": doubled.halo_id(6)})
    purchases[ORPHAN].orders.clear()
    purchases[ORPHAN].transactions.clear()
    purchases[REFUNDED].txn["amountRefunded"] = Decimal("20.25")
    purchases[UNREADABLE].payment["amount"] = "n/a"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, empty_warehouse: Path) -> tuple[Path, list[dict[str, Any]]]:
    """A warehouse after a turn, and the diffs it found."""
    folder = tmp_path_factory.mktemp("preview")
    shutil.copyfile(empty_warehouse, folder / "w.duckdb")
    purchases = {number: Purchase(number) for number in range(1, 8)}
    spoil(purchases)
    for number, purchase in purchases.items():
        for document in [*purchase.orders, *purchase.transactions]:
            document["contactSnapshot"] = {
                "firstName": "Ada", "lastName": f"Person{number}", "email": f"ada{number}@example.com", "phone": "+15550100",
            }  # fmt: skip
    with Warehouse(folder / "w.duckdb").open() as con:
        desk = Desk(folder, con)
        hang(desk, list(purchases.values()))
        diffs = desk.judge()
    return folder / "w.duckdb", diffs


@pytest.fixture
def con(published: tuple[Path, list[dict[str, Any]]]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(published[0]), read_only=True) as opened:
        yield opened


def seen(
    con: duckdb.DuckDBPyConnection, key: str, at: Target | None = None, **options: Any
) -> dict[str, RecordPreview]:
    prepare(con, at or target(), LOCATION)
    return {record.record_type: record for record in preview(con, at or target(), LOCATION, key, **options)}


def test_a_record_in_agreement_is_equal_field_by_field(con: duckdb.DuckDBPyConnection) -> None:
    found = seen(con, f"ghl:order:o{AGREED}")
    assert {name: record.verdict for name, record in found.items()} == {"sales_order": "equal", "invoice": "equal"}
    order = found["sales_order"]
    assert order.native_ids == ["13"]
    assert order.canonical["amount_minor"] == 10_050
    total = next(item for item in order.fields if item.field == "total")
    assert (total.desired, total.actual, total.verdict) == ("10050", "10050", "equal")
    assert {item.verdict for item in order.fields if item.compare == "never"} == {"not compared"}


def test_a_preview_differs_in_exactly_the_fields_that_the_diffs_name(
    con: duckdb.DuckDBPyConnection, published: tuple[Path, list[dict[str, Any]]]
) -> None:
    by_record: dict[tuple[str, str], set[tuple[str, Any, Any]]] = {}
    for diff in published[1]:
        if diff["system"] == "halo" and diff["kind"] == "field_differs":
            fields = by_record.setdefault((diff["record_type"], diff["key"]), set())
            fields |= {(field["field"], field["desired"], field["actual"]) for field in diff["fields"]}
    assert len(by_record["sales_order", f"ghl:order:o{DIFFERENT}"]) == 4
    prepare(con, target(), LOCATION)
    keys = [f"ghl:{kind}{number}" for number in range(1, 8) for kind in ("order:o", "txn:t", "contact:c")]
    for record in (record for key in keys for record in preview(con, target(), LOCATION, key, show_personal=True)):
        if record.reason is None or record.reason.startswith("field_differs"):
            differing = {(f.field, f.desired, f.actual) for f in record.fields if f.verdict == "differs"}
            assert differing == by_record.get((record.record_type, record.key), set()), record


@pytest.mark.parametrize(("key", "record_type", "verdict", "reason"), [
    (f"ghl:order:o{DIFFERENT}", "sales_order", "differs", "field_differs: total, ship_status, date, tracking"),
    (f"ghl:order:o{MISSING}", "sales_order", "differs", "missing_in_target"),
    (f"ghl:order:o{DOUBLED}", "sales_order", "differs", "duplicate_in_target: 2 records carry this key"),
    (f"ghl:order:o{ORPHAN}", "sales_order", "differs", "GHL asks for no such record"),
    (f"ghl:txn:t{REFUNDED}", "invoice_payment", "differs", "not_representable: a refund has no settled form"),
    (f"ghl:txn:t{UNREADABLE}", "invoice_payment", "cannot tell", "cannot be read: amount is not a number"),
])  # fmt: skip
def test_each_record_has_a_verdict_and_its_reason(
    con: duckdb.DuckDBPyConnection, key: str, record_type: str, verdict: str, reason: str
) -> None:
    record = seen(con, key)[record_type]
    assert (record.verdict, reason in (record.reason or "")) == (verdict, True)


def test_what_was_not_read_cannot_be_called_missing(con: duckdb.DuckDBPyConnection) -> None:
    elsewhere = replace(target(), connection="never-read")
    record = seen(con, f"ghl:order:o{AGREED}", elsewhere)["sales_order"]
    assert (record.verdict, record.reason) == ("cannot tell", "the target has not been read completely")


def test_the_mapping_as_it_is_now_decides_and_not_the_one_of_the_last_run(con: duckdb.DuckDBPyConnection) -> None:
    order = target().mapping.record_types["sales_order"]
    fields = dict(order.fields) | {
        "ship_status": order.fields["ship_status"].model_copy(update={"compare": "never"}),
        "shop": FieldRule(desired="'Web'", actual="custom['CFShop']", write="never"),
    }
    types = target().mapping.record_types | {"sales_order": order.model_copy(update={"fields": fields})}
    changed = replace(target(), mapping=target().mapping.model_copy(update={"record_types": types}))
    record = seen(con, f"ghl:order:o{DIFFERENT}", changed)["sales_order"]
    assert record.reason == "field_differs: total, date, tracking, shop"


def test_names_and_addresses_are_masked_unless_they_are_asked_for(con: duckdb.DuckDBPyConnection) -> None:
    key = f"ghl:contact:c{AGREED}"
    masked, shown = seen(con, key), seen(con, key, show_personal=True)
    assert "Ada" not in repr(masked)
    assert "ada1@example.com" not in repr(masked)
    assert "+15550100" not in repr(masked)
    assert {item.field: item.desired for item in masked["user"].fields}["email"] == MASK
    assert masked["user"].canonical["email"] == MASK
    assert {item.field: item.desired for item in shown["user"].fields}["email"] == "ada1@example.com"
    assert shown["user"].canonical["phone"] == "+15550100"
    assert masked["user"].verdict == shown["user"].verdict == "equal"


@pytest.mark.parametrize("rule", [
    FieldRule(desired="'for ' || name", compare="never"),
    FieldRule(desired="lower(email)", compare="never"),
    FieldRule(desired="null", actual="doc ->> '$.name'", compare="never"),
    FieldRule(desired="null", actual="upper(doc ->> '$.emailaddress')", compare="never"),
])  # fmt: skip
def test_a_field_that_is_made_of_somebodys_data_is_masked_whatever_it_is_called(
    con: duckdb.DuckDBPyConnection, rule: FieldRule
) -> None:
    client = target().mapping.record_types["client"].model_copy(update={"fields": {"remark": rule}})
    types = target().mapping.record_types | {"client": client}
    changed = replace(target(), mapping=target().mapping.model_copy(update={"record_types": types}))
    [item] = seen(con, f"ghl:contact:c{AGREED}", changed)["client"].fields
    assert {item.desired, item.actual} <= {MASK, None}
    [item] = seen(con, f"ghl:contact:c{AGREED}", changed, show_personal=True)["client"].fields
    assert MASK not in {item.desired, item.actual}


def test_an_unknown_key_has_near_ones(con: duckdb.DuckDBPyConnection) -> None:
    assert seen(con, "ghl:order:o99") == {}
    assert nearest_keys(con, target(), LOCATION, "o3")[0] == ("ghl:order:o3", 1.0)
    assert "ghl:order:o1" in [key for key, _ in nearest_keys(con, target(), LOCATION, "ghl:ordre:o1")]
    assert nearest_keys(con, target(), LOCATION, "???") == []


def test_another_locations_record_is_not_shown(con: duckdb.DuckDBPyConnection) -> None:
    prepare(con, replace(target(), only_location=None), "Elsewhere")
    assert preview(con, target(), "Elsewhere", f"ghl:order:o{AGREED}") == []
