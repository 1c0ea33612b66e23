"""Rows come and go while GHL's lists are being paged: nothing is lost, nothing is falsely called missing."""

from __future__ import annotations

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, Row, settled
from ghl_payments_tests.flow.shop import shop

MANY = range(1, 107)
ORDERS, TRANSACTIONS = "/payments/orders", "/payments/transactions"


@pytest.fixture
def agreed(loop: LoopFactory) -> Loop:
    """A shop whose 106 purchases, all of one instant, make two pages a list; Halo has them all."""
    made = loop(state=shop())
    made.sandbox.put_state(shop(known=MANY, location_id=made.locations[0]))
    return made


def _ids(loop: Loop, stream: str) -> set[str]:
    return {doc["_id"] for doc in loop.sandbox.state()["ghl"]["locations"][0][stream]}


def _staged(loop: Loop, table: str, column: str) -> set[str]:
    return {row[column] for row in loop.sql(f"select {column} from staging.{table}")}


def _certificates(loop: Loop, stream: str) -> list[Row]:
    return loop.sql(
        f"select complete, attempts, reason, row_count from raw.slices where stream = '{stream}' and row_count > 0"
    )


@pytest.mark.parametrize(
    ("orders_op", "transactions_op"),
    [("insert", "delete"), ("delete", "backdated_insert")],
)
def test_a_list_that_moves_once_while_it_is_paged_is_read_again_until_it_stands_still(
    agreed: Loop, orders_op: str, transactions_op: str
) -> None:
    before = {"orders": _ids(agreed, "orders"), "transactions": _ids(agreed, "transactions")}
    agreed.sandbox.fault("page_drift", op=orders_op, system="ghl", path=ORDERS, times=1)
    agreed.sandbox.fault("page_drift", op=transactions_op, system="ghl", path=TRANSACTIONS, times=1)
    agreed.good_turn()

    new, gone = set(), set()
    for stream, column in (("orders", "order_id"), ("transactions", "transaction_id")):
        now = _ids(agreed, stream)
        assert now != before[stream]
        assert _staged(agreed, stream, column) == now
        new |= now - before[stream]
        gone |= before[stream] - now
        [certificate] = _certificates(agreed, stream)
        assert certificate["complete"]
        assert certificate["row_count"] == len(now)
    missing = {row["key"].split(":")[2] for row in agreed.diffs(kind="missing_in_target")}
    orphans = {row["key"].split(":")[2] for row in agreed.diffs(kind="missing_in_source")}
    assert missing <= new
    assert orphans <= gone | {order.replace("txn", "order") for order in gone}
    settled(agreed)


def test_a_list_that_never_stands_still_is_incomplete_and_says_so_and_nothing_is_called_gone(agreed: Loop) -> None:
    agreed.sandbox.fault("page_drift", op="delete", system="ghl", path=ORDERS)
    agreed.good_turn()
    [certificate] = _certificates(agreed, "orders")
    assert not certificate["complete"]
    assert certificate["attempts"] == 3
    assert certificate["reason"].startswith(("drift_while_paging", "total_changed", "rows_missing"))
    there = _ids(agreed, "orders")
    assert not there & {row["key"].removeprefix("ghl:order:") for row in agreed.diffs(kind="missing_in_source")}
    assert there <= _staged(agreed, "orders", "order_id")
    assert agreed.diffs(kind="missing_in_target") == []
    assert agreed.sandbox.effects() == []
