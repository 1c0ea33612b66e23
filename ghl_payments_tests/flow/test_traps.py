"""Traps of payment data in one shop over three turns: test records, hand edits, merged contacts, late refunds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, Row
from ghl_payments_tests.flow.shop import AMOUNT, charge, order, shop
from ghl_payments_tests.running_sandbox import SandboxPool

LATER, LATEST = "2026-11-10T09:00:00.000Z", "2026-11-12T09:00:00.000Z"


@dataclass
class Story:
    """What each of three turns did to Halo, and the installation as it is after them."""

    loop: Loop
    effects: list[list[Row]] = field(default_factory=list)

    def turn(self) -> None:
        """One turn, and what it wrote."""
        self.loop.good_turn()
        self.effects.append(self.loop.sandbox.effects())


@pytest.fixture(scope="module")
def story(sandbox_pool: SandboxPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Agreement; then trouble of several kinds; then a second part of a refund."""
    options = (7, 0, "scaled", ())
    sandbox = sandbox_pool.take(*options)
    folder: Path = tmp_path_factory.mktemp("traps")
    sandbox.write_env(folder)
    loop = Loop(sandbox, folder)
    loop.only_first_location()
    loop.only_targets("halo")
    told = Story(loop)
    sandbox.put_state(shop(
        known=[1, 2, 3, 4], location_id=loop.locations[0],
        orders=[order(8, liveMode=False), order(9, markAsTest=True)],
        transactions=[charge(8, liveMode=False), charge(9, markAsTest=True)],
    ))  # fmt: skip
    told.turn()

    state = sandbox.state()
    _refund(state, 30, LATER)
    _edit_by_hand(state)
    _merge_contact(state)
    sandbox.put_state(state)
    told.turn()

    state = sandbox.state()
    _refund(state, 70, LATEST)
    _delete_purchase(state, 4)
    sandbox.put_state(state)
    told.turn()
    yield told
    sandbox_pool.give_back([(options, sandbox)])


def _refund(state: dict[str, Any], so_far: int, at: str) -> None:
    _doc(state, "transactions", "txn1").update(amountRefunded=so_far, updatedAt=at)


def _edit_by_hand(state: dict[str, Any]) -> None:
    """Somebody changes a status and a payment in Halo."""
    sales_order = next(doc for doc in state["halo"]["SalesOrder"] if doc["id"] == 102)
    sales_order["last_update_time"] = LATER
    for custom in sales_order["customfields"]:
        if custom["name"] == "CFGHLStatus":
            custom["value"] = "cancelled"
    next(doc for doc in state["halo"]["InvoicePayment"] if doc["id"] == 102)["amount"] = 99


def _merge_contact(state: dict[str, Any]) -> None:
    """Contact 3 becomes contact 33, whose next purchase says so."""
    place = state["ghl"]["locations"][0]
    place["orders"].append(order(33))
    place["transactions"].append(charge(33, mergedFromContactId="contact3"))


def _delete_purchase(state: dict[str, Any], number: int) -> None:
    place = state["ghl"]["locations"][0]
    for stream, name in (("orders", f"order{number}"), ("transactions", f"txn{number}")):
        place[stream] = [doc for doc in place[stream] if doc["_id"] != name]


