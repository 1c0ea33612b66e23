"""Two implementations of the rules of agreement, the SQL and the sandbox's oracle, say the same of random worlds."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghl_payments.sandbox.oracle import judge
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments_tests.sandbox.oracle_states import NOW
from ghl_payments_tests.warehouse.desk import Desk
from ghl_payments_tests.warehouse.worlds import halos, places

COLUMNS = ("location_id", "live", "system", "record_type", "key", "kind", "class", "fields", "native_ids",
           "amount_minor", "currency")  # fmt: skip


def judged_by_sql(empty: Path, place: dict[str, Any], halo: dict[str, Any]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ghl_payments.duckdb"
        shutil.copyfile(empty, path)
        with Warehouse(path).open() as con:
            desk = Desk(Path(folder), con)
            desk.purchases(place["orders"], place["transactions"], subscriptions=place["subscriptions"],
                           fulfillments=place["fulfillments"])  # fmt: skip
            desk.halo_holds(halo)
            found = desk.judge()
    for row in found:
        row["fields"] = sorted(field["field"] for field in row["fields"])
        row["native_ids"] = sorted(row["native_ids"])
    return [{name: row[name] for name in COLUMNS} for row in found]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_sql_and_oracle_agree_on_every_diff(empty_warehouse: Path, data: st.DataObject) -> None:
    place = data.draw(places(), label="place")
    halo = data.draw(halos(place), label="halo")
    expected = judge({"ghl": {"locations": [place]}, "halo": halo}, NOW)
    found = judged_by_sql(empty_warehouse, place, halo)

    def as_set(rows: list[dict[str, Any]]) -> list[str]:
        return sorted(repr({name: row[name] for name in COLUMNS}) for row in rows)

    assert as_set(found) == as_set(list(map(dict, expected)))
