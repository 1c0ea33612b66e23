"""Answers are lost, wrong or late on every way of writing; each change still has one effect and is proven."""

from __future__ import annotations

from decimal import Decimal

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, settled
from ghl_payments_tests.flow.shop import AMOUNT, Document, books, charge, order, shop

PATHS = ("Client", "Users", "SalesOrder", "Invoice", "InvoicePayment")
DEARER = Decimal("120.25")


def _world(loop: Loop) -> Document:
    """Purchase 1 is in Halo with an amount that GHL has corrected since, 2 is missing: 3 updates, 5 creates."""
    state = shop(2, known=[1], location_id=loop.locations[0])
    state["ghl"]["locations"][0]["orders"][0] = _dearer_order(1)
    state["ghl"]["locations"][0]["transactions"][0] = charge(1, amount=DEARER)
    return state


def _dearer_order(number: int) -> Document:
    price = order(number)["items"][0]["price"] | {"amount": DEARER}
    return order(number, amount=DEARER, items=[{"_id": "item", "name": "Thing", "qty": 1, "price": price}])


def _right_books(loop: Loop) -> None:
    found = books(loop.sandbox.state())
    totals = {key: [doc.get("total", doc.get("amount")) for doc in docs] for key, docs in found.items()}
    for number, amount in ((1, DEARER), (2, AMOUNT)):
        contact, bought, paid = f"ghl:contact:contact{number}", f"ghl:order:order{number}", f"ghl:txn:txn{number}"
        assert totals["Client", contact] == totals["Users", contact] == [None]
        assert totals["SalesOrder", bought] == totals["Invoice", bought] == [amount]
        assert totals["InvoicePayment", paid] == [amount]
    assert len(found) == 10


def test_when_every_answer_to_a_write_is_lost_nothing_is_written_twice(loop: LoopFactory) -> None:
    """Not even where the target ignores the filters that our search for a lost record relies on."""
    shop_loop = loop(state=shop())
    shop_loop.sandbox.put_state(_world(shop_loop))
    shop_loop.sandbox.switches(halo_ignored_filters=["search", "third_party_id", "table_id"])
    shop_loop.sandbox.fault("lost_reply", system="halo", method="POST", path="/api/.*")
    shop_loop.good_turn()
    settled(shop_loop)
    _right_books(shop_loop)
    assert [row["attempts"] for row in shop_loop.changes(state="verified")] == [1] * 8


def test_a_server_error_after_the_commit_of_every_write_is_found_out_and_not_repeated(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop())
    shop_loop.sandbox.put_state(_world(shop_loop))
    shop_loop.sandbox.fault("status_after_commit", status=502, system="halo", method="POST", path="/api/.*")
    shop_loop.good_turn()
    settled(shop_loop)
    _right_books(shop_loop)
    assert [row["attempts"] for row in shop_loop.changes(state="verified")] == [1] * 8


def test_a_server_error_before_the_commit_is_sent_again_and_applied_once(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop())
    shop_loop.sandbox.put_state(_world(shop_loop))
    for path in PATHS:
        times = 1 if path in ("Client", "Users") else 2
        shop_loop.sandbox.fault("status", status=500, system="halo", method="POST", path=f"/api/{path}", times=times)
    shop_loop.good_turn()
    settled(shop_loop)
    _right_books(shop_loop)
    assert sum(row["attempts"] for row in shop_loop.changes(state="verified")) == 8 + 8


def test_a_target_that_fails_every_time_is_left_alone_after_a_few_tries_and_done_in_the_next_run(
    loop: LoopFactory,
) -> None:
    shop_loop = loop(state=shop(1))
    shop_loop.sandbox.fault("status", status=409, system="halo", method="POST", path="/api/Client", times=1)
    shop_loop.sandbox.fault("status", status=500, system="halo", method="POST", path="/api/Users")
    shop_loop.good_turn()
    assert shop_loop.states() == {"verified": 1, "unknown": 1, "approved": 3}
    tries = {row["record_type"]: row["attempts"] for row in shop_loop.changes()}
    assert tries["client"] == 2
    assert tries["user"] <= 4
    assert tries["sales_order"] == 0

    shop_loop.sandbox.clear_faults()
    shop_loop.good_turn()
    settled(shop_loop)
    assert shop_loop.states() == {"verified": 5}


def test_a_target_that_shows_old_values_for_a_while_is_given_time_before_it_is_judged(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1))
    shop_loop.env["GHL_PAYMENTS_SETTLE_SECONDS"] = "1.5"
    shop_loop.sandbox.fault("stale_reads", seconds=1.0, system="halo")
    shop_loop.sandbox.fault("lost_reply", system="halo", method="POST", path="/api/(Client|Invoice)", times=2)
    shop_loop.good_turn()
    settled(shop_loop)
    assert shop_loop.states() == {"verified": 5}
