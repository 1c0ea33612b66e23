"""Transactions, refunds, subscriptions and merged contacts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghl_payments_tests.sandbox.oracle_states import OLD, ago, txn
from ghl_payments_tests.warehouse.desk import Desk, later

JAN, FEB, MAR = "2026-01-05T00:00:00Z", "2026-02-05T00:00:00Z", "2026-02-06T00:00:00Z"


def renewals(desk: Desk, *documents: dict[str, Any]) -> set[str]:
    desk.list("transactions", *documents)
    desk.stage("contact_aliases", "transactions")
    return {row["transaction_id"] for row in desk.rows("staging.transactions", "is_renewal")}


def cycle(txn_id: str, created: str, **changes: Any) -> dict[str, Any]:
    return txn(txn_id, createdAt=created, subscriptionId="s1", **changes)


def test_the_first_charge_of_a_subscription_is_no_renewal_and_the_others_are(desk: Desk) -> None:
    assert renewals(desk, cycle("t3", MAR), cycle("t1", JAN), cycle("t2", FEB), txn("plain")) == {"t2", "t3"}


def test_a_free_first_cycle_counts_as_the_first(desk: Desk) -> None:
    assert renewals(desk, cycle("t1", JAN, amount=0), cycle("t2", FEB)) == {"t2"}


def test_failed_pending_and_unreadable_tries_are_neither_first_nor_renewals(desk: Desk) -> None:
    found = renewals(desk, cycle("a", JAN, status="failed"), cycle("b", JAN, status="pending"),
                     cycle("c", JAN, amount="x"), cycle("t1", FEB), cycle("t2", MAR, status="refunded"))  # fmt: skip
    assert found == {"t2"}


def test_an_amount_finer_than_the_minor_unit_still_has_its_place_in_the_row(desk: Desk) -> None:
    assert renewals(desk, cycle("t1", JAN, amount=Decimal("0.001")), cycle("t2", FEB)) == {"t2"}


def test_charges_at_the_same_instant_are_told_apart_by_their_ids(desk: Desk) -> None:
    assert renewals(desk, cycle("t2", JAN), cycle("t1", JAN)) == {"t2"}


@pytest.mark.parametrize("changes", [{"entityId": "o2"}, {"liveMode": False}, {"subscriptionId": "s2"}])
def test_another_order_mode_or_subscription_has_a_first_charge_of_its_own(desk: Desk, changes: dict[str, Any]) -> None:
    assert renewals(desk, cycle("t1", JAN), cycle("t2", FEB) | changes) == set()


def test_missing_and_empty_entity_ids_are_one(desk: Desk) -> None:
    assert renewals(desk, cycle("t1", JAN, entityId=None), cycle("t2", FEB, entityId="")) == {"t2"}


def refund_steps(desk: Desk, *versions: dict[str, Any]) -> list[int]:
    for number, version in enumerate(versions):
        desk.list("transactions", txn(updatedAt=ago(days=20 - number), **version), at=later(hours=number))
    desk.stage("contact_aliases", "transactions", "refunds")
    rows = sorted(desk.rows("staging.refunds"), key=lambda row: row["refund_number"])
    assert [row["refund_number"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["amount_minor"] for row in rows]


def test_refunds_are_the_steps_of_a_cumulative_amount(desk: Desk) -> None:
    steps = refund_steps(desk, *({"amountRefunded": amount} for amount in (0, 30, 30, Decimal("40.25"))))
    assert steps == [3_000, 1_025]


def test_a_refund_that_is_taken_back_and_made_again_is_counted_once(desk: Desk) -> None:
    assert refund_steps(desk, *({"amountRefunded": amount} for amount in (30, 0, 30, 50))) == [3_000, 2_000]


def test_a_changed_row_without_a_further_refund_is_no_refund(desk: Desk) -> None:
    assert refund_steps(desk, {"amountRefunded": 30}, {"amountRefunded": 30, "chargeId": "pi_2"}) == [3_000]


def test_a_refund_in_full_without_an_amount_is_told_by_the_status(desk: Desk) -> None:
    refund_steps(desk, {"status": "refunded", "amountRefunded": None})
    row = desk.row("staging.transactions")
    assert (row["status"], row["refunded_minor"], row["refunded_text"]) == ("refunded", 0, "0")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(st.integers(0, 10_000), min_size=1, max_size=6), data=st.data())
def test_refunds_never_add_up_to_more_than_the_most_ever_refunded(
    desk: Desk, amounts: list[int], data: st.DataObject
) -> None:
    desk.con.execute("delete from raw.transactions")
    steps = refund_steps(desk, *({"amountRefunded": Decimal(amount) / 100} for amount in amounts))
    assert sum(steps) == max(amounts)
    assert all(step > 0 for step in steps)


@pytest.mark.parametrize(("changes", "expected"), [
    ({"entityId": ""}, {"entity_id": None}), ({"subscriptionId": " "}, {"subscription_id": None}),
    ({"amountRefunded": None}, {"refunded_minor": 0}), ({"amountRefunded": Decimal("0.001")}, {"refunded_minor": None}),
    ({"amount": 500, "currency": "JPY"}, {"amount_minor": 500, "currency": "JPY"}),
    ({"paymentProvider": {"type": "stripe"}}, {"provider": "stripe"}), ({"contactId": ""}, {"contact_id": None}),
])  # fmt: skip
def test_a_transaction_is_typed(desk: Desk, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    desk.list("transactions", txn(**changes))
    desk.stage("contact_aliases", "transactions")
    row = desk.row("staging.transactions")
    assert {name: row[name] for name in expected} == expected


def aliases(desk: Desk, *merges: tuple[str, str, str]) -> dict[str, str]:
    """Aliases out of (old, new, created)."""
    desk.list("transactions", *(
        txn(f"t{number}", mergedFromContactId=old, contactId=new, createdAt=created)
        for number, (old, new, created) in enumerate(merges)
    ))  # fmt: skip
    desk.stage("contact_aliases")
    return {row["alias_id"]: row["contact_id"] for row in desk.rows("staging.contact_aliases")}


def test_merges_are_followed_to_the_last_contact(desk: Desk) -> None:
    assert aliases(desk, ("c1", "c2", OLD), ("c2", "c3", OLD), ("c3", "c4", OLD)) == {
        "c1": "c4",
        "c2": "c4",
        "c3": "c4",
    }


def test_of_two_merges_of_one_contact_the_later_counts(desk: Desk) -> None:
    assert aliases(desk, ("c1", "c9", FEB), ("c1", "c2", JAN), ("c1", "c3", "unknown")) == {"c1": "c9"}


def test_a_contact_merged_into_itself_is_no_alias_and_a_circle_ends(desk: Desk) -> None:
    found = aliases(desk, ("c1", "c1", JAN), ("c5", "c6", JAN), ("c6", "c5", JAN))
    assert set(found) == {"c5", "c6"}


def test_subscriptions_are_live_unless_their_detail_says_test(desk: Desk) -> None:
    plain = {"_id": "s1", "liveMode": True, "status": "active", "currency": "USD", "amount": Decimal("9.9"),
             "entityType": "order", "entityId": "o1", "createdAt": OLD}  # fmt: skip
    desk.list("subscriptions", plain, plain | {"_id": "s2"}, plain | {"_id": "s3", "liveMode": False})
    desk.details("subscription_details", {"s2": plain | {"_id": "s2", "markAsTest": True}})
    desk.stage("contact_aliases", "subscriptions")
    rows = {row["subscription_id"]: row for row in desk.rows("staging.subscriptions")}
    assert {name: row["live"] for name, row in rows.items()} == {"s1": True, "s2": False, "s3": False}
    assert rows["s1"]["amount_minor"] == 990
