"""The signed HTTP target in the loop: what is planted is found, told once, proven where it can be read, and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, Row, as_key, converged, settled
from ghl_payments_tests.flow.shop import shop

TARGETS = ("rankr",)
EVENTS = {"system": "rankr", "method": "POST", "path": "/events"}


def two_purchases(loop: LoopFactory, **read_back: Any) -> Loop:
    """Two orders and their charges, of which the receiver knows nothing; `read_back` replaces how it is read."""
    world = loop(state=shop(), targets=TARGETS)
    world.sandbox.put_state(shop(1, 2, location_id=world.locations[0]))
    if read_back:
        read_as(world, **read_back)
    return world


def read_as(world: Loop, **read_back: Any) -> None:
    """Change how the receiver is read; a part that is None is left out, and so is all of it when `every` is None."""

    def edit(document: Row) -> None:
        options = document["connections"]["rankr"]["options"]
        if read_back.get("every", ...) is None:
            del options["read_back"]
            return
        options["read_back"] |= read_back
        options["read_back"] = {name: part for name, part in options["read_back"].items() if part is not None}

    world.edit_connections(edit)


def posted(world: Loop) -> list[Row]:
    return [row for row in world.sandbox.requests() if (row["system"], row["method"]) == ("rankr", "POST")]


def kept(world: Loop) -> dict[str, Row]:
    """Rows by key; a key may be there only once."""
    rows = world.sandbox.state()["rankr"]["records"]
    assert len({row["externalId"] for row in rows}) == len(rows)
    return {row["externalId"]: row for row in rows}


def make_due(world: Loop) -> None:
    """As if the waiting time of every change were over."""
    world.sql("update outbox.changes set not_before = timestamp '2020-01-01' where not_before is not null")


def pay_more(world: Loop) -> None:
    """GHL's first order costs more than it did, and its receiver is not told yet."""
    state = world.sandbox.state()
    order = next(doc for doc in state["ghl"]["locations"][0]["orders"] if doc["_id"] == "order1")
    order["amount"] = Decimal("77.25")
    order["updatedAt"] = "2026-11-16T10:00:00.000Z"
    world.sandbox.put_state(state)


def test_a_seeded_receiver_is_reported_exactly_as_planted_and_told_once(loop: LoopFactory) -> None:
    world = loop(seed=7, orders=100, targets=TARGETS)
    world.only_first_location()
    world.good_turn()
    assert as_key(world.diffs()) == as_key(world.answer_key())
    verified = world.changes(state="verified", system="rankr")
    assert {row["record_type"] for row in verified} >= {"order", "transaction", "fulfillment"}
    converged(world)


def test_an_answer_lost_once_is_sent_again_as_the_same_event_and_has_one_effect(loop: LoopFactory) -> None:
    world = two_purchases(loop)
    world.sandbox.fault("lost_reply", **EVENTS, times=2)
    world.good_turn()
    assert set(kept(world)) == {"ghl:order:order1", "ghl:order:order2", "ghl:txn:txn1", "ghl:txn:txn2"}
    assert len(posted(world)) == 4 + 2
    settled(world)


def test_every_answer_of_an_event_lost_is_settled_by_reading_back_within_the_run(loop: LoopFactory) -> None:
    world = two_purchases(loop)
    world.sandbox.fault("lost_reply", **EVENTS, times=3)
    world.good_turn()
    assert world.states() == {"verified": 4}
    settled(world)


def test_an_event_the_receiver_cannot_take_waits_for_a_later_run_without_failing_this_one(loop: LoopFactory) -> None:
    world = two_purchases(loop)
    world.sandbox.fault("status", status=503, **EVENTS, times=3)
    world.good_turn()
    assert world.states() == {"verified": 3, "approved": 1}
    [waiting] = world.sql("select tries, not_before, reason from outbox.changes where state = 'approved'")
    assert waiting["tries"] == 1
    assert waiting["not_before"] > datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=120)
    assert "503" in waiting["reason"]
    assert "Try 1 of 10" in waiting["reason"]
    world.sql("update outbox.changes set not_before = timestamp '2100-01-01' where not_before is not null")
    before = len(posted(world))
    world.good_turn()
    assert len(posted(world)) == before, "it did not wait"
    make_due(world)
    world.good_turn()
    assert world.states() == {"verified": 4}
    settled(world)


def test_a_429_is_waited_for_when_short_and_left_to_a_later_run_when_long(loop: LoopFactory) -> None:
    world = two_purchases(loop)
    world.sandbox.fault("status", status=429, headers={"Retry-After": "1"}, **EVENTS, times=1)
    world.sandbox.fault("status", status=429, headers={"Retry-After": "3600"}, **EVENTS, times=1)
    world.good_turn()
    waiting = world.sql("select not_before from outbox.changes where state = 'approved'")
    soon = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=50)
    assert waiting
    assert all(row["not_before"] > soon for row in waiting)
    assert len(posted(world)) == 2, "more was sent although the receiver asked for an hour"


def test_a_receiver_that_refuses_the_signature_stops_the_run_and_names_the_secret(loop: LoopFactory) -> None:
    world = two_purchases(loop)
    right = world.env["RANKR_SECRET"], world.env["RANKR_PREVIOUS_SECRET"]
    world.env["RANKR_SECRET"] = world.env["RANKR_PREVIOUS_SECRET"] = "whsec_" + "A" * 40
    told = world.failed_turn()
    assert "compare the secret with the operator's" in told
    assert len(posted(world)) == 1
    assert kept(world) == {}
    world.env["RANKR_SECRET"], world.env["RANKR_PREVIOUS_SECRET"] = right
    world.good_turn()
    settled(world)


