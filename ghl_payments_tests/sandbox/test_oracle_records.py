"""The rules of agreement for any target, in their one precedence, on accounts of a handful of records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghl_payments.domain.diff_kinds import KIND_BY_NAME
from ghl_payments.sandbox.oracle_records import Account, HeldRecord, Spot, WantedRecord, id_order, judge_account
from ghl_payments.sandbox.oracle_rows import LAG, Row

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OLD = NOW - timedelta(days=30)
DEAL: Spot = ("deal", "ghl:order:o1")
LOW, HIGH = "0f0e6a4c-1111-4111-8111-111111111111", "f00e6a4c-1111-4111-8111-111111111111"
CLASSES = {"amount": "amount", "currency": "currency", "status": "status", "note": "other"}


def wanted(minor: int | None = 500, updated: datetime = OLD, **fields: Any) -> WantedRecord:
    return WantedRecord(minor, "USD", updated, {"amount": minor, "currency": "USD", "status": "paid"} | fields)


def held(native_id: str = LOW, minor: int | None = 500, readable: bool = True, **fields: Any) -> HeldRecord:
    own = {"amount": minor, "currency": "USD", "status": "paid"} | fields
    return HeldRecord(native_id, minor, own["currency"], own, readable)


def rows(want: WantedRecord | None, *records: HeldRecord, **parts: Any) -> list[Row]:
    account = Account(
        system="toy", location_id="L", wanted={DEAL: want} if want else {}, held={DEAL: records} if records else {},
        classes=CLASSES, minor_fields=frozenset({"amount"}), **parts,
    )  # fmt: skip
    return sorted(judge_account(account, NOW), key=lambda row: row["class"] or "")


def only(want: WantedRecord | None, *records: HeldRecord, **parts: Any) -> tuple[str, list[str], int | None]:
    [row] = rows(want, *records, **parts)
    assert (row["system"], row["location_id"], row["record_type"], row["key"]) == ("toy", "L", *DEAL)
    return row["kind"], row["native_ids"], row["amount_minor"]


def test_agreement_gives_no_row_and_empty_texts_count_as_nothing() -> None:
    assert rows(wanted(note=None), held(note="")) == []


def test_an_unreadable_record_outranks_a_duplicate_and_a_test_record() -> None:
    both = (held(), held(HIGH, readable=False))
    assert only(wanted(), *both, test_keys=frozenset({DEAL[1]})) == ("unverifiable", [LOW, HIGH], None)
    assert only(None, unreadable=frozenset({DEAL})) == ("unverifiable", [], None)


def test_a_duplicate_outranks_a_test_record_and_counts_all_but_the_first() -> None:
    pair = (held(HIGH, 70), held(LOW, 500))
    assert only(wanted(), *pair, test_keys=frozenset({DEAL[1]})) == ("duplicate_in_target", [LOW, HIGH], 70)


def test_the_first_of_two_numbers_is_the_smaller_one() -> None:
    assert only(wanted(), held("12", 1), held("3", 2)) == ("duplicate_in_target", ["12", "3"], 1)


def test_a_record_of_a_test_order_is_named_whether_or_not_it_agrees() -> None:
    assert only(None, held(), test_keys=frozenset({DEAL[1]})) == ("test_record_in_live", [LOW], 500)


def test_an_absent_record_is_deleted_missing_or_pending() -> None:
    fresh = wanted(updated=NOW - LAG + timedelta(seconds=1))
    assert only(wanted(), gone=frozenset({DEAL})) == ("deleted_in_target", [], 500)
    assert only(wanted()) == ("missing_in_target", [], 500)
    assert only(fresh) == ("pending", [], 500)
    assert rows(None, gone=frozenset({DEAL})) == []


def test_a_record_that_nothing_asks_for_is_an_orphan_only_where_orphans_are_told() -> None:
    deals = frozenset({"deal"})
    assert only(None, held(), orphans=deals) == ("missing_in_source", [LOW], 500)
    assert rows(None, held()) == []
    assert rows(None, held(), orphans=deals, spared=frozenset({DEAL})) == []
    found = rows(None, held(), orphans=deals, unrepresentable={DEAL: (7, "USD")})
    assert [(row["kind"], row["amount_minor"]) for row in found] == [("not_representable", 7)]


def test_each_class_of_differing_fields_has_a_row_with_its_own_stake() -> None:
    found = rows(wanted(note="x"), held(minor=430, status="open", note="y"))
    assert [(row["class"], row["fields"], row["amount_minor"]) for row in found] == [
        ("amount", ["amount"], 70),
        ("other", ["note"], None),
        ("status", ["status"], None),
    ]


def test_in_another_currency_the_whole_amount_is_at_stake() -> None:
    found = rows(wanted(), held(minor=430, currency="EUR"))
    assert [(row["class"], row["amount_minor"], row["currency"]) for row in found] == [
        ("amount", 500, "USD"),
        ("currency", 500, "USD"),
    ]


def test_a_fresh_difference_is_one_pending_row() -> None:
    [row] = rows(wanted(updated=NOW), held(minor=1, status="open"))
    assert (row["kind"], row["class"], row["fields"], row["amount_minor"]) == ("pending", None, [], 500)


@given(st.lists(st.one_of(st.integers(0, 10**12).map(str), st.uuids().map(str)), unique=True))
def test_numeric_ids_stand_in_numeric_order_before_all_others(ids: list[str]) -> None:
    found = sorted(ids, key=id_order)
    numbers = [name for name in found if name.isdigit()]
    assert numbers == sorted(numbers, key=int)
    assert found == numbers + sorted(name for name in ids if not name.isdigit())


@pytest.mark.parametrize("copies", [0, 1, 2])
@pytest.mark.parametrize("is_wanted", [True, False])
@pytest.mark.parametrize("part", ["gone", "unreadable", "spared", "none"])
def test_a_spot_has_one_verdict_at_most_unless_fields_differ(copies: int, is_wanted: bool, part: str) -> None:
    parts = {} if part == "none" else {part: frozenset({DEAL})}
    records = [held(name) for name in (LOW, HIGH)[:copies]]
    found = rows(wanted() if is_wanted else None, *records, orphans=frozenset({"deal"}), **parts)
    assert len(found) <= 1
    assert {row["kind"] for row in found} <= KIND_BY_NAME.keys()
