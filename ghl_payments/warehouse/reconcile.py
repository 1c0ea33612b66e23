"""Desired against actual: the SQL steps of reconciliation in their order, for one location.

Extend it when a turn needs a further comparison; the comparisons themselves stand in `sql/reconciliation/`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from collections.abc import Mapping as Pairs
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from ghl_payments.domain.mapping import Mapping
from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.mapping_sql import (
    build_actual,
    build_canonical,
    build_desired,
    build_documents,
    store_field_rules,
)
from ghl_payments.warehouse.queries import has_table, run, run_text, sql


@dataclass(frozen=True, slots=True)
class Target:
    """A target connection as reconciliation sees it: its mapping, its documents' SQL, and whether it is live.

    `only_location` is the location's id when no other location shares the connection.
    """

    connection: str
    system: str
    live: bool
    policy: str
    shrink_share: float
    mapping: Mapping
    documents_sql: Path
    only_location: str | None
    options: Pairs[str, Any] = field(default_factory=dict)
    locations: tuple[str, ...] = ()


def use_target(con: duckdb.DuckDBPyConnection, target: Target) -> None:
    """`capability()` and `option()` in SQL mean this connection's from now on."""
    con.execute("set variable connection = ?", [target.connection])
    con.execute("set variable options = ?", [json.dumps(dict(target.options))])


def off_reason(target: Target, record_type: str) -> str | None:
    """Why nothing of a record type is written until a person says so; None where it is on or needs no switch."""
    record = target.mapping.record_types[record_type]
    if record.enabled_by is None or target.options.get(record.enabled_by) is True:
        return None
    lasting = ", and irreversible once written" if record.irreversible else ""
    name = target.connection.partition("/")[0]
    return f"off by default{lasting}: to write it set options.{record.enabled_by} of connection {name}"


def prepare_target(con: duckdb.DuckDBPyConnection, target: Target) -> None:
    """Temp tables that describe the target's record types, and the mapping's rules where SQL can join them."""
    use_target(con, target)
    store_field_rules(con, target.mapping)
    con.execute(
        "create or replace temp table target_types (record_type varchar, source varchar, may_start_empty boolean, "
        "irreversible boolean, off_reason varchar, canonical varchar)"
    )
    kinds, records = target.mapping.source_of, target.mapping.record_types
    con.execute(
        "insert into target_types select unnest($types), unnest($kinds), unnest($own), unnest($irreversible), "
        "unnest($off::varchar[]), unnest($canonical)",
        {
            "types": list(kinds),
            "kinds": list(kinds.values()),
            "own": [records[name].may_start_empty for name in kinds],
            "irreversible": [records[name].irreversible for name in kinds],
            "off": [off_reason(target, name) for name in kinds],
            "canonical": [records[name].source for name in kinds],
        },
    )
    parents = [
        (record_type, parent, parent not in record.optional_parents)
        for record_type, record in target.mapping.record_types.items()
        for parent in record.parents
    ]
    con.execute(
        "create or replace temp table target_all_parents (record_type varchar, parent_type varchar, required boolean)"
    )
    con.execute(
        "insert into target_all_parents select unnest($types::varchar[]), unnest($parents::varchar[]), "
        "unnest($required::boolean[])",
        {
            "types": [row[0] for row in parents],
            "parents": [row[1] for row in parents],
            "required": [row[2] for row in parents],
        },
    )
    con.execute(
        "create or replace temp table target_parents as "
        "select record_type, parent_type from target_all_parents where required"
    )


def describe_documents(con: duckdb.DuckDBPyConnection, target: Target) -> None:
    """The temp tables of the connector's `documents.sql`: keys, locations, dangling cross-references."""
    use_target(con, target)
    build_documents(con, target.documents_sql, connection=target.connection, only_location=target.only_location)


def derive_actual(con: duckdb.DuckDBPyConnection, target: Target, record_types: Collection[str] | None = None) -> None:
    """`actual.records` of one connection from its documents, all record types or only some."""
    # A user's override gives connections of one system rules of their own; whoever judges next means this one's.
    store_field_rules(con, target.mapping)
    describe_documents(con, target)
    wanted = target.mapping.record_types if record_types is None else record_types
    build_actual(con, target.mapping, wanted, connection=target.connection, live=target.live)
    for told in ("deliveries", "collections"):
        if has_table(con, f"{target.system}_{told}"):
            text = sql(f"actual/{told}").replace(f"TARGET_{told}", f"{target.system}_{told}")
            keys = {"connection": target.connection, "system": target.system, "live": target.live}
            run_text(con, text, keys, step=f"sql/actual/{told}.sql")


def derive_desired(con: duckdb.DuckDBPyConnection, targets: Sequence[Target], location_id: str) -> dict[str, int]:
    """`reconciliation.desired` of one location, for each of its connections."""
    build_canonical(con, location_id)
    counts = {}
    for target in targets:
        use_target(con, target)
        counts[target.connection] = build_desired(
            con, target.mapping, connection=target.connection, live=target.live, location_id=location_id
        )
    return counts


