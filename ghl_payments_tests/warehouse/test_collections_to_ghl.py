"""Cash collected at the door, as GHL should have it: what is due of an order, what is recorded already, and why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from ghl_payments.connectors.registry import target_systems
from ghl_payments.sandbox.oracle_collections import collected, judge_collections
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.warehouse import outbox, reconcile
from ghl_payments.warehouse.landing_load import load_documents, naive
from ghl_payments.warehouse.outbox import ClaimedChange
from ghl_payments.warehouse.queries import run, run_text
from ghl_payments.warehouse.reconcile import Target
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, ago, order, txn
from ghl_payments_tests.warehouse.desk import Desk, Document, Row, later
from ghl_payments_tests.warehouse.worlds import World

GHL = target_systems()["ghl"]
CONNECTION = f"ghl/{LOCATION}"
OFF = Target(CONNECTION, "ghl", True, "auto", 0.8, GHL.mapping, GHL.documents_sql, LOCATION, locations=(LOCATION,))
ON = replace(OFF, options={"record_cash": True})
COLLECTED = "2026-02-20T10:00:00Z"
KEY = "trackpod:order:T1"


def unpaid(**changes: Any) -> Document:
    """A live order of 100.50 USD of which nothing is paid."""
    return order(**{"paymentStatus": "unpaid", "status": "pending"} | changes)


def cash(txn_id: str = "c1", amount: object = Decimal("100.5"), *, note: str | None = None, **changes: Any) -> Document:
    """A cash payment of order `o1`, as GHL lists one that was recorded by hand."""
    snapshot = {"mode": "cash"} | ({"notes": note} if note else {})
    made = {"amount": amount, "chargeSnapshot": snapshot, "createdAt": "2026-02-20T11:00:00.000Z"}
    return txn(txn_id, **made | changes)


def mark(key: str = KEY) -> str:
    return f"Cash collected on delivery [ghl_payments {key}]"


def collect(
    desk: Desk, amount: str | None = "100.50", *, track: str = "T1", order_id: str = "o1", currency: str | None = None,
    at: str = COLLECTED, mode: str = "cash", connection: str = "trackpod",
) -> str:  # fmt: skip
    key = f"trackpod:order:{track}"
    desk.con.execute(
        "insert into actual.collections values (?, 'trackpod', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [connection, LOCATION, key, f"ghl:order:{order_id}", amount, currency,
         naive(datetime.fromisoformat(at)), mode, track, naive(NOW)],
    )  # fmt: skip
    return key


def canonical(desk: Desk) -> dict[str, Row]:
    desk.stage()
    reconcile.derive_actual(desk.con, OFF)
    run(desk.con, "reconciliation/canonical_collections", {"location_id": LOCATION})
    return {row["key"]: row for row in desk.rows("canonical_collections")}


def certify(desk: Desk) -> None:
    for record_type in ("provider", "fulfillment", "order_payment"):
        desk.con.execute(
            "insert or replace into actual.reads values (?, ?, 'turn', 0, 0, null, 1, 1, true, null, ?, null, true)",
            [CONNECTION, record_type, naive(NOW)],
        )


def ask_order(desk: Desk, *transactions: Document, order_id: str = "o1", at: datetime | None = None) -> None:
    """The order's transactions as the connector lands them."""
    envelope = {"kind": "detail", "record_type": "order_payment", "native_id": order_id, "status": 200}
    load_documents(desk.con, desk.land((envelope, {"data": transactions})), CONNECTION, at or later(minutes=1))


def judge(desk: Desk, target: Target = OFF) -> list[Row]:
    desk.stage()
    reconcile.derive_actual(desk.con, target)
    reconcile.derive_desired(desk.con, [target], LOCATION)
    reconcile.reconcile_target(desk.con, target, LOCATION, as_of=NOW, lag_seconds=300)
    return [row for row in desk.diffs() if row["record_type"] == "order_payment"]


def plan(desk: Desk, target: Target = OFF) -> dict[str, int]:
    return outbox.plan(desk.con, target, LOCATION, as_of=NOW, turn_id="turn")


