"""Two implementations of the rules of agreement, the SQL and the sandbox's oracle, say the same of random worlds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from ghl_payments.sandbox.oracle import judge
from ghl_payments_tests.sandbox.oracle_states import NOW
from ghl_payments_tests.warehouse.desk import Desk
from ghl_payments_tests.warehouse.worlds import World

COLUMNS = ("location_id", "live", "system", "record_type", "key", "kind", "class", "fields", "native_ids",
           "amount_minor", "currency")  # fmt: skip


def comparable(rows: Iterable[Mapping[str, Any]]) -> set[tuple[Any, ...]]:
    found = set()
    for row in rows:
        fields = sorted(field["field"] if isinstance(field, dict) else field for field in row["fields"])
        plain = dict(row) | {"fields": tuple(fields), "native_ids": tuple(sorted(row["native_ids"]))}
        found.add(tuple(plain[name] for name in COLUMNS))
    return found


def judged_by_sql(desk: Desk, world: World) -> set[tuple[Any, ...]]:
    place = world.place
    desk.purchases(place["orders"], place["transactions"], subscriptions=place["subscriptions"],
                   fulfillments=place["fulfillments"])  # fmt: skip
    desk.halo_holds(world.halo)
    return comparable(desk.judge())


@pytest.mark.parametrize("seed", range(8))
def test_sql_and_oracle_agree_on_every_diff(desk: Desk, seed: int) -> None:
    world = World(seed)
    assert judged_by_sql(desk, world) == comparable(map(dict, judge(world.state, NOW)))
