"""An empty or shrunken answer of the target holds every create until a person releases it or the answer recovers."""

from __future__ import annotations

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, one_effect_each, settled
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


def test_a_mass_deletion_in_the_target_is_not_refilled_before_somebody_has_looked(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop())
    full = shop(known=range(1, 9), location_id=shop_loop.locations[0])
    shop_loop.sandbox.put_state(full)
    shop_loop.good_turn()
    assert shop_loop.diffs() == []

    emptied = shop(known=range(1, 4), location_id=shop_loop.locations[0],
                   orders=[order(number) for number in range(4, 9)],
                   transactions=[charge(number) for number in range(4, 9)])  # fmt: skip
    shop_loop.sandbox.put_state(emptied)
    shop_loop.good_turn()
    _held(shop_loop, "shrunken_answer")
    shop_loop.good_turn()
    _held(shop_loop, "shrunken_answer")

    released = shop_loop.command("release", "--connection", "halo")
    assert released.returncode == 0
    assert "shrunken_answer" in released.stdout
    shop_loop.good_turn()
    settled(shop_loop)
    one_effect_each(shop_loop)
    assert shop_loop.states()["verified"] == 5 * 5
