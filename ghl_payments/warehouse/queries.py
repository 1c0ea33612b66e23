"""The SQL files below `sql/`, by name, and how they are run.

Set-based steps live in those files; this module only finds, caches and executes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

SQL_ROOT = Path(__file__).resolve().parents[2] / "sql"


_QUOTES_NOTHING = (
    duckdb.NotImplementedException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.SyntaxException,
)


class SqlStepError(RuntimeError):
    """A SQL step failed. DuckDB's own text is kept only where it speaks of SQL: others may quote a customer's row."""


@cache
def sql(name: str) -> str:
    """The text of `sql/{name}.sql`; FileNotFoundError with the remedy if the package stands without its `sql/`."""
    path = SQL_ROOT / f"{name}.sql"
    if not path.exists():
        msg = f"{path} is missing: run from a checkout of the repository (pip install -e .)"
        raise FileNotFoundError(msg)
    return path.read_text(encoding="utf-8")


def run(
    con: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """Execute every statement of a SQL file with the named parameters it uses; rows of the last one."""
    return run_text(con, sql(name), parameters, step=f"sql/{name}.sql")


def run_text(
    con: duckdb.DuckDBPyConnection, text: str, parameters: Mapping[str, Any] | None = None, *, step: str = "a statement"
) -> list[tuple[Any, ...]]:
    """Execute statements one by one, giving each only the `$parameters` it names; rows of the last one.

    SqlStepError names the step and DuckDB's error class; the text of an error that may quote a row is withheld.
    """
    rows: list[tuple[Any, ...]] = []
    try:
        for statement in duckdb.extract_statements(text):
            wanted = {n: v for n, v in (parameters or {}).items() if n in statement.named_parameters}
            cursor = con.execute(statement, wanted) if wanted else con.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
    except duckdb.Error as error:
        said = str(error) if isinstance(error, _QUOTES_NOTHING) else "its text is withheld, because it may quote a row"
        msg = f"{step}: {type(error).__name__} ({said})"
        raise SqlStepError(msg) from None
    return rows


def has_table(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether a temp table of this name has been made on this connection."""
    found = con.execute("select 1 from duckdb_tables() where temporary and table_name = ?", [name]).fetchone()
    return found is not None


def dicts(
    con: duckdb.DuckDBPyConnection, text: str, parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Rows of one query as dicts."""
    cursor = con.execute(text, dict(parameters or {})) if parameters else con.execute(text)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
