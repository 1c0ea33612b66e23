"""Reading back: what was sent counts only when the record stands as it was sent; what is not known is found out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ghl_payments.warehouse import outbox, reconcile
from ghl_payments.warehouse.outbox import ClaimedChange, SendResult
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW
from ghl_payments_tests.warehouse.conftest import Stocked
from ghl_payments_tests.warehouse.desk import Desk, Row
from ghl_payments_tests.warehouse.gallery import Purchase, order_claimed, planned, status_update_claimed, three_planned

Document = dict[str, Any]


def halo_answers(desk: Desk, **changes: object) -> None:
    """The sales order as Halo gives it when asked for by id."""
    purchase = Purchase(1)
    document = purchase.sales_order | {"external_links": [purchase.halo["ExternalLink"][2]]} | changes
    desk.read_singly("sales_order", {"13": document})


def state(desk: Desk, change: ClaimedChange) -> Row:
    return desk.row("outbox.changes", "change_id = ?", change.change_id)


def test_a_record_that_stands_as_it_was_sent_is_verified(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change = desk.claimed()
    desk.answered("sent", change, native_id="13")
    halo_answers(desk)
    assert desk.verify(change) == {"verified": 1}
    row = state(desk, change)
    assert (row["state"], row["native_id"], row["reason"]) == ("verified", "13", None)
    steps = [row["step"] for row in desk.rows("outbox.attempts")]
    assert sorted(steps) == ["claim", "read_back", "send"]


@pytest.mark.parametrize(("answer", "reason"), [
    ({"total": 100}, "not_converging: differs when read back: total"),
    ({"customfields": [], "date": "2026-02-01T10:00:02Z"},
     "not_converging: differs when read back: amount_text, currency_text, date, status"),
    ({"po_number": None, "external_links": []}, "not_converging: it does not carry its key when read back"),
])  # fmt: skip
def test_what_comes_out_otherwise_is_refused_and_says_how(stocked: Stocked, answer: Document, reason: str) -> None:
    desk = stocked(order_claimed)
    change = desk.claimed()
    desk.answered("sent", change, native_id="13")
    halo_answers(desk, **answer)
    assert desk.verify(change) == {"unequal": 1}
    row = state(desk, change)
    assert (row["state"], row["reason"]) == ("refused", reason)


def test_a_record_is_judged_by_its_own_connections_rules(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change = desk.claimed()
    desk.answered("sent", change, native_id="13")
    halo_answers(desk, total=100)
    order = desk.halo.mapping.record_types["sales_order"]
    fields = dict(order.fields) | {"total": order.fields["total"].model_copy(update={"compare": "never"})}
    types = desk.halo.mapping.record_types | {"sales_order": order.model_copy(update={"fields": fields})}
    lenient = desk.halo.mapping.model_copy(update={"record_types": types})
    reconcile.prepare_target(desk.con, replace(desk.halo, connection="another", mapping=lenient))
    assert desk.verify(change) == {"unequal": 1}


def test_within_the_tolerance_of_a_second_a_date_is_the_one_that_was_sent(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change = desk.claimed()
    desk.answered("sent", change, native_id="13")
    halo_answers(desk, date="2026-02-01T10:00:01Z")
    assert desk.verify(change) == {"verified": 1}


def test_while_the_target_settles_an_unequal_answer_proves_nothing(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change = desk.claimed()
    desk.answered("sent", change, native_id="13")
    assert desk.verify(change, settled=False) == {"unequal": 1}
    assert state(desk, change)["state"] == "sent"
    halo_answers(desk)
    assert desk.verify(change) == {"verified": 1}


def test_a_sent_record_that_is_not_there_is_refused(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change = desk.claimed()
    desk.answered("sent", change, native_id="13")
    assert desk.verify(change) == {"unequal": 1}
    assert state(desk, change)["reason"] == "not_converging: not found when read back"


def test_an_unknown_create_that_is_not_there_may_be_sent_again(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change = desk.claimed()
    desk.answered("unknown", change)
    assert desk.verify(change) == {"approved": 1}
    [again] = desk.claim()
    assert (again.change_id, again.attempts) == (change.change_id, 2)


def test_an_unknown_create_that_is_there_is_verified_by_its_key_alone(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change = desk.claimed()
    desk.answered("unknown", change)
    halo_answers(desk)
    assert desk.verify(change) == {"verified": 1}
    assert state(desk, change)["native_id"] == "13"


def test_an_unknown_create_that_is_there_otherwise_is_refused_and_not_repeated(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change = desk.claimed()
    desk.answered("unknown", change)
    halo_answers(desk, total=1)
    assert desk.verify(change) == {"unequal": 1}
    assert state(desk, change)["state"] == "refused"


def test_an_update_is_judged_by_the_fields_that_were_written(stocked: Stocked) -> None:
    desk = stocked(status_update_claimed)
    change = desk.claimed()
    desk.answered("sent", change)
    halo_answers(desk, total=1)
    assert desk.verify(change) == {"verified": 1}


@pytest.mark.parametrize(("outcome", "status", "verdict", "state_after"), [
    ("sent", "pending", "unequal", "refused"), ("unknown", "pending", "approved", "approved"),
    ("unknown", "completed", "verified", "verified"),
])  # fmt: skip
def test_an_update_that_was_not_applied_is_refused_or_when_unknown_sent_again(
    stocked: Stocked, outcome: str, status: str, verdict: str, state_after: str
) -> None:
    desk = stocked(status_update_claimed)
    change = desk.claimed()
    desk.answered(outcome, change)
    purchase = Purchase(1)
    purchase.custom("Status", status)
    halo_answers(desk, customfields=purchase.sales_order["customfields"])
    assert desk.verify(change) == {verdict: 1}
    assert state(desk, change)["state"] == state_after


def test_a_push_that_was_cut_off_leaves_unknown_changes_and_no_others(stocked: Stocked) -> None:
    desk = stocked(three_planned)
    one, two, three = desk.claim()
    desk.answered("sent", one, native_id="700")
    desk.answered("refused", two)
    left = outbox.leftovers(desk.con, desk.halo, LOCATION, as_of=NOW)
    assert {change.change_id for change in left} == {one.change_id, three.change_id}
    states = {name: state(desk, change)["state"] for name, change in (("one", one), ("two", two), ("three", three))}
    assert states == {"one": "unknown", "two": "refused", "three": "unknown"}
    assert {change.native_id for change in left} == {"700", None}


def test_every_answer_is_written_down(stocked: Stocked) -> None:
    desk = stocked(three_planned)
    one, two, three = desk.claim()
    results = [
        SendResult(one.change_id, "approved", None, 429, "rate limited"),
        SendResult(two.change_id, "refused", None, 400, "no such site"), SendResult(three.change_id, "sent", "7", 201),
    ]  # fmt: skip
    outbox.record(desk.con, results, as_of=NOW)
    log = {row["change_id"]: row for row in desk.rows("outbox.attempts", "step = 'send'")}
    assert [(log[r.change_id]["outcome"], log[r.change_id]["status"], log[r.change_id]["detail"]) for r in results] == [
        ("approved", 429, "rate limited"), ("refused", 400, "no such site"), ("sent", 201, None),
    ]  # fmt: skip
    assert state(desk, two)["reason"] == "no such site"
    assert [change.change_id for change in desk.claim()] == [one.change_id]


def test_an_answer_for_a_change_that_was_not_claimed_moves_nothing(stocked: Stocked) -> None:
    desk = stocked(planned)
    [client] = desk.claim()
    desk.answered("sent", client, native_id="700")
    outbox.record(desk.con, [SendResult(client.change_id, "approved")], as_of=NOW)
    assert state(desk, client)["state"] == "sent"
