"""The answer key of ActiveTrail against hand-written states: each disagreement alone, and agreement without a word."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from ghl_payments.domain.sandbox_identity import DEFAULT_NOW, sandbox_identity
from ghl_payments.sandbox.activetrail_lists import ActiveTrailSwitches
from ghl_payments.sandbox.oracle_activetrail import judge
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.sandbox.world import generate
from ghl_payments.sandbox.world_activetrail import ActiveTrailWorld
from ghl_payments_tests.sandbox.oracle_states import CONTACT, LOCATION, NOW, ORDER, OTHER, ago, location, order, txn

Doc = dict[str, Any]
PERSON = {"id": "c1", "firstName": "Ann", "lastName": "Ample", "email": "ann@example.com"}


def books(**changes: Any) -> dict[str, Any]:
    documents = location([order(contactSnapshot=PERSON, **changes)], [txn(contactSnapshot=PERSON)])
    return {LOCATION: read_location(documents), OTHER: read_location({"id": OTHER})}


def agreed(**changes: Any) -> Doc:
    world = ActiveTrailWorld(Random(1), 1_772_366_400_000, ActiveTrailSwitches(), sandbox_identity(1))
    world.agree(books(**changes)[LOCATION], {})
    return world.state


def rows(state: Doc, switches: ActiveTrailSwitches | None = None, **changes: Any) -> list[tuple[Any, ...]]:
    names = ("location_id", "key", "kind", "class", "fields", "amount_minor", "currency")
    found = judge(state, books(**changes), NOW, switches or ActiveTrailSwitches())
    return sorted((tuple(row[name] for name in names) for row in found), key=str)


def test_agreement_is_no_row() -> None:
    state = agreed()
    assert rows(state) == []
    (contact,), (held,) = state["contacts"], state["orders"]
    assert (contact["ext20"], contact["num4"], contact["num3"], contact["ext22"]) == ("100.50", 10050, 0, "none")
    assert (contact["date5"], contact["date4"]) == ("2026-02-01T12:00:00", None)
    assert (held["totalAmount"], held["num1"], held["ext3"]) == (Decimal("100.5"), 10050, "paid")


@pytest.mark.parametrize(
    ("slot", "value", "class_", "fields", "minor"),
    [
        ("num4", 10000, "amount", ["lifetime"], 50),
        ("num3", 70, "amount", ["amount_due"], 70),
        ("ext20", "100.5", "amount", ["lifetime_text"], 0),
        ("ext21", "EUR", "currency", ["currency"], None),
        ("ext22", "active", "status", ["billing_status"], None),
        ("num5", 2, "quantity", ["order_count"], None),
        ("date5", "2026-02-02T12:00:00", "date", ["last_order_date"], None),
        ("date4", "2026-02-02T12:00:00", "date", ["next_billing_date"], None),
        ("ext23", None, "other", ["last_order_id"], None),
    ],
)
def test_each_slot_that_differs_is_a_row_of_its_class(
    slot: str, value: object, class_: str, fields: list[str], minor: int | None
) -> None:
    state = agreed()
    state["contacts"][0][slot] = value
    currency = "USD" if minor is not None else None
    assert rows(state) == [(LOCATION, CONTACT, "field_differs", class_, fields, minor, currency)]


@pytest.mark.parametrize(
    ("place", "value", "class_", "fields", "minor"),
    [
        ("totalAmount", Decimal("90.5"), "amount", ["total"], 1000),
        ("num1", 50, "amount", ["paid"], 10000),
        ("num2", None, "amount", ["refunded"], 0),
        ("ext2", "JPY", "currency", ["currency"], 10050),
        ("ext1", "void", "status", ["status"], None),
        ("ext3", "", "status", ["payment_status"], None),
        ("ext5", "DHL 1", "other", ["tracking"], None),
        ("externalId", "c2", "contact", ["contact_id"], None),
        ("purchaseDate", None, "date", ["purchase_date"], None),
    ],
)
def test_each_field_of_an_order_that_differs_is_a_row_of_its_class(
    place: str, value: object, class_: str, fields: list[str], minor: int | None
) -> None:
    state = agreed()
    state["orders"][0][place] = value
    currency = "USD" if minor is not None else None
    assert rows(state) == [(LOCATION, ORDER, "field_differs", class_, fields, minor, currency)]


def test_records_that_are_not_there_are_missing_or_wait() -> None:
    state = agreed()
    state["orders"].clear()
    state["members"].clear()
    assert [row[1:3] for row in rows(state)] == [(CONTACT, "missing_in_target"), (ORDER, "missing_in_target")]
    young = [row[1:3] for row in rows(state, updatedAt=ago(seconds=10))]
    assert (ORDER, "pending") in young


def test_a_contact_in_the_bin_was_deleted_and_two_with_one_key_are_one_too_many() -> None:
    state = agreed()
    state["contacts"].append({**state["contacts"][0], "id": 99, "email": "b@example.com"})
    state["members"].append([1, 99])
    assert [row[1:3] for row in rows(state)] == [(CONTACT, "duplicate_in_target")]
    state["contacts"][0]["is_deleted"] = state["contacts"][1]["is_deleted"] = True
    assert [row[1:3] for row in rows(state)] == [(CONTACT, "deleted_in_target")]


def test_an_order_under_another_location_is_missing_here_and_left_over_there() -> None:
    state = agreed()
    state["orders"][0]["ext9"] = OTHER
    assert [row[:3] for row in rows(state)] == [
        (LOCATION, ORDER, "missing_in_target"), (OTHER, ORDER, "missing_in_source"),
    ]  # fmt: skip


def test_an_order_that_ghl_does_not_list_is_never_seen() -> None:
    state = agreed()
    state["orders"].append({"orderId": "o99", "totalAmount": 5, "ext2": "USD", "ext9": LOCATION})
    assert rows(state) == []


def test_without_a_commerce_area_every_order_has_no_form_and_the_rollup_is_still_kept() -> None:
    state = agreed()
    state["orders"].clear()
    state["contacts"][0]["num5"] = 7
    assert rows(state, ActiveTrailSwitches(activetrail_commerce="missing")) == [
        (LOCATION, CONTACT, "field_differs", "quantity", ["order_count"], None, None),
        (LOCATION, ORDER, "not_representable", None, [], 10050, "USD"),
    ]


def test_an_unreadable_total_is_unverifiable_and_a_test_order_does_not_belong() -> None:
    state = agreed()
    state["orders"][0]["totalAmount"] = None
    assert [row[1:3] for row in rows(state)] == [(ORDER, "unverifiable")]
    state = agreed()
    assert (LOCATION, ORDER, "test_record_in_live", None, [], 10050, "USD") in rows(state, liveMode=False)


def test_people_without_an_address_have_no_form() -> None:
    bare = {LOCATION: read_location(location([order()], [txn()]))}
    found = judge({}, bare, NOW, ActiveTrailSwitches())
    assert ("contact", "not_representable") in {(row["record_type"], row["kind"]) for row in found}


@pytest.mark.parametrize("commerce", ["available", "missing"])
def test_a_seeded_world_without_defects_agrees(commerce: str) -> None:
    switches = {"activetrail": ActiveTrailSwitches(activetrail_commerce=commerce)}  # type: ignore[arg-type]
    world = generate(3, 200, DEFAULT_NOW, defects=False, switches=switches)
    kinds = {row["kind"] for row in world.answer_key if row["system"] == "activetrail"}
    assert kinds == (set() if commerce == "available" else {"not_representable"})


def test_a_seeded_world_has_every_kind_of_disagreement_and_natives_that_are_none() -> None:
    world = generate(7, 1000, DEFAULT_NOW)
    found = [row for row in world.answer_key if row["system"] == "activetrail"]
    assert {row["kind"] for row in found} == {
        "missing_in_target", "deleted_in_target", "duplicate_in_target", "field_differs", "unverifiable",
        "test_record_in_live",
    }  # fmt: skip
    classes = {row["class"] for row in found if row["kind"] == "field_differs"}
    assert classes == {"amount", "currency", "status", "quantity", "date", "contact", "other"}
    assert not {row["key"] for row in found if "SHOP" in row["key"]}


def test_the_same_seed_gives_the_same_account() -> None:
    first, second = (generate(5, 80, DEFAULT_NOW).state["activetrail"] for _ in range(2))
    assert first == second
