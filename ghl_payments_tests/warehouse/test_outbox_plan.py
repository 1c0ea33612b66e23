"""The plan: one change a record, the same while the wish is the same, under policy and brakes."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from ghl_payments.transport.jsontext import decode
from ghl_payments.warehouse import outbox
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, ago
from ghl_payments_tests.warehouse.conftest import Stocked
from ghl_payments_tests.warehouse.desk import Desk, Row, later, target
from ghl_payments_tests.warehouse.gallery import NATIVES, Purchase, halo_of, lacking, planned

ALL = {"client", "user", "sales_order", "invoice", "invoice_payment"}


def ids(desk: Desk) -> dict[str, str]:
    return {row["change_id"]: row["state"] for row in desk.rows("outbox.changes")}


def change(desk: Desk, record_type: str) -> Row:
    """The record type's change that counts."""
    return desk.row("outbox.changes", "record_type = ? and state <> 'superseded'", record_type)


def parents(desk: Desk, record_type: str) -> set[str]:
    """Record types of the changes that a change waits for."""
    wanted = decode(change(desk, record_type)["depends_on"])
    return {row["record_type"] for row in desk.rows("outbox.changes") if row["change_id"] in wanted}


def wish_anew(desk: Desk, status: str) -> None:
    """GHL changes the order's status; the missing record is wanted differently now."""
    purchase = Purchase(1)
    desk.purchases([purchase.order | {"status": status, "updatedAt": ago(days=1)}], [purchase.txn], at=later(hours=1))
    desk.judge()


def drifted(desk: Desk, purchase: Purchase) -> None:
    """Halo holds the purchase, but not as it should."""
    desk.halo_holds(halo_of([purchase], NATIVES))
    desk.judge()


def test_every_missing_record_becomes_one_create_that_waits_for_its_parents(stocked: Stocked) -> None:
    desk = stocked(lacking)
    assert desk.plan() == {"approved": 5}
    assert {row["operation"] for row in desk.rows("outbox.changes")} == {"create"}
    assert {record_type: parents(desk, record_type) for record_type in ALL} == {
        "client": set(), "user": {"client"}, "sales_order": {"client", "user"}, "invoice": {"client", "sales_order"},
        "invoice_payment": {"client", "invoice"},
    }  # fmt: skip
    money = {row["record_type"]: row["amount_minor"] for row in desk.rows("outbox.changes")}
    assert money == {"client": None, "user": None} | dict.fromkeys(
        ("sales_order", "invoice", "invoice_payment"), 10_050
    )


def test_planning_again_changes_nothing(stocked: Stocked) -> None:
    desk = stocked(planned)
    before = ids(desk)
    assert desk.plan(now=later(hours=2)) == {"approved": 5}
    assert ids(desk) == before


def test_a_change_carries_what_is_to_be_written_and_why(stocked: Stocked) -> None:
    desk = stocked(planned)
    row = change(desk, "sales_order")
    payload = decode(row["payload"])
    assert (payload["fields"]["total"], payload["fields"]["status"]) == ("10050", "completed")
    assert payload["parents"] == {"client": "ghl:contact:c1", "user": "ghl:contact:c1"}
    [diff] = decode(row["diff_ids"])
    assert desk.row("reconciliation.diffs", "diff_id = ?", diff)["record_type"] == "sales_order"
    assert (row["token"], row["attempts"], row["live"], row["turn_id"]) == (row["change_id"], 0, True, "turn")


def test_another_wish_is_another_change_and_the_old_one_is_superseded(stocked: Stocked) -> None:
    desk = stocked(planned)
    old = change(desk, "sales_order")["change_id"]
    wish_anew(desk, "refunded")
    assert desk.plan() == {"approved": 5, "superseded": 1}
    assert change(desk, "sales_order")["change_id"] != old
    assert ids(desk)[old] == "superseded"
    assert "sales_order" in parents(desk, "invoice")


def test_a_wish_that_is_gone_leaves_the_plan(stocked: Stocked) -> None:
    desk = stocked(planned)
    drifted(desk, Purchase(1))
    assert desk.plan() == {"superseded": 5}


def test_a_later_drift_of_the_same_kind_is_a_change_of_its_own(stocked: Stocked) -> None:
    desk = stocked(lacking)
    purchase = Purchase(1)
    purchase.sales_order["total"] = 7
    seen = set()
    for _ in range(2):
        drifted(desk, purchase)
        desk.plan()
        [row] = [row for row in desk.rows("outbox.changes") if row["state"] == "approved"]
        seen.add(row["change_id"])
        desk.con.execute("update outbox.changes set state = 'verified' where state = 'approved'")
        drifted(desk, Purchase(1))
        desk.plan()
    assert len(seen) == 2


