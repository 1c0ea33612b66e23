"""Subscriptions and contacts' roll-ups as mappings see them, out of small purchases."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.mapping_sql import build_canonical
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, OLD, order, txn
from ghl_payments_tests.warehouse.desk import Desk, Row, later, utc

Document = dict[str, Any]
MONTHLY = {"product": {"name": "Gold"}, "price": {"recurring": {"interval": "month", "intervalCount": 1}}}


def sub(sub_id: str = "s1", **changes: Any) -> Document:
    """A monthly subscription of 10 USD that began with order `o1`."""
    return {
        "_id": sub_id, "contactId": "c1", "currency": "USD", "amount": 10, "status": "active", "liveMode": True,
        "createdAt": OLD, "updatedAt": OLD, "entityType": "order", "entityId": "o1", "recurringProduct": MONTHLY,
    } | changes  # fmt: skip


def every(interval: object, number: object = 1) -> Document:
    return {"recurringProduct": {"price": {"recurring": {"interval": interval, "intervalCount": number}}}}


def scheduled(**rule: object) -> Document:
    return {"recurringProduct": None, "schedule": {"rrule": rule}}


def canonical(desk: Desk, name: str, *, now: datetime | None = NOW) -> dict[str, Row]:
    desk.con.execute("set variable as_of = ?::timestamp", [naive(now) if now else None])
    desk.stage()
    build_canonical(desk.con, LOCATION)
    return {row["key"].removeprefix("ghl:"): row for row in desk.rows(f"canonical_{name}", "live")}


def subscriptions(desk: Desk, *documents: Document, transactions: tuple[Document, ...] = (),
                  orders: tuple[Document, ...] = (order(),), now: datetime | None = NOW) -> dict[str, Row]:  # fmt: skip
    desk.purchases(orders, transactions, subscriptions=documents)
    return canonical(desk, "subscriptions", now=now)


def next_billing(desk: Desk, *documents: Document, charges: tuple[tuple[str, str], ...] = ()) -> dict[str, str | None]:
    """Next billing by subscription id; `charges` are (subscription id, instant)."""
    paid = tuple(txn(f"t{n}", subscriptionId=name, createdAt=at) for n, (name, at) in enumerate(charges))
    return billing_dates(subscriptions(desk, *documents, transactions=paid))


def billing_dates(found: dict[str, Row]) -> dict[str, str | None]:
    return {
        row["subscription_id"]: row["next_billing_at"] and row["next_billing_at"].isoformat() for row in found.values()
    }


def test_a_subscription_says_what_is_sold_how_often_to_whom_and_since_when(desk: Desk) -> None:
    found = subscriptions(desk, sub(currency="KWD", amount=Decimal("1.5"), subscriptionId="sub_9", canceledAt=OLD))
    row = found["sub:s1"]
    expected = {
        "key": "ghl:sub:s1", "contact_key": "ghl:contact:c1", "order_id": "o1", "order_key": "ghl:order:o1", "amount_minor": 1_500,
        "amount_text": "1.5", "amount_plain": "1.500", "currency": "KWD", "status": "active", "plan": "Gold", "interval_text": "1 month",
        "starts_at": utc(OLD), "ends_at": None, "cancelled_at": utc(OLD), "provider_subscription_id": "sub_9",
        "next_billing_at": utc("2026-04-01T10:00:00Z"), "reason": None,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_what_only_the_detail_says_is_not_lost_when_the_list_row_changes(desk: Desk) -> None:
    bare = {name: value for name, value in sub().items() if name != "recurringProduct"}
    desk.purchases([order()], [], subscriptions=[bare])
    desk.details("subscription_details", {"s1": sub(canceledAt=OLD)})
    desk.list("subscriptions", bare | {"amount": 12, "updatedAt": "2026-02-02T00:00:00Z"}, at=later(hours=1))
    row = canonical(desk, "subscriptions")["sub:s1"]
    assert (row["amount_minor"], row["plan"], row["interval_text"]) == (1_200, "Gold", "1 month")
    assert row["cancelled_at"] == utc(OLD)


def test_an_interval_is_the_prices_else_the_schedules_and_never_guessed(desk: Desk) -> None:
    cases = [
        (every("month"), "1 month"), (every("month", 3), "3 months"), (every("year", None), "1 year"), (every("Week", "2"), "2 weeks"),
        (every("month", 0), None), (every("month", Decimal("1.5")), None), (every("fortnight"), None), (every(None), None),
        (scheduled(intervalType="weekly", interval=2), "2 weeks"), (scheduled(intervalType="hourly", interval=1), None),
        (every("day") | {"schedule": {"rrule": {"intervalType": "yearly", "interval": 1}}}, "1 day"),
        (every("fortnight") | {"schedule": {"rrule": {"intervalType": "yearly", "interval": 1}}}, "1 year"),
    ]  # fmt: skip
    found = subscriptions(desk, *(sub(f"s{n}", **changes) for n, (changes, _) in enumerate(cases)))
    assert [found[f"sub:s{n}"]["interval_text"] for n in range(len(cases))] == [text for _, text in cases]
    assert all(found[f"sub:s{n}"]["next_billing_at"] is None for n, (_, text) in enumerate(cases) if text is None)


def test_a_start_date_of_another_day_is_the_start_and_a_day_off_is_only_a_time_zone(desk: Desk) -> None:
    dates = {"2026-02-01": OLD, "2026-02-02": OLD, "2026-01-31": OLD, "2026-02-03": "2026-02-03T00:00:00Z",
             "2025-06-01": "2025-06-01T00:00:00Z", "2026-02-30": OLD, "later": OLD}  # fmt: skip
    found = subscriptions(desk, *(
        sub(f"s{n}", **scheduled(intervalType="monthly", startDate=date)) for n, date in enumerate(dates)
    ))  # fmt: skip
    assert [row["starts_at"] for row in found.values()] == [utc(text) for text in dates.values()]


def test_the_next_billing_is_the_first_cycle_after_the_last_charge_wherever_the_clock_stands(desk: Desk) -> None:
    documents = [sub(), sub("s2", subscriptionId="sub_2"), sub("s3", status="trialing"), sub("s4")]
    charges = (("s1", OLD), ("sub_2", "2026-03-01T10:00:00Z"), ("sub_2", OLD), ("s3", "2026-03-01T14:00:00Z"),
               ("s4", "2026-02-20T09:00:00Z"))  # fmt: skip
    expected = {
        "s1": "2026-03-01T10:00:00",  # due for two hours
        "s2": "2026-04-01T10:00:00",
        "s3": "2026-04-01T10:00:00",
        "s4": "2026-03-01T10:00:00",  # the charge of February came late
    }
    assert next_billing(desk, *documents, charges=charges) == expected
    assert billing_dates(canonical(desk, "subscriptions", now=later(days=400))) == expected


def test_a_charge_up_to_a_tenth_of_the_interval_early_pays_the_cycle_to_come(desk: Desk) -> None:
    charges = (("s1", "2026-02-26T10:00:00Z"), ("s2", "2026-02-26T09:59:59.999Z"), ("s3", "2026-02-07T17:12:00Z"),
               ("s4", "2026-02-07T17:11:59.999Z"))  # fmt: skip
    documents = [sub(), sub("s2"), sub("s3", **every("week")), sub("s4", **every("week"))]
    assert next_billing(desk, *documents, charges=charges) == {
        "s1": "2026-04-01T10:00:00", "s2": "2026-03-01T10:00:00", "s3": "2026-02-15T10:00:00", "s4": "2026-02-08T10:00:00",
    }  # fmt: skip


def test_without_a_charge_the_next_billing_is_the_first_cycle_to_come(desk: Desk) -> None:
    future = {"createdAt": "2026-03-04T00:00:00Z"}
    failed = txn("t1", subscriptionId="s1", status="failed", createdAt="2026-03-01T11:00:00Z")
    test = txn("t2", subscriptionId="s1", liveMode=False, createdAt="2026-03-01T11:00:00Z")
    found = subscriptions(desk, sub(), sub("s2", **future), sub("s3", **every("day")), transactions=(failed, test))
    assert [row["next_billing_at"] for row in found.values()] == [
        utc("2026-04-01T10:00:00Z"), utc("2026-03-04T00:00:00Z"), utc("2026-03-02T10:00:00Z"),
    ]  # fmt: skip
    assert canonical(desk, "subscriptions", now=later(days=40))["sub:s1"]["next_billing_at"] == utc(
        "2026-05-01T10:00:00Z"
    )


def test_without_a_clock_the_newest_change_stands_for_now(desk: Desk) -> None:
    found = subscriptions(desk, sub(), sub("s2", updatedAt="2026-05-20T00:00:00Z"), now=None)
    assert {row["next_billing_at"] for row in found.values()} == {utc("2026-06-01T10:00:00Z")}


@pytest.mark.parametrize(("start", "changes", "charged", "expected"), [
    ("2025-12-31T09:00:00Z", {}, "2026-01-31T09:00:00Z", "2026-02-28T09:00:00"),
    ("2025-12-31T09:00:00Z", {}, "2026-02-28T09:00:00Z", "2026-03-31T09:00:00"),
    ("2025-12-31T09:00:00Z", {}, "2026-03-31T09:00:00Z", "2026-04-30T09:00:00"),
    ("2025-08-30T09:00:00Z", every("month", 6), "2025-08-30T09:00:00Z", "2026-02-28T09:00:00"),
    ("2024-02-29T09:00:00Z", every("year"), "2026-01-01T09:00:00Z", "2026-02-28T09:00:00"),
    ("2024-02-29T09:00:00Z", every("year", 4), "2026-01-01T09:00:00Z", "2028-02-29T09:00:00"),
    ("2026-01-10T09:00:00Z", scheduled(intervalType="monthly", dayOfMonth=-1), "2026-01-31T10:00:00Z", "2026-02-28T09:00:00"),
    ("2026-01-10T09:00:00Z", scheduled(intervalType="monthly", dayOfMonth=5), "2026-01-10T09:00:00Z", "2026-02-05T09:00:00"),
    ("2026-01-10T09:00:00Z", scheduled(intervalType="monthly", dayOfMonth=29), "2026-01-10T09:00:00Z", "2026-02-10T09:00:00"),
    ("2026-01-10T09:00:00Z", scheduled(intervalType="weekly", dayOfMonth=5, numOfWeek=2), "2026-01-10T09:00:00Z",
     "2026-01-17T09:00:00"),
    ("2026-01-10T09:00:00Z", scheduled(intervalType="monthly", numOfWeek=2), "2026-01-10T09:00:00Z", None),
    ("2026-01-10T09:00:00Z", scheduled(intervalType="monthly", endDate="2026-02-10"), "2026-01-10T09:00:00Z", "2026-02-10T09:00:00"),
    ("2026-01-10T09:00:00Z", scheduled(intervalType="monthly", endDate="2026-02-09"), "2026-01-10T09:00:00Z", None),
])  # fmt: skip
def test_cycles_are_counted_from_the_start_and_end_with_the_month(
    desk: Desk, start: str, changes: Document, charged: str, expected: str | None
) -> None:
    assert next_billing(desk, sub(createdAt=start, **changes), charges=(("s1", charged),)) == {"s1": expected}


def test_only_what_is_still_billed_has_a_next_billing(desk: Desk) -> None:
    statuses = ("canceled", "expired", "unpaid", "pending", "Incomplete", "paused", "past_due", "ACTIVE")
    found = next_billing(desk, *(sub(f"s{n}", status=status) for n, status in enumerate(statuses)))
    assert set(found.values()) == {None}


def test_a_subscription_that_no_target_can_hold_says_why(desk: Desk) -> None:
    found = subscriptions(
        desk, sub("fine", amount=Decimal("0.005")), sub("alone", contactId=None, entityId=None),
        sub("stranger", contactId="c9"), sub("orders", contactId=None), sub("none", entityType="invoice"),
        sub("zero", entityId="o2"), sub("test", liveMode=False), sub("unreadable", amount="x"),
        orders=(order(), order("o2", amount=0)),
    )  # fmt: skip
    assert {key: row["reason"] for key, row in found.items()} == {
        "sub:fine": "the amount has more decimals than USD has", "sub:alone": "the subscription has no contact",
        "sub:stranger": "the contact has neither an order nor a charge", "sub:orders": None, "sub:none": None, "sub:zero": None,
    }  # fmt: skip
    assert found["sub:orders"]["contact_id"] == "c1"
    assert (found["sub:none"]["order_id"], found["sub:none"]["order_key"]) == (None, None)
    assert (found["sub:zero"]["order_id"], found["sub:zero"]["order_key"]) == ("o2", None)


def rollups(desk: Desk, orders: list[Document], transactions: list[Document], *documents: Document) -> dict[str, Row]:
    desk.purchases(orders, transactions, subscriptions=documents)
    return canonical(desk, "rollups")


def rollup(desk: Desk, orders: list[Document], transactions: list[Document], *documents: Document) -> Row:
    return rollups(desk, orders, transactions, *documents)["contact:c1"]


def test_a_roll_up_counts_orders_and_adds_up_what_was_paid_and_not_paid_back(desk: Desk) -> None:
    orders = [order("o1", amount=100, createdAt=OLD), order("o2", amount=50, createdAt="2026-02-03T00:00:00Z"),
              order("o3", amount=0, createdAt="2026-02-09T00:00:00Z")]  # fmt: skip
    charges = [txn("t1", amount=100, amountRefunded=30), txn("t2", amount=20, entityId="o2"), txn("t3", status="failed"),
               txn("t4", amount=9, entityType=None, updatedAt="2026-02-08T00:00:00Z"), txn("t5", liveMode=False)]  # fmt: skip
    row = rollup(desk, orders, charges)
    expected = {
        "key": "ghl:contact:c1", "last_order_id": "o2", "order_count": 2, "currency": "USD", "lifetime_minor": 9_900,
        "lifetime_text": "99.00", "amount_due_minor": 6_000, "billing_status": "none", "next_billing_at": None,
        "first_order_at": utc(OLD), "last_order_at": utc("2026-02-03T00:00:00Z"), "created_at": utc(OLD),
        "updated_at": utc(OLD), "rollup_updated_at": utc("2026-02-08T00:00:00Z"),
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_two_currencies_are_never_added_up(desk: Desk) -> None:
    euro = txn("t2", amount=10, currency="EUR")
    for orders, charges in (
        ([order(), order("o2", currency="EUR")], []), ([order()], [euro | {"entityId": "o9"}]), ([], [txn(), euro]),
    ):  # fmt: skip
        desk.con.execute("delete from raw.orders; delete from raw.order_details; delete from raw.transactions")
        row = rollup(desk, orders, charges)
        assert row["currency"] == "mixed"
        assert [row[name] for name in ("lifetime_minor", "lifetime_text", "amount_due_minor")] == [None, None, None]


def test_a_refund_that_cannot_be_held_leaves_the_totals_unknown(desk: Desk) -> None:
    row = rollup(desk, [order()], [txn("t1"), txn("t2", amountRefunded=Decimal("0.001"))])
    assert [row[name] for name in ("currency", "lifetime_minor", "lifetime_text", "amount_due_minor")] == [
        "USD", None, None, None,
    ]  # fmt: skip


def test_nothing_is_due_on_orders_that_are_paid_cancelled_or_paid_back(desk: Desk) -> None:
    orders = [order("paid", amount=10), order("over", amount=10), order("gone", amount=10, status="canceled"),
              order("back", amount=10, paymentStatus="refunded"), order("part", amount=10), order("open", amount=10),
              order("renewed", amount=10), order("others", amount=10), order("euro", amount=10)]  # fmt: skip
    charges = [
        txn("t1", amount=10, entityId="paid"), txn("t2", amount=15, entityId="over"),
        txn("t3", amount=10, entityId="back", status="refunded"), txn("t4", amount=4, entityId="part"),
        txn("t5", amount=10, entityId="renewed", subscriptionId="s1", createdAt="2026-01-05T00:00:00Z"),
        txn("t6", amount=10, entityId="renewed", subscriptionId="s1"), txn("t7", amount=7, entityId="others", contactId="c2"),
        txn("t8", amount=8, currency="EUR", entityId="euro", contactId="c3"),
    ]  # fmt: skip
    found = rollups(desk, orders, charges)
    assert found["contact:c1"]["amount_due_minor"] == 600 + 1_000 + 300 + 1_000
    assert (found["contact:c2"]["lifetime_minor"], found["contact:c2"]["amount_due_minor"]) == (700, 0)
    assert (found["contact:c3"]["currency"], found["contact:c3"]["lifetime_minor"]) == ("EUR", 800)


def test_a_refunded_charge_of_an_order_is_due_again(desk: Desk) -> None:
    assert rollup(desk, [order(amount=100)], [txn(amount=100, amountRefunded=20)])["amount_due_minor"] == 2_000


@pytest.mark.parametrize(("statuses", "expected"), [
    ((), "none"), (("active",), "active"), (("canceled", "active"), "active"), (("active", "trialing"), "trialing"),
    (("trialing", "pending"), "pending"), (("pending", "Incomplete"), "incomplete"), (("unpaid", "Incomplete"), "unpaid"),
    (("past_due", "unpaid", "active"), "past_due"), (("paused", "active"), "active"), (("paused", "on_hold"), "paused"),
    (("on_hold", "frozen", "expired"), "frozen"), (("expired", "cancelled"), "expired"), (("cancelled",), "canceled"),
])  # fmt: skip
def test_the_billing_status_is_what_needs_a_person_then_what_is_alive_then_what_is_over(
    desk: Desk, statuses: tuple[str, ...], expected: str
) -> None:
    documents = [sub(f"s{n}", status=status) for n, status in enumerate(statuses)]
    assert rollup(desk, [order()], [], *documents)["billing_status"] == expected


def test_the_earliest_next_billing_and_the_latest_change_count(desk: Desk) -> None:
    row = rollup(
        desk, [order()], [], sub("s1"), sub("s2", **every("week"), updatedAt="2026-02-20T00:00:00Z"),
        sub("s3", **every("day"), status="canceled"), sub("s4", contactId="c2", **every("day")),
    )  # fmt: skip
    assert (row["next_billing_at"], row["rollup_updated_at"]) == (
        utc("2026-03-08T10:00:00Z"),
        utc("2026-02-20T00:00:00Z"),
    )


def test_merged_contacts_are_one_row_and_a_contact_of_subscriptions_only_has_none(desk: Desk) -> None:
    found = rollups(desk, [order(contactId="c1", amount=10)], [txn(amount=10, contactId="c2", mergedFromContactId="c1")],
                    sub(contactId="c1", status="unpaid"), sub("s2", contactId="c9"))  # fmt: skip
    assert found.keys() == {"contact:c2"}
    row = found["contact:c2"]
    assert (row["order_count"], row["lifetime_minor"], row["amount_due_minor"], row["billing_status"]) == (
        1,
        1_000,
        0,
        "unpaid",
    )


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 10**9), st.sampled_from(["c1", "c2"]),
                                  st.sampled_from(["USD", "KWD"])), min_size=1, max_size=12))  # fmt: skip
def test_lifetimes_add_up_to_all_charges_less_all_refunds(desk: Desk, amounts: list[tuple[int, int, str, str]]) -> None:
    desk.con.execute("delete from raw.transactions; delete from raw.transaction_details")
    places = {"USD": -2, "KWD": -3}
    charges = [
        txn(f"t{n}", entityType=None, contactId=f"{contact}{code}", currency=code, amount=Decimal(taken).scaleb(places[code]),
            amountRefunded=Decimal(back).scaleb(places[code]))
        for n, (taken, back, contact, code) in enumerate(amounts)
    ]  # fmt: skip
    found = rollups(desk, [], charges)
    for code in places:
        net = sum(taken - back for taken, back, _, currency in amounts if currency == code)
        assert sum(row["lifetime_minor"] for row in found.values() if row["currency"] == code) == net
    assert "mixed" not in {row["currency"] for row in found.values()}
