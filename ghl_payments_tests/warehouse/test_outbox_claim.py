"""The gate: what may leave, one condition at a time, and with which parents' ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from ghl_payments.warehouse import outbox
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, ago
from ghl_payments_tests.warehouse.conftest import Stocked
from ghl_payments_tests.warehouse.desk import Desk, later, target
from ghl_payments_tests.warehouse.gallery import (
    NATIVES,
    Purchase,
    halo_of,
    lacking,
    people_there,
    planned,
    three_planned,
)


def claimed(desk: Desk, **options: object) -> set[str]:
    return {change.record_type for change in desk.claim(**options)}  # type: ignore[arg-type]


def write(desk: Desk, *resources: str) -> None:
    """Halo now holds these records of the first purchase, as they should be."""
    purchase = Purchase(1)
    missing = {"Client", "Users", "SalesOrder", "Invoice", "InvoicePayment"} - set(resources)
    purchase.without(*missing)
    desk.halo_holds(halo_of([purchase], NATIVES))
    desk.judge()


def test_parents_leave_before_their_children(stocked: Stocked) -> None:
    desk = stocked(planned)
    for expected in ("client", "user", "sales_order", "invoice", "invoice_payment"):
        [change] = desk.claim()
        assert change.record_type == expected
        assert desk.claim() == []
        desk.answered("sent", change, native_id="700")
        assert desk.claim() == []
        desk.con.execute("update outbox.changes set state = 'verified' where state = 'sent'")
    assert change.parents == {"client": "700", "invoice": "700"}
    assert (change.key, change.operation, change.attempts) == ("ghl:txn:t1", "create", 1)
    assert (change.fields["amount"], change.native_id) == ("10050", None)


def test_parents_that_stand_already_give_their_ids(stocked: Stocked) -> None:
    desk = stocked(people_there)
    [change] = desk.claim()
    assert (change.record_type, change.parents) == ("sales_order", {"client": "11", "user": "12"})


def test_an_invoice_without_an_order_record_does_not_wait_for_one(stocked: Stocked) -> None:
    desk = stocked(people_there)
    desk.purchases([], [Purchase(1).txn | {"updatedAt": ago(days=1)}], at=later(hours=1))
    desk.judge()
    desk.plan()
    [change] = desk.claim()
    assert (change.record_type, change.parents) == ("invoice", {"client": "11"})


def test_a_batch_has_its_size_and_each_change_is_claimed_once(stocked: Stocked) -> None:
    desk = stocked(three_planned)
    first, second, third = desk.claim(batch=2), desk.claim(batch=2), desk.claim(batch=2)
    assert (len(first), len(second), len(third)) == (2, 1, 0)
    assert len({change.change_id for change in first + second}) == 3
    assert {row["outcome"] for row in desk.rows("outbox.attempts")} == {"claimed"}


def diff_closed(desk: Desk) -> None:
    desk.con.execute("update reconciliation.diffs set state = 'closed'")


def diff_not_pushable(desk: Desk) -> None:
    desk.con.execute("update reconciliation.diffs set pushable = false")


def diff_ignored(desk: Desk) -> None:
    desk.con.execute("update reconciliation.diffs set state = 'ignored'")


def list_incomplete(desk: Desk) -> None:
    desk.certify("client", 1, complete=False, at=later(hours=1))


def other_list_incomplete(desk: Desk) -> None:
    desk.certify("external_link", 1, complete=False, at=later(hours=1))


def never_read(desk: Desk) -> None:
    desk.con.execute("delete from actual.reads where record_type = 'client'")


def read_yesterday(desk: Desk) -> None:
    desk.certify("client", 1, at=later(hours=-13))


def braked(desk: Desk) -> None:
    desk.con.execute(
        "insert into outbox.brakes values ('halo', 'empty_answer', 'user', 'r', 0, 5, true, null, now()::timestamp)"
    )


def parent_unsettled(desk: Desk) -> None:
    desk.con.execute("""update outbox.changes set depends_on = (select to_json([change_id]) from outbox.changes
        where record_type = 'invoice_payment') where record_type = 'client'""")  # fmt: skip


def standing_there(desk: Desk) -> None:
    desk.con.execute("""insert into actual.records (connection, location_id, live, system, record_type, key, native_id,
        fields, hash, read_at) select 'halo', location_id, true, 'halo', 'client', key, '5', '{}', 'h', planned_at
        from outbox.changes where record_type = 'client'""")  # fmt: skip


def not_approved(desk: Desk) -> None:
    desk.con.execute("update outbox.changes set state = 'planned'")


CLOSED_GATES = (
    diff_closed, diff_not_pushable, diff_ignored, list_incomplete, other_list_incomplete, never_read, read_yesterday, braked,
    parent_unsettled, standing_there, not_approved,
)  # fmt: skip
TABLES = (
    "outbox.changes",
    "outbox.brakes",
    "outbox.attempts",
    "reconciliation.diffs",
    "actual.reads",
    "actual.records",
)


@contextmanager
def undone(desk: Desk) -> Iterator[None]:
    """Whatever the block does to the tables of the gate is taken back."""
    for table in TABLES:
        desk.con.execute(f"create or replace temp table kept_{table.replace('.', '_')} as from {table}")
    yield
    for table in TABLES:
        desk.con.execute(f"delete from {table}; insert into {table} from kept_{table.replace('.', '_')}")


def test_each_condition_alone_holds_a_change_back(stocked: Stocked) -> None:
    desk = stocked(planned)
    left = {}
    for spoil in CLOSED_GATES:
        with undone(desk):
            spoil(desk)
            left[spoil.__name__] = claimed(desk)
    assert left == {key: set() for key in left}
    assert len(left) == len(CLOSED_GATES)
    assert claimed(desk) == {"client"}


def test_the_policy_and_the_mode_of_the_connection_open_the_gate(stocked: Stocked) -> None:
    desk = stocked(planned)
    left = {}
    for policy, live in (("auto", True), ("review", True), ("preview", True), ("off", True), ("auto", False)):
        with undone(desk):
            left[policy, live] = claimed(desk, policy=policy, live=live)
    assert {gate for gate, found in left.items() if found} == {("auto", True), ("review", True)}


def test_a_record_whose_ghl_detail_is_stale_stays(stocked: Stocked) -> None:
    desk = stocked(people_there)
    desk.list("orders", Purchase(1).order | {"updatedAt": ago(days=1), "paymentStatus": "unpaid"}, at=later(hours=1))
    desk.stage("orders")
    assert desk.claim() == []
    desk.details("order_details", {"o1": Purchase(1).order}, at=later(hours=2))
    desk.stage("orders")
    assert claimed(desk) == {"sales_order"}


def test_a_payment_whose_transactions_detail_is_stale_stays(stocked: Stocked) -> None:
    desk = stocked(lacking)
    write(desk, "Client", "Users", "SalesOrder", "Invoice")
    desk.plan()
    desk.con.execute("update staging.transactions set detail_is_current = false")
    assert desk.claim() == []
    desk.con.execute("update staging.transactions set detail_is_current = true")
    assert claimed(desk) == {"invoice_payment"}


def test_a_brake_holds_creates_and_lets_updates_leave(stocked: Stocked) -> None:
    desk = stocked(lacking)
    purchase = Purchase(1)
    purchase.custom("Status", "pending")
    purchase.without("InvoicePayment")
    desk.halo_holds(halo_of([purchase], NATIVES))
    desk.judge()
    desk.plan()
    braked(desk)
    assert claimed(desk) == {"sales_order"}


def test_a_parent_with_two_records_in_halo_has_no_id_to_give(stocked: Stocked) -> None:
    desk = stocked(people_there)
    desk.con.execute("""insert into actual.records by name
        select * replace ('99' as native_id) from actual.records where record_type = 'user' and key is not null""")  # fmt: skip
    assert desk.claim() == []


def test_a_verified_parent_that_was_deleted_since_gives_no_id(stocked: Stocked) -> None:
    desk = stocked(planned)
    [client] = desk.claim()
    desk.answered("sent", client, native_id="700")
    desk.con.execute("update outbox.changes set state = 'verified' where state = 'sent'")
    desk.read_singly("client", {"700": None})
    assert desk.claim() == []


def test_the_clock_of_the_gate_is_the_pushs_own(stocked: Stocked) -> None:
    desk = stocked(planned)
    late = NOW + timedelta(hours=13)
    assert outbox.claim(desk.con, target(), LOCATION, as_of=late) == []
    assert len(outbox.claim(desk.con, target(), LOCATION, as_of=NOW + timedelta(hours=11))) == 1
