"""What a receiver that tells only some of a record proves of a change that it accepted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from ghl_payments.connectors.registry import target_systems
from ghl_payments.warehouse import outbox, reconcile
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW
from ghl_payments_tests.warehouse.desk import Desk, target

RANKR = target_systems()["rankr"]
BEFORE = {"amount": "100", "currency": "USD", "status": "pending", "payment_status": "unpaid", "content_hash": "h1",
          "updated_at": "2026-02-01T00:00:00.000Z"}  # fmt: skip
LATER = {"content_hash": "h2", "updated_at": "2026-02-02T00:00:00.000Z"}


def change(desk: Desk, revision: int, operation: str, fields: Mapping[str, str], changed: Sequence[str] = (),
           state: str = "sent", record_type: str = "order") -> str:  # fmt: skip
    """A change of one record; its id."""
    desk.con.execute(
        "insert into outbox.changes by name select ? as change_id, 'rankr' as connection, ? as location_id, true as live, "
        "true as connection_live, 'rankr' as system, ? as record_type, 'ghl:order:o1' as key, ? as operation, 'n1' as "
        "native_id, ?::json as fields, ?::json as payload, 'h' as desired_hash, 'm' as mapping_hash, '[]'::json as "
        "depends_on, '[]'::json as diff_ids, ? as state, '' as token, 1 as attempts, ?::timestamp as planned_at, "
        "?::timestamp as moved_at, ? as revision",
        [f"change{revision}", LOCATION, record_type, operation, json.dumps(list(changed)),
         json.dumps({"fields": fields}), state, NOW, NOW, revision],
    )  # fmt: skip
    return f"change{revision}"


def judged(desk: Desk, change_id: str, fields: Mapping[str, str], told: Sequence[str] | None,
           record_type: str = "order") -> tuple[str, str | None]:  # fmt: skip
    """State and reason of a change whose record is read back as it was sent."""
    halo = target()
    reconcile.prepare_target(
        desk.con,
        replace(halo, connection="rankr", system="rankr", mapping=RANKR.mapping, documents_sql=RANKR.documents_sql),
    )
    desk.con.execute(
        "insert into actual.records select 'rankr', ?, true, 'rankr', ?, 'ghl:order:o1', 'n1', ?::json, 'h', null, null, "
        "null, ?::timestamp",
        [LOCATION, record_type, json.dumps(fields), NOW],
    )
    outbox.verify(desk.con, [change_id], as_of=NOW, settled=True, told=told)
    row = desk.row("outbox.changes", "change_id = ?", change_id)
    return row["state"], row["reason"]


@pytest.mark.parametrize(
    ("said", "told", "state"),
    [
        ({"amount": "200"}, None, "verified"),
        ({"amount": "200"}, ["amount"], "verified"),
        ({"amount": "200"}, ["amount", "currency", "status"], "verified"),
        ({"amount": "200"}, [], "delivered_unverified"),
        ({"amount": "200"}, ["status"], "delivered_unverified"),
        ({"amount": "200", "status": "completed"}, ["amount"], "delivered_unverified"),
        # Never compared, and changed all the same.
        ({"payment_status": "paid"}, ["amount", "currency", "status"], "delivered_unverified"),
        ({"amount": "200", "payment_status": "paid"}, ["amount", "currency", "status"], "delivered_unverified"),
        ({"amount": "200", "payment_status": "paid"}, None, "verified"),
        # A hash made in another way, of a record that says what it said.
        ({}, ["amount", "currency", "status"], "delivered_unverified"),
    ],
)
def test_an_update_is_verified_only_if_all_that_changed_was_told(
    desk: Desk, said: dict[str, str], told: list[str] | None, state: str
) -> None:
    change(desk, 1, "create", BEFORE, state="verified")
    fields = BEFORE | LATER | said
    compared = [name for name in (*said, "content_hash") if name != "payment_status"]
    found, reason = judged(desk, change(desk, 2, "update", fields, compared), fields, told)
    assert found == state
    untold = sorted(set(said) - set(told or ()))
    assert state == "verified" or (reason or "").endswith(", ".join(untold) or "anything of it")


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (None, "verified"), (["amount"], "verified"), (["status"], "verified"),
        (["currency"], "delivered_unverified"), ([], "delivered_unverified"),
    ],
)  # fmt: skip
def test_a_new_record_is_verified_only_if_its_amount_status_or_hash_was_told(
    desk: Desk, told: list[str] | None, state: str
) -> None:
    assert judged(desk, change(desk, 1, "create", BEFORE), BEFORE, told)[0] == state


def test_what_has_neither_amount_nor_status_is_proven_by_a_hash_only(desk: Desk) -> None:
    fields = {"order_id": "o1", "content_hash": "h1"}
    sent = change(desk, 1, "create", fields, record_type="fulfillment")
    assert judged(desk, sent, fields, ["amount", "status"], "fulfillment")[0] == "delivered_unverified"


def test_what_is_told_and_differs_is_refused_however_little_that_is(desk: Desk) -> None:
    change(desk, 1, "create", BEFORE, state="verified")
    fields = BEFORE | LATER | {"amount": "200", "payment_status": "paid"}
    sent = change(desk, 2, "update", fields, ["amount", "content_hash"])
    state, reason = judged(desk, sent, fields | {"amount": "100"}, ["amount"])
    assert (state, reason) == ("refused", "not_converging: differs when read back: amount")
