"""Changes that wait for a later push, states counted by record, endpoints that are gone, and what a delivery proves."""

from __future__ import annotations

from datetime import timedelta

from ghl_payments.warehouse import outbox
from ghl_payments.warehouse.outbox import SendResult
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW
from ghl_payments_tests.warehouse.conftest import Stocked
from ghl_payments_tests.warehouse.desk import target
from ghl_payments_tests.warehouse.gallery import order_claimed, planned


def test_what_waits_leaves_when_its_time_has_come_and_keeps_count(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change, due = desk.claimed(), NOW + timedelta(minutes=5)
    outbox.record(
        desk.con, [SendResult(change.change_id, "approved", detail="answered 503", tries=1, not_before=due)], as_of=NOW
    )
    assert desk.claim() == []
    assert outbox.claim(desk.con, target(), LOCATION, as_of=due - timedelta(seconds=1)) == []
    [again] = outbox.claim(desk.con, target(), LOCATION, as_of=due)
    assert (again.change_id, again.tries, again.revision) == (change.change_id, 1, 1)
    desk.answered("sent", again)
    assert desk.row("outbox.changes", "change_id = ?", change.change_id)["not_before"] is None


def test_a_plan_that_still_says_the_same_leaves_a_waiting_change_in_place(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change, due = desk.claimed(), NOW + timedelta(hours=2)
    outbox.record(
        desk.con, [SendResult(change.change_id, "approved", detail="answered 503", tries=2, not_before=due)], as_of=NOW
    )
    desk.plan()
    row = desk.row("outbox.changes", "change_id = ?", change.change_id)
    assert (row["state"], row["tries"], row["reason"]) == ("approved", 2, "answered 503")
    assert row["not_before"] == due.replace(tzinfo=None)


def test_what_was_not_found_when_read_back_goes_on_waiting_with_its_reason(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change, due = desk.claimed(), NOW + timedelta(minutes=5)
    outbox.record(
        desk.con, [SendResult(change.change_id, "unknown", detail="answered 503", tries=1, not_before=due)], as_of=NOW
    )
    assert desk.verify(change) == {"approved": 1}
    row = desk.row("outbox.changes", "change_id = ?", change.change_id)
    assert (row["reason"], row["not_before"]) == ("answered 503", due.replace(tzinfo=None))


def test_states_of_a_record_are_counted_from_one_and_a_retry_is_the_next(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change = desk.claimed()
    desk.answered("refused", change)
    outbox.retry(desk.con, "halo", None, as_of=NOW)
    desk.plan()
    revisions = [row["revision"] for row in desk.rows("outbox.changes", "key = ? order by revision", change.key)
                 if row["record_type"] == "sales_order"]  # fmt: skip
    assert revisions == [1, 2]


def test_to_an_endpoint_that_is_gone_nothing_leaves_until_a_person_releases_it(stocked: Stocked) -> None:
    desk = stocked(planned)
    outbox.endpoint_gone(desk.con, "halo", "the receiver wants no more", as_of=NOW)
    assert desk.claim() == []
    assert set(desk.plan()) == {"held"}
    reasons = {row["reason"] for row in desk.rows("outbox.changes")}
    assert all("ghl-payments release --connection halo" in reason for reason in reasons)
    assert outbox.release(desk.con, "halo", as_of=NOW) == [(outbox.GONE, "every record type")]
    assert set(desk.plan()) == {"approved"}
    assert len(desk.claim()) == 1


def test_a_reading_does_not_lift_the_brake_of_an_endpoint_that_is_gone(stocked: Stocked) -> None:
    desk = stocked(planned)
    outbox.endpoint_gone(desk.con, "halo", "the receiver wants no more", as_of=NOW)
    desk.judge()
    assert set(desk.plan()) == {"held"}
    assert desk.row("outbox.brakes")["active"]


def test_what_nobody_can_read_back_is_delivered_and_never_verified(stocked: Stocked) -> None:
    desk = stocked(order_claimed)
    change = desk.claimed()
    desk.con.execute("update outbox.changes set state = 'sent' where state = 'claimed'")
    record = desk.row("outbox.changes", "change_id = ?", change.change_id)
    desk.con.execute(
        "insert into actual.records select connection, location_id, live, system, record_type, key, 'x1', "
        "payload -> '$.fields', 'h', null, null, null, moved_at from outbox.changes where change_id = ?",
        [record["change_id"]],
    )
    assert outbox.verify(desk.con, [change.change_id], as_of=NOW, settled=True, told=()) == {"delivered_unverified": 1}
    assert desk.row("outbox.changes", "change_id = ?", change.change_id)["state"] == "delivered_unverified"
