"""GHL against itself: each invariant broken and kept, with its money; nothing is judged that was not read completely."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ghl_payments.warehouse import reconcile
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.landing_load import record_sweep
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, ago, order, txn
from ghl_payments_tests.warehouse.desk import Desk, later

Document = dict[str, Any]
Found = tuple[str, str, int | None, bool]
"""(record type, kind, minor units, live)."""

OK: list[Document] = [{}]
"""One charge of the order's amount."""


def case(
    order_changes: Document, charges: list[Document], *found: Found
) -> tuple[Document, list[Document], set[Found]]:
    return order_changes, charges, set(found)


def paid_without(minor: int | None = 10_050, live: bool = True) -> Found:
    return "order", "paid_without_transaction", minor, live


def untied(minor: int, live: bool = True) -> Found:
    return "order", "amount_not_tied", minor, live


def disagrees() -> Found:
    return "order", "payment_status_disagrees", 10_050, True


PART, SAME = {"amount": 40}, {"amount": Decimal("100.5")}
RENEWED = [{"subscriptionId": "s", "createdAt": ago(days=9)}, {"subscriptionId": "s", "createdAt": ago(days=2)}]
CASES = {
    "a paid order with its charge": case({}, OK),
    "a paid order without any charge": case({}, [], paid_without()),
    "a partly paid order without any charge": case({"paymentStatus": "partially_paid"}, [], paid_without()),
    "a refunded order without any charge": case({"paymentStatus": "refunded"}, [], paid_without()),
    "an unpaid order without any charge": case({"paymentStatus": "unpaid"}, []),
    "a failed try is no charge": case({}, [{"status": "failed"}, {"status": "pending"}], paid_without()),
    "a free charge is a charge": case({}, [{"amount": 0}], untied(10_050)),
    "a negative charge is none": case({}, [{"amount": -5}], paid_without()),
    "a charge in test mode pays no live order": case({}, [{"liveMode": False}], paid_without()),
    "a test order is judged among test charges": case({"liveMode": False}, [{"liveMode": False}]),
    "a test order without test charges": case({"liveMode": False}, OK, paid_without(live=False)),
    "too little was charged": case({}, [PART], untied(6_050)),
    "too much was charged": case({}, [SAME, PART], untied(4_000)),
    "more than an unpaid order was charged": case({"paymentStatus": "unpaid"}, [{"amount": 200}], untied(9_950)),
    "a part of a partly paid order": case({"paymentStatus": "partially_paid"}, [PART]),
    "all of a partly paid order": case({"paymentStatus": "partially_paid"}, OK, disagrees()),
    "part of an unpaid order": case({"paymentStatus": "unpaid"}, [PART], disagrees()),
    "dollars and euros are not added up": case({"amount": 20}, [{"amount": 10}, {"amount": 10, "currency": "EUR"}],
                                               untied(2_000)),
    "paid and refunded in full": case({}, [{"amountRefunded": Decimal("100.5")}], disagrees()),
    "paid and refunded in full by status": case({}, [{"status": "refunded"}], disagrees()),
    "paid and refunded in part": case({}, [{"amountRefunded": 40}]),
    "refunded in full": case({"paymentStatus": "refunded"}, [{"status": "refunded"}]),
    "refunded only in part": case({"paymentStatus": "refunded"}, [{"amountRefunded": 40}], disagrees()),
    "a renewal is no part of the first order": case({}, RENEWED),
    "two part payments that add up": case({}, [PART, {"amount": Decimal("60.5")}]),
    "an unreadable charge blocks the verdict": case({}, [{"amount": "x"}]),
    "a charge finer than a cent blocks the verdict": case({}, [{"amount": Decimal("0.005")}]),
    "an unreadable refund blocks the verdict": case({}, [{"amountRefunded": "x"}]),
    "a free order is not judged": case({"amount": 0}, []),
    "an order finer than a cent is not judged": case({"amount": Decimal("0.005")}, []),
    "an unreadable order is not judged": case({"amount": "x"}, []),
    "an order changed 299 s ago is not judged": case({"updatedAt": ago(seconds=299)}, []),
    "an order changed 300 s ago is judged": case({"updatedAt": ago(seconds=300)}, [], paid_without()),
    "yen are whole": case({"currency": "JPY", "amount": 500}, [{"currency": "JPY", "amount": 499}], untied(1)),
}  # fmt: skip


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, empty_warehouse: Path) -> dict[str, set[Found]]:
    """What was found, by the id of the case's order."""
    folder = tmp_path_factory.mktemp("invariants")
    shutil.copyfile(empty_warehouse, folder / "w.duckdb")
    orders, transactions = [], []
    for number, (order_changes, charges, _) in enumerate(CASES.values()):
        orders.append(order(f"o{number}", **order_changes))
        transactions += [
            txn(f"o{number}t{place}", **{"entityId": f"o{number}", "subscriptionId": None} | changes)
            for place, changes in enumerate(charges)
        ]
    with Warehouse(folder / "w.duckdb").open() as con:
        desk = Desk(folder, con)
        desk.purchases(orders, transactions)
        desk.stage()
        reconcile.find_invariants(con, LOCATION, as_of=NOW, lag_seconds=300)
        found: dict[str, set[Found]] = {}
        for row in desk.rows("reconciliation.invariants"):
            place = (row["record_type"], row["kind"], row["amount_minor"], row["live"])
            found.setdefault(row["key"].removeprefix("ghl:order:"), set()).add(place)
    return found


