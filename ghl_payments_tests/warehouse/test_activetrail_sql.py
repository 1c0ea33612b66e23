"""ActiveTrail's documents and mapping in DuckDB: the oracle's verdict on random accounts, and each rule by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ghl_payments.sandbox.activetrail_lists import ActiveTrailSwitches
from ghl_payments.sandbox.oracle_activetrail import judge
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.warehouse.landing_load import load_documents
from ghl_payments_tests.sandbox.oracle_states import CONTACT, LOCATION, NOW, ORDER, location, order, txn
from ghl_payments_tests.warehouse.activetrail_desk import (
    PEOPLE,
    AccountWorld,
    agreed,
    asked_for,
    capable,
    diffs,
    hold,
)
from ghl_payments_tests.warehouse.desk import Desk, later
from ghl_payments_tests.warehouse.test_against_the_oracle import comparable

Doc = dict[str, Any]
PERSON = {"id": "c1", **PEOPLE["c1"]}


def shop(desk: Desk, *, commerce: str = "available", charge: Doc | None = None, **changes: Any) -> Doc:
    """One purchase in GHL, and the account in agreement with it."""
    orders = [order(contactSnapshot=PERSON, **changes)]
    charges = [txn(contactSnapshot=PERSON, **(charge or {}))]
    desk.purchases(orders, charges)
    capable(desk, commerce)
    return agreed(location(orders, charges), activetrail_commerce=commerce)


def found(desk: Desk, state: Doc, **options: Any) -> list[tuple[Any, ...]]:
    hold(desk, state)
    return [
        (row["key"], row["kind"], row["class"], *[f["field"] for f in row["fields"]]) for row in diffs(desk, **options)
    ]


@pytest.mark.parametrize("seed", range(12))
def test_sql_and_oracle_agree_on_every_diff_of_a_random_account(desk: Desk, seed: int) -> None:
    world = AccountWorld(seed)
    place = world.place
    desk.purchases(place["orders"], place["transactions"], subscriptions=place["subscriptions"],
                   fulfillments=place["fulfillments"])  # fmt: skip
    desk.stage()
    capable(desk)
    hold(desk, world.account)
    expected = judge(world.account, {LOCATION: read_location(place)}, NOW, ActiveTrailSwitches())
    assert comparable(diffs(desk)) == comparable(map(dict, expected))


@pytest.mark.parametrize("commerce", ["available", "missing"])
def test_an_account_in_agreement_has_nothing_to_report_but_what_it_cannot_hold(desk: Desk, commerce: str) -> None:
    level = {"available": "available", "missing": "unavailable"}[commerce]
    state = shop(desk, commerce=commerce)
    capable(desk, level)
    rows = found(desk, state)
    assert rows == ([] if commerce == "available" else [(ORDER, "not_representable", None)])
    if commerce == "missing":
        (row,) = diffs(desk)
        assert "only the roll-up" in row["reason"]
        assert (row["amount_minor"], row["currency"]) == (10050, "USD")


def test_amounts_beyond_32_bits_stand_as_text_only(desk: Desk) -> None:
    amount = {"amount": Decimal("30000000.00")}
    state = shop(desk, charge=amount, paymentStatus="paid", **amount)
    (contact,), (held,) = state["contacts"], state["orders"]
    assert (contact["num4"], contact["ext20"], held["num1"]) == (None, "30000000.00", None)
    assert found(desk, state) == []


def test_names_of_an_orders_fields_count_in_any_case(desk: Desk) -> None:
    state = shop(desk)
    hold(desk, state)
    answer = {name.upper(): value for name, value in state["orders"][0].items()}
    envelope = {"kind": "detail", "record_type": "commerce_order", "native_id": "o1", "status": 200}
    load_documents(desk.con, desk.land((envelope, answer)), "activetrail", desk.tick())
    assert diffs(desk) == []


def test_a_double_with_noise_is_the_amount_it_stands_for(desk: Desk) -> None:
    state = shop(desk)
    state["orders"][0]["totalAmount"] = Decimal("100.50000000000001")
    assert found(desk, state) == []


def test_days_are_those_of_the_chosen_zone(desk: Desk) -> None:
    state = shop(desk, createdAt="2026-01-31T22:30:00.000Z")
    assert state["orders"][0]["purchaseDate"] == "2026-02-01T12:00:00"
    assert found(desk, state) == []
    assert {row["class"] for row in diffs(desk, time_zone="America/New_York")} == {"date"}


def test_slots_are_read_where_the_options_say(desk: Desk) -> None:
    state = shop(desk)
    contact = state["contacts"][0]
    contact["ext11"], contact["ext22"] = contact["ext22"], "somebody else's"
    assert found(desk, state, slot_billing_status="ext11") == []


def test_an_order_without_a_location_is_nobodys_and_one_of_another_location_is_not_ours(desk: Desk) -> None:
    state = shop(desk)
    for place in ("", "Elsewhere"):
        state["orders"][0]["ext9"] = place
        assert found(desk, state) == [(ORDER, "missing_in_target", None)]


def test_an_old_id_of_a_merged_contact_counts_as_the_new_one(desk: Desk) -> None:
    merge = {"_id": "t2", "contactId": "c1", "mergedFromContactId": "c0", "status": "failed"}
    orders, charges = [order(contactSnapshot=PERSON)], [txn(contactSnapshot=PERSON), txn(**merge)]
    desk.purchases(orders, charges)
    capable(desk)
    state = agreed(location(orders, charges))
    state["contacts"][0]["ext25"] = "ghl:contact:c0"
    assert found(desk, state) == []


def test_people_without_an_address_have_no_form_and_their_orders_wait(desk: Desk) -> None:
    desk.purchases([order()], [txn()])
    capable(desk)
    state = {"contacts": [], "orders": [], "groups": [{"id": 1, "name": "GHL payments"}], "members": []}
    assert found(desk, state) == [
        (ORDER, "missing_in_target", None), (CONTACT, "not_representable", None),
    ]  # fmt: skip
    assert [row["pushable"] for row in diffs(desk)] == [False, False]


def test_the_first_plan_makes_contacts_before_orders(desk: Desk) -> None:
    shop(desk)
    hold(desk, {"contacts": [], "orders": [], "groups": [{"id": 1, "name": "GHL payments"}], "members": []})
    rows = diffs(desk)
    assert [(row["record_type"], row["kind"], row["pushable"]) for row in rows] == [
        ("commerce_order", "missing_in_target", True), ("contact", "missing_in_target", True),
    ]  # fmt: skip


def test_orders_that_ghl_lists_or_that_were_ours_once_are_asked_for(desk: Desk) -> None:
    state = shop(desk)
    hold(desk, state)
    diffs(desk)
    assert asked_for(desk) == ["o1"]
    desk.list("orders", order("o2"), at=later(days=1))
    desk.con.execute("update raw.orders set absent_at = now() where id = 'o1'")
    assert asked_for(desk) == ["o1", "o2"]  # one that GHL no longer lists is still looked for where it was written
    capable(desk, "unavailable")
    assert asked_for(desk) == []


def test_a_bound_on_a_reading_spares_only_what_is_known_and_unchanged(desk: Desk) -> None:
    desk.purchases([order(f"o{n}", contactSnapshot=PERSON) for n in range(1, 5)], [])
    capable(desk)
    assert asked_for(desk, orders_per_run=1) == ["o1", "o2", "o3", "o4"]
    hold(desk, agreed(location([order(f"o{n}", contactSnapshot=PERSON) for n in range(1, 5)], [])))
    assert asked_for(desk, orders_per_run=1) == ["o1"]
    desk.con.execute("update actual.documents set read_at = read_at - interval 100 millisecond where native_id = 'o3'")
    assert asked_for(desk, orders_per_run=1) == ["o3"]
    desk.list(
        "orders", *[order(f"o{n}", status="open" if n == 2 else "completed") for n in range(1, 5)], at=later(days=9)
    )
    assert "o2" in asked_for(desk, orders_per_run=1)
