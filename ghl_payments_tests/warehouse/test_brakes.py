"""Brakes: an empty or shrunken answer of a target holds all creates until it recovers or a person releases it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ghl_payments.warehouse import outbox
from ghl_payments_tests.sandbox.oracle_states import NOW
from ghl_payments_tests.warehouse.conftest import Stocked
from ghl_payments_tests.warehouse.desk import Desk, later
from ghl_payments_tests.warehouse.gallery import NATIVES, Purchase, halo_of, planned


def active(desk: Desk) -> set[tuple[str, str]]:
    return {(row["brake"], row["record_type"]) for row in desk.rows("outbox.brakes", "active")}


def counts(desk: Desk, *rows: int, record_type: str = "invoice", complete: bool = True) -> dict[str, int]:
    """Halo's list of a record type has these numbers of rows, one after the other; the states of the last plan."""
    states: dict[str, int] = {}
    for number, count in enumerate(rows, start=1):
        hours = 1 + number + len(desk.rows("actual.read_history"))
        desk.certify(record_type, count, complete=complete, at=later(hours=hours))
        states = desk.plan(now=later(hours=hours))
    return states


def test_an_answer_of_usual_size_brakes_nothing(stocked: Stocked) -> None:
    desk = stocked(planned)
    assert counts(desk, 100, 90, 80, 100) == {"approved": 5}
    assert active(desk) == set()


def test_an_empty_answer_holds_every_create_and_says_how_to_go_on(stocked: Stocked) -> None:
    desk = stocked(planned)
    assert counts(desk, 0) == {"held": 5}
    assert active(desk) == {("empty_answer", "invoice")}
    [reason] = {row["reason"] for row in desk.rows("outbox.changes")}
    assert "brake empty_answer (invoice)" in reason
    assert "`ghl-payments release --connection halo`" in reason
    assert desk.claim() == []


@pytest.mark.parametrize(
    ("before", "after", "brakes"), [(100, 79, True), (100, 80, False), (5, 3, True), (4, 1, False)]
)
def test_an_answer_shrunken_below_the_share_holds_creates(
    stocked: Stocked, before: int, after: int, brakes: bool
) -> None:
    desk = stocked(planned)
    counts(desk, before, after)
    assert active(desk) == ({("shrunken_answer", "invoice")} if brakes else set())


def test_a_list_that_shrinks_slowly_is_measured_against_the_last_one_that_was_accepted(stocked: Stocked) -> None:
    desk = stocked(planned)
    counts(desk, 100, 70, 60)
    brake = desk.row("outbox.brakes", "active")
    assert (brake["baseline"], brake["reason"]) == (100, "the list of invoice fell from 100 to 70")
    assert counts(desk, 79) == {"held": 5}


def test_the_brake_lets_go_when_the_answer_recovers(stocked: Stocked) -> None:
    desk = stocked(planned)
    assert counts(desk, 100, 0) == {"held": 5}
    assert counts(desk, 98) == {"approved": 5}
    assert active(desk) == set()


def test_an_incomplete_list_neither_brakes_nor_releases(stocked: Stocked) -> None:
    desk = stocked(planned)
    counts(desk, 100)
    counts(desk, 0, complete=False)
    assert active(desk) == set()
    counts(desk, 0)
    counts(desk, 100, complete=False)
    assert active(desk) == {("empty_answer", "invoice")}


def test_a_release_makes_what_was_seen_the_new_measure(stocked: Stocked) -> None:
    desk = stocked(planned)
    counts(desk, 100, 10)
    assert outbox.release(desk.con, "halo", as_of=later(hours=50)) == [("shrunken_answer", "invoice")]
    assert desk.plan(now=later(hours=50)) == {"approved": 5}
    for hour, rows, brakes in ((51, 9, set()), (52, 7, {("shrunken_answer", "invoice")})):
        desk.certify("invoice", rows, at=later(hours=hour))
        desk.plan(now=later(hours=hour))
        assert active(desk) == brakes


def test_a_released_empty_list_may_stay_empty(stocked: Stocked) -> None:
    desk = stocked(planned)
    counts(desk, 0)
    outbox.release(desk.con, "halo", as_of=later(hours=50))
    for hour in (51, 52):
        desk.certify("invoice", 0, at=later(hours=hour))
        assert desk.plan(now=later(hours=hour)) == {"approved": 5}


def test_a_release_without_a_brake_does_nothing(stocked: Stocked) -> None:
    desk = stocked(planned)
    before = desk.rows("actual.read_history")
    assert outbox.release(desk.con, "halo", as_of=NOW) == []
    assert desk.rows("actual.read_history") == before


def test_updates_are_not_held(stocked: Stocked) -> None:
    desk = stocked(planned)
    purchase = Purchase(1)
    purchase.custom("Status", "pending")
    purchase.without("InvoicePayment")
    desk.halo_holds(halo_of([purchase], NATIVES))
    desk.judge()
    counts(desk, 0, record_type="client")
    states = {row["record_type"]: row["state"] for row in desk.rows("outbox.changes", "state <> 'superseded'")}
    assert states == {"sales_order": "approved", "invoice_payment": "held"}


def test_an_empty_list_of_cross_references_brakes_once_records_carry_our_keys(stocked: Stocked) -> None:
    desk = stocked(planned)
    assert active(desk) == set()
    desk.halo_holds(halo_of([Purchase(1)], NATIVES))
    desk.judge()
    counts(desk, 0, record_type="external_link")
    assert active(desk) == {("empty_answer", "external_link")}


def test_another_connections_answer_brakes_only_itself(stocked: Stocked) -> None:
    desk = stocked(planned)
    desk.con.execute(
        "insert into actual.reads by name select * replace ('other' as connection, 0 as rows) from actual.reads"
    )
    assert desk.plan(now=later(hours=1)) == {"approved": 5}


def test_a_container_of_our_own_may_start_empty_but_not_become_so(stocked: Stocked) -> None:
    desk = stocked(planned)
    types = dict(desk.halo.mapping.record_types)
    types["invoice"] = types["invoice"].model_copy(update={"may_start_empty": True})
    mapping = desk.halo.mapping.model_copy(update={"record_types": types})
    desk.halo = replace(desk.halo, mapping=mapping)
    desk.con.execute("delete from actual.read_history where record_type = 'invoice'")
    assert counts(desk, 0, 0) == {"approved": 5}
    assert active(desk) == set()
    assert counts(desk, 0, 0, 3, 0) == {"held": 5}
    assert active(desk) == {("empty_answer", "invoice")}


def test_records_that_are_asked_for_by_id_say_nothing_by_being_few(stocked: Stocked) -> None:
    desk = stocked(planned)
    counts(desk, 100)
    desk.certify("invoice", 0, at=later(hours=9))
    desk.con.execute("update actual.reads set keyed = true where record_type = 'invoice'")
    assert desk.plan(now=later(hours=9)) == {"approved": 5}
