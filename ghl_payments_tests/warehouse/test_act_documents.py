"""The SQL of Act! against documents: both forms, odd names and numbers, and the oracle over random worlds."""

from __future__ import annotations

import copy
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from ghl_payments.sandbox.act_switches import ActSwitches
from ghl_payments.sandbox.codec import decode, encode
from ghl_payments.sandbox.world_act_fields import ODD_COLUMN
from ghl_payments.warehouse import reconcile
from ghl_payments.warehouse.landing_load import load_documents
from ghl_payments_tests.sandbox.oracle_states import OLD, ago, location, order, txn
from ghl_payments_tests.warehouse.act_desk import FALLBACK, TABLES, act_holds, agreed, expected, judged, use_act
from ghl_payments_tests.warehouse.billing_worlds import BillingWorld
from ghl_payments_tests.warehouse.desk import Desk, Document
from ghl_payments_tests.warehouse.test_against_the_oracle import comparable
from ghl_payments_tests.warehouse.worlds import World

FORMS = pytest.mark.parametrize("switches", [TABLES, FALLBACK], ids=["tables", "fallback"])


def shop(**changed: Any) -> Document:
    """One order with its charge and a subscription."""
    subscription = {
        "_id": "s1", "contactId": "c1", "entityType": "order", "entityId": "o1", "amount": Decimal("9.5"), "currency": "USD",
        "status": "active", "liveMode": True, "createdAt": OLD, "updatedAt": OLD,
        "recurringProduct": {"product": {"name": "Gold"}, "price": {"recurring": {"interval": "month"}}},
    }  # fmt: skip
    return location([order(**changed)], [txn()], subscriptions=[subscription])


def the(state: Document, name: str, kind: str = "ghl:") -> Document:
    """The one record of a collection that carries a key of ours."""
    rows = state["custom"][name] if name in state["custom"] else state[name]
    found: Document
    [found] = [row for row in rows if kind in encode(row).decode()]
    return found


def kinds(rows: list[dict[str, Any]]) -> set[tuple[str, str, str | None, tuple[str, ...]]]:
    return {
        (row["record_type"], row["kind"], row["class"], tuple(field["field"] for field in row["fields"]))
        for row in rows
    }


@FORMS
def test_a_database_in_agreement_has_no_diffs(desk: Desk, switches: ActSwitches) -> None:
    place = shop()
    assert judged(desk, place, agreed(place, switches).state, switches) == []


@FORMS
def test_an_empty_database_lacks_every_record(desk: Desk, switches: ActSwitches) -> None:
    place = shop()
    state = agreed(location([], []), switches).state
    rows = judged(desk, place, state, switches)
    assert {(row["record_type"], row["key"], row["kind"], row["amount_minor"]) for row in rows} == {
        ("contact", "ghl:contact:c1", "missing_in_target", None),
        ("opportunity", "ghl:order:o1", "missing_in_target", 10_050),
        ("payment", "ghl:txn:t1", "missing_in_target", 10_050),
        ("subscription", "ghl:sub:s1", "missing_in_target", 950),
    }


@FORMS
def test_other_users_private_records_and_natives_are_not_ours(desk: Desk, switches: ActSwitches) -> None:
    place = shop()
    world = agreed(place, switches)
    the(world.state, "opportunities", "ghl:order")["isPrivate"] = True
    rows = judged(desk, place, world.state, switches)
    assert ("opportunity", "missing_in_target", None, ()) in kinds(rows)


def test_a_total_with_the_noise_of_doubles_is_the_total(desk: Desk) -> None:
    place = shop()
    state = agreed(place).state
    the(state, "opportunities", "ghl:order")["productTotal"] = Decimal("100.50000000000001")
    the(state, "GHL_PAYMENT")["amount"] = Decimal("100.49999999999999")
    assert judged(desk, place, state) == []


def test_a_total_a_cent_off_is_worth_a_cent(desk: Desk) -> None:
    place = shop()
    state = agreed(place).state
    the(state, "opportunities", "ghl:order")["productTotal"] = Decimal("100.51")
    [row] = judged(desk, place, state)
    assert (row["class"], row["amount_minor"], row["currency"], row["pushable"]) == ("amount", 1, "USD", True)
    assert [field["field"] for field in row["fields"]] == ["total"]


