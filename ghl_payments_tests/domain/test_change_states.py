"""The states of a change and the moves between them; that the SQL keeps to them is shown with the outbox."""

from __future__ import annotations

from typing import get_args

from ghl_payments.domain.change_states import IN_FLIGHT, MOVES, SETTLED, ChangeState, may_move

STATES = set(get_args(ChangeState))


def test_every_state_has_its_moves_and_moves_lead_to_states() -> None:
    assert set(MOVES) == STATES
    assert set().union(*MOVES.values()) <= STATES
    assert not {state for state, moves in MOVES.items() if state in moves}


def test_nothing_in_flight_is_settled_and_nothing_settled_is_sent_again() -> None:
    assert not IN_FLIGHT & SETTLED
    assert not {(old, new) for old in SETTLED for new in ("claimed", "sent", "approved") if may_move(old, new)}


def test_what_was_sent_leaves_only_by_a_reading() -> None:
    assert MOVES["sent"] == {"verified", "delivered_unverified", "refused", "unknown"}
    assert not {old for old in ("claimed", "sent") if may_move(old, "superseded")}


def test_only_an_approved_change_can_be_claimed_and_only_a_claimed_one_sent() -> None:
    assert {old for old in STATES if may_move(old, "claimed")} == {"approved"}
    assert {old for old in STATES if may_move(old, "sent")} == {"claimed"}


def test_a_delivery_nobody_can_read_never_becomes_a_proven_one() -> None:
    assert MOVES["delivered_unverified"] == frozenset()