def test_an_update_writes_only_what_differs_and_remembers_what_was_there(stocked: Stocked) -> None:
    desk = stocked(lacking)
    purchase = Purchase(1)
    purchase.sales_order |= {"total": 7, "client_id": 99_999}
    purchase.custom("Status", "pending")
    drifted(desk, purchase)
    desk.plan()
    row = change(desk, "sales_order")
    assert (row["operation"], row["native_id"], decode(row["fields"])) == ("update", "13", ["lines", "status"])
    assert decode(row["pre_image"])["total"] == "700"
    assert len(decode(row["diff_ids"])) == 2
    assert row["amount_minor"] == 9_350


def test_what_the_target_owns_becomes_no_change(stocked: Stocked) -> None:
    desk = stocked(lacking)
    purchase = Purchase(1)
    purchase.invoice |= {"invoice_date": "2026-02-09T00:00:00Z", "client_id": 99_999}
    drifted(desk, purchase)
    assert desk.plan() == {}


def refuse(desk: Desk, record_type: str) -> None:
    desk.con.execute(
        "update outbox.changes set state = 'refused' where record_type = ? and state = 'approved'", [record_type]
    )


def test_what_was_refused_is_not_planned_again_until_the_wish_changes(stocked: Stocked) -> None:
    desk = stocked(planned)
    refuse(desk, "sales_order")
    assert desk.plan(now=later(hours=1))["refused"] == 1
    assert desk.rows("outbox.changes", "record_type = 'sales_order' and state = 'approved'") == []
    wish_anew(desk, "refunded")
    desk.plan()
    assert [row["state"] for row in desk.rows("outbox.changes", "record_type = 'sales_order'")].count("approved") == 1


def test_what_was_refused_is_planned_again_when_the_mapping_changes(stocked: Stocked) -> None:
    desk = stocked(planned)
    refuse(desk, "client")
    changed = replace(target(), mapping=desk.halo.mapping.model_copy(update={"version": 2}))
    outbox.plan(desk.con, changed, LOCATION, as_of=NOW, turn_id="turn")
    assert {row["state"] for row in desk.rows("outbox.changes", "record_type = 'client'")} == {"refused", "approved"}


def test_what_was_refused_is_planned_again_when_a_person_says_so(stocked: Stocked) -> None:
    desk = stocked(planned)
    refuse(desk, "client")
    [forgotten] = outbox.retry(desk.con, "halo", None, as_of=NOW)
    desk.plan()
    assert ids(desk)[forgotten] == "superseded"
    assert change(desk, "client")["state"] == "approved"


def test_a_create_that_came_out_otherwise_is_never_made_a_second_time(stocked: Stocked) -> None:
    desk = stocked(planned)
    refuse(desk, "sales_order")
    desk.con.execute("update outbox.changes set native_id = '77' where record_type = 'sales_order'")
    wish_anew(desk, "refunded")
    desk.plan()
    assert [row["state"] for row in desk.rows("outbox.changes", "record_type = 'sales_order'")] == ["refused"]


def test_what_is_in_flight_is_neither_planned_again_nor_taken_back(stocked: Stocked) -> None:
    desk = stocked(planned)
    flying = {"client": "claimed", "user": "sent", "sales_order": "unknown"}
    for record_type, state in flying.items():
        desk.con.execute("update outbox.changes set state = ? where record_type = ?", [state, record_type])
    wish_anew(desk, "refunded")
    drifted(desk, Purchase(1))
    desk.plan()
    found = {row["record_type"]: row["state"] for row in desk.rows("outbox.changes")}
    assert found == flying | {"invoice": "superseded", "invoice_payment": "superseded"}


def test_only_the_policy_auto_approves_and_approvals_end_with_it(stocked: Stocked) -> None:
    desk = stocked(lacking)
    states = {policy: desk.plan(policy=policy) for policy in ("preview", "auto", "review", "off")}
    assert states == {
        "preview": {"planned": 5},
        "auto": {"approved": 5},
        "review": {"planned": 5},
        "off": {"planned": 5},
    }
    assert len(ids(desk)) == 5


def test_the_table_itself_keeps_test_and_live_apart(stocked: Stocked) -> None:
    desk = stocked(planned)
    with pytest.raises(duckdb.ConstraintException):
        desk.con.execute("update outbox.changes set live = false")


def test_one_locations_plan_leaves_anothers_alone(stocked: Stocked) -> None:
    desk = stocked(planned)
    desk.halo = target(only_location=None)
    desk.purchases([Purchase(1).order], [], location_id="LocationTwo")
    desk.judge(location_id="LocationTwo")
    before = ids(desk)
    desk.plan(location_id="LocationTwo", policy="preview")
    after = ids(desk)
    assert {name: after[name] for name in before} == before
    assert {row["record_type"] for row in desk.rows("outbox.changes", "location_id <> ?", LOCATION)} == {
        "client", "user", "sales_order",
    }  # fmt: skip
