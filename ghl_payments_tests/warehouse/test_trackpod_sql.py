"""What must stand in Track-POD, what of it differs, and what its people's work asks of GHL; against the oracle too."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from ghl_payments.warehouse import outbox
from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.mapping_sql import build_canonical
from ghl_payments.warehouse.queries import run
from ghl_payments.warehouse.reconcile import derive_actual
from ghl_payments_tests.flow.loop import as_key
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, ago, parcel, txn
from ghl_payments_tests.warehouse.desk import Desk, Document, Row, utc
from ghl_payments_tests.warehouse.trackpod_desk import (
    HOME,
    expected,
    item,
    judged,
    planned,
    sold,
    track,
    trackpod_holds,
    use_trackpod,
)

KEY = "ghl:order:o1"


def kinds(rows: Sequence[Row]) -> list[tuple[str, str, str | None]]:
    return sorted((row["key"], row["kind"], row["class"]) for row in rows)


def told(rows: Sequence[Row]) -> str:
    [row] = rows
    return f"{row['kind']}: {row['reason']}"


def fields(rows: Sequence[Row]) -> dict[str, tuple[Any, Any]]:
    return {f["field"]: (f["desired"], f["actual"]) for row in rows for f in row["fields"]}


def test_an_order_that_is_planned_as_sold_agrees(desk: Desk) -> None:
    lines = [item("p1", 2, 10), item("d1", 1, 5, "DIGITAL"), item(None, 1, "0.10", None)]
    agreed = planned(1, "o1", (None, 1, Decimal("0.1")), ("p1", 1, 10), ("p1", 1, 10), COD=Decimal("25.1"))
    assert not judged(desk, [sold("o1", *lines, amount=Decimal("25.1"))], [agreed])


@pytest.mark.parametrize(
    ("orders", "found"),
    [
        ([], [(KEY, "missing_in_target", None)]),
        ([planned(1), planned(2)], [(KEY, "duplicate_in_target", None)]),
        ([planned(1), planned(2, Number="COPY-1")], [(KEY, "duplicate_in_target", None)]),
        ([planned(1), planned(2, Id="other")], [(KEY, "duplicate_in_target", None)]),
        ([planned(1), planned(2, Type=1)], []),
        ([planned(1), planned(2, Number="100", Id="100")], []),
        ([planned(1), planned(2, CustomerReferenceId="elsewhere")], []),
        ([planned(1, CustomerReferenceId=None)], [(KEY, "missing_in_target", None)]),
        ([planned(1, Number="100", CustomerReferenceId=None)], [(KEY, "missing_in_target", None)]),
        ([planned(1, "o1", ("p1", 3, 10))], [(KEY, "field_differs", "amount"), (KEY, "field_differs", "quantity")]),
        ([planned(1, "o1", ("p2", 2, 10))], [(KEY, "field_differs", "quantity")]),
        ([planned(1, "o1", ("p1", 2, 11))], [(KEY, "field_differs", "amount")]),
        ([planned(1, COD=19)], [(KEY, "field_differs", "amount")]),
        ([planned(1, COD=None)], [(KEY, "field_differs", "amount")]),
        ([planned(1, COD="twenty")], [(KEY, "unverifiable", None)]),
        ([planned(1, GoodsList=None)], [(KEY, "field_differs", "amount"), (KEY, "field_differs", "quantity")]),
    ],
)  # fmt: skip
def test_what_disagrees_is_named(desk: Desk, orders: list[Document], found: list[Any]) -> None:
    rows = judged(desk, [sold()], orders)
    assert kinds(rows) == found
    if not any(row["kind"] == "unverifiable" for row in rows):
        assert as_key(rows) == as_key(expected([sold()], orders))


def test_cash_to_collect_is_what_is_not_paid_yet_in_exact_minor_units(desk: Desk) -> None:
    charges = [txn("t1", amount=Decimal("5.05")), txn("t2", amount=Decimal("4.5"))]
    rows = judged(desk, [sold(paymentStatus="partially_paid")], [planned(COD=Decimal("10.44"))], charges)
    assert fields(rows) == {"cod": ("1045", "1044")}
    assert (rows[0]["amount_minor"], rows[0]["currency"], rows[0]["pushable"]) == (1, "USD", True)


def test_an_overpaid_order_collects_nothing(desk: Desk) -> None:
    assert not judged(desk, [sold()], [planned(COD=0)], [txn(amount=25)])


def test_an_order_that_is_paid_collects_nothing(desk: Desk) -> None:
    rows = judged(desk, [sold(paymentStatus="paid")], [planned()], [txn(amount=20)])
    assert fields(rows) == {"cod": ("0", "2000")}


DOUBTS: dict[str, tuple[str, list[Document], str]] = {
    "paid in another currency": ("unpaid", [txn(amount=20, currency="EUR")], "it was paid in EUR too"),
    "paid in part in another currency": (
        "partially_paid", [txn(amount=5), txn("t2", amount=10, currency="EUR")], "it was paid in EUR too",
    ),
    "paid without a transaction": ("paid", [], "GHL says that it is paid"),
    "paid with too small a transaction": ("paid", [txn(amount=19)], "GHL says that it is paid"),
    "given back in part as goodwill": ("unpaid", [txn(amount=20, amountRefunded=5)], "something was paid back"),
    "given back as a whole": ("unpaid", [txn(amount=20, status="refunded")], "something was paid back"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBTS)
def test_nobody_who_may_have_paid_is_asked_for_money_at_the_door(desk: Desk, name: str) -> None:
    status, charges, why = DOUBTS[name]
    sales = [sold(paymentStatus=status)]
    for orders in ([], [planned(COD=3), planned(2, "native", Number="1", Id="1")]):
        rows = judged(desk, sales, orders, charges)
        assert told(rows).startswith(f"not_representable: what is due cannot be told: {why}")
        assert not rows[0]["pushable"]
        assert kinds(expected(sales, orders, charges)) == [(KEY, "not_representable", None)]
    desk.plan()
    assert desk.changes() == {}


@pytest.mark.parametrize(
    "charges",
    [[txn(amount=20), txn("t2", amount=3, currency="EUR")], [txn(amount=25, amountRefunded=5)], [txn(amount=20)]],
)
def test_what_covers_the_amount_leaves_no_doubt(desk: Desk, charges: list[Document]) -> None:
    sales = [sold(paymentStatus="paid")]
    assert not judged(desk, sales, [planned(COD=0)], charges)
    assert not expected(sales, [planned(COD=0)], charges)


@pytest.mark.parametrize("status", [2, 3, 4, 5])
def test_what_the_driver_has_dealt_with_is_history(desk: Desk, status: int) -> None:
    wrong = planned(1, "o1", ("p9", 7, 1), COD=99, StatusId=status)
    sales = [sold(createdAt=ago(days=80)), sold("o2", status="cancelled"), sold("o3", address=None)]
    orders = [wrong, planned(2, "o2", ("p1", 9, 9), StatusId=status), planned(3, "o3", StatusId=status, COD=1)]
    assert not judged(desk, sales, orders)


def test_forcing_makes_history_comparable(desk: Desk) -> None:
    rows = judged(desk, [sold()], [planned(COD=1, StatusId=3)], force_update=True)
    assert fields(rows) == {"cod": ("2000", "100")}


OTHER_ADDRESSES: list[Document | None] = [
    None, {}, {"address1": "1 Test Street"}, {"address1": " ", "city": "Testville"}, {"city": "T", "postalCode": "1"},
]  # fmt: skip


@pytest.mark.parametrize("address", OTHER_ADDRESSES)
def test_without_an_address_nobody_sets_out(desk: Desk, address: Document | None) -> None:
    rows = judged(desk, [sold(address=address)], [])
    assert told(rows) == "not_representable: the order has no address to bring it to"
    trackpod_holds(desk, [planned()])  # somebody found it out
    derive_actual(desk.con, desk.halo)
    assert not [row for row in desk.judge() if row["system"] == "trackpod"]


@pytest.mark.parametrize(
    ("changes", "fulfillments"),
    [
        ({"status": "cancelled"}, {}), ({"status": "Failed"}, {}), ({"paymentStatus": "refunded"}, {}),
        ({}, {"o1": [parcel("f1", ago(days=2), 2)]}), ({"createdAt": ago(days=31)}, {}),
        ({"items": [item("d1", 1, 5, "DIGITAL")]}, {}), ({"liveMode": False}, {}),
    ],
)  # fmt: skip
def test_what_nobody_waits_for_is_not_sent(desk: Desk, changes: Document, fulfillments: Mapping[str, Any]) -> None:
    sales = [sold(**changes)]
    assert not judged(desk, sales, [], fulfillments=fulfillments)
    assert not expected(sales, [], fulfillments=fulfillments)


@pytest.mark.parametrize(
    ("changes", "fulfillments"),
    [({"status": "cancelled"}, {}), ({}, {"o1": [parcel("f1", ago(days=2), 2)]})],
)
def test_what_nobody_waits_for_any_more_must_not_set_out(
    desk: Desk, changes: Document, fulfillments: Mapping[str, Any]
) -> None:
    rows = judged(desk, [sold(**changes)], [planned()], fulfillments=fulfillments)
    assert told(rows) == "missing_in_source: GHL has the order, and it asks for no such record"


def test_an_old_order_that_still_stands_there_is_compared_all_the_same(desk: Desk) -> None:
    rows = judged(desk, [sold(createdAt=ago(days=80))], [planned(COD=1)])
    assert kinds(rows) == [(KEY, "field_differs", "amount")]


def test_an_order_that_costs_nothing_is_brought_too(desk: Desk) -> None:
    rows = judged(desk, [sold("o1", item("p1", 1, 0), amount=0, paymentStatus="paid")], [])
    assert kinds(rows) == [(KEY, "missing_in_target", None)]


def test_only_what_others_have_not_sent_is_brought_and_all_that_is_due_is_collected(desk: Desk) -> None:
    sent = {"o1": [parcel("f1", ago(days=2), 1)]}
    assert kinds(judged(desk, [sold()], [], fulfillments=sent)) == [(KEY, "missing_in_target", None)]
    wanted = json.loads(desk.row("reconciliation.desired", "system = 'trackpod'")["fields"])
    [line_] = json.loads(wanted["lines"])
    assert (line_["line_id"], line_["quantity"], wanted["cod"]) == ("o1:1", "1", "2000")
    whole, rest = [planned()], [planned(1, "o1", ("p1", 1, 10))]
    for orders in (whole, rest):
        rows = judged(desk, [sold()], orders, fulfillments=sent)
        assert as_key(rows) == as_key(expected([sold()], orders, fulfillments=sent))
        assert fields(rows) == ({} if orders is rest else {
            "goods": ('[{"price_id":"p1","quantity":"1"}]', '[{"price_id":"p1","quantity":"2"}]'),
            "goods_value": ("1000", "2000"),
        })  # fmt: skip


def test_of_lines_of_one_price_the_first_were_sent_and_whole_lines_are_left_out(desk: Desk) -> None:
    lines = [item("p1", 2, 10), item(None, 1, 3), item("p1", 2, 12), item("p2", 1, 5)]
    sent = {"o1": [parcel("f1", ago(days=2), 3)]}
    left = [planned(1, "o1", (None, 1, 3), ("p1", 1, 12), ("p2", 1, 5))]
    sales = [sold("o1", *lines)]
    assert not judged(desk, sales, left, fulfillments=sent)
    assert not expected(sales, left, fulfillments=sent)
    wanted = json.loads(desk.row("reconciliation.desired", "system = 'trackpod'")["fields"])
    assert [(row["line_id"], row["quantity"]) for row in json.loads(wanted["lines"])] == [
        ("o1:2", "1"), ("o1:3", "1"), ("o1:4", "1"),
    ]  # fmt: skip


OURS = {"trackingNumber": track(1).upper(), "shippingCarrier": "Track-POD"}
RESTS: dict[str, tuple[Document, dict[str, list[Document]]]] = {
    "planned anew": ({"RescheduledTimes": 1}, {}),
    "paid at the door": ({"CODActual": "10.00", "StatusId": 1}, {}),
    "paid at the door, unreadably": ({"CODActual": "ten"}, {}),
    "in part in GHL": ({}, {"o1": [parcel("f1", ago(days=2), 1, OURS)]}),
    "delivered twice": ({}, {"o1": [parcel("f1", ago(days=2), 1, OURS | {"trackingNumber": track(1) + "#1"})]}),
}


@pytest.mark.parametrize("name", RESTS)
def test_what_was_planned_anew_keeps_the_goods_and_cash_that_a_dispatcher_left(desk: Desk, name: str) -> None:
    members, sent = RESTS[name]
    sales, orders = [sold(createdAt=ago(days=50))], [planned(1, "o1", ("p1", 1, 10), COD=10, **members)]
    for force in (False, True):
        assert not judged(desk, sales, orders, fulfillments=sent, force_update=force)
    assert not expected(sales, orders, fulfillments=sent)
    doubtful = [txn(currency="EUR")]
    assert not judged(desk, sales, orders, doubtful, fulfillments=sent)
    assert not expected(sales, orders, doubtful, fulfillments=sent)
    over = [sold(status="cancelled")]
    rows = judged(desk, over, orders, fulfillments=sent)
    assert kinds(rows) == kinds(expected(over, orders, fulfillments=sent)) == [(KEY, "missing_in_source", None)]


def test_what_is_due_must_be_certain(desk: Desk) -> None:
    charge = txn(amount=Decimal("5.005"))
    assert told(judged(desk, [sold()], [], [charge])).startswith("not_representable: what is due cannot be told")
    assert kinds(expected([sold()], [], [charge])) == [(KEY, "not_representable", None)]


def test_what_is_due_is_certain_only_when_all_transactions_were_read(desk: Desk) -> None:
    judged(desk, [sold(), sold("o2", amount=0)], [planned(COD=1), planned(2, "o2", COD=1)])
    desk.list("transactions", month=date(2026, 1, 1), complete=False)
    rows = [row for row in desk.judge() if row["system"] == "trackpod"]
    assert kinds(rows) == [(KEY, "not_representable", None), ("ghl:order:o2", "field_differs", "amount")]
    assert "transactions of the location are not completely read" in rows[0]["reason"]
    desk.list("transactions", month=date(2026, 1, 1))
    rows = [row for row in desk.judge() if row["system"] == "trackpod"]
    assert kinds(rows) == [(KEY, "field_differs", "amount"), ("ghl:order:o2", "field_differs", "amount")]


def test_what_is_to_be_paid_at_the_door_waits_for_its_charge_even_when_a_webhook_named_it(desk: Desk) -> None:
    now = ago(seconds=60)
    sales = [sold(updatedAt=now), sold("o2", amount=0, updatedAt=now), sold("o3", updatedAt=now)]
    charges = [txn("t3", entityId="o3", amount=20)]
    rows = judged(desk, sales, [planned(3, "o3", COD=5)], charges)
    assert {row["kind"] for row in rows} == {"pending"}
    for number in (1, 2, 3):
        desk.con.execute(
            "insert into raw.refreshed values (?, ?, ?, ?)", [LOCATION, f"ghl:order:o{number}", utc(now), naive(NOW)]
        )
    rows = [row for row in desk.judge() if row["system"] == "trackpod"]
    assert kinds(rows) == [
        (KEY, "pending", None), ("ghl:order:o2", "missing_in_target", None), ("ghl:order:o3", "field_differs", "amount"),
    ]  # fmt: skip
    assert [row["pushable"] for row in rows] == [False, True, True]
    later_rows = [row for row in desk.judge(now=NOW + timedelta(minutes=5)) if row["system"] == "trackpod"]
    assert (KEY, "missing_in_target", None) in kinds(later_rows)


def test_drivers_collect_one_currency_where_the_account_says_so(desk: Desk) -> None:
    sales = [sold(), sold("o2", amount=0, currency="EUR"), sold("o3", currency="EUR")]
    rows = judged(desk, sales, [], currency="EUR")
    assert kinds(rows) == [
        (KEY, "not_representable", None), ("ghl:order:o2", "missing_in_target", None),
        ("ghl:order:o3", "missing_in_target", None),
    ]  # fmt: skip
    assert rows[0]["reason"] == "what is due is in USD, and the drivers collect EUR"


def test_an_order_that_a_person_removed_before_it_was_ever_read_is_deleted_and_not_missing(desk: Desk) -> None:
    rows = judged(desk, [sold(), sold("o2")], [], removed=[KEY])
    assert kinds(rows) == [(KEY, "deleted_in_target", None), ("ghl:order:o2", "missing_in_target", None)]
    gone = next(row for row in rows if row["key"] == KEY)
    assert (gone["pushable"], gone["reason"]) == (False, "the target says that a person removed it")


def test_an_order_that_was_read_before_and_is_gone_is_deleted(desk: Desk) -> None:
    judged(desk, [sold()], [planned()])
    trackpod_holds(desk, [], gone=[track(1)])
    assert kinds([row for row in desk.judge() if row["system"] == "trackpod"]) == [(KEY, "deleted_in_target", None)]


def asked_for(desk: Desk) -> list[str]:
    derive_actual(desk.con, desk.halo)
    return sorted(row["native_id"] for row in desk.rows("trackpod_dangling"))


def test_only_orders_of_the_days_that_were_read_are_asked_for_when_they_are_not_listed(desk: Desk) -> None:
    use_trackpod(desk, scan_days=10, days_ahead=2)
    days = {1: "2026-02-25", 2: "2026-02-18", 3: "2026-03-03", 4: "2026-03-04"}
    orders = [planned(n, f"o{n}", Date=f"{day}T00:00:00") for n, day in days.items()]
    orders.append(planned(5, "o5", Date="2026-01-01T00:00:00", RouteDate="2026-02-28T00:00:00"))
    orders.append(planned(6, "n", Number="native", Id="native"))
    trackpod_holds(desk, orders)
    assert asked_for(desk) == []
    trackpod_holds(desk, [])
    assert asked_for(desk) == [track(1), track(3), track(5)]


def deliveries(desk: Desk, *orders: Document) -> list[Row]:
    use_trackpod(desk)
    trackpod_holds(desk, orders)
    derive_actual(desk.con, desk.halo)
    rows = desk.rows("actual.deliveries")
    return sorted(({**row, "items": json.loads(row["items"]) if row["items"] else None} for row in rows),
                  key=lambda row: row["delivery_key"])  # fmt: skip


def line(price_id: str | None, quantity: object, fact: object = None) -> Document:
    return {"GoodsId": price_id, "Quantity": quantity, "QuantityFact": fact, "Cost": 1}


def units(**quantities: str) -> list[Document]:
    return [{"price_id": price_id, "quantity": quantity} for price_id, quantity in quantities.items()]


def test_a_delivery_says_when_by_whom_and_where_it_can_be_followed(desk: Desk) -> None:
    [row] = deliveries(desk, planned(StatusId=3, StatusDate="2026-02-20T15:31:00"))
    assert (row["delivery_key"], row["tracking"], row["order_key"]) == (f"trackpod:order:{track(1)}", track(1), KEY)
    assert (row["carrier"], row["tracking_url"]) == ("Track-POD", "https://track.example.com/1")
    assert row["delivered_at"] == utc("2026-02-20T15:31:00+01:00")
    [row] = deliveries(desk, planned(StatusId=3, StatusDate="2026-07-20T15:31:00"))
    assert row["delivered_at"] == utc("2026-07-20T15:31:00+02:00")


@pytest.mark.parametrize(
    ("status", "lines", "items"),
    [
        (3, [line("p1", 2), line("p2", 3, 1), line("p1", 1, 1)], units(p1="3", p2="1")),
        (3, [line("p1", 2, 0), line("p2", 1, 1)], units(p2="1")),
        (3, [line(None, 2)], []),
        (3, [], []),
        (4, [line("p1", 2, 1), line("p2", 2), line(None, 1, 1)], units(p1="1")),
        (4, [line("p1", 2), line("p2", 2, 0)], []),
        (4, [line(None, 2, 1)], []),
        (3, [line("p1", 2, Decimal("1.5")), line("p1", 1, Decimal("0.5"))], units(p1="2")),
        (3, [line("p1", 2, Decimal("1.5"))], units(p1="1.5")),
        (3, [line("p1", 2, -1)], units(p1="unreadable")),
        (3, [line("p1", "two")], units(p1="unreadable")),
    ],
)  # fmt: skip
def test_a_delivery_holds_what_was_handed_over(
    desk: Desk, status: int, lines: list[Document], items: list[Document] | None
) -> None:
    [row] = deliveries(desk, planned(StatusId=status, GoodsList=lines))
    assert row["items"] == items
    assert (row["problem"] is None) == bool(items)


def told_to_ghl(desk: Desk, *orders: Document) -> dict[str, tuple[Any, Any]]:
    """What GHL is asked to hold: items or the reason against it, by TrackId."""
    desk.purchases([sold("o1", item("p1", 2), item("p2", 1))])
    desk.stage()
    deliveries(desk, *orders)
    build_canonical(desk.con, LOCATION)
    rows = desk.rows("canonical_deliveries")
    return {row["tracking"]: (json.loads(row["items"] or "null"), row["reason"]) for row in rows}


BY_HAND = "enter in GHL by hand what was handed over"


@pytest.mark.parametrize("status", [3, 4])
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], f"Track-POD lists no goods of it: {BY_HAND}"),
        (None, f"Track-POD lists no goods of it: {BY_HAND}"),
        ([line(None, 2, 2), line(None, 1, 1)], f"no line of it has a GoodsId in Track-POD: {BY_HAND}"),
        ([line("p1", 2, 0)], "no line of it says in Track-POD that anything was handed over"),
    ],
)
def test_a_delivery_that_does_not_say_what_it_held_is_never_taken_for_everything(
    desk: Desk, status: int, lines: list[Document] | None, reason: str
) -> None:
    assert told_to_ghl(desk, planned(StatusId=status, GoodsList=lines)) == {track(1): (None, reason)}


def test_no_delivery_of_a_doubled_order_is_told_to_ghl(desk: Desk) -> None:
    goods = [line("p1", 2, 2)]
    first, second = planned(StatusId=3, GoodsList=goods), planned(2, StatusId=4, GoodsList=goods)
    why = "Track-POD has 2 orders of this key; remove those that are too many"
    assert told_to_ghl(desk, first, second) == {track(1): (None, why), track(2): (None, why)}
    assert told_to_ghl(desk, first, planned(2, Number="COPY-1")) == {track(1): (None, why)}
    assert told_to_ghl(desk, first, planned(2, Type=1)) == {track(1): (units(p1="2"), None)}


@pytest.mark.parametrize(
    "members",
    [{"StatusId": None}, {"StatusId": 1}, {"StatusId": 2}, {"StatusId": 5}, {"StatusId": 3, "Type": 1},
     {"StatusId": 3, "Number": "100", "Id": "100"}, {"StatusId": 3, "CustomerReferenceId": None}],
)  # fmt: skip
def test_nothing_else_is_a_delivery(desk: Desk, members: Document) -> None:
    assert not deliveries(desk, planned(**members))


def test_a_second_delivery_of_the_same_order_is_one_of_its_own(desk: Desk) -> None:
    first = planned(StatusId=4, GoodsList=[line("p1", 2, 1)])
    [row] = deliveries(desk, first)
    assert row["tracking"] == track(1)
    [row] = deliveries(desk, first | {"StatusId": 3, "RescheduledTimes": 2, "GoodsList": [line("p1", 2, 1)]})
    assert (row["tracking"], row["delivery_key"]) == (f"{track(1)}#2", f"trackpod:order:{track(1)}#2")


def test_cash_at_the_door_is_told_as_it_was_counted(desk: Desk) -> None:
    use_trackpod(desk)
    desk.purchases([sold(), sold("o2"), sold("o3", currency="JPY")])
    desk.stage()
    trackpod_holds(desk, [
        planned(StatusId=3, CODActual="20.50", StatusDate="2026-02-20T15:31:00"),
        planned(2, "o2", StatusId=4, CODActual=0), planned(3, "o3", StatusId=4, CODActual=Decimal(1200)),
        planned(4, "o2", StatusId=5, CODActual="5"), planned(5, "o2", StatusId=3, CODActual="much"),
    ])  # fmt: skip
    derive_actual(desk.con, desk.halo)
    rows = sorted(desk.rows("actual.collections"), key=lambda row: row["collection_key"])
    assert [(row["order_key"], row["amount_text"], row["currency"], row["mode"]) for row in rows] == [
        (KEY, "20.50", None, "cash"),
        ("ghl:order:o3", "1200", None, "cash"),
        ("ghl:order:o2", "much", None, "cash"),  # for a person to read
    ]
    assert rows[0]["collected_at"] == utc("2026-02-20T15:31:00+01:00")
    assert rows[0]["collection_key"] == f"trackpod:order:{track(1)}"


def test_an_account_without_orders_holds_the_first_creates_until_a_person_releases_them(desk: Desk) -> None:
    judged(desk, [sold()], [])
    for _ in range(2):
        desk.plan()
        [brake] = desk.rows("outbox.brakes", "active")
        assert (brake["brake"], brake["record_type"]) == ("empty_answer", "order")
        assert "ghl-payments release --connection trackpod" in desk.row("outbox.changes")["reason"]
    assert outbox.release(desk.con, "trackpod", as_of=NOW) == [("empty_answer", "order")]
    desk.plan()
    assert desk.rows("outbox.brakes", "active") == []
    assert desk.row("outbox.changes")["state"] == "approved"


def test_what_is_written_is_all_that_a_driver_needs(desk: Desk) -> None:
    judged(desk, [sold("o1", item("d1", 1, 5, "DIGITAL"), item("p1", 2), createdAt="2026-02-20T23:30:00Z")], [])
    row = desk.row("reconciliation.desired", "system = 'trackpod'")
    wanted = json.loads(row["fields"])
    assert wanted["date"] == "2026-02-21"  # in the account's time zone
    assert wanted["address"] == "1 Test Street, Testville, 12345, DE"
    assert (wanted["client"], wanted["cod"], wanted["currency"]) == ("Contact 0001", "2000", "USD")
    assert json.loads(wanted["lines"]) == [
        {"line_id": "o1:2", "price_id": "p1", "name": "Thing", "quantity": "2", "unit_price": "10"}
    ]


def test_not_deliverable_orders_are_listed_with_their_reason(desk: Desk) -> None:
    sales = [
        sold(), sold("o2", item("d1", 1, 5, "DIGITAL")), sold("o3", address=None), sold("o4", liveMode=False),
        sold("o5", item("d1", 1, 5, "DIGITAL"), status="cancelled"),
    ]  # fmt: skip
    desk.purchases(sales)
    desk.stage()
    run(desk.con, "reports/not_deliverable")
    rows = {row["order_id"]: row["reason"] for row in desk.rows("reports.not_deliverable")}
    assert rows == {"o2": "it has no physical item", "o3": "it has no address to bring it to"}


def wrong_world(rng: Random) -> tuple[list[Document], list[Document], list[Document], dict[str, list[Document]]]:
    """Some dozen orders and what Track-POD makes of them, with everything that can be wrong somewhere."""
    sales, orders, charges, parcels = [], [], [], {}
    for n in range(30):
        name, number = f"x{n}", n + 1
        lines = [
            item(rng.choice(["p1", "p2", None]), rng.choice([1, 2, Decimal("1.5")]), rng.choice([10, Decimal("0.99")]),
                 rng.choice(["PHYSICAL", "PHYSICAL", "DIGITAL", None]))
            for _ in range(rng.randrange(1, 4))
        ]  # fmt: skip
        made = ago(days=rng.choice([5, 20, 40]))
        sales.append(sold(
            name, *lines, createdAt=made, updatedAt=made, amount=rng.choice([0, 30, Decimal("20.5"), Decimal("3.005")]),
            status=rng.choice(["completed", "completed", "cancelled"]), address=rng.choice([HOME, HOME, None]),
            paymentStatus=rng.choice(["paid", "unpaid", "refunded"]), liveMode=rng.random() < 0.95,
        ))  # fmt: skip
        if rng.random() < 0.4:
            charges.append(txn(f"t{n}", entityId=name, amount=rng.choice([10, Decimal("20.5")]), createdAt=made,
                               updatedAt=made, amountRefunded=rng.choice([0, 0, 5])))  # fmt: skip
        if rng.random() < 0.2:
            parcels[name] = [parcel(f"f{n}", made, rng.choice([1, 5]))]
        if rng.random() < 0.6:
            right = [(line["price"].get("_id"), line["qty"], line["price"]["amount"]) for line in lines
                     if line["product"].get("productType") != "DIGITAL"]  # fmt: skip
            doc = planned(
                number, name, *right, COD=rng.choice([0, 10, 20, Decimal("20.5"), 30]),
                StatusId=rng.choice([None, None, 0, 1, 2, 3, 4, 5]), RescheduledTimes=rng.choice([None, None, 0, 1]),
                CODActual=rng.choice([None, None, "0.00", "5.00"]),
            )  # fmt: skip
            orders.append(doc)
            if rng.random() < 0.15:
                orders.append(copy.deepcopy(doc) | {"TrackId": track(number + 500)})
    return sales, orders, charges, parcels


@pytest.mark.parametrize("seed", range(6))
def test_sql_and_oracle_agree_on_every_order(desk: Desk, seed: int) -> None:
    sales, orders, charges, parcels = wrong_world(Random(seed))
    found = judged(desk, sales, orders, charges, fulfillments=parcels)
    assert as_key(found) == as_key(expected(sales, orders, charges, fulfillments=parcels))
    assert len(found) > 5
    assert LOCATION in {row["location_id"] for row in found}
