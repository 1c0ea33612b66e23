"""The policy decides whether a plan is only shown, waits for a person, or goes out."""

from __future__ import annotations

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import settled
from ghl_payments_tests.flow.shop import shop


def test_preview_and_review_plan_everything_and_send_nothing_and_auto_then_sends_it(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1))
    plans = []
    for policy in ("preview", "review"):
        shop_loop.policy(policy)
        shop_loop.good_turn()
        assert shop_loop.states() == {"planned": 5}
        assert shop_loop.open_pushable() == 5
        assert shop_loop.sandbox.effects() == []
        plans.append(sorted(row["change_id"] for row in shop_loop.changes()))
    writes = [row["path"] for row in shop_loop.sandbox.requests() if row["method"] == "POST"]
    assert set(writes) == {"/auth/token"}
    assert plans[0] == plans[1]

    shop_loop.policy("auto")
    shop_loop.good_turn()
    settled(shop_loop)
    assert sorted(row["change_id"] for row in shop_loop.changes(state="verified")) == plans[0]


def test_a_target_that_is_switched_off_is_neither_read_nor_written(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1))
    shop_loop.policy("off")
    shop_loop.good_turn()
    assert [row for row in shop_loop.sandbox.requests() if row["system"] == "halo"] == []
    assert shop_loop.changes() == []
    assert shop_loop.diffs(system="halo") == []
