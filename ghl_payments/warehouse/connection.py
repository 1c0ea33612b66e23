"""The one way to the DuckDB file: a file lock, a short-lived connection, an up-to-date layout.

Use `Warehouse.open()` around each burst of SQL and fetch before opening; nothing else may open it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
from filelock import FileLock, Timeout

from ghl_payments.warehouse.instance import attach, detach
from ghl_payments.warehouse.migrate import create_session_macros, migrate

logger = logging.getLogger(__name__)


class WarehouseBusyError(RuntimeError):
    """Somebody else holds the warehouse longer than we may wait."""


class ForeignWarehouseError(RuntimeError):
    """The warehouse belongs to other sources."""


@dataclass(frozen=True, slots=True)
class Warehouse:
    """One DuckDB file with one writer at a time; the operating system frees the lock when a process dies.

    SQL reads `as_of`, the instant decisions are made for, as `getvariable('as_of')`; without one it is null.
    """

    path: Path
    lock_timeout_seconds: float = 120.0
    memory_limit: str = "1GB"
    as_of: datetime | None = field(default=None, compare=False)

    @contextmanager
    def open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-write connection for as long as the block lasts.

        WarehouseBusyError after `lock_timeout_seconds`, naming the file and the remedy.
        """
        # Customers' rows stand in it and beside it: nobody else on the machine needs to read them.
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(f"{self.path}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.info("Waiting for the warehouse %s: another run holds it.", self.path.name)
            self._wait(lock)
        try:
            con, name = self._connect()
            try:
                yield con
            finally:
                detach(con, name)
        finally:
            lock.release()

    def _wait(self, lock: FileLock) -> None:
        try:
            lock.acquire(timeout=self.lock_timeout_seconds)
        except Timeout:
            msg = (
                f"{self.path.name} has been in use by another run for {self.lock_timeout_seconds:.0f} s. "
                "Wait for it to end (`ghl-payments status` reads the published copy meanwhile) or raise "
                "GHL_PAYMENTS_LOCK_TIMEOUT_SECONDS."
            )
            raise WarehouseBusyError(msg) from None

    def _connect(self) -> tuple[duckdb.DuckDBPyConnection, str]:
        try:
            con, name = attach(self.path, self.memory_limit)
        except duckdb.IOException as error:
            if "Could not set lock" not in str(error):
                raise
            msg = (
                f"{self.path.name} is open in a program that does not use our lock (a DuckDB shell or a notebook?). "
                "Close it; people read the published copy ghl_payments_reports.duckdb."
            )
            raise WarehouseBusyError(msg) from None
        try:
            migrate(con)
            create_session_macros(con)
            if self.as_of is not None:
                con.execute("set variable as_of = ?::timestamp", [self.as_of.astimezone(UTC).replace(tzinfo=None)])
        except BaseException:
            detach(con, name)
            raise
        return con, name

    def claim_for(self, sources: Mapping[tuple[str, str], str]) -> None:
        """Refuse to mix sources: each (kind, name) must keep the value first seen here.

        `sources` maps for example ("connection", "halo") to its base URL and ("location", ID) to its GHL base URL.
        """
        with self.open() as con:
            held = {(kind, name): value for kind, name, value in con.execute("from ops.sources").fetchall()}
            for key, value in sources.items():
                if held.get(key, value) != value:
                    old, new = _host(held[key]), _host(value)
                    said = (
                        f"the settings say {new}" if new != old else "the settings name another path or account there"
                    )
                    msg = (
                        f"{self.path} holds data of {key[0]} {key[1]} at {old}, {said}. "
                        "Point GHL_PAYMENTS_HOME (or GHL_PAYMENTS_WAREHOUSE) at a folder of its own for each account."
                    )
                    raise ForeignWarehouseError(msg)
            accounts = {value for (kind, _), value in held.items() if kind == "location"}
            wanted = {value for (kind, _), value in sources.items() if kind == "location"}
            if accounts and wanted.isdisjoint(accounts):
                msg = f"{self.path} holds another GHL account's locations; use a GHL_PAYMENTS_HOME of its own."
                raise ForeignWarehouseError(msg)
            for (kind, name), value in sources.items():
                con.execute("insert or ignore into ops.sources values (?, ?, ?)", [kind, name, value])


def _host(address: str) -> str:
    """What may be shown of an address: with some receivers its path is a secret."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
