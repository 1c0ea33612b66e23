"""Whatever the SQL of the outbox does to changes in whatever state, it makes only moves that the table of moves allows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ghl_payments.domain.change_states import MOVES, may_move
from ghl_payments.warehouse import outbox, reconcile
from ghl_payments.warehouse.outbox import SendResult
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, ago
from ghl_payments_tests.warehouse.conftest import Stocked
from ghl_payments_tests.warehouse.desk import Desk, later, target
from ghl_payments_tests.warehouse.gallery import NATIVES, Purchase, halo_of, lacking

STATES = sorted(MOVES)


def plan(policy: str) -> Callable[[Desk], None]:
    def act(desk: Desk) -> None:
        desk.plan(policy=policy)

    act.__name__ = f"plan under {policy}"
    return act


def plan_another_wish(desk: Desk) -> None:
    purchases = [Purchase(number) for number in range(1, len(STATES) + 1)]
    orders = [purchase.order | {"status": "refunded", "updatedAt": ago(days=1)} for purchase in purchases]
    desk.purchases(orders, [purchase.txn for purchase in purchases], at=later(hours=1))
    desk.judge()
    desk.plan()


def plan_nothing(desk: Desk) -> None:
    desk.con.execute("update reconciliation.diffs set state = 'closed'")
    desk.plan()


def plan_under_a_brake(desk: Desk) -> None:
    desk.read("client", [])
    desk.plan()


def plan_under_a_brake_in_preview(desk: Desk) -> None:
    desk.read("client", [])
    desk.plan(policy="preview")


def claim(desk: Desk) -> None:
    desk.con.execute("update outbox.changes set depends_on = '[]'")
    assert desk.claim()


def leftovers(desk: Desk) -> None:
    assert outbox.leftovers(desk.con, target(), LOCATION, as_of=NOW)


def record(outcome: str) -> Callable[[Desk], None]:
    def act(desk: Desk) -> None:
        outbox.record(
            desk.con, [SendResult(row["change_id"], outcome, "7") for row in desk.rows("outbox.changes")], as_of=NOW
        )

    act.__name__ = f"record {outcome}"
    return act


def verify(there: bool, settled: bool) -> Callable[[Desk], None]:
    def act(desk: Desk) -> None:
        if there:
            desk.halo_holds(halo_of([Purchase(number) for number in range(1, len(STATES) + 1)], NATIVES))
        reconcile.derive_actual(desk.con, desk.halo)
        ids = [row["change_id"] for row in desk.rows("outbox.changes")]
        outbox.verify(desk.con, ids, as_of=NOW, settled=settled)

    act.__name__ = f"verify {'there' if there else 'absent'} {'settled' if settled else 'settling'}"
    return act


def retry(desk: Desk) -> None:
    assert outbox.retry(desk.con, "halo", None, as_of=NOW)


def in_every_state(desk: Desk) -> None:
    """As many purchases as there are states; all changes of one are in one state."""
    lacking(desk, len(STATES))
    desk.plan()
    for number, state in enumerate(STATES, start=1):
        desk.con.execute("update outbox.changes set state = ? where key in (?, ?, ?)", [
            state, f"ghl:order:o{number}", f"ghl:txn:t{number}", f"ghl:contact:c{number}",
        ])  # fmt: skip


ACTS = (
    plan("auto"), plan("review"), plan("preview"), plan("off"), plan_another_wish, plan_nothing, plan_under_a_brake,
    plan_under_a_brake_in_preview, claim, leftovers, record("sent"), record("refused"), record("unknown"),
    record("approved"), verify(True, True), verify(False, True), verify(False, False), retry,
)  # fmt: skip


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_only_allowed_moves_are_made(stocked: Stocked, act: Callable[[Desk], None]) -> None:
    desk = stocked(in_every_state)
    before = {row["change_id"]: row["state"] for row in desk.rows("outbox.changes")}
    assert set(before.values()) == set(STATES)
    act(desk)
    after = {row["change_id"]: row["state"] for row in desk.rows("outbox.changes")}
    moves = {(old, after[name]) for name, old in before.items() if after[name] != old}
    assert {(old, new) for old, new in moves if not may_move(old, new)} == set()
