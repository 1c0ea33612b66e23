"""Unreadable pages and rows: what can be read again is, what cannot is named, and the rest flows on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, Row, one_effect_each, settled
from ghl_payments_tests.flow.shop import LONG_AGO, NATIVE, Document, charge, order, shop
from ghl_payments_tests.running_sandbox import SandboxPool

LATER = "2026-11-10T09:00:00.000Z"


@dataclass(frozen=True)
class Story:
    """A shop with bad rows after one turn, and again after they were corrected at the source and a second turn."""

    loop: Loop
    verified: list[Row]
    quarantine: list[Row]
    diffs: list[Row]


@pytest.fixture(scope="module")
def story(sandbox_pool: SandboxPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Two sound purchases beside one unreadable row of each kind."""
    options = (7, 0, "scaled", ())
    sandbox = sandbox_pool.take(*options)
    folder: Path = tmp_path_factory.mktemp("bad-rows")
    sandbox.write_env(folder)
    loop = Loop(sandbox, folder)
    loop.only_first_location()
    loop.only_targets("halo")
    sandbox.put_state(_bad_rows())
    loop.good_turn()
    one_effect_each(loop)
    after_one = (
        loop.changes(state="verified"), loop.sql("select * from staging.quarantine order by all"),
        loop.diffs(state="open"),
    )  # fmt: skip

    state = sandbox.state()
    place = state["ghl"]["locations"][0]
    place["orders"] = [order(number) for number in (1, 2, 3, 4)]
    place["transactions"] = [charge(number) for number in (1, 2, 3, 4)]
    place["subscriptions"] = []
    sandbox.put_state(state)
    loop.good_turn()
    yield Story(loop, *after_one)
    sandbox_pool.give_back([(options, sandbox)])


def _bad_rows() -> Document:
    subscription = {"_id": "sub5", "amount": 5, "currency": "DOLLARS", "status": "active", "liveMode": True,
                    "entityType": "order", "entityId": "order1", "createdAt": LONG_AGO, "contactId": "contact1",
                    "subscriptionId": "sub_5"}  # fmt: skip
    no_id = order(6)
    del no_id["_id"]
    return shop(
        1, 2,
        orders=[order(3, status={"name": "completed"}), order(4), no_id],
        transactions=[charge(3), charge(4, amount="12,5")],
        subscriptions=[subscription],
    )  # fmt: skip


def test_one_unreadable_row_among_few_does_not_stop_the_others(story: Story) -> None:
    orders = {row["key"] for row in story.verified if row["record_type"] == "sales_order"}
    assert orders == {"ghl:order:order1", "ghl:order:order2", "ghl:order:order4"}


def test_unreadable_rows_stand_in_quarantine_with_payload_rule_and_remedy(story: Story) -> None:
    assert {(row["table_name"], row["record_key"] if row["rule"] != "id_missing" else "", row["rule"])
            for row in story.quarantine} == {
        ("raw.orders", "", "id_missing"),
        ("staging.orders", "order3", "status_not_text"),
        ("staging.transactions", "txn4", "amount_not_numeric"),
        ("staging.subscriptions", "sub5", "currency_unknown"),
    }  # fmt: skip
    assert all(row["remedy"] and row["payload"] for row in story.quarantine)


def test_an_unreadable_row_is_unverifiable_and_never_missing(story: Story) -> None:
    found = {(row["record_type"], row["key"], row["kind"]) for row in story.diffs}
    assert ("sales_order", "ghl:order:order3", "unverifiable") in found
    assert ("invoice_payment", "ghl:txn:txn4", "unverifiable") in found
    assert not any(kind == "missing_in_source" for _, _, kind in found)


def test_a_row_that_becomes_readable_leaves_quarantine_and_is_pushed(story: Story) -> None:
    assert story.loop.sql("select * from staging.quarantine") == []
    assert story.loop.diffs(state="open") == []
    pushed = {row["key"] for row in story.loop.changes(record_type="sales_order", state="verified")}
    assert pushed == {f"ghl:order:order{number}" for number in (1, 2, 3, 4)}


def test_the_last_row_of_a_month_is_missed_when_it_disappears(story: Story) -> None:
    """Its stream has no row left, so the sweep need not read that month; still the row is asked for by id."""
    asked = story.loop.sql("select status from raw.lookups where stream = 'subscription_details' and id = 'sub5'")
    assert asked == [{"status": 404}]
    assert story.loop.sql("select * from staging.subscriptions") == []


