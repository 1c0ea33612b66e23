"""Orders, their lines and parcels: exact money, UTC instants, and what only the detail says."""

from __future__ import annotations

from typing import Any

import pytest

from ghl_payments_tests.sandbox.oracle_states import LOCATION, OLD, ago, order, parcel
from ghl_payments_tests.warehouse.desk import Desk, later, utc


def staged(desk: Desk, *documents: dict[str, Any]) -> dict[str, dict[str, Any]]:
    desk.list("orders", *documents)
    desk.details("order_details", {document["_id"]: document for document in documents})
    desk.stage("contact_aliases", "orders")
    return {row["order_id"]: row for row in desk.rows("staging.orders")}


def test_amounts_are_minor_units_of_their_currency(desk: Desk) -> None:
    from decimal import Decimal

    amounts = {
        "usd": ("USD", Decimal("150.1"), 15_010), "jpy": ("JPY", 500, 500), "kwd": ("KWD", Decimal("1.234"), 1_234),
        "bhd": ("BHD", Decimal("0.5"), 500), "isk": ("ISK", 7, 7), "clf": ("CLF", Decimal("0.0001"), 1),
        "text": ("USD", "12.50", 1_250), "minus": ("USD", Decimal("-3.2"), -320), "zero": ("USD", Decimal("-0.00"), 0),
        "most": ("USD", Decimal("9999999999999.99"), 999_999_999_999_999), "fine": ("USD", Decimal("100.505"), None),
        "yen": ("JPY", Decimal("0.5"), None),
    }  # fmt: skip
    rows = staged(desk, *(order(name, currency=code, amount=given) for name, (code, given, _) in amounts.items()))
    assert {name: row["amount_minor"] for name, row in rows.items()} == {n: minor for n, (*_, minor) in amounts.items()}


def test_an_amount_finer_than_the_minor_unit_keeps_its_text(desk: Desk) -> None:
    from decimal import Decimal

    row = staged(desk, order(amount=Decimal("0.0715")))["o1"]
    assert (row["amount_minor"], row["amount_text"]) == (None, "0.0715")


@pytest.mark.parametrize(("text", "instant"), [
    ("2026-02-03T23:30:00.000-05:00", "2026-02-04T04:30:00+00:00"),
    ("2026-02-03T23:30:00Z", "2026-02-03T23:30:00+00:00"),
    ("2026-02-03T23:30:00", "2026-02-03T23:30:00+00:00"),
    ("2026-02-03", "2026-02-03T00:00:00+00:00"),
    ("2026-01-31T23:59:59.999Z", "2026-01-31T23:59:59.999+00:00"),
    ("2026-03-29T02:30:00+02:00", "2026-03-29T00:30:00+00:00"),
])  # fmt: skip
def test_instants_are_utc_whatever_their_offset_and_naive_ones_are_taken_as_utc(
    desk: Desk, text: str, instant: str
) -> None:
    assert staged(desk, order(createdAt=text))["o1"]["created_at"] == utc(instant)


def test_the_month_of_a_row_is_the_utc_month(desk: Desk) -> None:
    desk.list(
        "orders", order(createdAt="2026-01-31T20:00:00-05:00"), order("o2", createdAt="2026-02-28T23:00:00-05:00")
    )
    months = dict(desk.con.execute("select id, month::varchar from raw.orders").fetchall())
    assert months == {"o1": "2026-02-01", "o2": "2026-03-01"}


@pytest.mark.parametrize("updated", [None, "", "yesterday"])
def test_without_an_update_time_the_creation_counts(desk: Desk, updated: str | None) -> None:
    assert staged(desk, order(updatedAt=updated))["o1"]["updated_at"] == utc(OLD)


@pytest.mark.parametrize(("listed", "detailed", "live"), [
    ({"liveMode": True}, {"markAsTest": False}, True), ({"liveMode": True}, {"markAsTest": True}, False),
    ({"liveMode": False}, {"markAsTest": False}, False), ({"liveMode": None}, {}, False), ({"liveMode": "true"}, {}, True),
])  # fmt: skip
def test_live_is_live_mode_without_the_test_mark_of_the_detail(
    desk: Desk, listed: dict[str, Any], detailed: dict[str, Any], live: bool
) -> None:
    row = order()
    del row["markAsTest"], row["liveMode"]
    desk.list("orders", row | listed)
    desk.details("order_details", {"o1": row | detailed})
    desk.stage("contact_aliases", "orders")
    assert desk.row("staging.orders")["live"] is live


def test_the_list_says_the_amount_and_the_detail_what_it_is_made_of(desk: Desk) -> None:
    desk.list("orders", order(amount=110, subtotal=100, discount=0))
    summary = {"subtotal": 100, "discount": 5, "tax": 10, "shipping": 5}
    desk.details("order_details", {"o1": order(amount=99, amountSummary=summary)})
    desk.stage("contact_aliases", "orders")
    row = desk.row("staging.orders")
    assert row["amount_minor"] == 11_000
    parts = ("subtotal_text", "discount_text", "tax_text", "shipping_text")
    assert [row[name] for name in parts] == ["100", "5", "10", "5"]
    assert (row["has_detail"], row["detail_is_current"]) == (True, True)


def test_a_stale_detail_is_known_as_such(desk: Desk) -> None:
    staged(desk, order())
    desk.list("orders", order(status="refunded", updatedAt=ago(days=1)), at=later(hours=1))
    desk.stage("orders")
    row = desk.row("staging.orders")
    assert (row["status"], row["has_detail"], row["detail_is_current"]) == ("refunded", True, False)


