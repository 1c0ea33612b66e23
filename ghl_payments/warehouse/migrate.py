"""Forward-only migrations of the warehouse, numbered and recorded.

Add a file `sql/migrations/NNNN_name.sql` for every change of layout; never edit one that has landed.
"""

from __future__ import annotations

import re
from functools import cache

import duckdb

from ghl_payments.domain.diff_kinds import DIFF_KINDS
from ghl_payments.domain.money import CURRENCY_EXPONENTS
from ghl_payments.warehouse.queries import SQL_ROOT, run, sql


class MigrationError(RuntimeError):
    """The warehouse was written by a newer version, or its migrations are not in order."""


def migrations() -> list[tuple[int, str]]:
    """(number, file stem) in order; MigrationError when numbers repeat or leave a gap."""
    found = []
    for path in sorted((SQL_ROOT / "migrations").glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_[a-z0-9_]+", path.stem)
        if match is None:
            msg = f"{path.name}: a migration is named NNNN_name.sql"
            raise MigrationError(msg)
        found.append((int(match.group(1)), path.stem))
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        msg = f"migrations must be numbered 1, 2, 3, … without gaps: {[stem for _, stem in found]}"
        raise MigrationError(msg)
    return found


def migrate(con: duckdb.DuckDBPyConnection) -> None:
    """Bring a warehouse to the newest layout and refresh its reference tables."""
    con.execute("create schema if not exists ops")
    con.execute(
        "create table if not exists ops.migrations (number integer primary key, name varchar, applied_at timestamp)"
    )
    row = con.execute("select coalesce(max(number), 0) from ops.migrations").fetchone()
    version = row[0] if row else 0
    known = migrations()
    if version > len(known):
        msg = f"the warehouse has layout {version}, this version knows {len(known)}: update ghl_payments"
        raise MigrationError(msg)
    for number, stem in known[version:]:
        con.execute("begin")
        try:
            run(con, f"migrations/{stem}")
            con.execute("insert into ops.migrations values (?, ?, current_timestamp::timestamp)", [number, stem])
            con.execute("commit")
        except BaseException:
            con.execute("rollback")
            raise
    if version < len(known):
        _refresh_reference(con)


def _refresh_reference(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from ops.currencies")
    con.execute(
        "insert into ops.currencies select unnest($codes), unnest($exponents)",
        {"codes": list(CURRENCY_EXPONENTS), "exponents": list(CURRENCY_EXPONENTS.values())},
    )
    con.execute("delete from ops.diff_kinds")
    columns = ("name", "scope", "pushable", "meaning", "remedy")
    con.execute(
        "insert into ops.diff_kinds select unnest($name), unnest($scope), unnest($pushable), unnest($meaning), "
        "unnest($remedy)",
        {column: [getattr(kind, column) for kind in DIFF_KINDS] for column in columns},
    )


def prepare_session(con: duckdb.DuckDBPyConnection) -> None:
    """Settings that live only as long as the connection."""
    con.execute("set autoinstall_known_extensions = false")
    con.execute("set TimeZone = 'UTC'")
    con.execute("set preserve_insertion_order = false")


def create_macros(con: duckdb.DuckDBPyConnection) -> None:
    """All macros, for as long as the connection lives; some read tables, so the layout must be up to date."""
    for statement in _macro_statements():
        con.execute(statement)


def create_shared_macros(con: duckdb.DuckDBPyConnection) -> None:
    """The macros that read no table, in the memory of the instance, for all of its connections."""
    for statement in _macro_statements():
        if not _reads_tables(statement):
            con.execute(statement.replace(" temp macro ", " macro memory.main.", 1))


def create_session_macros(con: duckdb.DuckDBPyConnection) -> None:
    """The macros that read tables, which are those of the connection's own file."""
    for statement in _macro_statements():
        if _reads_tables(statement):
            con.execute(statement)


@cache
def _macro_statements() -> tuple[str, ...]:
    return tuple(statement.query for statement in duckdb.extract_statements(sql("macros")))


def _reads_tables(statement: str) -> bool:
    return " from ops." in statement or " from actual." in statement