def keys_asked(desk: Desk) -> list[tuple[str, str]]:
    reconcile.describe_documents(desk.con, OFF)
    desk.con.execute("create or replace temp table target_locations as select ? as location_id", [LOCATION])
    rows = run_text(desk.con, GHL.keys_sql.read_text(encoding="utf-8"), {"connection": CONNECTION})
    return [row for row in rows if row[0] == "order_payment"]


def test_cash_is_in_the_orders_currency_and_what_is_due_is_without_what_was_paid(desk: Desk) -> None:
    desk.purchases([unpaid(paymentStatus="partially_paid")], [txn(amount=Decimal("60.50"))])
    key = collect(desk, "40.00")
    row = canonical(desk)[key]
    assert (row["reason"], row["amount_minor"], row["currency"], row["due_minor"]) == (None, 4000, "USD", 4000)
    assert (row["order_id"], row["amount_plain"], row["mode"]) == ("o1", "40.00", "cash")


@pytest.mark.parametrize(
    ("document", "payments", "told", "reason"),
    [
        (unpaid(order_id="o2"), [], {}, "no order that could be read"),
        (unpaid(liveMode=False), [], {}, "test mode"),
        (unpaid(markAsTest=True), [], {}, "test mode"),
        (unpaid(), [], {"currency": "EUR"}, "collected in EUR, its order is in USD"),
        (unpaid(), [], {"amount": "100.51"}, "more was collected (10051 minor units) than is due in GHL (10050)"),
        (unpaid(), [], {"amount": "ten"}, "cannot be read"),
        (unpaid(), [], {"amount": None}, "cannot be read"),
        (unpaid(), [], {"amount": "10.005"}, "more decimals than USD"),
        (unpaid(), [], {"amount": "0"}, "not above zero"),
        (unpaid(), [], {"amount": "-5"}, "not above zero"),
        (unpaid(), [], {"mode": "card"}, "not collected in cash"),
        (unpaid(currency="JPY", amount=100), [], {"amount": "99.5"}, "more decimals than JPY"),
        (unpaid(status="cancelled"), [], {}, "cancelled"),
        (order(), [], {}, "already paid"),
        (unpaid(), [txn()], {}, "already paid"),
        (unpaid(), [txn(amount=Decimal("0.505"))], {"amount": "50"}, "cannot be read exactly"),
        (unpaid(), [txn(amount="ten")], {"amount": "50"}, "cannot be read exactly"),
        (unpaid(), [txn(currency="EUR", amount=5)], {"amount": "50"}, "another currency"),
        (unpaid(), [txn(amount=50, amountRefunded=10)], {"amount": "50"}, "paid back"),
        (unpaid(), [txn(amount=50, status="refunded")], {"amount": "50"}, "paid back"),
        (unpaid(paymentStatus="refunded"), [], {"amount": "50"}, "paid back"),
    ],
)  # fmt: skip
def test_every_doubt_is_a_reason(
    desk: Desk, document: Document, payments: list[Document], told: dict[str, Any], reason: str
) -> None:
    desk.purchases([document], payments)
    key = collect(desk, **told)
    assert reason in (canonical(desk)[key]["reason"] or "")


def test_an_order_whose_detail_was_not_read_may_be_a_test(desk: Desk) -> None:
    desk.list("orders", unpaid())
    key = collect(desk)
    assert "read in full" in canonical(desk)[key]["reason"]


@pytest.mark.parametrize(
    "payment", [txn(status="failed"), txn(amount=50, liveMode=False), txn(amount=50, entityType="invoice")]
)
def test_what_is_no_payment_of_the_order_takes_nothing_from_what_is_due(desk: Desk, payment: Document) -> None:
    desk.purchases([unpaid()], [payment])
    key = collect(desk)
    assert canonical(desk)[key]["reason"] is None


def test_of_several_collections_of_one_order_those_beyond_what_is_due_are_for_a_person(desk: Desk) -> None:
    desk.purchases([unpaid()])
    first = collect(desk, "60", track="T1", at="2026-02-20T10:00:00Z")
    second = collect(desk, "60", track="T0", at="2026-02-20T11:00:00Z")
    third = collect(desk, "500", track="T2", at="2026-02-20T09:00:00Z")
    rows = canonical(desk)
    assert rows[first]["reason"] is None
    assert "with the other collections of its order" in rows[second]["reason"]
    assert "than is due" in rows[third]["reason"]