def _doc(state: dict[str, Any], stream: str, record_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(doc for doc in state["ghl"]["locations"][0][stream] if doc["_id"] == record_id)
    return found


def _written(effects: list[Row]) -> set[tuple[str, str]]:
    return {(row["record_type"], row["key"]) for row in effects}


def test_test_records_are_never_pushed_whether_the_list_or_only_the_detail_says_so(story: Story) -> None:
    assert story.effects[0] == []
    for effects in story.effects:
        assert not any(key.endswith(("order8", "order9", "txn8", "txn9")) for _, key in _written(effects))
    assert [row for row in story.loop.diffs() if row["live"] is False] == []


def test_what_somebody_changed_in_the_target_is_found_and_changed_back(story: Story) -> None:
    assert {("sales_order", "ghl:order:order2"), ("invoice_payment", "ghl:txn:txn2")} <= _written(story.effects[1])
    halo = story.loop.sandbox.state()["halo"]
    [custom] = [doc["customfields"] for doc in halo["SalesOrder"] if doc["id"] == 102]
    assert {"name": "CFGHLStatus", "value": "completed"} in custom
    [payment] = [doc for doc in halo["InvoicePayment"] if doc["id"] == 102]
    assert payment["amount"] == AMOUNT
    found = {(row["record_type"], row["class"], row["amount_minor"]): row["state"]
             for row in story.loop.diffs(kind="field_differs")}  # fmt: skip
    assert found == {("sales_order", "status", None): "closed", ("invoice_payment", "amount", 150): "closed"}


def test_only_the_field_that_was_changed_is_written_back(story: Story) -> None:
    [status] = [row["body"] for row in story.effects[1] if row["key"] == "ghl:order:order2"]
    assert [custom["name"] for custom in status["customfields"]] == ["CFGHLStatus"]
    assert "lines" not in status
    assert "client_id" not in status


def test_a_merged_contact_keeps_its_client_and_gets_no_second_one(story: Story) -> None:
    assert not any(record_type in ("client", "user") for record_type, _ in _written(story.effects[1]))
    halo = story.loop.sandbox.state()["halo"]
    [bought] = [doc for doc in halo["SalesOrder"] if doc["po_number"] == "ghl:order:order33"]
    assert (bought["client_id"], bought["user_id"]) == (103, 103)
    assert story.loop.diffs(**{"class": "contact"}) == []


def test_parts_of_a_late_refund_are_versions_of_the_charge_and_refunds_of_their_own(story: Story) -> None:
    versions = story.loop.sql(
        "select (doc ->> '$.amountRefunded') as refunded, is_current from raw.transactions "
        "where id = 'txn1' order by valid_from"
    )
    assert [(row["refunded"], row["is_current"]) for row in versions] == [("0", False), ("30", False), ("70", True)]
    refunds = story.loop.sql("select refund_number, amount_minor, currency from staging.refunds order by refund_number")
    assert [tuple(row.values()) for row in refunds] == [(1, 3000, "USD"), (2, 4000, "USD")]


def test_a_refund_is_reported_with_its_amount_and_changes_nothing_in_the_target(story: Story) -> None:
    [refund] = story.loop.diffs(kind="not_representable")
    assert (refund["key"], refund["amount_minor"], refund["currency"]) == ("ghl:txn:txn1", 7000, "USD")
    assert refund["state"] == "open"
    assert story.effects[2] == []


def test_what_is_deleted_in_ghl_is_reported_as_an_orphan_and_never_deleted_in_the_target(story: Story) -> None:
    orphans = {(row["record_type"], row["key"]): row["reason"] for row in story.loop.diffs(kind="missing_in_source")}
    assert orphans.keys() == {
        ("sales_order", "ghl:order:order4"), ("invoice", "ghl:order:order4"), ("invoice_payment", "ghl:txn:txn4")
    }  # fmt: skip
    assert all("asked for by id" in reason for reason in orphans.values())
    assert story.effects[2] == []


def test_a_world_that_agrees_again_has_nothing_left_to_push(story: Story) -> None:
    assert story.loop.open_pushable() == 0
    assert story.loop.states().keys() == {"verified"}


def test_the_same_data_gives_the_same_answer_for_the_same_instant_wherever_and_whenever_it_is_run(
    loop: LoopFactory,
) -> None:
    """The second run has another clock offset and another warehouse; only GHL_PAYMENTS_AS_OF is the same."""
    first = loop(state=shop())
    first.sandbox.put_state(shop(
        1, known=[2], location_id=first.locations[0],
        orders=[order(3, paymentStatus="unpaid"), order(4, updatedAt="2026-11-16T11:58:00.000Z")],
        transactions=[charge(3, amountRefunded=10), charge(5)],
    ))  # fmt: skip
    first.policy("preview")
    first.good_turn()
    answers = [(first.diffs(), _plans(first))]
    for name in ("HOME", "WAREHOUSE", "REPORTS", "LANDING"):
        first.env[f"GHL_PAYMENTS_{name}"] += "-again"
    first.env["TZ"] = "Pacific/Kiritimati"
    assert first.command("run", "--json").returncode == 1
    answers.append((first.diffs(), _plans(first)))
    assert answers[0] == answers[1]
    kinds = {row["kind"] for row in first.diffs()}
    assert {"missing_in_target", "pending", "payment_status_disagrees", "transaction_without_order"} <= kinds


def _plans(loop: Loop) -> list[Row]:
    return [{name: value for name, value in row.items() if name != "turn_id"} for row in loop.changes()]
