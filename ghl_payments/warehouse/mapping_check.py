"""A mapping's expressions bound against the empty layout: unknown columns, several expressions in one, unfit types.

Extend it when a comparison or a part of the mapping asks something new of its SQL; rules without SQL belong to
`domain/mapping_rules.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from ghl_payments.domain.mapping import FieldRule, Mapping
from ghl_payments.domain.yaml_lines import Finding, Spot, nearest
from ghl_payments.warehouse.mapping_sql import build_canonical, build_documents
from ghl_payments.warehouse.migrate import create_macros, migrate, prepare_session
from ghl_payments.warehouse.queries import SqlStepError

Kind = Literal["integer", "decimal", "float", "text", "instant", "boolean", "nested", "null"]

_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", "integer"),
    (r"DECIMAL\(\d+,0\)", "integer"),
    (r"DECIMAL\(\d+,\d+\)", "decimal"),
    (r"FLOAT|DOUBLE|REAL", "float"),
    (r"VARCHAR|JSON|UUID|ENUM.*", "text"),
    (r"TIMESTAMP.*|DATE", "instant"),
    (r"BOOLEAN", "boolean"),
)

WANTED: dict[str, tuple[tuple[Kind, ...], str]] = {
    "minor": (("integer",), "minor units are whole numbers: to_minor(text, exponent) makes them"),
    "time": (("instant", "text"), "an instant: a timestamp, or text as instant_text(...) gives it"),
    "text": (("text",), "a text: add ::varchar"),
    "exact": (("integer", "text", "boolean", "decimal", "instant"), "one value whose text is always the same"),
    "never": (("integer", "text", "boolean", "decimal", "instant"), "one value whose text is always the same"),
}
"""`compare` -> the kinds of values that fit it, and what to do about others."""


@contextmanager
def empty_layout() -> Iterator[duckdb.DuckDBPyConnection]:
    """A layout for as long as the block lasts."""
    with new_layout() as con:
        yield con


def new_layout() -> duckdb.DuckDBPyConnection:
    """A warehouse in memory of the newest layout, without rows or access to files: canonical tables and macros."""
    con = duckdb.connect(":memory:", config={"threads": 1})
    prepare_session(con)
    migrate(con)
    create_macros(con)
    con.execute("set variable connection = ''")
    con.execute("set variable options = '{}'")
    build_canonical(con, "")
    con.execute("set enable_external_access = false")
    return con


def sql_findings(con: duckdb.DuckDBPyConnection, mapping: Mapping, documents_sql: Path | None) -> list[Finding]:
    """Everything in the mapping that does not bind or has an unfit type; `con` is an `empty_layout`.

    Without `documents_sql` the `actual` sides are left out.
    """
    found: list[Finding] = []
    if documents_sql is not None:
        try:
            build_documents(con, documents_sql, connection="", only_location=None)
        except SqlStepError as error:
            found.append(Finding((), str(error)))
            documents_sql = None
    for record_type, record in mapping.record_types.items():
        spot: Spot = ("record_types", record_type)
        if not columns_of(con, f"canonical_{record.source}"):
            found.append(Finding((*spot, "source"), f"there is no canonical table {record.source!r}"))
            continue
        wanted = _Binder(con, f"canonical_{record.source}", found)
        wanted.expect((*spot, "key"), record.key, ("text",), "a key is a text")
        wanted.expect((*spot, "where"), record.where, ("boolean",), "a condition is true or false")
        wanted.expect((*spot, "amount"), record.amount, ("integer",), "an amount is in whole minor units")
        wanted.expect((*spot, "currency"), record.currency, ("text",), "a currency is an ISO 4217 code")
        for parent, expression in record.parents.items():
            wanted.expect((*spot, "parents", parent), expression, ("text",), "a parent is named by its key, a text")
        for name, rule in record.fields.items():
            wanted.field((*spot, "fields", name, "desired"), rule.desired, rule)
        if documents_sql is not None:
            _actual_findings(con, mapping, record_type, found)
    for place, entry in enumerate(mapping.not_representable):
        binder = _Binder(con, f"canonical_{entry.source}", found)
        for part, kind in (("where", "boolean"), ("key", "text"), ("reason", "text"), ("amount", "integer"),
                           ("currency", "text")):  # fmt: skip
            expected: tuple[Kind, ...] = (kind,)  # type: ignore[assignment]
            binder.expect(("not_representable", place, part), getattr(entry, part), expected, f"must be {kind}")
    return found


def _actual_findings(con: duckdb.DuckDBPyConnection, mapping: Mapping, record_type: str, found: list[Finding]) -> None:
    table = f"{mapping.system}_{record_type}_records"
    record, spot = mapping.record_types[record_type], ("record_types", record_type)
    if not columns_of(con, table):
        found.append(Finding(spot, f"the connector's documents.sql makes no table {table}"))
        return
    binder = _Binder(con, table, found)
    binder.expect((*spot, "actual_amount"), record.actual_amount, ("integer",), "an amount is in whole minor units")
    for name, rule in record.fields.items():
        if rule.actual is not None:
            place = (*spot, "fields", name, "actual")
            kind = binder.field(place, rule.actual, rule)
            wanted = _Binder(con, f"canonical_{record.source}", []).kind(place, rule.desired)
            if rule.compare in ("exact", "text") and {kind, wanted} == {"instant", "text"}:
                found.append(Finding(place, f"{wanted} in GHL and {kind} here are never equal as texts: use "
                                            "`compare: time`, or instant_text(...) on both sides"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Binder:
    """Binds expressions over one table; what is wrong goes to `found`."""

    con: duckdb.DuckDBPyConnection
    table: str
    found: list[Finding]

    def field(self, spot: Spot, expression: str, rule: FieldRule) -> Kind | None:
        """A field's side, which must fit its `compare`."""
        kinds, remedy = WANTED[rule.compare]
        return self.expect(spot, expression, kinds, f"`compare: {rule.compare}` wants {remedy}")

    def expect(self, spot: Spot, expression: str, kinds: tuple[Kind, ...], what: str) -> Kind | None:
        """An expression that must give one of these kinds, or null."""
        kind = self.kind(spot, expression)
        if kind is not None and kind != "null" and kind not in kinds:
            said = "a floating point number, which no amount may ever be" if kind == "float" else f"{kind}"
            self.found.append(Finding(spot, f"gives {said}; {what}"))
        return kind

    def kind(self, spot: Spot, expression: str) -> Kind | None:
        """The kind of value that an expression gives, None when it does not bind."""
        # Bound as it will be compiled; a condition may hold no aggregate, no window and nothing of several rows.
        one = f"({expression})"
        query = f"select {one} from {self.table}"
        try:
            if len(duckdb.extract_statements(query)) != 1:
                self.found.append(Finding(spot, "is not one expression (it holds a `;`)"))
                return None
            given = self.con.execute(f"describe {query}").fetchall()
            if len(given) == 1:
                self.con.execute(f"explain select 1 from {self.table} where {one} is null")
        except duckdb.Error as error:
            self.found.append(_explained(self.con, self.table, spot, error))
            return None
        if len(given) != 1:
            self.found.append(Finding(spot, "is not one expression but several"))
            return None
        if re.fullmatch(r"\s*null\s*(::\s*\w+)?\s*", expression, re.IGNORECASE):
            return "null"
        return kind_of(given[0][1])


