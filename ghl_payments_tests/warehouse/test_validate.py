"""Contracts: every rule catches its row, the rest flows on, quarantine remembers and forgets, nothing is coerced."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from ghl_payments.warehouse.schemas import CONTRACTS, REMEDIES
from ghl_payments.warehouse.validate import CHUNK, breaches, frame, quarantined, stage, violations
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, OLD, order, parcel, txn
from ghl_payments_tests.warehouse.desk import STAGED, Desk, later

Document = dict[str, Any]
BIG = 9_007_199_254_740_993
"""The first whole number that a double cannot hold."""


def rules(desk: Desk, table: str) -> dict[str, set[str]]:
    """Record key -> rules it broke."""
    found: dict[str, set[str]] = {}
    for row in desk.rows("staging.quarantine", "table_name = ?", table):
        found.setdefault(row["record_key"], set()).add(row["rule"])
    return found


UNREADABLE_ORDERS = {
    "currency_unknown": {"currency": "XXZ"},
    "currency_unknown ": {"currency": None},
    "currency_unknown  ": {"currency": "usd"},
    "amount_not_numeric": {"amount": "1,234.50"},
    "amount_not_numeric ": {"amount": None},
    "amount_not_numeric  ": {"amount": True},
    "amount_not_numeric   ": {"amount": {"value": 5}},
    "amount_too_large": {"amount": 10**15},
    "created_at_unreadable": {"createdAt": "soon"},
    "created_at_unreadable ": {"createdAt": None},
    "status_not_text": {"status": 7},
    "status_not_text ": {"status": None},
}


def test_each_unreadable_order_is_caught_by_its_rule_and_the_rest_flows_on(desk: Desk) -> None:
    poison = [order(f"bad{number}", **changes) for number, changes in enumerate(UNREADABLE_ORDERS.values())]
    desk.purchases([*poison, order()])
    staged = desk.stage("contact_aliases", "orders")["orders"]
    expected = {f"bad{number}": {rule.strip()} for number, rule in enumerate(UNREADABLE_ORDERS)}
    assert rules(desk, "staging.orders") == expected
    assert [row["order_id"] for row in desk.rows("staging.orders")] == ["o1"]
    assert (staged.kept, staged.quarantined) == (1, len(poison))
    assert sum(staged.rules.values()) == len(poison)
    assert violations(desk.con, "staging.orders", LOCATION) == {}


def test_a_poison_row_does_not_grow_with_every_run(desk: Desk) -> None:
    desk.purchases([order(), order("bad", amount="x")])
    for hours in range(3):
        staged = desk.stage("orders", now=later(hours=hours))["orders"]
    assert (staged.kept, staged.quarantined, staged.share) == (1, 1, 0.5)
    caught = desk.row("staging.quarantine")
    assert (caught["first_seen"].hour, caught["last_seen"].hour) == (12, 14)
    assert caught["remedy"] == REMEDIES["amount_not_numeric"]
    assert '"amount":"x"' in caught["payload"]
    assert quarantined(desk.con, "staging.orders", LOCATION) == 1


def test_quarantine_forgets_a_row_that_became_readable(desk: Desk) -> None:
    desk.purchases([order(amount="x")])
    desk.stage("orders")
    desk.purchases([order(amount=5, updatedAt="2026-02-20T00:00:00Z")], at=later(hours=1))
    assert desk.stage("orders")["orders"].kept == 1
    assert desk.rows("staging.quarantine") == []


def test_quarantine_follows_a_row_from_one_rule_to_another(desk: Desk) -> None:
    desk.purchases([order(amount="x")])
    desk.stage("orders")
    desk.purchases([order(currency="XXZ", updatedAt="2026-02-20T00:00:00Z")], at=later(hours=1))
    desk.stage("orders")
    assert rules(desk, "staging.orders") == {"o1": {"currency_unknown"}}


def test_another_locations_rows_and_quarantine_stay_as_they_are(desk: Desk) -> None:
    for place in (LOCATION, "LocationTwo"):
        desk.list("orders", order(), order("bad", amount="x"), location_id=place)
        desk.stage("orders", location_id=place)
    desk.list("orders", at=later(hours=1))
    desk.details("order_details", {"o1": None, "bad": None}, at=later(hours=2))
    desk.stage("orders")
    assert {row["location_id"] for row in desk.rows("staging.orders")} == {"LocationTwo"}
    assert {row["owner"] for row in desk.rows("staging.quarantine")} == {"LocationTwo"}


def test_lines_and_parcels_that_cannot_be_read_are_caught(desk: Desk) -> None:
    price = {"_id": "p1", "amount": 5}
    lines = [{"name": "A", "qty": "two", "price": price}, {"name": "B", "qty": 1, "price": {"amount": "five"}}]
    parcels = [
        parcel("f1", OLD, 1), parcel("", OLD, 1), parcel("f3", "soon", 1), parcel("f4", OLD, -1), parcel("f1", OLD, 2),
        parcel("f5", OLD, "two"),
    ]  # fmt: skip
    desk.purchases([order(items=[*lines, {"name": "C", "qty": 1, "price": price}])], fulfillments={"o1": parcels})
    desk.stage("order_items", "fulfillments")
    assert rules(desk, "staging.order_items") == {"o1/1": {"quantity_not_numeric"}, "o1/2": {"price_not_numeric"}}
    assert rules(desk, "staging.fulfillments") == {
        "o1/": {"id_missing"}, "o1/f3": {"created_at_unreadable"}, "o1/f4": {"quantity_not_numeric"},
        "o1/f1": {"duplicate_key"}, "o1/f5": {"quantity_not_numeric"},
    }  # fmt: skip
    assert [row["line_number"] for row in desk.rows("staging.order_items")] == [3]
    assert [row["fulfillment_id"] for row in desk.rows("staging.fulfillments")] == ["f1"]


def test_a_refund_that_cannot_be_read_leaves_its_charge_readable(desk: Desk) -> None:
    desk.purchases([], [txn(amountRefunded="x")])
    desk.stage("contact_aliases", "transactions")
    assert desk.row("staging.transactions")["refunded_minor"] is None
    assert rules(desk, "staging.transactions") == {}


@pytest.mark.parametrize(("table", "changes", "rule"), [
    ("reconciliation.diffs", {"kind": "surprise"}, "value_not_allowed"),
    ("reconciliation.diffs", {"class": "colour"}, "value_not_allowed"),
    ("reconciliation.diffs", {"state": "sleeping"}, "value_not_allowed"),
    ("reconciliation.diffs", {"key": ""}, "key_missing"),
    ("reconciliation.diffs", {"amount_minor": 10**15}, "amount_too_large"),
    ("reconciliation.diffs", {}, None),
])  # fmt: skip
def test_a_row_of_our_own_that_breaks_its_contract_is_a_violation(
    desk: Desk, table: str, changes: dict[str, Any], rule: str | None
) -> None:
    row = {
        "diff_id": "d", "location_id": LOCATION, "live": True, "system": "halo", "record_type": "invoice",
        "key": "ghl:order:o1", "kind": "pending", "class": None, "fields": "[]", "native_ids": "[]",
        "amount_minor": 5, "pushable": False, "first_seen": OLD, "last_seen": OLD, "state": "open",
    } | changes  # fmt: skip
    names = ", ".join(f'"{name}"' for name in row)
    desk.con.execute(f"insert into {table} ({names}) values ({', '.join('?' * len(row))})", list(row.values()))
    assert violations(desk.con, table, LOCATION) == ({rule: 1} if rule else {})
    assert violations(desk.con, table, "LocationTwo") == {}


def test_a_column_of_another_type_breaks_every_row(desk: Desk) -> None:
    rows = frame(desk.con, "select 'c' || n as contact_id, n as name from range(3) as t(n)")
    assert breaches(CONTRACTS["staging.contacts"], rows) == dict.fromkeys(range(3), "wrong_type")


def test_a_missing_column_breaks_every_row(desk: Desk) -> None:
    rows = frame(desk.con, "select 'c' || n as contact_id from range(2) as t(n)")
    assert breaches(CONTRACTS["staging.contacts"], rows) == dict.fromkeys(range(2), "wrong_type")


def test_every_rule_of_the_contracts_has_a_remedy_and_every_remedy_a_rule() -> None:
    used = {
        str(check.name)
        for contract in CONTRACTS.values()
        for column in contract.schema.columns.values()
        for check in column.checks
    }
    assert used | {"duplicate_key", "wrong_type"} == set(REMEDIES)


def test_whole_numbers_beside_a_null_keep_every_digit(desk: Desk) -> None:
    rows = frame(desk.con, f"select unnest([{BIG}, null, -{BIG}]) as amount_minor")
    assert str(rows["amount_minor"].dtype) == "Int64"
    assert rows["amount_minor"].tolist() == [BIG, pd.NA, -BIG]


def test_half_a_unit_is_not_made_a_whole_one(desk: Desk) -> None:
    rows = frame(desk.con, "select 's' as subscription_id, 1.5::double as amount_minor")
    contract = CONTRACTS["staging.subscriptions"]
    only = contract.schema.select_columns(["subscription_id", "amount_minor"])
    from dataclasses import replace

    assert breaches(replace(contract, schema=only), rows) == {0: "wrong_type"}


@pytest.mark.parametrize(("query", "dtype"), [
    ("select unnest(['a', null, '']) as x", "string"), ("select unnest([true, null, false]) as x", "boolean"),
    ("select unnest([1.5::double, null]) as x", "Float64"), ("select unnest([1::tinyint, null]) as x", "Int64"),
    ("select unnest([timestamp '2026-01-01', null]) as x", "datetime64[us]"), ("select null::bigint as x limit 0", "Int64"),
    ("select null::varchar as x limit 0", "string"), ("select unnest([null, null]::varchar[]) as x", "string"),
])  # fmt: skip
def test_every_column_type_keeps_its_nulls(desk: Desk, query: str, dtype: str) -> None:
    rows = frame(desk.con, query)
    nulls = desk.con.execute(f"select count(*) filter (where x is null) from ({query})").fetchone()
    assert str(rows["x"].dtype) == dtype
    assert (int(rows["x"].isna().sum()),) == nulls


def test_rows_beyond_the_first_chunk_are_judged_too(desk: Desk) -> None:
    desk.con.execute(
        """insert into raw.integration_providers (location_id, id, content_hash, doc, valid_from, is_current)
        select ?, case when n % 25000 = 24999 then '' else 'p' || n end, 'h', '{}', ?, true from range(?) as t(n)""",
        [LOCATION, "2026-02-01", 2 * CHUNK + 10],
    )
    staged = stage(desk.con, "staging.integration_providers", LOCATION, NOW)
    assert (staged.kept, staged.quarantined) == (2 * CHUNK + 6, 4)
    assert staged.rules == {"id_missing": 4}


def test_an_empty_location_stages_to_nothing(desk: Desk) -> None:
    assert {(table.kept, table.quarantined, table.share) for table in desk.stage(*STAGED).values()} == {(0, 0, 0.0)}