def test_secrets_are_exchanged_without_a_moment_in_which_events_are_refused(loop: LoopFactory) -> None:
    world = two_purchases(loop)
    world.sandbox.switches(rankr_secrets="previous")
    world.good_turn()
    assert world.states() == {"verified": 4}
    pay_more(world)
    world.sandbox.switches(rankr_secrets="current")
    world.good_turn()
    assert world.states() == {"verified": 5}


def test_a_refused_event_is_refused_once_and_the_others_arrive(loop: LoopFactory) -> None:
    world = two_purchases(loop)
    world.sandbox.fault("status", status=422, body={"error": "no"}, **EVENTS, times=1)
    world.good_turn()
    assert world.states() == {"verified": 3, "refused": 1}
    before = len(posted(world))
    world.good_turn()
    assert len(posted(world)) == before
    assert world.command("retry", "--connection", "rankr").returncode == 0
    world.good_turn()
    assert world.states() == {"verified": 4, "superseded": 1}


def test_a_crash_between_sending_and_recording_leaves_one_effect(loop: LoopFactory) -> None:
    world = two_purchases(loop)
    world.sandbox.fault("latency", seconds=30, when="after", **EVENTS, times=1)
    world.killed_run(lambda: len(world.sandbox.effects()) == 1)
    world.sandbox.clear_faults()
    world.good_turn()
    assert len(kept(world)) == 4
    converged(world)


def test_an_event_accepted_and_dropped_is_never_called_verified(loop: LoopFactory) -> None:
    world = two_purchases(loop)
    world.sandbox.switches(rankr_takes="nothing")
    world.good_turn()
    assert world.states() == {"refused": 4}
    assert {row["reason"] for row in world.sql("select reason from outbox.changes")} == {
        "not_converging: not found when read back"
    }


def test_a_receiver_that_is_gone_is_left_alone_until_a_person_releases_it(loop: LoopFactory) -> None:
    world = two_purchases(loop)
    world.sandbox.switches(rankr_gone=True)
    assert "takes no more events" in world.failed_turn()
    assert len(posted(world)) == 1
    pay_more(world)
    world.sandbox.switches(rankr_gone=True)
    world.good_turn()
    assert posted(world) == []
    assert set(world.states()) <= {"held", "superseded"}
    checked = world.command("check")
    assert checked.returncode == 1
    assert "ghl-payments release --connection rankr" in checked.stdout
    world.sandbox.switches(rankr_gone=False)
    assert world.command("release", "--connection", "rankr").returncode == 0
    world.good_turn()
    assert len(kept(world)) == 4


def test_without_a_list_records_are_asked_for_one_by_one_and_told_once(loop: LoopFactory) -> None:
    world = two_purchases(loop, list=None)
    world.good_turn()
    assert world.states() == {"verified": 4}
    limits = {row["limits"] for row in world.sql("select limits from actual.reads where connection = 'rankr'")}
    assert all("orphans are not found" in text for text in limits)
    pay_more(world)
    state = world.sandbox.state()
    state["rankr"]["records"] = [row for row in state["rankr"]["records"] if row["externalId"] != "ghl:txn:txn2"]
    world.sandbox.put_state(state)
    world.good_turn()
    assert kept(world)["ghl:order:order1"]["amount"] == "77.25"
    [gone] = world.diffs(kind="deleted_in_target")
    assert gone["key"] == "ghl:txn:txn2"


def test_what_cannot_be_read_back_is_delivered_and_no_more_and_sent_again_only_when_it_changed(
    loop: LoopFactory,
) -> None:
    world = two_purchases(loop, every=None)
    world.sandbox.fault("lost_reply", **EVENTS, times=3)
    world.good_turn()
    assert world.states() == {"delivered_unverified": 3, "approved": 1}
    assert len(kept(world)) == 4
    make_due(world)
    world.good_turn()
    assert world.states() == {"delivered_unverified": 4}
    assert world.open_pushable() == 0
    limits = {row["limits"] for row in world.sql("select limits from actual.reads where connection = 'rankr'")}
    assert all("Whether it kept that" in text for text in limits)
    before = world.sandbox.effects(), len(posted(world))
    world.good_turn()
    assert (world.sandbox.effects(), len(posted(world))) == before
    pay_more(world)
    world.good_turn()
    [event] = posted(world)
    assert event["status"] == 202
    assert kept(world)["ghl:order:order1"]["data"]["revision"] == 2
    assert world.states() == {"delivered_unverified": 5}
    assert "delivered_unverified" in world.command("status").stdout


def test_an_update_that_a_receiver_dropped_and_does_not_tell_of_is_never_called_verified(loop: LoopFactory) -> None:
    world = two_purchases(loop, map={"key": "$.externalId"})
    world.good_turn()
    assert world.states() == {"delivered_unverified": 4}
    pay_more(world)
    world.sandbox.switches(rankr_takes="nothing")
    world.good_turn()
    assert kept(world)["ghl:order:order1"]["amount"] == "100.50"
    assert world.states() == {"delivered_unverified": 5}
    [update] = world.changes(operation="update")
    assert update["reason"] == "accepted; reading back does not tell amount"
    assert world.open_pushable() == 0


def test_what_was_only_delivered_is_missing_once_the_receiver_can_be_read_and_has_it_not(loop: LoopFactory) -> None:
    world = two_purchases(loop)
    described = world.connections.read_text(encoding="utf-8")
    read_as(world, every=None)
    world.sandbox.switches(rankr_takes="nothing")
    world.good_turn()
    assert world.states() == {"delivered_unverified": 4}
    world.connections.write_text(described, encoding="utf-8")
    world.sandbox.switches(rankr_takes="rows")
    world.good_turn()
    assert world.states() == {"delivered_unverified": 4, "verified": 4}
    assert len(kept(world)) == 4
