"""Two implementations of the rules of subscriptions and roll-ups, the SQL and the sandbox's oracle, say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest

from ghl_payments.domain.sandbox_identity import DEFAULT_NOW
from ghl_payments.sandbox.ghl_forms import LIST_FORMS
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.sandbox.oracle_rollups import rollups, subscriptions
from ghl_payments.sandbox.world import generate
from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.mapping_sql import build_canonical
from ghl_payments_tests.sandbox.oracle_states import NOW
from ghl_payments_tests.warehouse.billing_worlds import BillingWorld
from ghl_payments_tests.warehouse.desk import Desk

Document = dict[str, Any]
NOT_OF_THE_ORACLE = {"amount_text"}


def plain(record: Any) -> Document:
    return {name: naive(value) if isinstance(value, datetime) else value for name, value in asdict(record).items()}


def load(desk: Desk, place: Document, *, now: datetime | None) -> None:
    """A location's lists and details as the API shows them, staged as of `now`."""
    for stream in ("orders", "transactions", "subscriptions"):
        rows = [LIST_FORMS[stream](doc) for doc in place[stream]]
        desk.list(stream, *rows, location_id=place["id"])
        desk.details(f"{stream[:-1]}_details", {doc["_id"]: doc for doc in place[stream]}, location_id=place["id"])
    desk.con.execute("set variable as_of = ?::timestamp", [naive(now) if now else None])
    desk.stage(location_id=place["id"])
    build_canonical(desk.con, place["id"])


def agree(desk: Desk, place: Document, now: datetime | None, *, live: bool) -> tuple[int, int]:
    """Compare both tables with the oracle; how many rows of each there were."""
    books = read_location(place)
    expected: tuple[Mapping[str, Any], ...] = (subscriptions(books, now, live=live), rollups(books, now, live=live))
    for table, records in zip(("canonical_subscriptions", "canonical_rollups"), expected, strict=True):
        found = {row["key"]: row for row in desk.rows(table, "live = ?", live)}
        wanted = {key: plain(record) for key, record in records.items()}
        assert found.keys() == wanted.keys()
        assert [
            (key, name, row[name], wanted[key].get(name))
            for key, row in found.items() for name in row.keys() | wanted[key].keys()
            if name not in NOT_OF_THE_ORACLE and (name not in wanted[key] or row.get(name) != wanted[key][name])
        ] == []  # fmt: skip
    return len(expected[0]), len(expected[1])


@pytest.mark.parametrize("seed", range(10))
def test_sql_and_oracle_agree_on_random_subscriptions_and_roll_ups(desk: Desk, seed: int) -> None:
    place = BillingWorld(seed).place
    now = NOW if seed % 3 else None
    load(desk, place, now=now)
    counts = [agree(desk, place, now, live=live) for live in (True, False)]
    assert counts[0][0] > 5
    assert counts[0][1] > 2


@pytest.mark.parametrize("seed", [3, 7, 11])
def test_sql_and_oracle_agree_on_sandbox_worlds(desk: Desk, seed: int) -> None:
    for place in generate(seed, 200, DEFAULT_NOW).state["ghl"]["locations"]:
        load(desk, place, now=DEFAULT_NOW)
        billed, contacts = agree(desk, place, DEFAULT_NOW, live=True)
        agree(desk, place, DEFAULT_NOW, live=False)
        assert billed > 0
        assert contacts > 20
