"""The life of a diff: it opens once, keeps its age, closes when it was judged and is gone, and opens again."""

from __future__ import annotations

from typing import Any

import pytest

from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.queries import run
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW
from ghl_payments_tests.warehouse.desk import Desk, Row, later

INVOICE, PAYMENT = ("invoice", "ghl:order:o1"), ("invoice_payment", "ghl:txn:t1")


def find(desk: Desk, *records: tuple[str, str], hours: float = 0, location_id: str = LOCATION, kind: str = "missing_in_target",
         class_: str | None = None, minor: int = 500, connection: str = "halo") -> None:  # fmt: skip
    """Bring in what one comparison found."""
    desk.con.execute(
        """create or replace temp table target_diffs (record_type varchar, key varchar, kind varchar, class varchar,
        fields json, native_ids varchar[], amount_minor bigint, currency varchar, reason varchar, pushable boolean)"""
    )
    for record_type, key in records:
        desk.con.execute(
            "insert into target_diffs values (?, ?, ?, ?, '[]', [], ?, 'USD', null, true)",
            [record_type, key, kind, class_, minor],
        )
    keys: dict[str, Any] = {
        "location_id": location_id, "live": True, "system": "halo", "connection": connection, "ghl_complete": False,
        "as_of": naive(later(hours=hours)), "judged_until": naive(later(hours=hours)),
    }  # fmt: skip
    run(desk.con, "reconciliation/found_diffs", keys)
    run(desk.con, "reconciliation/diffs", keys)


def read(desk: Desk, *, complete: bool = True) -> None:
    for record_type in ("client", "user", "sales_order", "invoice", "invoice_payment"):
        desk.certify(record_type, 1, complete=complete or record_type != "sales_order", at=NOW)


def ages(row: Row) -> tuple[int, int]:
    return row["first_seen"].hour, row["last_seen"].hour


def test_a_diff_found_again_is_the_same_one_and_keeps_its_first_day(desk: Desk) -> None:
    read(desk)
    for hours in (0, 1, 3):
        find(desk, INVOICE, hours=hours, minor=500 + hours)
    row = desk.row("reconciliation.diffs")
    assert (*ages(row), row["amount_minor"], row["state"]) == (12, 15, 503, "open")


def test_a_diff_that_is_gone_closes_and_one_that_comes_back_opens_anew(desk: Desk) -> None:
    read(desk)
    find(desk, INVOICE, PAYMENT)
    find(desk, PAYMENT, hours=1)
    closed = desk.row("reconciliation.diffs", "state = 'closed'")
    assert (closed["key"], closed["closed_at"].hour) == ("ghl:order:o1", 13)
    find(desk, INVOICE, PAYMENT, hours=5)
    again = desk.row("reconciliation.diffs", "record_type = 'invoice'")
    assert (again["diff_id"], again["state"], again["closed_at"]) == (closed["diff_id"], "open", None)
    assert ages(again) == (17, 17)


def test_any_incomplete_list_keeps_what_it_could_not_judge_open(desk: Desk) -> None:
    read(desk)
    find(desk, INVOICE)
    read(desk, complete=False)
    find(desk, hours=1)
    row = desk.row("reconciliation.diffs")
    assert (row["state"], *ages(row)) == ("open", 12, 12)


def test_an_ignored_diff_stays_ignored_while_it_lasts_and_closes_with_its_cause(desk: Desk) -> None:
    read(desk)
    find(desk, INVOICE)
    desk.con.execute("update reconciliation.diffs set state = 'ignored'")
    find(desk, INVOICE, hours=1)
    assert desk.row("reconciliation.diffs")["state"] == "ignored"
    find(desk, hours=2)
    assert desk.row("reconciliation.diffs")["state"] == "closed"


@pytest.mark.parametrize("other", [{"location_id": "LocationTwo"}, {"connection": "other"}])
def test_another_locations_or_connections_diffs_are_left_alone(desk: Desk, other: dict[str, Any]) -> None:
    read(desk)
    find(desk, INVOICE)
    find(desk, **other)
    assert desk.row("reconciliation.diffs")["state"] == "open"


def test_kinds_and_classes_of_one_record_are_different_diffs(desk: Desk) -> None:
    read(desk)
    find(desk, INVOICE, kind="field_differs", class_="amount")
    find(desk, INVOICE, kind="field_differs", class_="date", hours=1)
    rows = desk.rows("reconciliation.diffs")
    assert {(row["class"], row["state"]) for row in rows} == {("amount", "closed"), ("date", "open")}