def forget_deliveries(con: duckdb.DuckDBPyConnection, targets: Sequence[Target], location_id: str) -> None:
    """Drop what was told by connections that are no targets of the location any more, or are switched off."""
    for told in ("deliveries", "collections"):
        con.execute(
            f"delete from actual.{told} where location_id = ? and not list_contains(?::varchar[], connection)",
            [location_id, [target.connection for target in targets]],
        )


def store_declared_providers(con: duckdb.DuckDBPyConnection, rows: Sequence[Pairs[str, str]]) -> None:
    """Put the providers that connections.yaml declares where canonical SQL finds them."""
    names = ("location_id", "unique_name", "title", "provider", "description", "image_url")
    con.execute("delete from ops.declared_providers")
    con.execute(
        "insert into ops.declared_providers select " + ", ".join(f"unnest(${name}::varchar[])" for name in names),
        {name: [row[name] for row in rows] for name in names},
    )


def compare_target(
    con: duckdb.DuckDBPyConnection,
    target: Target,
    location_id: str,
    *,
    as_of: datetime,
    lag_seconds: int,
    derived: bool = False,
) -> None:
    """The temp table `target_diffs`: every disagreement of one location with one connection. Changes nothing else.

    `derived` when the caller has just derived the connection's records and the location's canonical tables.
    """
    prepare_target(con, target)
    if not derived:
        derive_actual(con, target)
        build_canonical(con, location_id)
    keys = {
        "connection": target.connection,
        "location_id": location_id,
        "system": target.system,
        "live": target.live,
        "as_of": naive(as_of),
        "lag_seconds": lag_seconds,
    }
    text = sql("reconciliation/target_diffs").replace("TARGET_dangling", f"{target.system}_dangling")
    run_text(con, text, keys, step="sql/reconciliation/target_diffs.sql")
    run(con, "reconciliation/switched_off_diffs", {})
    for record_type in target.mapping.record_types:
        run(con, "reconciliation/blocked_diffs", {**keys, "record_type": record_type})


def reconcile_targets(
    con: duckdb.DuckDBPyConnection, targets: Sequence[Target], location_id: str, *, as_of: datetime, lag_seconds: int
) -> dict[str, dict[str, int]]:
    """`reconcile_target` for several connections of one location, whose canonical tables are built once."""
    for target in targets:
        derive_actual(con, target)
    build_canonical(con, location_id)
    return {
        target.connection: reconcile_target(
            con, target, location_id, as_of=as_of, lag_seconds=lag_seconds, derived=True
        )
        for target in targets
    }


def reconcile_target(
    con: duckdb.DuckDBPyConnection,
    target: Target,
    location_id: str,
    *,
    as_of: datetime,
    lag_seconds: int,
    derived: bool = False,
) -> dict[str, int]:
    """Compare one location with one connection and bring `reconciliation.diffs` up to date; counts by kind."""
    compare_target(con, target, location_id, as_of=as_of, lag_seconds=lag_seconds, derived=derived)
    keys = {
        "connection": target.connection,
        "location_id": location_id,
        "system": target.system,
        "live": target.live,
        "as_of": naive(as_of),
        "ghl_complete": False,
        "judged_until": naive(as_of),
    }
    con.execute("begin")
    run(con, "reconciliation/found_diffs", keys)
    counts = run(con, "reconciliation/diffs", keys)
    con.execute("commit")
    return {kind: int(count) for kind, count in counts}


def reconcile_invariants(
    con: duckdb.DuckDBPyConnection, location_id: str, *, as_of: datetime, lag_seconds: int
) -> dict[str, int]:
    """Bring the diffs inside GHL up to date from `reconciliation.invariants`; counts by kind."""
    complete = con.execute(
        "select coalesce(bool_and(complete), false) and not exists ("
        "select 1 from raw.sweeps as w where w.location_id = $1 and w.unfiltered_total <> w.sum_of_slices) "
        "from raw.slices where location_id = $1",
        [location_id],
    ).fetchone()
    keys = {
        "connection": None,
        "location_id": location_id,
        "system": "ghl",
        "as_of": naive(as_of),
        "ghl_complete": bool(complete and complete[0]),
        "judged_until": naive(as_of - timedelta(seconds=lag_seconds)),
    }
    con.execute("begin")
    run(con, "reconciliation/found_invariants", keys)
    counts = run(con, "reconciliation/diffs", keys)
    con.execute("commit")
    return {kind: int(count) for kind, count in counts}


def find_invariants(con: duckdb.DuckDBPyConnection, location_id: str, *, as_of: datetime, lag_seconds: int) -> int:
    """Rebuild `reconciliation.invariants` of one location; returns their number."""
    keys = {"location_id": location_id, "as_of": naive(as_of), "lag_seconds": lag_seconds}
    run(con, "reconciliation/invariants", keys)
    row = con.execute("select count(*) from invariant_rows").fetchone()
    return int(row[0]) if row else 0
