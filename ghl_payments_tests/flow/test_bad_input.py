"""Unreadable pages and rows: what can be read again is, what cannot is named, and the rest flows on."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, one_effect_each, settled
from ghl_payments_tests.flow.shop import charge, order, shop
from ghl_payments_tests.running_sandbox import SandboxPool


@pytest.fixture(scope="module")
def bad_rows(sandbox_pool: SandboxPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """A shop with two sound purchases beside one unreadable row of each kind, after one turn."""
    options = (7, 0, "scaled")
    sandbox = sandbox_pool.take(*options)
    folder: Path = tmp_path_factory.mktemp("bad-rows")
    sandbox.write_env(folder)
    made = Loop(sandbox, folder)
    made.only_first_location()
    subscription = {"_id": "sub5", "amount": 5, "currency": "DOLLARS", "status": "active", "liveMode": True,
                    "entityType": "order", "entityId": "order1", "createdAt": order(1)["createdAt"],
                    "contactId": "contact1", "subscriptionId": "sub_5"}  # fmt: skip
    no_id = order(6)
    del no_id["_id"]
    sandbox.put_state(shop(
        1, 2,
        orders=[order(3, status={"name": "completed"}), order(4), no_id],
        transactions=[charge(3), charge(4, amount="12,5")],
        subscriptions=[subscription],
    ))  # fmt: skip
    made.good_turn()
    yield made
    sandbox_pool.give_back([(options, sandbox)])


def test_one_unreadable_row_among_few_does_not_stop_the_others(bad_rows: Loop) -> None:
    assert {row["key"] for row in bad_rows.changes(record_type="sales_order", state="verified")} == {
        "ghl:order:order1", "ghl:order:order2", "ghl:order:order4"
    }  # fmt: skip
    one_effect_each(bad_rows)


def test_unreadable_rows_stand_in_quarantine_with_payload_rule_and_remedy(bad_rows: Loop) -> None:
    rows = bad_rows.sql("select table_name, record_key, rule, remedy, payload from staging.quarantine order by all")
    assert {(row["table_name"], row["rule"]) for row in rows} == {
        ("raw.orders", "id_missing"),
        ("staging.orders", "status_not_text"),
        ("staging.transactions", "amount_not_numeric"),
        ("staging.subscriptions", "currency_unknown"),
    }
    assert all(row["remedy"] and row["payload"] for row in rows)


def test_an_unreadable_row_is_unverifiable_and_never_missing(bad_rows: Loop) -> None:
    found = {(row["record_type"], row["key"], row["kind"]) for row in bad_rows.diffs(state="open")}
    assert ("sales_order", "ghl:order:order3", "unverifiable") in found
    assert ("invoice_payment", "ghl:txn:txn4", "unverifiable") in found
    assert not any(kind == "missing_in_source" for _, _, kind in found)


def test_a_row_that_becomes_readable_leaves_quarantine_and_is_pushed(bad_rows: Loop) -> None:
    state = bad_rows.sandbox.state()
    place = state["ghl"]["locations"][0]
    place["orders"] = [order(number) for number in (1, 2, 3, 4)]
    place["transactions"] = [charge(number) for number in (1, 2, 3, 4)]
    place["subscriptions"] = []
    bad_rows.sandbox.put_state(state)
    bad_rows.good_turn()
    assert bad_rows.sql("select * from staging.quarantine") == []
    assert bad_rows.diffs(kind="unverifiable", state="open") == []
    assert bad_rows.open_pushable() == 0


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

    shop_loop.sandbox.put_state(shop(1, 2))
    shop_loop.good_turn()
    settled(shop_loop)


def test_a_page_that_is_cut_off_or_replaced_by_html_once_is_asked_for_again(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1))
    for system, path in (("ghl", "/payments/orders"), ("ghl", "/payments/orders/order1"), ("halo", "/api/SalesOrder")):
        shop_loop.sandbox.fault("truncated_json", system=system, method="GET", path=path, times=1)
        shop_loop.sandbox.fault("html", system=system, method="GET", path=path, times=1)
    shop_loop.good_turn()
    settled(shop_loop)
    assert shop_loop.states() == {"verified": 5}
    assert shop_loop.warnings_of("orders") == []


def test_what_stays_unreadable_waits_and_the_rest_of_the_run_goes_on(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1, 2))
    shop_loop.sandbox.fault("truncated_json", system="ghl", path="/payments/orders/order2")
    shop_loop.sandbox.fault("html", system="halo", method="GET", path="/api/InvoicePayment")
    shop_loop.good_turn()
    [read] = shop_loop.sql("select complete, reason from actual.reads where record_type = 'invoice_payment'")
    assert not read["complete"]
    assert "page_unreadable" in read["reason"]
    one_effect_each(shop_loop)
    written = {(row["record_type"], row["key"]) for row in shop_loop.sandbox.effects()}
    assert ("sales_order", "ghl:order:order1") in written
    assert ("sales_order", "ghl:order:order2") not in written
    assert "invoice_payment" not in {record_type for record_type, _ in written}
    assert shop_loop.diffs(record_type="invoice_payment") == []

    shop_loop.sandbox.clear_faults()
    shop_loop.good_turn()
    settled(shop_loop)
    assert shop_loop.states() == {"verified": 10}


def test_a_list_that_is_never_readable_ends_the_run_with_its_name_and_nothing_is_lost(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1))
    shop_loop.sandbox.fault("truncated_json", system="ghl", path="/payments/transactions")
    said = shop_loop.failed_turn()
    assert "raw__transactions: Unreadable: ghl GET /payments/transactions" in said
    assert shop_loop.sandbox.effects() == []

    shop_loop.sandbox.clear_faults()
    shop_loop.good_turn()
    settled(shop_loop)


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
    totals = {doc["thirdpartyinvoicenumber"]: doc["total"] for doc in halo["Invoice"] if doc["id"] > 1}
    assert totals == {f"ghl:order:order{number}": amount for number, (_, amount) in prices.items()}