def test_one_collection_told_by_two_connections_is_one(desk: Desk) -> None:
    desk.purchases([unpaid()])
    collect(desk, connection="trackpod")
    collect(desk, connection="another")
    assert [row["reason"] for row in canonical(desk).values()] == [None]


@pytest.mark.parametrize(
    "payment",
    [
        cash(note=mark()),
        cash(meta={"ghl_payments": f"[ghl_payments {KEY}]"}),
        cash(notes=mark(), chargeSnapshot={}, chargeId="x"),
        cash(note=mark(), amount=Decimal("100.5"), status="refunded", amountRefunded=Decimal("100.5")),
        cash(),
        cash(chargeSnapshot=None, paymentMethod={"mode": "cash"}),
        cash(chargeSnapshot={}),
        cash(createdAt="2026-02-19T11:00:00.000Z"),
    ],
)
def test_cash_that_ghl_shows_agrees(desk: Desk, payment: Document) -> None:
    desk.purchases([order()], [payment])
    key = collect(desk)
    certify(desk)
    assert judge(desk) == []
    assert canonical(desk)[key]["reason"] is None
    record = desk.row("actual.records", "connection = ? and key is not null", CONNECTION)
    assert (record["native_id"], record["key"], record["amount_minor"]) == ("o1/c1", key, 10050)


@pytest.mark.parametrize(
    "payment",
    [
        cash(amount=50),
        cash(chargeSnapshot={"mode": "bank_transfer"}),
        cash(chargeSnapshot={}, chargeId="pi_1"),
        cash(chargeSnapshot={}, paymentProvider={"type": "stripe"}),
        cash(createdAt="2026-02-18T11:00:00.000Z"),
        cash(note=mark("trackpod:order:T9")),
        cash(note=mark("trackpod:order:T11")),
        cash(status="failed"),
        cash(markAsTest=True),
    ],
)
def test_another_payment_is_not_taken_for_it(desk: Desk, payment: Document) -> None:
    desk.purchases([unpaid()], [payment])
    collect(desk)
    certify(desk)
    assert [row["kind"] for row in judge(desk)] != []
    assert desk.rows("actual.records", "connection = ? and key is not null", CONNECTION) == []


def test_one_unmarked_payment_stands_for_one_collection_only(desk: Desk) -> None:
    desk.purchases([unpaid()], [cash(amount=30)])
    first, second = collect(desk, "30", track="T1"), collect(desk, "30", track="T2", at="2026-02-21T10:00:00Z")
    certify(desk)
    (diff,) = judge(desk, ON)
    assert (diff["key"], diff["kind"], diff["pushable"]) == (second, "missing_in_target", True)
    assert desk.row("actual.records", "connection = ? and key is not null", CONNECTION)["key"] == first


def test_a_marked_payment_is_not_taken_for_another_collection_of_that_amount(desk: Desk) -> None:
    desk.purchases([unpaid()], [cash(amount=30, note=mark("trackpod:order:T2"))])
    first = collect(desk, "30", track="T1")
    collect(desk, "30", track="T2")
    certify(desk)
    assert [row["key"] for row in judge(desk)] == [first]


def test_cash_that_was_recorded_twice_is_a_duplicate(desk: Desk) -> None:
    desk.purchases([order()], [cash("c1", note=mark()), cash("c2", note=mark())])
    collect(desk)
    certify(desk)
    (diff,) = judge(desk)
    assert (diff["kind"], diff["native_ids"], diff["amount_minor"]) == (
        "duplicate_in_target",
        ["o1/c1", "o1/c2"],
        10050,
    )


def test_another_amount_than_was_recorded_is_reported_and_never_written(desk: Desk) -> None:
    desk.purchases([order()], [cash(note=mark())])
    collect(desk, "90.00")
    certify(desk)
    (diff,) = judge(desk, ON)
    assert (diff["kind"], diff["class"], diff["amount_minor"], diff["pushable"]) == (
        "field_differs",
        "amount",
        1050,
        False,
    )
    assert plan(desk, ON) == {}


def test_a_payment_that_was_taken_out_again_is_not_recorded_anew(desk: Desk) -> None:
    desk.purchases([unpaid()])
    key = collect(desk)
    certify(desk)
    ask_order(desk, cash(note=mark()))
    assert judge(desk) == []
    ask_order(desk, at=later(minutes=2))
    (diff,) = judge(desk, ON)
    assert (diff["key"], diff["kind"], diff["pushable"]) == (key, "not_representable", False)
    assert "recorded in GHL before" in diff["reason"]


