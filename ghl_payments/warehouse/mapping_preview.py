"""One key under a mapping: its canonical row, what it asks for, what the target holds, and the fields side by side.

Extend it when a person needs to see more of one record; comparing whole locations belongs to `reconcile.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb

from ghl_payments.domain.mapping import FieldRule, Mapping, RecordMapping
from ghl_payments.warehouse.catalogue import personal_columns
from ghl_payments.warehouse.mapping_sql import able_sql, build_canonical, json_of
from ghl_payments.warehouse.migrate import create_macros, prepare_session
from ghl_payments.warehouse.queries import dicts, run_text
from ghl_payments.warehouse.reconcile import Target, describe_documents, use_target

MASK = "***"
_TELLING = re.compile("name|mail|phone|mobile|street|address|birth", re.IGNORECASE)
"""What an expression over a target's document says when it reads somebody's data."""


@dataclass(frozen=True, slots=True)
class FieldPreview:
    """One field as text; `verdict` is equal, differs, or not compared."""

    field: str
    field_class: str
    compare: str
    write: str
    desired: str | None
    actual: str | None
    verdict: str


@dataclass(frozen=True, slots=True)
class RecordPreview:
    """One record type of one key; `verdict` is equal, differs or cannot tell, and `reason` says why."""

    connection: str
    location_id: str
    record_type: str
    key: str
    verdict: str
    reason: str | None
    native_ids: list[str] = field(default_factory=list)
    canonical: dict[str, Any] = field(default_factory=dict)
    fields: list[FieldPreview] = field(default_factory=list)


def prepare(con: duckdb.DuckDBPyConnection, target: Target, location_id: str) -> None:
    """Temp tables of one location and one connection; `con` may be read-only."""
    prepare_session(con)
    create_macros(con)
    use_target(con, target)
    build_canonical(con, location_id)
    describe_documents(con, target)


def preview(
    con: duckdb.DuckDBPyConnection, target: Target, location_id: str, key: str, *, show_personal: bool = False
) -> list[RecordPreview]:
    """Every record type that knows the key, in the mapping's order; empty when none does. Needs `prepare` first."""
    found = []
    for record_type in target.mapping.record_types:
        record = _record(con, target, location_id, record_type, key)
        if record is not None:
            rules = target.mapping.record_types[record_type]
            found.append(record if show_personal else _masked(record, rules))
    return found


def _known_keys(target: Target) -> Iterator[str]:
    mapping = target.mapping
    for record_type, record in mapping.record_types.items():
        yield f"select ({record.key})::varchar as key from canonical_{record.source} where live = {target.live}"
        yield f"select key from {mapping.system}_{record_type}_records where location_id = $location_id"


def nearest_keys(con: duckdb.DuckDBPyConnection, target: Target, location_id: str, key: str) -> list[tuple[str, float]]:
    """Up to three known keys that look like this one, best first, with a likeness up to 1."""
    union = " union ".join(_known_keys(target))
    rows = run_text(
        con,
        "select key, case when ends_with(key, ':' || $key) then 1 else jaro_winkler_similarity(key, $key) end as alike "
        f"from ({union}) where key is not null order by alike desc, key limit 3",
        {"key": key, "location_id": location_id},
        step="the nearest keys",
    )
    return [(str(name), float(likeness)) for name, likeness in rows if likeness >= 0.85]


def _record(
    con: duckdb.DuckDBPyConnection, target: Target, location_id: str, record_type: str, key: str
) -> RecordPreview | None:
    record = target.mapping.record_types[record_type]
    keys = {"key": key, "live": target.live, "location_id": location_id}
    step = f"mapping of {target.system}, {record_type}"
    wanted = run_text(con, _desired_select(record), keys, step=f"{step}, desired side")
    held = run_text(con, _actual_select(target.mapping, record_type), keys, step=f"{step}, actual side")
    refused = _refusals(con, target.mapping, record_type, keys)
    if not wanted and not held and not refused:
        return None
    canonical, asked, able, desired = wanted[0] if wanted else (None, False, True, "{}")
    if not able:
        refused = [record.requires_reason]
    sides = [json.loads(desired) if asked else {}, json.loads(held[0][1]) if held else {}]
    fields = _side_by_side(con, record, *sides) if asked or held else []
    complete = run_text(
        con, "select bool_and(complete) from actual.reads where connection = $connection having count(*) > 0",
        {"connection": target.connection}, step="what was read",
    )  # fmt: skip
    read = bool(complete and complete[0][0])
    verdict, reason = _verdict(bool(asked), refused, [row[2] for row in held], fields, read=read)
    return RecordPreview(
        connection=target.connection,
        location_id=location_id,
        record_type=record_type,
        key=key,
        verdict=verdict,
        reason=reason,
        native_ids=[str(row[0]) for row in held],
        canonical=json.loads(canonical) if canonical else {},
        fields=fields,
    )


