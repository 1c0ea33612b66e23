"""The one DuckDB instance of a process: warehouse files are attached to it for a while and detached again.

Making an instance costs several times as much as attaching a file. Extend it when a session needs a further setting;
who may attach what, and when, belongs to `connection.py`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock

import duckdb

from ghl_payments.warehouse.migrate import create_shared_macros, prepare_session

_lock = Lock()
_instances: dict[int, duckdb.DuckDBPyConnection] = {}
"""By process id: a forked child must leave its parent's alone, whose worker threads it does not have."""
_numbers = count(1)


def _instance() -> duckdb.DuckDBPyConnection:
    with _lock:
        found = _instances.get(os.getpid())
        if found is None:
            found = duckdb.connect(":memory:")
            prepare_session(found)
            create_shared_macros(found)
            _instances[os.getpid()] = found
        return found


def attach(path: Path, memory_limit: str) -> tuple[duckdb.DuckDBPyConnection, str]:
    """A connection whose tables are those of the file, and the name it is attached under; duckdb.Error when it cannot
    be opened. `memory_limit` holds for the whole process."""
    con, name = _instance().cursor(), f"warehouse_{next(_numbers)}"
    try:
        con.execute("set memory_limit = ?", [memory_limit])
        con.execute("attach '{}' as {}".format(str(path).replace("'", "''"), name))
        con.execute(f"use {name}")
        # The macros that all sessions share stand in the instance's own memory.
        con.execute(f"set search_path = '{name}.main,memory.main'")
        prepare_session(con)
    except BaseException:
        detach(con, name)
        raise
    return con, name


def detach(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Write the file's checkpoint, let go of it, and end the connection; a transaction still open is rolled back."""
    try:
        with suppress(duckdb.TransactionException):  # there is none, as a rule
            con.rollback()
        con.execute("use memory")
        con.execute(f"detach database if exists {name}")
    finally:
        con.close()