def test_an_order_that_only_a_detail_knows_is_an_order(desk: Desk) -> None:
    desk.details("order_details", {"o1": order()})
    desk.stage("contact_aliases", "orders")
    assert desk.row("staging.orders")["amount_minor"] == 10_050


def test_an_order_gone_from_a_complete_list_stays_until_ghl_says_404(desk: Desk) -> None:
    staged(desk, order(), order("o2"))
    desk.list("orders", order(), at=later(hours=1))
    desk.stage("orders")
    assert len(desk.rows("staging.orders")) == 2
    desk.details("order_details", {"o2": None}, at=later(hours=2))
    desk.stage("orders")
    assert [row["order_id"] for row in desk.rows("staging.orders")] == ["o1"]


def test_an_order_that_came_back_after_its_404_is_an_order_again(desk: Desk) -> None:
    staged(desk, order())
    desk.list("orders", at=later(hours=1))
    desk.details("order_details", {"o1": None}, at=later(hours=2))
    desk.list("orders", order(), at=later(hours=3))
    desk.stage("orders")
    assert desk.row("staging.orders")["order_id"] == "o1"


def test_contacts_are_those_of_today(desk: Desk) -> None:
    desk.list("transactions", {"_id": "t1", "contactId": "c2", "mergedFromContactId": "c1", "createdAt": OLD})
    rows = staged(desk, order(), order("o2", contactId=""), order("o3", contactId=None), order("o4", contactId="c9"))
    assert {name: row["contact_id"] for name, row in rows.items()} == {"o1": "c2", "o2": None, "o3": None, "o4": "c9"}


def test_lines_keep_the_order_of_the_document_and_their_own_prices(desk: Desk) -> None:
    price = {"_id": "p1", "amount": 5}
    lines = [
        {"name": "A", "qty": 2, "price": price},
        {"name": "B", "qty": 1, "price": price},
        {"product": {"name": "C"}},
    ]
    desk.details(
        "order_details", {"o1": order(items=lines), "o2": order("o2", items=[]), "o3": order("o3", items=None)}
    )
    desk.stage("order_items")
    rows = sorted(desk.rows("staging.order_items"), key=lambda row: row["line_number"])
    assert [(r["name"], r["price_id"], r["quantity_text"], r["price_text"]) for r in rows] == [
        ("A", "p1", "2", "5"), ("B", "p1", "1", "5"), ("C", None, "1", "0"),
    ]  # fmt: skip
    assert {row["order_id"] for row in rows} == {"o1"}


def test_parcels_are_canonical_texts(desk: Desk) -> None:
    trackings = [
        {"shippingCarrier": "UPS", "trackingNumber": "1Z"}, {"trackingNumber": "7"}, {"shippingCarrier": "DHL"}, {},
    ]  # fmt: skip
    document = parcel("f1", OLD, 1, *trackings)
    document["items"] = [{"price": {"_id": "p2"}, "qty": 2}, {"price": {"_id": "p1"}, "qty": 1}]
    desk.details("fulfillments", {"o1": {"data": [document]}, "o2": {"data": []}, "o3": [parcel("f3", OLD, 3)]})
    desk.stage("fulfillments")
    first = desk.row("staging.fulfillments", "order_id = 'o1'")
    assert first["trackings"] == "UPS 1Z; 7; DHL"
    assert first["items"] == '[{"price":"p2","qty":2},{"price":"p1","qty":1}]'
    assert first["quantity"] == 3
    assert desk.row("staging.fulfillments", "order_id = 'o3'")["fulfillment_id"] == "f3"
    assert desk.rows("staging.fulfillments", "order_id = 'o2'") == []


@pytest.mark.parametrize(("quantity", "text"), [(2, "2"), ("2.0", "2"), ("2.50", "2.50")])
def test_a_whole_quantity_has_no_decimals(desk: Desk, quantity: object, text: str) -> None:
    desk.details("fulfillments", {"o1": {"data": [parcel("f1", OLD, 1) | {
        "items": [{"price": {"_id": "p1"}, "qty": quantity}]
    }]}})  # fmt: skip
    desk.stage("fulfillments")
    assert desk.row("staging.fulfillments")["items"] == f'[{{"price":"p1","qty":{text}}}]'


def test_contacts_have_the_newest_name_that_is_known(desk: Desk) -> None:
    snapshot = {"firstName": "Contact", "lastName": "0001", "email": "contact0001@example.com", "phone": "1"}
    desk.list("orders", order(contactName="Old Name", updatedAt=ago(days=9)), order("o2", contactId="c2", contactName="Two"),
              order("o3", contactId="c3", contactEmail="contact0003@example.com"), order("o4", contactId="c4"))  # fmt: skip
    desk.details("order_details", {"o1": order(contactSnapshot=snapshot, updatedAt=ago(days=9))})
    desk.list("transactions", {"_id": "t1", "contactId": "c1", "contactName": "Listed Later", "createdAt": OLD,
                               "updatedAt": ago(days=1)})  # fmt: skip
    desk.stage("contact_aliases", "contacts")
    rows = {row["contact_id"]: row for row in desk.rows("staging.contacts")}
    assert {contact: row["name"] for contact, row in rows.items()} == {
        "c1": "Contact 0001", "c2": "Two", "c3": "contact0003@example.com", "c4": "Contact c4",
    }  # fmt: skip
    assert (rows["c1"]["email"], rows["c1"]["phone"]) == ("contact0001@example.com", "1")
    assert desk.rows("staging.contacts", "location_id <> ?", LOCATION) == []
