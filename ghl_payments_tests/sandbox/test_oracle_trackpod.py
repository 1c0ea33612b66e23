"""The answer key of Track-POD against hand-written states, and what its deliveries ask of GHL: each case alone."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from ghl_payments.sandbox.oracle_ghl import Ledgers
from ghl_payments.sandbox.oracle_trackpod import amount_due, judge, sent_of
from ghl_payments.sandbox.trackpod_switches import TrackpodSwitches
from ghl_payments_tests.sandbox.oracle_states import (
    LOCATION,
    NOW,
    OLD,
    ORDER,
    ago,
    parcel,
    txn,
)
from ghl_payments_tests.sandbox.trackpod_states import HOME, ID, TWIN, Doc, books, bought, held, line


def rows(ledgers: dict[str, Ledgers], *docs: Doc, removed: tuple[Doc, ...] = (), now: datetime = NOW) -> list[Any]:
    state = {"Order": list(docs), "Removed": list(removed)}
    names = ("location_id", "key", "kind", "class", "fields", "amount_minor", "currency", "native_ids")
    found = judge(state, ledgers, now, TrackpodSwitches())
    return sorted((tuple(row[name] for name in names) for row in found), key=str)  # type: ignore[literal-required]


def kinds(ledgers: dict[str, Ledgers], *docs: Doc, **more: Any) -> list[str]:
    return [row[2] for row in rows(ledgers, *docs, **more)]


def test_agreement_is_no_row() -> None:
    assert rows(books(), held()) == []
    # Names, order of lines and lines of one price do not count.
    goods = [{"GoodsId": "p2", "Quantity": "3.0", "Cost": Decimal("20.10")}]
    goods += [{"GoodsId": "p1", "Quantity": 1, "Cost": Decimal("20.1")}] * 2
    assert rows(books(), held(GoodsList=goods, Client="Somebody", Address="Elsewhere", Date=None)) == []


def test_what_must_be_brought_is_missing_with_the_amount_of_the_order() -> None:
    assert rows(books()) == [(LOCATION, ORDER, "missing_in_target", None, [], 10050, "USD", [])]
    assert kinds(books(bought(updatedAt=ago(seconds=200)))) == ["pending"]
    assert kinds(books(bought(amount=0, paymentStatus="paid"), charges=[])) == ["missing_in_target"]


@pytest.mark.parametrize(
    "changes",
    [
        {"items": [line(kind="DIGITAL"), line(kind="SERVICE")]},
        {"createdAt": ago(days=30, seconds=1)},
        {"status": "cancelled"},
        {"status": "Failed"},
        {"paymentStatus": "refunded"},
        {"liveMode": False},
        {"markAsTest": True},
    ],
)
def test_nobody_sets_out_with_what_is_digital_old_over_or_a_test(changes: Doc) -> None:
    assert rows(books(bought(**changes))) == []


@pytest.mark.parametrize(
    ("changes", "charges"),
    [
        ({"contactSnapshot": {"id": "c1", "city": "Sampleton"}}, None),
        ({"contactSnapshot": HOME | {"city": " "}}, None),
        ({"contactSnapshot": None}, None),
        ({"amount": Decimal("100.505")}, []),
        ({}, [txn(amount=Decimal("1.005"))]),
        ({}, [txn(amount="a lot")]),
        ({}, [txn(amountRefunded=Decimal("0.001"))]),
    ],
)
def test_what_cannot_be_brought_or_has_no_known_amount_is_not_representable(
    changes: Doc, charges: list[Doc] | None
) -> None:
    assert kinds(books(bought(**changes), charges=charges)) == ["not_representable"]


def test_a_postal_code_is_an_address_too_and_what_is_there_needs_none() -> None:
    assert kinds(books(bought(contactSnapshot={"address1": "1 Sample Street", "postalCode": "1"}))) == [
        "missing_in_target"
    ]
    assert kinds(books(bought(contactSnapshot=None)), held(COD=1)) == ["field_differs"]


def test_what_is_there_is_compared_whatever_its_age() -> None:
    assert rows(books(bought(createdAt=ago(days=400))), held()) == []
    assert kinds(books(bought(createdAt=ago(days=400))), held(COD=3)) == ["field_differs"]


@pytest.mark.parametrize(
    ("charges", "due"),
    [
        ([], 10050),
        ([txn()], 0),
        ([txn(amount=Decimal(100))], 50),
        ([txn(amount=500)], 0),
        ([txn(amount=500, amountRefunded=300)], 0),
        ([txn(), txn("t2", currency="EUR")], 0),
        ([txn(status="failed")], 10050),
        ([txn(liveMode=False)], 10050),
        ([txn(entityId="o2")], 10050),
        ([txn(subscriptionId="s"), txn("t2", subscriptionId="s", createdAt=ago(days=1), amount=1)], 0),
    ],
)
def test_cash_to_collect_is_what_is_still_due(charges: list[Doc], due: int) -> None:
    ledgers = books(bought(paymentStatus="partially_paid"), charges=charges)
    assert amount_due(ledgers[LOCATION], ledgers[LOCATION].orders["o1"]) == due
    assert rows(ledgers, held(COD=Decimal(due) / 100)) == []
    ((*_, kind, class_, fields, minor, currency, _),) = rows(ledgers, held(COD=Decimal(due) / 100 + 5))
    assert (kind, class_, fields, minor, currency) == ("field_differs", "amount", ["cod"], 500, "USD")


@pytest.mark.parametrize(
    ("status", "charges"),
    [
        ("paid", []),
        ("Paid", [txn(amount=100)]),
        ("unpaid", [txn(currency="EUR")]),
        ("partially_paid", [txn(amount=100), txn("t2", amount=1, currency="EUR")]),
        ("unpaid", [txn(amountRefunded=Decimal("20.5"))]),
        ("unpaid", [txn(status="refunded")]),
    ],
)
def test_who_may_have_paid_is_not_asked_for_money(status: str, charges: list[Doc]) -> None:
    ledgers = books(bought(paymentStatus=status), charges=charges)
    assert amount_due(ledgers[LOCATION], ledgers[LOCATION].orders["o1"]) is None
    for docs in ((), (held(COD=3),)):
        assert kinds(ledgers, *docs) == ["not_representable"]


def test_a_wrong_quantity_is_a_difference_of_quantity_and_of_value() -> None:
    goods = [
        {"GoodsId": "p1", "Quantity": 2, "Cost": Decimal("20.1")},
        {"GoodsId": "p2", "Quantity": 4, "Cost": "20.1"},
    ]
    assert [row[2:6] for row in rows(books(), held(GoodsList=goods))] == [
        ("field_differs", "amount", ["goods_value"], 2010),
        ("field_differs", "quantity", ["goods"], None),
    ]
    goods[1] |= {"Quantity": 3, "Cost": "20.2"}
    assert [row[2:6] for row in rows(books(), held(GoodsList=goods))] == [
        ("field_differs", "amount", ["goods_value"], 30)
    ]


@pytest.mark.parametrize("status", [2, 3, 4, 5])
def test_what_a_driver_has_finished_with_is_compared_no_more(status: int) -> None:
    done = held(StatusId=status, COD=77, GoodsList=[])
    for changes in ({}, {"status": "cancelled"}, {"paymentStatus": "refunded"}, {"contactSnapshot": None}):
        assert rows(books(bought(**changes)), done) == []


@pytest.mark.parametrize("status", [None, 0, 1])
def test_a_driver_must_not_set_out_with_what_is_over_or_sent_by_others(status: int | None) -> None:
    sent = {"o1": [parcel("f1", OLD, 2), parcel("f2", OLD, 0) | {"items": [{"price": {"_id": "p2"}, "qty": 3}]}]}
    for ledgers in (books(bought(status="cancelled")), books(bought(), fulfillments=sent)):
        assert rows(ledgers, held(StatusId=status)) == [
            (LOCATION, ORDER, "missing_in_source", None, [], None, None, [ID])
        ]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([], None),
        ([("p1", 2)], "partly"),
        ([("p1", 2), ("p2", 2)], "partly"),
        ([("p1", 2), ("p2", 3)], "fulfilled"),
        ([("p1", 9), ("p2", 3)], "fulfilled"),
        ([("p3", 5)], None),
    ],
)
def test_what_was_sent_is_counted_by_price(sent: list[tuple[str, int]], said: str | None) -> None:
    items = [{"price": {"_id": price_id}, "qty": qty} for price_id, qty in sent]
    ledgers = books(fulfillments={"o1": [parcel("f1", OLD, 0) | {"items": items}]})
    assert sent_of(ledgers[LOCATION], ledgers[LOCATION].orders["o1"]) == said
    assert kinds(ledgers) == ([] if said == "fulfilled" else ["missing_in_target"])


def test_only_the_rest_of_what_others_sent_in_part_is_brought() -> None:
    ledgers = books(fulfillments={"o1": [parcel("f1", OLD, 1, {"trackingNumber": "4711", "shippingCarrier": "DHL"})]})
    goods = [{"GoodsId": "p1", "Quantity": 1, "Cost": "20.1"}, {"GoodsId": "p2", "Quantity": 3, "Cost": "20.1"}]
    assert rows(ledgers, held(GoodsList=goods)) == []
    assert [row[2:6] for row in rows(ledgers, held())] == [
        ("field_differs", "amount", ["goods_value"], 2010),
        ("field_differs", "quantity", ["goods"], None),
    ]


@pytest.mark.parametrize(
    ("changes", "numbers"),
    [({"RescheduledTimes": 2}, []), ({"CODActual": "5.00"}, []), ({}, [ID]), ({}, ["1Z9", f" {ID.upper()}#1"])],
)
@pytest.mark.parametrize("status", [None, 0, 1])
def test_what_was_planned_anew_is_a_rest_and_compared_no_more(
    changes: Doc, numbers: list[str], status: int | None
) -> None:
    parcels = [parcel(f"f{n}", OLD, 1, {"trackingNumber": number}) for n, number in enumerate(numbers)]
    rest = held(StatusId=status, COD=5, GoodsList=[{"GoodsId": "p1", "Quantity": 1, "Cost": 20}], **changes)
    sent = {"o1": parcels[:1] if len(numbers) < 2 else parcels[1:]}
    assert rows(books(fulfillments=sent), rest) == []
    assert rows(books(bought(createdAt=ago(days=400)), charges=[], fulfillments=sent), rest) == []
    assert kinds(books(bought(status="cancelled"), fulfillments=sent), rest) == ["missing_in_source"]


def test_nothing_collected_and_nothing_planned_anew_is_compared() -> None:
    assert kinds(books(), held(COD=5, RescheduledTimes=0, CODActual="0.00")) == ["field_differs"]


def test_two_of_a_number_or_of_an_id_are_a_duplicate() -> None:
    for second in (held(TrackId=TWIN), held(TrackId=TWIN, Number="COPY-1")):
        assert rows(books(), held(), second) == [
            (LOCATION, ORDER, "duplicate_in_target", None, [], None, None, [ID, TWIN])
        ]


@pytest.mark.parametrize(
    "changes",
    [{"Type": 1}, {"CustomerReferenceId": "another"}, {"CustomerReferenceId": None}, {"Number": "SHOP-1", "Id": "1"}],
)
def test_collections_and_other_peoples_orders_are_none_of_ours(changes: Doc) -> None:
    assert kinds(books(), held(**changes)) == ["missing_in_target"]
    assert rows(books(), held(), held(TrackId=TWIN, **changes)) == []


def test_an_order_that_ghl_does_not_know_is_an_orphan_and_one_of_a_test_is_named_so() -> None:
    unpaid = books(bought(paymentStatus="unpaid"), charges=[])
    assert rows(unpaid, held(COD=Decimal("100.5")), held(TrackId=TWIN, Number="GHL-o9", Id="o9")) == [
        (LOCATION, "ghl:order:o9", "missing_in_source", None, [], None, None, [TWIN])
    ]
    assert kinds(books(bought(liveMode=False)), held()) == ["test_record_in_live"]


def test_a_removed_order_is_deleted_as_long_as_somebody_would_set_out_with_it() -> None:
    gone = {"Number": "GHL-o1", "Id": "o1", "CustomerReferenceId": LOCATION}
    assert rows(books(), removed=(gone,)) == [(LOCATION, ORDER, "deleted_in_target", None, [], 10050, "USD", [])]
    assert rows(books(), held(), removed=(gone,)) == []
    assert rows(books(bought(status="cancelled")), removed=(gone,)) == []


@pytest.mark.parametrize(("ledgers", "doc"), [(books(), held(COD="much")), (books(bought(amount="much")), held())])
def test_what_cannot_be_read_on_either_side_is_unverifiable(ledgers: dict[str, Ledgers], doc: Doc) -> None:
    assert kinds(ledgers, doc) == ["unverifiable"]