def test_an_order_in_another_currency_than_the_databases_keeps_its_money_in_its_own_fields(desk: Desk) -> None:
    place = location([order(currency="JPY", amount=500)], [])
    world = agreed(place)
    opportunity = the(world.state, "opportunities", "ghl:order")
    assert opportunity["productTotal"] == 0
    assert world.state["products"] == []
    assert judged(desk, place, world.state) == []
    opportunity["customFields"]["ghl_amount"] = "501"
    [row] = judged(desk, place, world.state)
    assert ([field["field"] for field in row["fields"]], row["amount_minor"]) == (["ghl_amount"], 1)


def test_without_a_known_database_currency_no_order_has_a_total(desk: Desk) -> None:
    place = shop()
    state = agreed(place).state
    the(state, "opportunities", "ghl:order")["productTotal"] = 7
    assert judged(desk, place, state, database_currency="unknown") == []


@pytest.mark.parametrize("names", [True, False])
def test_a_status_is_read_as_number_or_name(desk: Desk, names: bool) -> None:
    place = shop()
    state = agreed(place).state
    switches = ActSwitches(act_status_names=names)
    assert judged(desk, place, state, switches) == []
    the(state, "opportunities", "ghl:order")["status"] = 2
    assert kinds(judged(desk, place, state, switches)) == {("opportunity", "field_differs", "status", ("status",))}


def test_columns_are_found_whatever_the_case_of_their_names(desk: Desk) -> None:
    place = shop()
    state = agreed(place).state
    row = the(state, "GHL_PAYMENT")
    columns = ("ghl_id", "ghl_location", "amount", "currency", "status", "refunded", "paid_at", "reference")
    shouted = {name.upper() if name in columns else name: value for name, value in row.items()}
    act_holds(desk, state)
    use_act(desk, TABLES)
    path = desk.land(({"kind": "list", "record_type": "payment"}, [shouted]))
    load_documents(desk.con, path, "act", desk.tick(), whole="payment")
    reconcile.derive_actual(desk.con, desk.halo)
    found = desk.row("actual.records", "record_type = 'payment'")
    assert (found["key"], found["amount_minor"], found["currency"]) == ("ghl:txn:t1", 10_050, "USD")


def test_a_field_is_read_under_its_internal_name_not_under_what_people_see(desk: Desk) -> None:
    place = shop()
    state = agreed(place).state
    opportunity = the(state, "opportunities", "ghl:order")
    opportunity["customFields"]["ghl_tracking"] = "not a field of the database"
    assert judged(desk, place, state) == []
    opportunity["customFields"][ODD_COLUMN.lower()] = "UPS 1"
    assert kinds(judged(desk, place, state)) == {("opportunity", "field_differs", "other", ("ghl_tracking",))}


@pytest.mark.parametrize(
    ("shown", "same"),
    [("2026-02-01T00:00:00+00:00", True), ("2026-02-01T11:59:00Z", True), ("2026-01-31T19:00:00-05:00", True),
     ("2026-02-02T00:00:00Z", False), ("soon", False), (None, False)],
)  # fmt: skip
def test_dates_within_half_a_day_are_the_same_day(desk: Desk, shown: str | None, same: bool) -> None:
    place = shop(createdAt="2026-02-01T10:00:00Z")
    state = agreed(place).state
    the(state, "opportunities", "ghl:order")["openDate"] = shown
    rows = judged(desk, place, state)
    assert kinds(rows) == (set() if same else {("opportunity", "field_differs", "date", ("open_date",))})
    assert comparable(rows) == comparable(expected(place, state))


def test_history_is_read_through_the_markup_that_act_puts_around_it(desk: Desk) -> None:
    place = shop()
    state = agreed(place, FALLBACK).state
    assert judged(desk, place, state, ActSwitches(act_custom_tables=False, act_history_html=True)) == []
    entry = the(state, "history")
    entry["details"] = encode(decode(entry["details"].encode()) | {"amount": "100.40"}).decode()
    [row] = judged(desk, place, state, ActSwitches(act_custom_tables=False, act_history_html=True))
    assert (row["record_type"], row["class"], row["amount_minor"]) == ("payment", "amount", 10)


