"""Compiles a mapping to SQL: one SELECT a record type for the desired side, one for the actual side.

Extend it when the mapping model learns something new; field names of vendors stay in the connectors.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb

from ghl_payments.domain.mapping import Mapping, RecordMapping
from ghl_payments.warehouse.queries import run, run_text

CANONICAL = (
    "canonical_orders", "canonical_charges", "canonical_invoices", "canonical_contacts", "canonical_subscriptions",
    "canonical_rollups", "canonical_deliveries", "canonical_providers", "canonical_collections",
    "canonical_fulfillments", "canonical_shipments",
)  # fmt: skip


def literal(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"


def json_of(pairs: dict[str, str]) -> str:
    """SQL for a JSON object of named expressions, each as text."""
    inner = ", ".join(f"{literal(name)}, ({expression})::varchar" for name, expression in pairs.items())
    return f"json_object({inner})"


def able_sql(record: RecordMapping) -> str:
    """SQL that says whether the connection at hand has this record type at all."""
    tests = [
        f"coalesce(capability({literal(name)}) in ({', '.join(map(literal, levels))}), false)"
        for name, levels in record.requires.items()
    ]
    return " and ".join(tests) or "true"


def desired_select(mapping: Mapping, record_type: str) -> str:
    """INSERT of one record type's desired rows for `$connection`, `$live`, out of its canonical table."""
    record = mapping.record_types[record_type]
    fields = json_of({name: rule.desired for name, rule in record.fields.items()})
    compared = json_of({n: r.desired for n, r in record.fields.items() if r.compare != "never"} or {"key": record.key})
    parents = json_of(record.parents) if record.parents else "'{}'::json"
    able = able_sql(record)
    return f"""
        insert into reconciliation.desired
        select $connection, location_id, live, {literal(mapping.system)}, {literal(record_type)}, {record.key},
            {able}, case when not ({able}) then {literal(record.requires_reason)} end, {fields},
            md5({compared}::varchar), {parents}, ({record.amount})::bigint,
            ({record.currency})::varchar, created_at, updated_at
        from canonical_{record.source}
        where live = $live and ({record.where})"""


def unrepresentable_selects(mapping: Mapping) -> list[str]:
    """INSERTs of the rows for which the target has no form."""
    return [
        f"""
        insert into reconciliation.desired
        select $connection, location_id, live, {literal(mapping.system)}, {literal(entry.record_type)}, {entry.key},
            false, {entry.reason}, '{{}}'::json, md5(({entry.key}) || ({entry.reason})), '{{}}'::json,
            ({entry.amount})::bigint, case when ({entry.amount}) is not null then ({entry.currency})::varchar end,
            created_at, updated_at
        from canonical_{entry.source}
        where live = $live and ({entry.where})"""
        for entry in mapping.not_representable
    ]


def actual_select(mapping: Mapping, record_type: str) -> str:
    """INSERT of one record type's actual rows for `$connection`, `$live`, out of `{system}_{record_type}_records`."""
    record = mapping.record_types[record_type]
    compared = {n: r.actual for n, r in record.fields.items() if r.actual is not None}
    fields = json_of(compared) if compared else "'{}'::json"
    return f"""
        insert into actual.records
        select $connection, location_id, $live, {literal(mapping.system)}, {literal(record_type)}, key, native_id,
            fields, md5(fields::varchar), amount_minor, currency, problem, read_at
        from (
            select location_id, key, native_id, {fields} as fields, ({record.actual_amount})::bigint as amount_minor,
                currency, problem, read_at
            from {mapping.system}_{record_type}_records
        )"""


def build_canonical(con: duckdb.DuckDBPyConnection, location_id: str) -> None:
    """The canonical tables of one location, which every mapping reads."""
    for name in CANONICAL:
        run(con, f"reconciliation/{name}", {"location_id": location_id})


def build_desired(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, *, connection: str, live: bool, location_id: str
) -> int:
    """Replace one location's desired rows for one connection; returns their number. Needs `build_canonical` first."""
    keys = {"connection": connection, "location_id": location_id, "live": live}
    con.execute("set variable connection = ?", [connection])
    run_text(
        con, "delete from reconciliation.desired where connection = $connection and location_id = $location_id", keys
    )
    for record_type in mapping.record_types:
        step = f"mapping.yaml of {mapping.system}, desired side of {record_type}"
        run_text(con, desired_select(mapping, record_type), keys, step=step)
    for statement in unrepresentable_selects(mapping):
        run_text(con, statement, keys, step=f"mapping.yaml of {mapping.system}, not_representable")
    counted = run_text(
        con,
        "select count(*) from reconciliation.desired where connection=$connection and location_id=$location_id",
        keys,
    )
    return int(counted[0][0])


def build_documents(
    con: duckdb.DuckDBPyConnection, documents_sql: Path, *, connection: str, only_location: str | None
) -> None:
    """Temp tables `{system}_{record_type}_records` and `{system}_dangling` out of the connection's documents."""
    keys = {"connection": connection, "only_location": only_location}
    con.execute("set variable connection = ?", [connection])
    run_text(con, documents_sql.read_text(encoding="utf-8"), keys, step=f"{documents_sql.parent.name}/documents.sql")


def build_actual(
    con: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    record_types: Collection[str],
    *,
    connection: str,
    live: bool,
) -> None:
    """Rebuild `actual.records` of some record types of a connection. Needs `build_documents` first."""
    keys = {"connection": connection, "live": live, "types": list(record_types)}
    con.execute("begin")
    run_text(
        con, "delete from actual.records where connection = $connection and list_contains($types, record_type)", keys
    )
    for record_type in mapping.record_types:
        if record_type in record_types:
            step = f"mapping.yaml of {mapping.system}, actual side of {record_type}"
            run_text(con, actual_select(mapping, record_type), keys, step=step)
    run_text(
        con,
        """insert or ignore into actual.known_keys
        select connection, record_type, native_id, key, location_id from actual.records
        where connection = $connection and list_contains($types, record_type)
            and key is not null and location_id is not null
            -- What was only delivered was never seen there, so that it cannot have been deleted.
            and not starts_with(native_id, 'delivered:')""",
        keys,
    )
    con.execute("commit")


def store_field_rules(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Put the mapping's comparison and ownership rules where SQL can join them."""
    con.execute("delete from reconciliation.field_rules where system = ?", [mapping.system])
    rows = [
        (mapping.system, record_type, name, r.field_class, r.compare, r.tolerance, r.owner, r.write, r.via)
        for record_type, record in mapping.record_types.items()
        for name, r in record.fields.items()
    ]
    names = ("system", "record_type", "field", "class", "compare", "tolerance", "owner", "write", "via")
    con.execute(
        "insert into reconciliation.field_rules by name select "
        + ", ".join(f'unnest($c{i}) as "{name}"' for i, name in enumerate(names)),
        {f"c{i}": [row[i] for row in rows] for i in range(len(names))},
    )