@pytest.mark.parametrize("sentence", CASES)
def test_in_this_case(gallery: dict[str, set[Found]], sentence: str) -> None:
    assert gallery.get(f"o{list(CASES).index(sentence)}", set()) == CASES[sentence][2]


def invariants(desk: Desk) -> set[tuple[str, str, int | None]]:
    reconcile.find_invariants(desk.con, LOCATION, as_of=NOW, lag_seconds=300)
    return {(row["kind"], row["key"], row["amount_minor"]) for row in desk.rows("reconciliation.invariants")}


def test_a_charge_of_an_order_that_ghl_does_not_have_is_one_without_an_order(desk: Desk) -> None:
    charges = [
        txn("t1", entityId="gone"), txn("t2", entityId="gone", updatedAt=ago(seconds=299)),
        txn("t3", entityId="gone", status="failed"), txn("t4", entityId="gone", amount=Decimal("0.005")),
        txn("t5", entityId="asked"), txn("t6", entityId="bad"), txn("t7", entityId="gone", entityType="invoice"),
        txn("t8", entityId="gone", amount=-5), txn("t9", entityId=None),
    ]  # fmt: skip
    desk.purchases([order("bad", amount="x")], charges)
    desk.details("order_details", {"gone": None})
    desk.stage()
    assert invariants(desk) == {
        ("transaction_without_order", "ghl:txn:t1", 10_050), ("transaction_without_order", "ghl:txn:t4", None),
    }  # fmt: skip


def scan(desk: Desk, *, months: tuple[str, ...] = ("2026-02",), complete: bool = True) -> None:
    """An order of February without a charge, and what was scanned for its charges."""
    from datetime import date

    desk.list("orders", order())
    for month in months:
        desk.list("transactions", month=date.fromisoformat(f"{month}-01"), complete=complete)
    desk.stage("contact_aliases", "orders", "transactions")


MISSING = {("paid_without_transaction", "ghl:order:o1", 10_050)}


@pytest.mark.parametrize(("months", "complete", "expected"), [
    (("2026-02", "2026-03"), True, MISSING), (("2026-02",), False, set()), (("2026-03",), True, set()),
    (("2026-01", "2026-03"), True, set()), ((), True, set()),
])  # fmt: skip
def test_an_order_is_judged_only_where_complete_slices_cover_its_time(
    desk: Desk, months: tuple[str, ...], complete: bool, expected: set[Any]
) -> None:
    scan(desk, months=months, complete=complete)
    assert invariants(desk) == expected


def test_a_sweep_that_found_all_rows_covers_months_without_a_slice(desk: Desk) -> None:
    scan(desk, months=("2026-03",))
    record_sweep(desk.con, LOCATION, "transactions", (0, 0), "exact", NOW)
    assert invariants(desk) == MISSING
    record_sweep(desk.con, LOCATION, "transactions", (1, 0), "exact", NOW)
    assert invariants(desk) == set()


def test_an_invariant_that_holds_again_closes_its_diff_and_one_not_judged_stays_open(desk: Desk) -> None:
    desk.purchases([order(), order("o2")], [])
    assert len(desk.judge()) == 2
    charge = txn(updatedAt=ago(seconds=10))
    desk.purchases(
        [order(), order("o2", updatedAt=ago(seconds=10))], [charge, txn("t2", entityId="o2")], at=later(hours=1)
    )
    still_open = [row["key"] for row in desk.judge() if row["system"] == "ghl"]
    assert still_open == ["ghl:order:o2"]