def test_more_than_one_percent_of_unreadable_rows_stops_the_run_before_anything_is_pushed(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1, 2, orders=[order(3, amount="a lot"), order(4, currency="XXQ")]))
    said = shop_loop.failed_turn()
    assert "keeps_its_contract" in said
    assert "staging/orders" in said
    assert shop_loop.sandbox.effects() == []
    assert shop_loop.sql("select * from outbox.changes") == []
    assert {row["rule"] for row in shop_loop.sql("select rule from staging.quarantine")} == {
        "amount_not_numeric", "currency_unknown"
    }  # fmt: skip


def test_answers_that_are_cut_off_or_replaced_by_html_once_cost_another_request(loop: LoopFactory) -> None:
    """A page is asked for again; what became of a write is read back."""
    shop_loop = loop(state=shop(1))
    for system, path in (("ghl", "/payments/orders"), ("ghl", "/payments/orders/order1"), ("halo", "/api/SalesOrder")):
        shop_loop.sandbox.fault("truncated_json", system=system, method="GET", path=path, times=1)
        shop_loop.sandbox.fault("html", system=system, method="GET", path=path, times=1)
    for path in ("Client", "Users", "SalesOrder", "Invoice", "InvoicePayment"):
        shop_loop.sandbox.fault("truncated_json", system="halo", method="POST", path=f"/api/{path}", times=1)
    shop_loop.good_turn()
    settled(shop_loop)
    assert [(row["state"], row["attempts"]) for row in shop_loop.changes()] == [("verified", 1)] * 5
    assert shop_loop.sql("select * from raw.slices where not complete") == []


def test_what_stays_unreadable_waits_and_says_so_and_the_rest_of_the_run_goes_on(loop: LoopFactory) -> None:
    """While one of the target's lists is not whole nothing is written there; an order waits for its own detail only."""
    shop_loop = loop(state=shop(1, 2))
    shop_loop.sandbox.fault("html", system="halo", method="GET", path="/api/InvoicePayment")
    shop_loop.good_turn()
    [read] = shop_loop.sql("select complete, reason from actual.reads where record_type = 'invoice_payment'")
    assert not read["complete"]
    assert "page_unreadable" in read["reason"]
    assert shop_loop.sandbox.effects() == []
    assert shop_loop.diffs(record_type="invoice_payment") == []
    assert shop_loop.diffs(kind="missing_in_target") == []

    state = shop_loop.sandbox.state()
    place = state["ghl"]["locations"][0]
    place["orders"] = [order(1), order(2, status="pending", updatedAt=LATER), order(3)]
    place["transactions"].append(charge(3))
    shop_loop.sandbox.put_state(state)
    shop_loop.sandbox.fault("truncated_json", system="ghl", path="/payments/orders/order[23]")
    shop_loop.good_turn()
    one_effect_each(shop_loop)
    written = {(row["record_type"], row["key"]) for row in shop_loop.sandbox.effects()}
    assert {("sales_order", "ghl:order:order1"), ("invoice_payment", "ghl:txn:txn1")} <= written
    assert not {key for _, key in written} & {"ghl:order:order2", "ghl:order:order3"}

    shop_loop.sandbox.clear_faults()
    shop_loop.good_turn()
    settled(shop_loop)
    assert shop_loop.states()["verified"] == 15


def test_a_list_that_is_never_readable_ends_the_run_with_its_name_and_nothing_is_lost(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1))
    shop_loop.sandbox.fault("truncated_json", system="ghl", path="/payments/transactions")
    said = shop_loop.failed_turn()
    assert "raw__transactions: Unreadable: ghl GET /payments/transactions" in said
    assert shop_loop.sandbox.effects() == []


def test_amounts_of_any_size_and_currency_arrive_to_the_last_digit(loop: LoopFactory) -> None:
    prices = {1: ("JPY", Decimal(50_000_000)), 2: ("KWD", Decimal("1234567.891")), 3: ("USD", Decimal("9999999999.99"))}
    state = shop()
    place = state["ghl"]["locations"][0]
    for number, (currency, amount) in prices.items():
        price = {"_id": f"price{number}", "currency": currency, "amount": amount}
        place["orders"].append(order(
            number, currency=currency, amount=amount, amountSummary={"subtotal": amount},
            items=[{"_id": "item", "name": "Thing", "qty": 1, "price": price}],
        ))  # fmt: skip
        place["transactions"].append(charge(number, currency=currency, amount=amount))
    state["halo"]["Currency"] += [{"id": 32, "code": "JPY"}, {"id": 8, "code": "KWD"}]
    shop_loop = loop(state=state)
    shop_loop.good_turn()
    settled(shop_loop)
    halo = shop_loop.sandbox.state()["halo"]
    totals = {doc["thirdpartyinvoicenumber"]: doc["total"] for doc in halo["Invoice"] if doc["id"] != NATIVE}
    assert totals == {f"ghl:order:order{number}": amount for number, (_, amount) in prices.items()}
