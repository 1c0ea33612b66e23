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


@cache
def sql(name: str) -> str:
    """The text of `sql/{name}.sql`; FileNotFoundError with the remedy if the package stands without its `sql/`."""
    path = SQL_ROOT / f"{name}.sql"
    if not path.exists():
        msg = f"{path} is missing: run from a checkout of the repository (pip install -e .)"
        raise FileNotFoundError(msg)
    return path.read_text(encoding="utf-8")


def run(con: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Execute every statement of a SQL file with the named parameters it uses; rows of the last one."""
    return run_text(con, sql(name), parameters)


def run_text(
    con: duckdb.DuckDBPyConnection, text: str, parameters: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """Execute statements one by one, giving each only the `$parameters` it names; rows of the last one."""
    rows: list[tuple[Any, ...]] = []
    for statement in duckdb.extract_statements(text):
        wanted = {n: v for n, v in (parameters or {}).items() if n in statement.named_parameters}
        cursor = con.execute(statement, wanted) if wanted else con.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
    return rows


def dicts(con: duckdb.DuckDBPyConnection, text: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Rows of one query as dicts."""
    cursor = con.execute(text, dict(parameters or {})) if parameters else con.execute(text)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
