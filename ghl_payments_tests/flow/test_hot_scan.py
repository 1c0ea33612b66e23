"""The hot scan: two months of GHL, and a push only where the policy says so."""

from __future__ import annotations

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import settled
from ghl_payments_tests.flow.shop import shop
from ghl_payments_tests.flow.test_backfill import slices_asked

STREAMS = {"/payments/orders", "/payments/transactions", "/payments/subscriptions"}


def test_a_hot_scan_reads_two_months_and_pushes_as_the_policy_says(loop: LoopFactory) -> None:
    store = loop(state=shop(1))
    store.policy("preview")
    store.good_turn(scan="hot")
    asked = slices_asked(store)
    assert set(asked.values()) == {1}
    assert {path for path, _ in asked} == STREAMS
    assert {start[:7] for _, start in asked} == {"2026-10", "2026-11"}
    assert store.sandbox.effects() == []
    assert "planned" in store.states()

    store.policy("auto")
    store.good_turn(scan="hot")
    settled(store)
    assert {effect["record_type"] for effect in store.sandbox.effects()} >= {"client", "sales_order", "invoice"}
    assert {start[:7] for _, start in slices_asked(store)} == {"2026-10", "2026-11"}
