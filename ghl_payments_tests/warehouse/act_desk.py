"""Act! on a desk: a state of its database goes in as the connector would land it, in either form.

Documents and expectations belong to the tests.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

from ghl_payments.connectors.act.fields import Directory, json_name, label_of, needed
from ghl_payments.connectors.registry import target_systems
from ghl_payments.domain.sandbox_identity import sandbox_identity
from ghl_payments.sandbox.act_data import ActData, View, is_visible, load_act
from ghl_payments.sandbox.act_switches import ActSwitches
from ghl_payments.sandbox.oracle_act import judge
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.sandbox.world_act import ActWorld
from ghl_payments.warehouse.landing_load import load_documents, naive
from ghl_payments.warehouse.reconcile import Target
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW
from ghl_payments_tests.warehouse.desk import Desk, Document, Row

ACT = target_systems()["act"]
TABLES, FALLBACK = ActSwitches(), ActSwitches(act_custom_tables=False)


def act_target(*, only_location: str | None = LOCATION) -> Target:
    """An Act! connection."""
    return Target("act", "act", True, "auto", 0.8, ACT.mapping, ACT.documents_sql, only_location)


def agreed(place: Document, switches: ActSwitches = TABLES, *, seed: int = 1) -> ActWorld:
    """An Act! database in full agreement with a location's documents."""
    world = ActWorld(Random(seed), int(NOW.timestamp() * 1000), switches, sandbox_identity(7))
    world.agree(read_location(place), {})
    world.natives()
    return world


def use_act(desk: Desk, switches: ActSwitches, **changed: str) -> None:
    """From now on the desk's target is Act!, at the levels that go with the switches but for those `changed`."""
    desk.halo = act_target()
    desk.con.execute("set variable as_of = ?::timestamp", [naive(NOW)])
    levels = {"custom_tables": "available" if switches.act_custom_tables else "unavailable",
              "custom_fields": "ready", "database_currency": "USD", **changed}  # fmt: skip
    for name, level in levels.items():
        desk.con.execute(
            "insert or replace into ops.capabilities values ('act', ?, ?, 'told', false, ?)", [name, level, naive(NOW)]
        )


def act_holds(desk: Desk, state: Document, switches: ActSwitches = TABLES) -> None:
    """Every list of Act!, complete."""
    at = desk.tick()
    lists = dict(_lists(load_act(copy.deepcopy(state), ""), switches))
    path = desk.land(*(({"kind": "list", "record_type": name}, docs) for name, docs in lists.items()))
    load_documents(desk.con, path, "act", at)
    for record_type, docs in lists.items():
        desk.con.execute(
            "insert or replace into actual.reads values ('act', ?, 'turn', ?, ?, null, 1, 1, true, null, ?, null, false)",
            [record_type, len(docs), len(docs), naive(at)],
        )


def _lists(data: ActData, switches: ActSwitches) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    view, tables = View(data, switches), switches.act_custom_tables
    names = {}
    for spec in needed(tables):
        table = {"contact": "Contact", "opportunity": "Opportunity"}.get(spec.owner, f"GHL_{spec.owner.upper()}")
        names[spec.owner, spec.name] = json_name(label_of(spec, {}), data.columns_of(table), ()) or ""
    yield "field", list(Directory(names, ()).rows())

    def shown(name: str, record_type: str | None) -> list[dict[str, Any]]:
        columns = data.names_of(record_type) if record_type else {}
        return [view.shown(doc, name, columns) for doc in data.tables[name].docs.values() if is_visible(doc)]

    opportunities = shown("opportunities", "Opportunity")
    yield "contact", shown("contacts", "Contact")
    yield "opportunity", opportunities
    if tables:
        for owner in ("payment", "subscription"):
            rows, columns = data.table(f"GHL_{owner}").docs, data.names_of(f"GHL_{owner}")
            yield owner, [view.shown(doc, "", columns) for doc in rows.values()]
    else:
        yield "payment", shown("history", None)
        yield "subscription", opportunities


def judged(desk: Desk, place: Document, state: Document, switches: ActSwitches = TABLES, **levels: str) -> list[Row]:
    """What SQL makes of it all."""
    use_act(desk, switches, **levels)
    desk.purchases(place["orders"], place["transactions"], subscriptions=place.get("subscriptions") or (),
                   fulfillments=place.get("fulfillments"))  # fmt: skip
    act_holds(desk, state, switches)
    return [row for row in desk.judge() if row["system"] == "act"]


def expected(place: Document, state: Document, switches: ActSwitches = TABLES) -> list[Row]:
    """What the oracle makes of it all."""
    return [dict(row) for row in judge(state, {LOCATION: read_location(place)}, NOW, switches)]
