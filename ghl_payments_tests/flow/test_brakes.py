"""An empty or shrunken answer of the target holds every create until a person releases it or the answer recovers."""

from __future__ import annotations

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, settled
from ghl_payments_tests.flow.shop import charge, order, shop

RELEASE = "ghl-payments release --connection halo"


def _held(loop: Loop, brake: str) -> None:
    assert loop.sandbox.effects() == []
    creates = loop.changes(operation="create")
    assert creates
    for change in creates:
        assert change["state"] == "held"
        assert brake in change["reason"]
        assert RELEASE in change["reason"]


def test_lists_that_come_back_empty_for_lack_of_rights_hold_all_creates_until_they_recover(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1))
    lists = shop_loop.sandbox.fault("empty_list", system="halo", path="/api/(SalesOrder|Invoice|InvoicePayment)")
    shop_loop.good_turn()
    _held(shop_loop, "empty_answer")
    status = shop_loop.command("status")
    assert RELEASE in status.stdout

    shop_loop.sandbox.control("DELETE", f"/faults?id={lists['id']}")
    shop_loop.good_turn()
    settled(shop_loop)
    assert shop_loop.states() == {"verified": 5}


def test_a_mass_deletion_in_the_target_is_not_refilled_and_holds_what_is_new(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop())
    place = shop_loop.locations[0]
    shop_loop.sandbox.put_state(shop(known=range(1, 9), location_id=place))
    shop_loop.good_turn()
    assert shop_loop.diffs() == []

    numbers = range(4, 10)
    shop_loop.sandbox.put_state(shop(
        known=range(1, 4), location_id=place,
        orders=[order(number) for number in numbers], transactions=[charge(number) for number in numbers],
    ))  # fmt: skip
    for _ in range(2):
        shop_loop.good_turn()
        _held(shop_loop, "shrunken_answer")
        assert {row["key"][-1] for row in shop_loop.changes()} == {"9"}
        assert len(shop_loop.diffs(kind="deleted_in_target", state="open")) == 5 * 5

    released = shop_loop.command("release", "--connection", "halo")
    assert released.returncode == 0
    assert "shrunken_answer" in released.stdout
    shop_loop.good_turn()
    settled(shop_loop)
    assert shop_loop.states() == {"verified": 5}
    assert len(shop_loop.diffs(kind="deleted_in_target", state="open")) == 5 * 5