def kind_of(type_name: str) -> Kind:
    """What sort of value a DuckDB type holds."""
    if type_name.endswith("]"):
        return "nested"
    return next((kind for pattern, kind in _KINDS if re.fullmatch(pattern, type_name)), "nested")


def columns_of(con: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """(name, type) of a temp table's columns in their order, empty when it does not exist."""
    rows = con.execute(
        "select column_name, data_type from duckdb_columns() where internal = false and table_name = ? "
        "and database_name = 'temp' order by column_index", [table],
    ).fetchall()  # fmt: skip
    return [(str(name), str(kind)) for name, kind in rows]


def _explained(con: duckdb.DuckDBPyConnection, table: str, spot: Spot, error: duckdb.Error) -> Finding:
    text = str(error)
    columns = [name for name, _ in columns_of(con, table)]
    if re.search("WHERE clause cannot contain|UNNEST not supported", text):
        return Finding(
            spot, "is an aggregate, a window or a list of rows; an expression sees one row and gives one value"
        )
    if match := re.search(r'Referenced column "([^"]+)" not found|have a column named "([^"]+)"', text):
        name = match.group(1) or match.group(2)
        near = nearest(name, columns)
        known = "" if near else f"; it has: {', '.join(columns)}"
        return Finding(spot, f"{table} has no column {name!r}{known}", near)
    if match := re.search(r"Function with name \"?([^ \"]+)\"? does not exist!(?:\s*Did you mean \"([^\"]+)\")?", text):
        return Finding(spot, f"there is no function {match.group(1)}", match.group(2))
    if match := re.search(r'Referenced table "([^"]+)" not found', text):
        return Finding(spot, f"{match.group(1)!r} is no table here; columns stand alone", None)
    first = text.strip().split("\n", maxsplit=1)[0]
    return Finding(spot, re.sub(r"^\w+ Error: ", "does not bind: ", first))
