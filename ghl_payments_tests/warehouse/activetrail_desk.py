"""An ActiveTrail account beside a desk: its state document goes in the way a reading brings it, and is judged by SQL."""

from __future__ import annotations

import copy
from decimal import Decimal
from random import Random
from typing import Any

from ghl_payments.connectors.activetrail.options import Options
from ghl_payments.connectors.registry import plain_options, target_systems
from ghl_payments.domain.sandbox_identity import sandbox_identity
from ghl_payments.sandbox.activetrail_data import shown_contact, shown_order
from ghl_payments.sandbox.activetrail_lists import ActiveTrailSwitches
from ghl_payments.sandbox.oracle_activetrail import GROUP
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.sandbox.world_activetrail import OWN_GROUP, ActiveTrailWorld
from ghl_payments.warehouse import reconcile
from ghl_payments.warehouse.landing_load import load_documents, naive
from ghl_payments.warehouse.queries import run_text
from ghl_payments.warehouse.reconcile import Target
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW
from ghl_payments_tests.warehouse.desk import Desk, Row
from ghl_payments_tests.warehouse.worlds import PLAIN_AMOUNTS, World

Doc = dict[str, Any]

SYSTEM = target_systems()["activetrail"]
PEOPLE = {
    "c1": {"firstName": "Ann", "lastName": "One", "email": "ann@example.com", "phone": "+15550101"},
    "c2": {"firstName": "Bob", "lastName": "Two", "email": "bob@example.com"},
    "c3": {"firstName": "Cat", "lastName": "Three", "phone": "+15550103"},
}
"""`c4` is known by nothing but its id."""


def target(**options: Any) -> Target:
    """A live connection that only one location uses."""
    plain = plain_options(Options(**options))
    return Target("activetrail", "activetrail", True, "auto", 0.8, SYSTEM.mapping, SYSTEM.documents_sql, LOCATION,
                  options=plain, locations=(LOCATION,))  # fmt: skip


def agreed(place: Doc, **switches: Any) -> Doc:
    """An account in full agreement with one location."""
    world = ActiveTrailWorld(
        Random(1), int(NOW.timestamp() * 1000), ActiveTrailSwitches(**switches), sandbox_identity(1)
    )
    world.agree(read_location(place), {})
    return world.state


def asked_for(desk: Desk, **options: Any) -> list[str]:
    """Order ids that `keys.sql` names."""
    reconcile.describe_documents(desk.con, target(**options))
    desk.con.execute("create or replace temp table target_locations as select ? as location_id", [LOCATION])
    rows = run_text(desk.con, SYSTEM.keys_sql.read_text(encoding="utf-8"), {"connection": "activetrail"}, step="keys")
    assert {row[0] for row in rows} <= {"commerce_order"}
    return [row[1] for row in rows]


def capable(desk: Desk, commerce: str = "available") -> None:
    """What a probe found out."""
    desk.con.execute(
        "insert or replace into ops.capabilities values ('activetrail', 'commerce', ?, 'a test', false, now())",
        [commerce],
    )


def hold(desk: Desk, state: Doc) -> None:
    """Read the account once: the group's list, orders by the ids that GHL knows, contacts in the bin singly."""
    at = desk.tick()
    groups = [group["id"] for group in state["groups"] if group["name"] == GROUP]
    ids = {contact for group, contact in state["members"] if group == min(groups)}
    members = [shown_contact(doc) for doc in state["contacts"] if doc["id"] in ids]
    page = {"kind": "list", "record_type": "contact", "status": 200}
    path = desk.land((page, {"count": len(members), "contacts": members}))
    load_documents(desk.con, path, "activetrail", at, whole="contact")
    orders = {doc["orderId"]: shown_order(doc) for doc in state["orders"]}
    answers = [
        ({"kind": "detail", "record_type": "commerce_order", "native_id": n, "status": 200 if n in orders else 404},
         orders.get(n))
        for n in asked_for(desk)
    ]  # fmt: skip
    load_documents(desk.con, desk.land(*answers), "activetrail", at)
    for record_type, rows in (("contact", len(members)), ("commerce_order", len(answers))):
        desk.con.execute(
            "insert or replace into actual.reads values ('activetrail', ?, 'turn', ?, ?, ?, 1, 1, true, null, ?, null, ?)",
            [record_type, rows, rows, rows, naive(at), record_type == "commerce_order"],
        )
    reconcile.describe_documents(desk.con, target())
    gone = [
        ({"kind": "detail", "record_type": row[0], "native_id": row[1], "status": 404}, None)
        for row in desk.con.execute("select record_type, native_id from activetrail_dangling").fetchall()
    ]
    if gone:
        load_documents(desk.con, desk.land(*gone), "activetrail", desk.tick())


def diffs(desk: Desk, **options: Any) -> list[Row]:
    """Every stage up to the open diffs of the account."""
    desk.stage()
    reconcile.derive_desired(desk.con, [target(**options)], LOCATION)
    reconcile.reconcile_target(desk.con, target(**options), LOCATION, as_of=NOW, lag_seconds=300)
    return [row for row in desk.diffs() if row["system"] == "activetrail"]


class AccountWorld(World):
    """Random purchases by people with and without addresses, and an account that agrees with them only in part."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        for doc in self.place["orders"]:
            if doc.get("contactId") in PEOPLE:
                doc["contactSnapshot"] = {"id": doc["contactId"], **PEOPLE[doc["contactId"]]}
        self.account = agreed(self.place)
        self._draw = Random(f"{seed}/account")
        for _ in range(14):
            acts = self._unsettle_contact, self._unsettle_order
            self._draw.choice(acts)()

    def _unsettle_contact(self) -> None:
        pick, contacts = self._draw.choice, self.account["contacts"]
        if not contacts:
            return
        doc = pick(contacts)
        match self._draw.randrange(6):
            case 0:
                doc[pick(["num3", "num4", "num5"])] = pick([None, 0, 7, 10050])
            case 1:
                doc[pick([f"ext{n}" for n in range(19, 26)])] = pick(
                    [None, "", " USD ", "mixed", "x", "ghl:contact:c1"]
                )
            case 2:
                doc[pick(["date3", "date4", "date5"])] = pick([None, "0001-01-01T00:00:00", "2026-02-01T23:59:59"])
            case 3:
                doc["is_deleted"] = True
            case 4:
                twin = copy.deepcopy(doc) | {"id": 50_000 + len(contacts)}
                contacts.append(twin)
                self.account["members"].append([OWN_GROUP, twin["id"]])
            case _:
                self.account["members"] = [m for m in self.account["members"] if m[1] != doc["id"]]

    def _unsettle_order(self) -> None:
        pick, orders = self._draw.choice, self.account["orders"]
        if not orders:
            return
        doc = pick(orders)
        match self._draw.randrange(6):
            case 0:
                orders.remove(doc)
            case 1:
                doc["totalAmount"] = pick([*PLAIN_AMOUNTS, None, Decimal("100.004"), Decimal("60.00000000000001")])
            case 2:
                doc[pick([f"ext{n}" for n in range(1, 9)])] = pick([None, "", "x", "completed", "usd", "XXZ"])
            case 3:
                doc["ext9"] = pick([None, "", "SomewhereElse"])
            case 4:
                doc[pick(["num1", "num2"])] = pick([None, 0, 10_000])
            case _:
                doc["purchaseDate"] = pick([None, "2026-02-01T00:00:00", "0001-01-01T00:00:00"])