def test_off_by_default_it_is_found_and_planned_as_irreversible_and_leaves_under_no_policy(desk: Desk) -> None:
    desk.purchases([unpaid()])
    key = collect(desk)
    certify(desk)
    (diff,) = judge(desk)
    assert (diff["key"], diff["kind"], diff["amount_minor"], diff["currency"]) == (
        key,
        "missing_in_target",
        10050,
        "USD",
    )
    assert diff["pushable"] is False
    assert plan(desk) == {"planned": 1}
    first = desk.row("outbox.changes")
    assert first["irreversible"] is True
    assert "off by default" in first["reason"]
    assert "irreversible" in first["reason"]
    assert "options.record_cash" in first["reason"]
    desk.con.execute("update outbox.changes set state = 'approved'")
    assert outbox.claim(desk.con, OFF, LOCATION, as_of=NOW) == []
    assert plan(desk) == {"planned": 1}
    assert desk.row("outbox.changes")["change_id"] == first["change_id"]


@pytest.mark.parametrize(("policy", "state", "claimed"), [("auto", "approved", 1), ("preview", "planned", 0)])
def test_switched_on_the_same_change_goes_by_the_policy_and_switched_off_it_is_only_planned_again(
    desk: Desk, policy: str, state: str, claimed: int
) -> None:
    desk.purchases([unpaid()])
    collect(desk)
    certify(desk)
    off, on = replace(OFF, policy=policy), replace(ON, policy=policy)
    judge(desk, off)
    plan(desk, off)
    judge(desk, on)
    assert plan(desk, on) == {state: 1}
    assert desk.row("outbox.changes")["reason"] is None
    judge(desk, off)
    assert plan(desk, off) == {"planned": 1}
    assert "off by default" in desk.row("outbox.changes")["reason"]
    judge(desk, on)
    plan(desk, on)
    assert len(outbox.claim(desk.con, on, LOCATION, as_of=NOW)) == claimed


def test_once_recorded_it_is_verified_by_its_marker_and_takes_its_native_id(desk: Desk) -> None:
    desk.purchases([unpaid()])
    key = collect(desk)
    certify(desk)
    judge(desk, ON)
    plan(desk, ON)
    (change,) = outbox.claim(desk.con, ON, LOCATION, as_of=NOW)
    assert change.fields == {
        "order_id": "o1", "amount": "10050", "currency": "USD", "mode": "cash", "note": "Cash collected on delivery",
        "collected_at": "2026-02-20T10:00:00.000Z",
    }  # fmt: skip
    desk.answered("sent", change, native_id="o1")
    ask_order(desk, cash("c7", note=mark()))
    reconcile.derive_actual(desk.con, ON, ["order_payment"])
    assert outbox.verify(desk.con, [change.change_id], as_of=NOW, settled=True) == {"verified": 1}
    assert desk.row("outbox.changes")["native_id"] == "o1/c7"
    assert judge(desk, ON) == []
    assert key in canonical(desk)


def test_what_was_answered_and_is_not_found_is_refused_and_never_sent_again(desk: Desk) -> None:
    desk.purchases([unpaid()])
    collect(desk)
    certify(desk)
    judge(desk, ON)
    plan(desk, ON)
    (change,) = outbox.claim(desk.con, ON, LOCATION, as_of=NOW)
    desk.answered("sent", change, native_id="o1")
    ask_order(desk)
    reconcile.derive_actual(desk.con, ON, ["order_payment"])
    outbox.verify(desk.con, [change.change_id], as_of=NOW, settled=True)
    assert desk.row("outbox.changes")["state"] == "refused"
    judge(desk, ON)
    assert plan(desk, ON) == {"refused": 1}


def requested(desk: Desk, outcome: str) -> ClaimedChange:
    """A collection of one order whose request ended so."""
    desk.purchases([unpaid()])
    collect(desk)
    certify(desk)
    judge(desk, ON)
    plan(desk, ON)
    (change,) = outbox.claim(desk.con, ON, LOCATION, as_of=NOW)
    desk.answered(outcome, change)
    return change


