"""A warehouse of a test's own: hand-written documents go in the way a turn brings them, and each stage can be run.

Add what several tests of the SQL need to load or to look at; documents and expectations belong to the tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

from ghl_payments.connectors.registry import target_systems
from ghl_payments.domain.streams import LIST_STREAMS
from ghl_payments.transport.jsontext import encode
from ghl_payments.transport.landing import LandingWriter
from ghl_payments.warehouse import outbox, reconcile, validate
from ghl_payments.warehouse.landing_load import load_details, load_documents, load_slice, naive, record_sweep
from ghl_payments.warehouse.outbox import ClaimedChange, SendResult
from ghl_payments.warehouse.queries import dicts, run
from ghl_payments.warehouse.reconcile import Target
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW

Document = dict[str, Any]
Row = dict[str, Any]

HALO = target_systems()["halo"]
FEBRUARY = date(2026, 2, 1)
RESOURCES = {
    "currency": "Currency", "external_link": "ExternalLink", "client": "Client", "user": "Users",
    "sales_order": "SalesOrder", "invoice": "Invoice", "invoice_payment": "InvoicePayment",
}  # fmt: skip
STAGED = (
    "contact_aliases", "orders", "order_items", "fulfillments", "transactions", "refunds", "subscriptions", "contacts",
    "integration_providers",
)  # fmt: skip


def target(*, policy: str = "auto", live: bool = True, only_location: str | None = LOCATION) -> Target:
    """A Halo connection."""
    return Target("halo", "halo", live, policy, 0.8, HALO.mapping, HALO.documents_sql, only_location)


class Desk:
    """One open warehouse, location `LocationOne` and one Halo connection unless told otherwise."""

    def __init__(self, folder: Path, con: duckdb.DuckDBPyConnection) -> None:
        self.folder = folder
        self.con = con
        self.halo = target()
        self._numbers = count(1)

    def tick(self) -> datetime:
        """A clock that goes on by a second with every reading of Halo."""
        return NOW + timedelta(seconds=next(self._numbers))

    def land(self, *pages: tuple[Mapping[str, object], object]) -> Path:
        """A landing file of (envelope, body) pages; a body of bytes is landed as it is."""
        path = self.folder / f"landed-{next(self._numbers)}.ndjson.zst"
        with LandingWriter(path) as landing:
            for envelope, body in pages:
                landing.append(envelope, body if isinstance(body, bytes) else encode(body))
        return path

    def list(self, stream: str, *documents: object, month: date = FEBRUARY, complete: bool = True,
             at: datetime = NOW, location_id: str = LOCATION) -> int:  # fmt: skip
        """One slice of a list stream; new versions."""
        page = {"kind": "list", "stream": stream, "attempt": 1, "offset": 0, "status": 200}
        path = self.land((page, {"data": documents, "totalCount": len(documents)}))
        return self.slice(path, stream, len(documents), month=month, complete=complete, at=at, location_id=location_id)

    def slice(self, path: Path, stream: str, rows: int, *, month: date = FEBRUARY, complete: bool = True,
              at: datetime = NOW, location_id: str = LOCATION) -> int:  # fmt: skip
        """A slice's landing file with a certificate; new versions."""
        certificate = {
            "stream": stream, "month": month, "total_first": rows, "total_last": rows, "row_count": rows,
            "unique_ids": rows, "unidentified": 0, "outside": 0, "pages": 1, "requests": 1, "attempts": 1,
            "complete": complete, "reason": None if complete else "the pages did not agree",
        }  # fmt: skip
        return load_slice(self.con, path, certificate, location_id, at)

    def details(self, stream: str, documents: Mapping[str, object], *, at: datetime = NOW,
                location_id: str = LOCATION) -> int:  # fmt: skip
        """Answers by id, None for 404; new versions."""
        envelope = {"kind": "detail", "stream": stream, "fetched_at": at.isoformat()}
        path = self.land(*(
            (envelope | {"id": record_id, "status": 404 if document is None else 200}, document)
            for record_id, document in documents.items()
        ))  # fmt: skip
        return load_details(self.con, path, stream, location_id, at)

    def purchases(self, orders: Sequence[Document] = (), transactions: Sequence[Document] = (), *,
                  subscriptions: Sequence[Document] = (), fulfillments: Mapping[str, object] | None = None,
                  at: datetime = NOW, location_id: str = LOCATION) -> None:  # fmt: skip
        """A location's lists from one full sweep that found everything, with the details of everything."""
        for stream, documents in zip(LIST_STREAMS, (orders, transactions, subscriptions), strict=True):
            if stream == "subscriptions" and not documents:
                continue
            self.list(stream, *documents, at=at, location_id=location_id)
            record_sweep(self.con, location_id, stream, (len(documents), len(documents)), "exact", at)
            named = {document["_id"]: document for document in documents if document.get("_id")}
            if named:
                self.details(f"{stream[:-1]}_details", named, at=at, location_id=location_id)
        parcels = {order_id: {"data": documents} for order_id, documents in (fulfillments or {}).items()}
        if parcels:
            self.details("fulfillments", parcels, at=at, location_id=location_id)

    def read(self, record_type: str, documents: Sequence[object], *, complete: bool = True) -> None:
        """One list of Halo, with its certificate."""
        at = self.tick()
        envelope = {"kind": "list", "record_type": record_type, "status": 200}
        path = self.land((envelope, documents))
        load_documents(self.con, path, "halo", at, whole=record_type if complete else None)
        self.certify(record_type, len(documents), complete=complete, at=at)

    def certify(self, record_type: str, rows: int, *, at: datetime, complete: bool = True) -> None:
        """The certificate of a list."""
        self.con.execute(
            "insert or replace into actual.reads values ('halo', ?, 'turn', ?, ?, ?, 1, 1, ?, null, ?, null, false)",
            [record_type, rows, rows, rows, complete, naive(at)],
        )

    def read_singly(self, record_type: str, documents: Mapping[str, object]) -> None:
        """Halo's answers by native id, None for 404."""
        envelope = {"kind": "detail", "record_type": record_type}
        path = self.land(*(
            (envelope | {"native_id": native_id, "status": 404 if document is None else 200}, document)
            for native_id, document in documents.items()
        ))  # fmt: skip
        load_documents(self.con, path, "halo", self.tick())

    def halo_holds(self, state: Mapping[str, Sequence[Document]], *, incomplete: Iterable[str] = ()) -> None:
        """Every list of Halo, details of sales orders, and 404 for records that only a cross-reference names."""
        lists = {record_type: state.get(resource, ()) for record_type, resource in RESOURCES.items()}
        if self.rows("actual.reads"):
            for record_type, documents in lists.items():
                self.read(record_type, documents, complete=record_type not in incomplete)
        else:  # nothing can have left the lists yet, so one file does
            path, at = (
                self.land(*(({"kind": "list", "record_type": name}, docs) for name, docs in lists.items())),
                self.tick(),
            )
            load_documents(self.con, path, "halo", at)
            for record_type, documents in lists.items():
                self.certify(record_type, len(documents), complete=record_type not in incomplete, at=at)
        self.read_singly("sales_order", {str(document["id"]): document for document in state.get("SalesOrder", ())})
        reconcile.describe_documents(self.con, self.halo)
        gone = self.con.execute("select distinct record_type, native_id from halo_dangling").fetchall()
        for record_type, native_id in gone:
            self.read_singly(record_type, {native_id: None})

    def stage(self, *tables: str, location_id: str = LOCATION, now: datetime = NOW) -> dict[str, validate.StagedTable]:
        """Rebuild staging tables, all unless some are named."""
        return {table: validate.stage(self.con, f"staging.{table}", location_id, now) for table in tables or STAGED}

    def judge(self, *, now: datetime = NOW, location_id: str = LOCATION, lag_seconds: int = 300) -> list[Row]:
        """Every stage up to the diffs; the open ones."""
        self.stage(location_id=location_id, now=now)
        if self.ask_for_absent(location_id):
            self.stage("orders", "transactions", location_id=location_id, now=now)
        reconcile.derive_desired(self.con, [self.halo], location_id)
        reconcile.find_invariants(self.con, location_id, as_of=now, lag_seconds=lag_seconds)
        reconcile.reconcile_target(self.con, self.halo, location_id, as_of=now, lag_seconds=lag_seconds)
        reconcile.reconcile_invariants(self.con, location_id, as_of=now, lag_seconds=lag_seconds)
        return self.diffs(location_id)

    def ask_for_absent(self, location_id: str = LOCATION) -> bool:
        """Ask GHL by id for what its lists lack, as a turn does; nothing is found. Whether there was a question."""
        asked_any = False
        reconcile.derive_actual(self.con, self.halo)
        keys = {"location_id": location_id, "warm": False, "as_of": naive(NOW)}
        for stream, table in (("order_details", "orders"), ("transaction_details", "transactions")):
            wanted = {row[0] for row in run(self.con, f"raw/needed_{stream}", keys)}
            listed = {row[0] for row in self.con.execute(
                f"select id from raw.{table} where location_id = ? and is_current and absent_at is null", [location_id]
            ).fetchall()}  # fmt: skip
            asked = dict.fromkeys(wanted - listed)
            if asked:
                asked_any = True
                self.details(stream, asked, at=later(days=1), location_id=location_id)
        return asked_any

    def diffs(self, location_id: str = LOCATION, state: str = "open") -> list[Row]:
        """Diffs in a state, in the order of their identity."""
        rows = self.rows("reconciliation.diffs", "location_id = ? and state = ?", location_id, state)
        for row in rows:
            row["fields"] = decode_list(row["fields"])
            row["native_ids"] = decode_list(row["native_ids"])
        return sorted(rows, key=lambda row: (row["system"], row["record_type"], row["key"], row["kind"],
                                             row["class"] or ""))  # fmt: skip

    def plan(self, *, policy: str = "auto", now: datetime = NOW, location_id: str = LOCATION) -> dict[str, int]:
        """The plan; changes by state."""
        return outbox.plan(self.con, replace(self.halo, policy=policy), location_id, as_of=now, turn_id="turn")

    def claim(self, *, policy: str = "auto", live: bool = True, batch: int = 100) -> list[ClaimedChange]:
        """What may leave now."""
        return outbox.claim(self.con, target(policy=policy, live=live), LOCATION, as_of=NOW, batch=batch)

    def answered(self, outcome: str, *changes: ClaimedChange, native_id: str | None = None) -> None:
        """Record one outcome for some changes."""
        results = [SendResult(change.change_id, outcome, native_id or change.native_id) for change in changes]
        outbox.record(self.con, results, as_of=NOW)

    def claimed(self) -> ClaimedChange:
        """The one change that is claimed."""
        row = self.row("outbox.changes", "state = 'claimed'")
        names = ("change_id", "record_type", "key", "operation", "native_id", "attempts")
        return ClaimedChange(**{name: row[name] for name in names})

    def verify(self, *changes: ClaimedChange, settled: bool = True) -> dict[str, int]:
        """Judge changes by what Halo holds now."""
        reconcile.derive_actual(self.con, self.halo)
        return outbox.verify(self.con, [change.change_id for change in changes], as_of=NOW, settled=settled)

    def rows(self, table: str, where: str = "true", *values: object) -> list[Row]:
        """Rows of a table."""
        cursor = self.con.execute(f"select * from {table} where {where}", list(values))
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, table: str, where: str = "true", *values: object) -> Row:
        """The one row there must be."""
        [found] = self.rows(table, where, *values)
        return found

    def changes(self) -> dict[tuple[str, str], Row]:
        """The latest change of each (record type, key)."""
        rows = dicts(self.con, "from outbox.changes order by planned_at, attempts")
        return {(row["record_type"], row["key"]): row for row in rows if row["state"] != "superseded"}


def decode_list(text: str) -> list[Any]:
    """A JSON column that holds a list."""
    from ghl_payments.transport.jsontext import decode

    found: list[Any] = decode(text)
    return found


def later(**parts: float) -> datetime:
    """An instant after NOW."""
    return NOW + timedelta(**parts)


def utc(text: str) -> datetime:
    """An instant as the warehouse shows it: UTC without a zone."""
    return naive(datetime.fromisoformat(text).astimezone(UTC))
