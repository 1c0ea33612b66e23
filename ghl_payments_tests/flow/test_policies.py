"""The policy decides whether a plan is only shown, waits for a person, or goes out."""

from __future__ import annotations

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import settled
from ghl_payments_tests.flow.shop import charge, order, shop


def test_preview_and_review_plan_everything_and_send_nothing_and_auto_then_sends_it(loop: LoopFactory) -> None:
    """What changed a minute ago is not even planned; ten minutes later it is judged and sent with the rest."""
    now = "2026-11-16T12:00:00Z"
    fresh = {"createdAt": "2026-11-16T11:58:30.000Z", "updatedAt": "2026-11-16T11:59:00.000Z"}
    shop_loop = loop(state=shop(1, orders=[order(2, **fresh)], transactions=[charge(2, **fresh)]))
    plans = []
    for policy in ("preview", "review"):
        shop_loop.env["GHL_PAYMENTS_AS_OF"] = now
        shop_loop.policy(policy)
        shop_loop.good_turn()
        assert shop_loop.states() == {"planned": 5}
        assert shop_loop.open_pushable() == 5
        assert len(shop_loop.diffs(kind="pending", state="open")) == 5
        assert shop_loop.sandbox.effects() == []
        plans.append(sorted(row["change_id"] for row in shop_loop.changes()))
    writes = [row["path"] for row in shop_loop.sandbox.requests() if row["method"] == "POST"]
    assert set(writes) == {"/auth/token"}
    assert plans[0] == plans[1]

    shop_loop.policy("auto")
    shop_loop.env["GHL_PAYMENTS_AS_OF"] = "2026-11-16T12:10:00Z"
    shop_loop.good_turn()
    settled(shop_loop)
    sent = {row["change_id"] for row in shop_loop.changes(state="verified")}
    assert len(sent) == 10
    assert set(plans[0]) < sent
    assert shop_loop.diffs(state="open") == []


def test_a_target_that_is_switched_off_is_neither_read_nor_written(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1))
    shop_loop.policy("off")
    shop_loop.good_turn()
    assert [row for row in shop_loop.sandbox.requests() if row["system"] == "halo"] == []
    assert shop_loop.changes() == []
    assert shop_loop.diffs(system="halo") == []
