"""Landing files -> raw and actual tables, one SQL script a slice or file.

Extend it when a new kind of landing file appears; fetching belongs to the connectors.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from ghl_payments.domain.streams import STREAMS
from ghl_payments.warehouse.queries import run, run_text, sql

LIST_TABLE_OF: dict[str, str] = {
    "order_details": "raw.orders",
    "fulfillments": "raw.orders",
    "transaction_details": "raw.transactions",
    "subscription_details": "raw.subscriptions",
}
"""Detail stream -> the list table whose rows say when a detail is out of date."""


def naive(at: datetime) -> datetime:
    """The UTC instant as DuckDB's TIMESTAMP wants it."""
    return at.replace(tzinfo=None)


def _for_stream(name: str, stream: str) -> str:
    if stream not in STREAMS:
        msg = f"{stream!r} is not a stream"
        raise ValueError(msg)
    text = sql(name).replace("raw.STREAM", f"raw.{stream}").replace("'STREAM'", f"'{stream}'")
    return text.replace("LIST_TABLE", LIST_TABLE_OF.get(stream, f"raw.{stream}"))


def load_slice(
    con: duckdb.DuckDBPyConnection,
    landing: Path,
    certificate: Mapping[str, Any],
    location_id: str,
    scanned_at: datetime,
) -> int:
    """One slice's landing file into `raw.{stream}`, and its certificate into `raw.slices`; new versions.

    `certificate` has the columns of `raw.slices` but location, landing and time. One transaction.
    """
    stream = str(certificate["stream"])
    keys = {
        "location_id": location_id,
        "landing": str(landing),
        "month": certificate["month"],
        "complete": certificate["complete"],
        "scanned_at": naive(scanned_at),
    }
    con.execute("begin")
    try:
        run(con, "raw/slice_rows", keys)
        news = _merge(con, stream, keys)
        row = {**certificate, "location_id": location_id, "landing": landing.name, "scanned_at": naive(scanned_at)}
        names = ", ".join(row)
        con.execute(
            f"insert or replace into raw.slices ({names}) values ({', '.join(f'${name}' for name in row)})", row
        )
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return news


def _merge(con: duckdb.DuckDBPyConnection, stream: str, keys: Mapping[str, Any]) -> int:
    news = run_text(con, _for_stream("raw/rows_merge", stream), keys, step=f"raw/rows_merge of {stream}")
    run_text(con, _for_stream("raw/slice_merge", stream), keys, step=f"raw/slice_merge of {stream}")
    return int(news[0][0])


def load_named_rows(
    con: duckdb.DuckDBPyConnection,
    landing: Path,
    stream: str,
    location_id: str,
    ids: Collection[str],
    read_at: datetime,
) -> int:
    """List rows of these records, or of what belongs to them (`entityId`), into `raw.{stream}`; new versions.

    Other rows of the file are passed over, and what it does not list is not gone: no slice was read.
    """
    keys = {
        "location_id": location_id,
        "landing": str(landing),
        "scanned_at": naive(read_at),
        "named": list(ids),
    }
    con.execute("begin")
    try:
        run(con, "raw/slice_rows", keys)
        run(con, "raw/named_rows", keys)
        news = run_text(con, _for_stream("raw/rows_merge", stream), keys, step=f"raw/rows_merge of {stream}")
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return int(news[0][0])


def record_sweep(
    con: duckdb.DuckDBPyConnection,
    location_id: str,
    stream: str,
    totals: tuple[int | None, int | None],
    verdict: str | None,
    swept_at: datetime,
) -> None:
    """What a full sweep counted: the unfiltered total beside the sum over slices.

    When both agree, the months that the sweep did not read are empty now. `swept_at` is its slices' `scanned_at`.
    """
    con.execute("begin")
    try:
        con.execute(
            "insert or replace into raw.sweeps values (?, ?, ?, ?, ?, ?)",
            [location_id, stream, totals[0], totals[1], verdict, naive(swept_at)],
        )
        if verdict == "exact" and totals[0] == totals[1]:
            keys = {"location_id": location_id, "swept_at": naive(swept_at)}
            run_text(con, _for_stream("raw/sweep_absent", stream), keys, step=f"raw/sweep_absent of {stream}")
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise


def load_details(
    con: duckdb.DuckDBPyConnection, landing: Path, stream: str, location_id: str, scanned_at: datetime
) -> int:
    """A landing file of single documents into `raw.{stream}` and the answers of the look-ups; new versions."""
    keys = {"location_id": location_id, "landing": str(landing), "scanned_at": naive(scanned_at)}
    con.execute("begin")
    try:
        news = run_text(con, _for_stream("raw/details_merge", stream), keys, step=f"raw/details_merge of {stream}")
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return int(news[0][0])


def load_providers(con: duckdb.DuckDBPyConnection, landing: Path, location_id: str, scanned_at: datetime) -> int:
    """The white-label providers' landing file, a whole snapshot, into `raw.integration_providers`; new versions."""
    keys = {
        "location_id": location_id,
        "landing": str(landing),
        "month": date(1970, 1, 1),
        "complete": True,
        "scanned_at": naive(scanned_at),
    }
    con.execute("begin")
    try:
        run(con, "raw/provider_rows", keys)
        news = _merge(con, "integration_providers", keys)
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return news


def load_documents(
    con: duckdb.DuckDBPyConnection,
    landing: Path,
    connection: str,
    read_at: datetime,
    *,
    listed_from: datetime | None = None,
    whole: str | None = None,
) -> int:
    """A target's landing file into `actual.documents`; returns the number of documents.

    `listed_from` is when listing began: records read singly since then are left as they are. `whole` names a record
    type of which the file is a complete list: documents not in it are marked not present.
    """
    keys = {
        "landing": str(landing),
        "connection": connection,
        "read_at": naive(read_at),
        "listed_from": naive(listed_from or read_at),
        "whole": whole,
    }
    con.execute("begin")
    try:
        rows = run(con, "actual/documents", keys)
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return int(rows[0][0])