def _verdict(
    asked: bool, refused: list[str], problems: list[str | None], fields: list[FieldPreview], *, read: bool
) -> tuple[str, str | None]:
    unreadable = next((problem for problem in problems if problem), None)
    if unreadable:
        return "cannot tell", f"the target's record cannot be read: {unreadable}"
    if refused:
        return "differs", f"not_representable: {refused[0]}"
    if not read and (not problems or not asked):
        return "cannot tell", "the target has not been read completely"
    if len(problems) > 1:
        return "differs", f"duplicate_in_target: {len(problems)} records carry this key"
    if asked and not problems:
        return "differs", "missing_in_target"
    if not asked and problems:
        return "differs", "the target has it, and GHL asks for no such record"
    if not asked:
        return "equal", "the mapping's `where` leaves it out, and the target has none"
    differing = [item.field for item in fields if item.verdict == "differs"]
    return ("differs", "field_differs: " + ", ".join(differing)) if differing else ("equal", None)


def _desired_select(record: RecordMapping) -> str:
    fields = json_of({name: rule.desired for name, rule in record.fields.items()})
    table = f"canonical_{record.source}"
    return (
        f"select to_json({table})::varchar, coalesce(({record.where}), false), {able_sql(record)}, {fields}::varchar "
        f"from {table} where live = $live and ({record.key}) = $key"
    )


def _actual_select(mapping: Mapping, record_type: str) -> str:
    fields = json_of({n: r.actual for n, r in mapping.record_types[record_type].fields.items() if r.actual is not None})
    return (
        f"select native_id, {fields}::varchar, problem from {mapping.system}_{record_type}_records "
        "where key = $key and location_id = $location_id order by native_order(native_id)"
    )


def _refusals(con: duckdb.DuckDBPyConnection, mapping: Mapping, record_type: str, keys: dict[str, Any]) -> list[str]:
    reasons = []
    for entry in mapping.not_representable:
        if entry.record_type == record_type:
            text = (
                f"select ({entry.reason})::varchar from canonical_{entry.source} "
                f"where live = $live and ({entry.where}) and ({entry.key}) = $key"
            )
            reasons += [str(row[0]) for row in run_text(con, text, keys, step="not_representable")]
    return reasons


def _side_by_side(
    con: duckdb.DuckDBPyConnection, record: RecordMapping, desired: dict[str, Any], actual: dict[str, Any]
) -> list[FieldPreview]:
    names, rules = list(record.fields), list(record.fields.values())
    wanted, got = [desired.get(name) for name in names], [actual.get(name) for name in names]
    rows = dicts(
        con,
        "select i, differs(rule, tolerance, wanted, got) as differs from (select unnest($rules::varchar[]) as rule, "
        "unnest($tolerances::bigint[]) as tolerance, unnest($wanted::varchar[]) as wanted, "
        "unnest($got::varchar[]) as got, unnest($numbers::bigint[]) as i) order by i",
        {
            "rules": [rule.compare for rule in rules], "tolerances": [rule.tolerance for rule in rules],
            "wanted": wanted, "got": got, "numbers": list(range(len(names))),
        },
    )  # fmt: skip
    return [
        FieldPreview(
            name, rule.field_class, rule.compare, rule.write, wanted[row["i"]], got[row["i"]],
            "not compared" if rule.compare == "never" else "differs" if row["differs"] else "equal",
        )
        for name, rule, row in zip(names, rules, rows, strict=True)
    ]  # fmt: skip


def _masked(record: RecordPreview, rules: RecordMapping) -> RecordPreview:
    personal = personal_columns()
    values = {str(value) for name, value in record.canonical.items() if name in personal and value}
    canonical = {name: MASK if name in personal and value else value for name, value in record.canonical.items()}
    fields = [
        FieldPreview(
            item.field, item.field_class, item.compare, item.write, item.desired and MASK, item.actual and MASK,
            item.verdict,
        ) if _is_personal(item, rules.fields[item.field], personal, values) else item
        for item in record.fields
    ]  # fmt: skip
    return RecordPreview(
        record.connection, record.location_id, record.record_type, record.key, record.verdict, record.reason,
        record.native_ids, canonical, fields,
    )  # fmt: skip


def _is_personal(item: FieldPreview, rule: FieldRule, personal: frozenset[str], values: set[str]) -> bool:
    names = rf"\b({'|'.join(sorted(personal))})\b"
    said = (item.desired or "", item.actual or "")
    return bool(
        item.field in personal
        or re.search(names, rule.desired)
        or _TELLING.search(rule.actual or "")
        or any(len(value) > 2 and value in text for value in values for text in said)
    )