def verify(desk: Desk, change: ClaimedChange, *, sent_now: bool) -> dict[str, int]:
    reconcile.derive_actual(desk.con, ON, ["order_payment"])
    now = [change.change_id] if sent_now else []
    return outbox.verify(desk.con, [change.change_id], as_of=NOW, settled=True, sent_now=now)


@pytest.mark.parametrize(
    "shown",
    [
        {"paymentProviderType": "manual", "chargeSnapshot": {}},
        {"chargeSnapshot": {"mode": "bank_transfer"}},
        {"chargeSnapshot": {}, "chargeId": "pi_1"},
        {"markAsTest": True},
    ],
)
def test_after_a_lost_answer_a_payment_of_that_amount_is_the_one_whatever_ghl_shows_of_it(
    desk: Desk, shown: Document
) -> None:
    change = requested(desk, "unknown")
    ask_order(desk, cash("c7", **shown))
    assert verify(desk, change, sent_now=True) == {"verified": 1}
    assert desk.row("outbox.changes")["native_id"] == "o1/c7"
    assert judge(desk, ON) == []
    assert plan(desk, ON) == {"verified": 1}


@pytest.mark.parametrize("changes", [
    {"amount": 50}, {"createdAt": "2026-02-18T11:00:00.000Z"}, {"status": "failed"},
    {"notes": mark("trackpod:order:T9")},
])  # fmt: skip
def test_after_a_lost_answer_another_payment_is_still_another(desk: Desk, changes: Document) -> None:
    change = requested(desk, "unknown")
    ask_order(desk, cash("c7", **{"paymentProviderType": "manual", "chargeSnapshot": {}} | changes))
    assert verify(desk, change, sent_now=True) == {"unknown": 1}


def test_a_request_that_was_refused_claims_no_payment(desk: Desk) -> None:
    requested(desk, "refused")
    ask_order(desk, cash("c7", paymentProviderType="manual", chargeSnapshot={}))
    judge(desk, ON)
    assert desk.rows("actual.records", "connection = ? and key is not null", CONNECTION) == []


def test_two_lost_answers_do_not_share_one_payment(desk: Desk) -> None:
    desk.purchases([unpaid()])
    first, second = collect(desk, "30", track="T1"), collect(desk, "30", track="T2", at="2026-02-20T09:00:00Z")
    certify(desk)
    judge(desk, ON)
    plan(desk, ON)
    for change in outbox.claim(desk.con, ON, LOCATION, as_of=NOW):
        desk.answered("unknown", change)
    shown: dict[str, Any] = {"amount": 30, "paymentProviderType": "manual", "chargeSnapshot": {}}
    ask_order(desk, cash("c1", **shown))
    assert [row["key"] for row in judge(desk, ON)] == [first]
    ask_order(desk, cash("c1", **shown), cash("c2", **shown), at=later(minutes=2))
    assert judge(desk, ON) == []
    found = desk.rows("actual.records", "connection = ? and key is not null", CONNECTION)
    assert {row["key"]: row["native_id"] for row in found} == {second: "o1/c1", first: "o1/c2"}


def test_what_is_not_there_after_a_lost_answer_waits_for_a_later_push(desk: Desk) -> None:
    change = requested(desk, "unknown")
    ask_order(desk)
    assert verify(desk, change, sent_now=True) == {"unknown": 1}
    row = desk.row("outbox.changes")
    assert row["state"] == "unknown"
    assert "a later run looks again" in row["reason"]
    assert outbox.claim(desk.con, ON, LOCATION, as_of=NOW) == []
    assert verify(desk, change, sent_now=False) == {"approved": 1}
    assert len(outbox.claim(desk.con, ON, LOCATION, as_of=NOW)) == 1


def test_an_order_whose_request_is_in_doubt_is_asked_for_each_time(desk: Desk) -> None:
    requested(desk, "unknown")
    recent = desk.con.execute("select (now() at time zone 'UTC')").fetchone()
    assert recent is not None
    ask_order(desk, at=recent[0])
    assert keys_asked(desk) == [("order_payment", "o1")]


