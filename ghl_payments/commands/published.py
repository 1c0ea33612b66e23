"""What the command line reads: the published copy, never the live warehouse.

Each function returns plain data for `--json`; how it is shown belongs to `cli.py`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from ghl_payments.domain.streams import DETAIL_STREAMS, SNAPSHOT_STREAMS
from ghl_payments.warehouse.queries import dicts


class NothingPublishedError(RuntimeError):
    """There is no published copy yet."""


def connect(published: Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the published copy; NothingPublishedError with the remedy when there is none."""
    if not published.exists():
        msg = f"{published} does not exist yet: `ghl-payments run` makes it"
        raise NothingPublishedError(msg)
    return duckdb.connect(str(published), read_only=True)


def _plain(rows: list[dict[str, Any]], *as_json: str) -> list[dict[str, Any]]:
    for row in rows:
        for name, value in row.items():
            if name in as_json and isinstance(value, str):
                row[name] = json.loads(value)
            elif hasattr(value, "isoformat"):
                row[name] = value.isoformat() + ("Z" if hasattr(value, "hour") else "")
    return rows


def diffs(con: duckdb.DuckDBPyConnection, *, state: str | None = None) -> list[dict[str, Any]]:
    """Every diff, in every state unless one is given; the columns of the answer key and then some."""
    rows = dicts(
        con,
        "select diff_id, location_id, live, system, record_type, key, kind, class, fields::varchar as fields, "
        "native_ids::varchar as native_ids, amount_minor, currency, reason, pushable, first_seen, last_seen, state "
        "from reconciliation.diffs where $state is null or state = $state "
        "order by state desc, system, record_type, kind, key, class",
        {"state": state},
    )
    return _plain(rows, "fields", "native_ids")


def changes(con: duckdb.DuckDBPyConnection, *, state: str | None = None) -> list[dict[str, Any]]:
    """Every change, in every state unless one is given, with the number of attempts."""
    rows = dicts(
        con,
        "select change_id, diff_ids::varchar as diff_ids, location_id, connection, system, record_type, operation, "
        "key, native_id, state, reason, fields::varchar as fields, amount_minor, currency, attempts, planned_at, "
        "moved_at, coalesce(irreversible, false) as irreversible "
        "from outbox.changes where $state is null or state = $state order by planned_at, record_type, key",
        {"state": state},
    )
    return _plain(rows, "fields", "diff_ids")


_MONEY_ORDER = ("sales_order", "order", "invoice", "invoice_payment", "transaction")


def each_sale_once(sums: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Money by currency out of money by record type and currency.

    The same sale stands behind an order, its invoice and its payment, so that its money is taken from one of these
    only: from the first of them that has any.
    """
    for record_type in (*_MONEY_ORDER, *sorted(set(sums) - set(_MONEY_ORDER))):
        found = {currency: minor for currency, minor in sums.get(record_type, {}).items() if minor}
        if found:
            return found
    return {}


def diff_summary(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Open diffs: how many, and by system and kind with money by currency, each sale once."""
    rows = dicts(
        con,
        "select system, kind, record_type, currency, count(*) as n, sum(amount_minor)::bigint as minor "
        "from reconciliation.diffs where state = 'open' group by all order by system, kind, record_type, currency",
    )
    counts: Counter[tuple[str, str]] = Counter()
    sums: dict[tuple[str, str], dict[str, dict[str, int]]] = {}
    for row in rows:
        what = row["system"], row["kind"]
        counts[what] += row["n"]
        if row["currency"] is not None and row["minor"] is not None:
            sums.setdefault(what, {}).setdefault(row["record_type"], {})[row["currency"]] = row["minor"]
    by = [
        {"system": what[0], "kind": what[1], "count": count, "amount_minor": each_sale_once(sums.get(what, {}))}
        for what, count in counts.items()
    ]
    return {"open": counts.total(), "by": by}


def open_pushable(con: duckdb.DuckDBPyConnection) -> int:
    """Open diffs that a change could close."""
    row = con.execute("select count(*) from reconciliation.diffs where state = 'open' and pushable").fetchone()
    return int(row[0]) if row else 0


def change_summary(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Changes by state."""
    rows = con.execute("select state, count(*) from outbox.changes group by state order by state").fetchall()
    return {state: int(count) for state, count in rows}


def irreversible_summary(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Changes that no system can take back, by state."""
    rows = con.execute(
        "select state, count(*) from outbox.changes where irreversible group by state order by state"
    ).fetchall()
    return {state: int(count) for state, count in rows}


def webhooks(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What webhooks told of what reading showed, by location and event type; nothing where none was ever received."""
    if not con.execute("select 1 from duckdb_views() where view_name = 'webhook_health'").fetchone():
        return []  # published by a version that knew no webhooks
    return dicts(
        con,
        "select location_id, system, event, expected, delivered, waiting, lost, loss_share, received, copies, "
        "delay_p50, delay_p90, delay_p99 from reports.webhook_health order by location_id, system, event",
    )


def status(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Streams by location, open diffs, changes (also those that are irreversible), active brakes and the last run."""
    locations: dict[str, Any] = {}
    for row in dicts(
        con,
        "select location_id, stream, sum(row_count - outside)::bigint as rows, "
        "count(*) filter (where complete) as whole, count(*) filter (where not complete) as broken "
        "from raw.slices group by all order by all",
    ):
        streams = locations.setdefault(row["location_id"], {"streams": {}})["streams"]
        streams[row["stream"]] = {
            "rows": row["rows"], "slices_complete": row["whole"], "slices_incomplete": row["broken"],
        }  # fmt: skip
    for stream in (*DETAIL_STREAMS, *SNAPSHOT_STREAMS):
        for location_id, rows in con.execute(
            f"select location_id, count(*) from raw.{stream} where is_current and absent_at is null group by all"
        ).fetchall():
            streams = locations.setdefault(location_id, {"streams": {}})["streams"]
            streams[stream] = {"rows": rows, "slices_complete": 0, "slices_incomplete": 0}
    last = dicts(con, "select turn_id, run_id, location_id, ended_at from ops.turns order by ended_at desc limit 1")
    brakes = dicts(con, "select connection, brake, record_type, reason from outbox.brakes where active order by all")
    return {
        "locations": locations,
        "diffs": diff_summary(con),
        "changes": change_summary(con),
        "irreversible": irreversible_summary(con),
        "brakes": brakes,
        "webhooks": webhooks(con),
        "last_run": _plain(last)[0] if last else None,
    }
