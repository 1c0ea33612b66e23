"""What Track-POD's deliveries ask of GHL, as the answer key sees it: each case alone."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ghl_payments.sandbox.oracle_deliveries import judge_deliveries, with_deliveries_given
from ghl_payments.sandbox.oracle_ghl import Ledgers, read_location
from ghl_payments.sandbox.oracle_parcels import Delivery, driven, merged, shares
from ghl_payments_tests.sandbox.oracle_states import (
    LOCATION,
    NOW,
    OLD,
    location,
    parcel,
    txn,
)
from ghl_payments_tests.sandbox.trackpod_states import ID, TWIN, Doc, books, bought, handed_over, held


def deliveries(ledgers: dict[str, Ledgers], *docs: Doc, now: datetime = NOW) -> list[Any]:
    found = judge_deliveries({}, ledgers, now, {"Order": list(docs)})
    return sorted((row["key"], row["kind"]) for row in found)


def given(ledgers: dict[str, Ledgers], *docs: Doc) -> dict[str, dict[str, Decimal]]:
    """Units that GHL can be given, by delivery."""
    noted = merged(driven({"Order": list(docs)}, ledgers), ledgers)
    return {key.rpartition(":")[2]: units for key, units in shares(ledgers[LOCATION], noted[LOCATION]).items()}


def test_what_was_handed_over_is_missing_in_ghl_with_what_it_held() -> None:
    whole = handed_over(None, None, status=3)
    assert deliveries(books(), whole) == [(f"trackpod:order:{ID}", "missing_in_target")]
    assert given(books(), whole) == {ID: {"p1": 2, "p2": 3}}
    assert given(books(), handed_over(1, None)) == {ID: {"p1": 1}}
    assert given(books(), handed_over(1, 0, status=3)) == {ID: {"p1": 1}}
    assert given(books(), handed_over(Decimal("2.0"), 9)) == {ID: {"p1": 2, "p2": 3}}


@pytest.mark.parametrize("status", [None, 0, 1, 2, 5])
def test_what_was_not_handed_over_is_no_delivery(status: int | None) -> None:
    assert deliveries(books(), held(StatusId=status)) == []


@pytest.mark.parametrize(
    "doc",
    [
        handed_over(Decimal("0.5"), 3),
        handed_over(-1, 3),
        handed_over("some", 3),
        handed_over(0, 0),
        handed_over(2, 3, Number="GHL-o9", Id="o9"),
        handed_over(2, 3) | {"GoodsList": [{"GoodsId": "p7", "Quantity": 1, "QuantityFact": 1}]},
    ],
)
def test_a_delivery_that_ghl_has_no_form_for_is_not_representable(doc: Doc) -> None:
    assert deliveries(books(), doc) == [(f"trackpod:order:{ID}", "not_representable")]


@pytest.mark.parametrize("status", [3, 4])
@pytest.mark.parametrize("goods", [[], None, [{"GoodsId": None, "Quantity": 2, "QuantityFact": 2}]])
def test_a_delivery_that_does_not_say_what_it_held_is_for_a_person(status: int, goods: Any) -> None:
    doc = held(StatusId=status, GoodsList=goods)
    assert given(books(), doc) == {}
    assert deliveries(books(), doc) == [(f"trackpod:order:{ID}", "not_representable")]
    ledgers = books(fulfillments={"o1": [parcel("f1", OLD, 2, {"trackingNumber": ID, "shippingCarrier": "Track-POD"})]})
    assert deliveries(ledgers, doc) == []


def test_no_delivery_of_a_doubled_order_is_told() -> None:
    one, other = handed_over(2, 3), held(TrackId=TWIN)
    assert deliveries(books(), one, other) == [(f"trackpod:order:{ID}", "not_representable")]
    assert given(books(), one, other) == {}
    both = deliveries(books(), one, handed_over(1, 0, TrackId=TWIN))
    assert both == [(f"trackpod:order:{track}", "not_representable") for track in (ID, TWIN)]
    assert deliveries(books(), one, held(TrackId=TWIN, Type=1)) == [(f"trackpod:order:{ID}", "missing_in_target")]


def test_a_delivery_that_ghl_has_agrees_by_its_number_and_carrier() -> None:
    tracking = {"trackingNumber": ID.upper(), "shippingCarrier": "track-pod"}
    ledgers = books(fulfillments={"o1": [parcel("f1", OLD, 2, tracking)]})
    assert deliveries(ledgers, handed_over(2, 3)) == []
    ledgers = books(fulfillments={"o1": [parcel("f1", OLD, 2, tracking | {"shippingCarrier": "UPS"})]})
    assert deliveries(ledgers, handed_over(2, 3)) == [(f"trackpod:order:{ID}", "field_differs")]
    ledgers = books(fulfillments={"o1": [parcel("f1", OLD, 1, tracking), parcel("f2", OLD, 1, tracking)]})
    assert deliveries(ledgers, handed_over(2, 3)) == [(f"trackpod:order:{ID}", "duplicate_in_target")]


def test_a_second_delivery_of_the_same_order_is_told_apart_and_gets_what_is_left() -> None:
    ledgers = books(fulfillments={"o1": [parcel("f1", OLD, 1, {"trackingNumber": ID, "shippingCarrier": "Track-POD"})]})
    again = handed_over(2, 1, RescheduledTimes=1)
    assert deliveries(ledgers, again) == [(f"trackpod:order:{ID}#1", "missing_in_target")]
    assert given(ledgers, again) == {f"{ID}#1": {"p1": 1, "p2": 1}}


def test_two_deliveries_of_one_order_in_one_turn_never_send_more_than_was_ordered() -> None:
    first, second = handed_over(2, 2, at="2026-02-27T10:00:00", TrackId=TWIN), handed_over(2, 3)
    told = [delivery for doc in (first, second) for _, delivery in driven({"Order": [doc]}, books())]
    assert shares(books()[LOCATION], told) == {
        f"trackpod:order:{TWIN}": {"p1": 2, "p2": 2},
        f"trackpod:order:{ID}": {"p2": 1},
    }
    noted = merged(driven({"Order": [first]}, books()), books())[LOCATION]
    others = [Delivery(f"halo:sales_order:{n}", "o1", f"UPS{n}", "UPS") for n in (5, 6)]
    share = shares(books()[LOCATION], [*others, *noted])
    assert share == {f"trackpod:order:{TWIN}": {"p1": 2, "p2": 2}, "halo:sales_order:5": {"p2": 1}}


def test_a_delivery_of_the_last_minutes_is_pending() -> None:
    now = datetime(2026, 2, 28, 9, 4, tzinfo=UTC)
    assert deliveries(books(), handed_over(2, 3), now=now) == [(f"trackpod:order:{ID}", "pending")]
    assert deliveries(books(), handed_over(2, 3), now=now.replace(minute=5))[0][1] == "missing_in_target"


def test_once_ghl_was_given_a_delivery_it_lacks_nothing() -> None:
    state = {
        "ghl": {"locations": [location([bought()], [txn()])]},
        "trackpod": {"Order": [handed_over(2, 2)]},
    }
    after = with_deliveries_given(state, NOW)
    ledgers = {LOCATION: read_location(after["ghl"]["locations"][0])}
    (sent,) = after["ghl"]["locations"][0]["fulfillments"]["o1"]
    assert [(item["price"]["_id"], item["qty"]) for item in sent["items"]] == [("p1", 2), ("p2", 2)]
    assert deliveries(ledgers, *state["trackpod"]["Order"]) == []