def test_details_that_are_no_object_make_a_payment_unverifiable(desk: Desk) -> None:
    place = shop()
    state = agreed(place, FALLBACK).state
    the(state, "history")["details"] = "Somebody { tidied up"
    [row] = judged(desk, place, state, FALLBACK)
    assert (row["record_type"], row["kind"], row["reason"]) == ("payment", "unverifiable", "amount is not a number")


def test_a_merged_contact_keeps_its_records(desk: Desk) -> None:
    place = shop()
    state = agreed(place).state
    place["transactions"] = [txn(contactId="c2", mergedFromContactId="c1")]
    assert judged(desk, place, state) == []


def test_a_refund_shows_in_the_payment(desk: Desk) -> None:
    place = shop()
    state = agreed(place).state
    place["transactions"] = [txn(amountRefunded=20, updatedAt=ago(days=1))]
    [row] = judged(desk, place, state)
    assert ([field["field"] for field in row["fields"]], row["amount_minor"]) == (["refunded"], 2_000)


def test_missing_custom_fields_make_everything_unrepresentable_and_say_so(desk: Desk) -> None:
    place = shop()
    rows = judged(desk, place, agreed(location([], [])).state, custom_fields="missing")
    assert {row["kind"] for row in rows} == {"not_representable"}
    assert all("custom fields" in row["reason"] for row in rows)


VALUES: dict[str, tuple[Any, ...]] = {
    "amount": (None, Decimal("100.5"), Decimal("7.004"), 12, "n/a"),
    "refunded": (None, Decimal("0.5"), 0),
    "currency": ("EUR", "usd", None),
    "status": (0, 1, 2, 3),
    "paid_at": (OLD, "soon", None),
    "openDate": (OLD, "soon", None),
    "productTotal": (Decimal("100.5"), 12, "n/a", None),
    "regarding": ("ghl:txn:t2", "ghl:txn:gone", "Call"),
    "contacts": ([],),
}
"""Members of records and what they may be found changed to."""

CUSTOM = (None, "", "1", "12.5", "other", "USD", "ghl:order:o1", "2026-03-01")


def disturbed(state: Document, seed: int) -> Document:
    """A state in which people and programs have been at work."""
    rng, state = Random(seed), copy.deepcopy(state)
    tables = [state["opportunities"], state["contacts"], state["history"], *state["custom"].values()]
    for _ in range(14):
        rows = rng.choice([table for table in tables if table])
        row = rng.choice(rows)
        if (act := rng.randrange(8)) == 0:
            rows.remove(row)
        elif act == 1:
            rows.append(copy.deepcopy(row) | {"id": f"twin-{rng.random()}"})
        elif act in (2, 3) and row.get("customFields"):
            row["customFields"][rng.choice(sorted(row["customFields"]))] = rng.choice(CUSTOM)
        elif names := sorted(VALUES.keys() & row.keys()):
            name = rng.choice(names)
            row[name] = rng.choice(VALUES[name])
    return state


@pytest.mark.parametrize("seed", range(4))
@FORMS
def test_sql_and_oracle_agree_on_every_diff_of_random_purchases(desk: Desk, seed: int, switches: ActSwitches) -> None:
    place = World(seed).place
    state = disturbed(agreed(place, switches, seed=seed).state, seed)
    rows = judged(desk, place, state, switches)
    assert comparable(rows) == comparable(expected(place, state, switches))
    assert rows


@pytest.mark.parametrize("seed", range(2))
@FORMS
def test_sql_and_oracle_agree_on_every_diff_of_random_subscriptions(
    desk: Desk, seed: int, switches: ActSwitches
) -> None:
    place = BillingWorld(seed).place
    state = disturbed(agreed(place, switches, seed=seed).state, seed)
    rows = judged(desk, place, state, switches)
    assert comparable(rows) == comparable(expected(place, state, switches))
