"""The first turn finds what is planted, neither more nor less; the second finds nothing left to do."""

from __future__ import annotations

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import as_key, converged
from ghl_payments_tests.flow.shop import shop, books


def test_a_small_shop_is_pushed_and_converges(loop: LoopFactory) -> None:
    small = loop(state=shop(1, 2))
    result = small.good_turn()
    place = small.locations[0]
    got = books(small.sandbox.state())
    small.sandbox.put_state(shop(known=[1,2], location_id=place))
    want = books(small.sandbox.state())
    for k in got: 
        if got[k]!=want.get(k): print(k, got[k], want.get(k))
    assert got==want
    small.good_turn()
    assert small.sandbox.effects()==[]