def test_only_orders_whose_cash_is_not_known_in_ghl_are_asked_for_and_not_again_at_once(desk: Desk) -> None:
    desk.purchases([unpaid(), order("o2")], [cash(entityId="o2", note=mark("trackpod:order:T2"))])
    desk.stage()
    collect(desk, track="T1")
    collect(desk, track="T2", order_id="o2")
    assert keys_asked(desk) == [("order_payment", "o1")]
    recent = desk.con.execute("select (now() at time zone 'UTC')").fetchone()
    assert recent is not None
    ask_order(desk, at=recent[0])
    assert keys_asked(desk) == []


def test_cash_that_was_collected_just_now_waits(desk: Desk) -> None:
    desk.purchases([unpaid()])
    collect(desk, at=ago(seconds=60))
    certify(desk)
    assert [row["kind"] for row in judge(desk)] == ["pending"]


def told_by_drivers(rng: Random, place: Document, number: int) -> Document:
    """An order of Track-POD that a driver has dealt with, of one of the place's orders, of a test or of none."""
    doc = rng.choice(place["orders"])
    due = Decimal(str(doc["amount"])) if type(doc["amount"]) in (int, Decimal) else Decimal(10)
    order_id = doc["_id"] if rng.random() < 0.95 else "gone"
    amount = rng.choice([due, due, due / 2, due * 2, Decimal(5), Decimal("5.005"), Decimal(0), "cash", None])
    return {
        "TrackId": f"track{number}", "Number": f"GHL-{order_id}", "Id": order_id, "CustomerReferenceId": LOCATION,
        "StatusId": rng.choice([3, 3, 3, 4, 2]), "CODActual": None if amount is None else str(amount),
        "StatusDate": rng.choice(["2026-02-20T11:00:00", "2026-02-21T11:00:00", "2026-03-01T12:59:00", None]),
    }  # fmt: skip


def paid_by_hand(rng: Random, place: Document, track: Document, number: int) -> Document | None:
    """What may stand in GHL for that cash, marked or not."""
    doc = next((doc for doc in place["orders"] if doc["_id"] == track["Id"]), None)
    if doc is None or track["CODActual"] in (None, "cash") or rng.random() < 0.4:
        return None
    key = f"trackpod:order:{track['TrackId']}"
    amount = Decimal(track["CODActual"]) + rng.choice([0, 0, 0, 1])
    made = {"amount": amount, "currency": doc["currency"], "entityId": doc["_id"], "liveMode": doc["liveMode"]}
    shown = rng.choice([{"mode": "cash"}, {"mode": "card"}, {"mode": "cash", "notes": mark(key)}, {}])
    return txn(f"hand{number}", chargeSnapshot=shown, status=rng.choice(["succeeded", "succeeded", "failed"]),
               createdAt=rng.choice(["2026-02-20T11:00:00.000Z", "2026-02-19T08:00:00.000Z"]), **made)  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_sql_and_oracle_agree_on_every_collection(desk: Desk, seed: int) -> None:
    rng, place = Random(seed), World(seed, purchases=20).place
    for doc in rng.sample(place["orders"], 12):
        doc |= {"paymentStatus": "unpaid", "status": "pending"}
        place["transactions"] = [paid for paid in place["transactions"] if paid.get("entityId") != doc["_id"]]
    tracks = [told_by_drivers(rng, place, number) for number in range(40)]
    by_hand = (paid_by_hand(rng, place, track, number) for number, track in enumerate(tracks))
    place["transactions"] += [doc for doc in by_hand if doc is not None]
    desk.purchases(place["orders"], place["transactions"], subscriptions=place["subscriptions"],
                   fulfillments=place["fulfillments"])  # fmt: skip
    books = {LOCATION: read_location(place)}
    for told in collected({"Order": tracks}, books)[LOCATION]:
        desk.con.execute(
            "insert into actual.collections values ('trackpod', 'trackpod', ?, ?, ?, ?, null, ?, 'cash', 'x', ?)",
            [LOCATION, told.key, f"ghl:order:{told.order_id}", told.amount, told.at and naive(told.at), naive(NOW)],
        )
    certify(desk)
    names = ("key", "kind", "class", "amount_minor", "currency", "native_ids")
    expected = {row["key"]: [row[name] for name in names] for row in judge_collections({"Order": tracks}, books, NOW)}
    assert len({row[1] for row in expected.values()}) > 1
    assert {row["key"]: [row[name] for name in names] for row in judge(desk)} == expected
