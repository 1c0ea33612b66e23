"""Reading a target system back: lists with certificates, details of what changed, and proof of what is gone.

Extend it when all targets are read in a new way; endpoints belong to each connector.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from ghl_payments.connectors.base import Connector, ReadCertificate, RepeatSafe, TellsChanges
from ghl_payments.connectors.levels import settle_levels, use_stored_levels
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.landing_load import load_documents, naive
from ghl_payments.warehouse.queries import run_text
from ghl_payments.warehouse.reconcile import Target, derive_actual, describe_documents

logger = logging.getLogger(__name__)


SAME_TURN = timedelta(hours=1)
"""A turn that takes longer reads the connection again for its later locations."""

MAX_ABSENCES = 200
"""More records of one type than this gone at once look like a fault of the answer, which the brake holds."""

FULL_EVERY = timedelta(hours=11)
"""A hot reading asks for changes only while the last full one is younger: nothing is pushed on one of 12 hours."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """One reading of one connection; a `hot` one may ask for what changed where the system tells."""

    connector: Connector
    target: Target
    warehouse: Warehouse
    landing: Path
    turn_id: str
    keys_sql: Path | None = None
    forced_levels: Mapping[str, str] = field(default_factory=dict)
    hot: bool = False

    def file(self, name: str) -> Path:
        """A new landing file of this connection."""
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        return self.landing / self.target.system / self.target.connection / f"{name}-{stamp}.ndjson.zst"


async def read_connection(back: ReadBack) -> dict[str, dict[str, Any]]:
    """Read everything a connection holds that the mapping needs; metrics by record type.

    A connection that this turn has read already, for another of its locations, is not read again.
    """
    types = [*back.connector.auxiliary_types, *back.connector.record_types]
    with back.warehouse.open() as con:
        done = _read_this_turn(con, back)
    if set(types) <= set(done):
        return done | await _read_more(back, done)
    levels = await settle_levels(
        back.connector, back.warehouse, back.target.connection, back.forced_levels,
        may_write=back.target.policy == "auto",
    )  # fmt: skip
    # A list counts as read when it was begun: what another run wrote meanwhile, and read back, is newer than it.
    listed_from = datetime.now(UTC)
    listable = [record_type for record_type in types if record_type not in back.connector.keyed_types]
    changed = [found for record_type in listable if (found := await _read_changes(back, record_type)) is not None]
    listable = [record_type for record_type in listable if record_type not in {told.record_type for _, told in changed}]
    read = [(path := back.file(record_type), await back.connector.read(record_type, path)) for record_type in listable]
    read += await _read_keyed(back)
    metrics: dict[str, dict[str, Any]] = {"levels": levels}
    with back.warehouse.open() as con:
        for path, certificate in read:
            is_part = certificate.windowed or certificate.record_type in back.connector.keyed_types
            whole = certificate.record_type if certificate.complete and not is_part else None
            if path.exists():  # nothing is landed where nothing was asked for
                load_documents(con, path, back.target.connection, listed_from, listed_from=listed_from, whole=whole)
            _store_certificate(con, back, certificate, listed_from)
            metrics[certificate.record_type] = _metrics(certificate)
            logger.info("%s %s: %d rows", back.target.connection, certificate.record_type, certificate.rows)
        for path, certificate in changed:
            load_documents(con, path, back.target.connection, listed_from, listed_from=listed_from)
            con.execute(
                "insert or replace into actual.change_cursors values (?, ?, ?)",
                [back.target.connection, certificate.record_type, naive(listed_from)],
            )
            metrics[certificate.record_type] = _metrics(certificate) | {"changes_only": True}
            logger.info("%s %s: %d changed", back.target.connection, certificate.record_type, certificate.rows)
    for record_type in back.connector.detail_types:
        metrics[record_type]["details"] = await _read_details(back, record_type)
    metrics["absences"] = {"asked": await _confirm_absences(back)}
    with back.warehouse.open() as con:
        derive_actual(con, back.target)
        # Only now is the reading finished, so that another location of this turn may take it as done.
        con.execute("update actual.reads set turn_id = ? where connection = ?", [back.turn_id, back.target.connection])
    return metrics


async def _read_changes(back: ReadBack, record_type: str) -> tuple[Path, ReadCertificate] | None:
    """What changed since the last reading; None when that is not enough, so that everything is to be read.

    The certificate of the last full reading stays: the feed proves nothing about what it does not show.
    """
    connector = back.connector
    if not back.hot or not isinstance(connector, TellsChanges) or record_type not in connector.changes_types:
        return None
    with back.warehouse.open() as con:
        row = con.execute(
            "select greatest(r.read_at, c.read_until) from actual.reads as r left join actual.change_cursors as c "
            "on c.connection = r.connection and c.record_type = r.record_type "
            "where r.connection = ? and r.record_type = ? and r.complete and r.read_at > ?",
            [back.target.connection, record_type, naive(datetime.now(UTC) - FULL_EVERY)],
        ).fetchone()
    if row is None:
        return None
    path = back.file(f"{record_type}-changes")
    certificate = await connector.read_changes(record_type, row[0].replace(tzinfo=UTC), path)
    return (path, certificate) if certificate is not None else None


def _metrics(certificate: ReadCertificate) -> dict[str, Any]:
    return {
        "rows": certificate.rows,
        "declared": certificate.declared if certificate.declared is not None else "not declared",
        "pages": certificate.pages,
        "complete": certificate.complete,
        "reason": certificate.reason or "",
        "limits": certificate.limits or "",
    }


async def _read_more(back: ReadBack, done: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of a connection that another location of this turn has read: the records only this location can ask for by id."""
    if not back.connector.keyed_types:
        return {}
    use_stored_levels(back.connector, back.warehouse, back.target.connection, back.forced_levels)
    asked_from = datetime.now(UTC)
    metrics: dict[str, dict[str, Any]] = {}
    for path, certificate in await _read_keyed(back, since_turn=True):
        before = done[certificate.record_type]
        whole = replace(
            certificate,
            rows=certificate.rows + int(before["rows"]),
            unique_ids=certificate.unique_ids + int(before["rows"]),
            pages=certificate.pages + int(before["pages"]),
        )
        with back.warehouse.open() as con:
            if path.exists():
                load_documents(con, path, back.target.connection, asked_from, listed_from=asked_from)
            con.execute(
                "update actual.reads set rows = ?, unique_ids = ?, pages = ?, complete = complete and ?, reason = ? "
                "where connection = ? and record_type = ?",
                [whole.rows, whole.unique_ids, whole.pages, whole.complete, whole.reason, back.target.connection,
                 whole.record_type],
            )  # fmt: skip
            derive_actual(con, back.target, [whole.record_type])
        metrics[whole.record_type] = _metrics(whole)
    return metrics


async def _read_keyed(back: ReadBack, *, since_turn: bool = False) -> list[tuple[Path, ReadCertificate]]:
    """Ask by id for the records of types that the system cannot list; 404 is an answer, anything else leaves a gap.

    With `since_turn` what this turn has asked for already is left out.
    """
    if not back.connector.keyed_types or back.keys_sql is None:
        return []
    with back.warehouse.open() as con:
        describe_documents(con, back.target)
        con.execute("create or replace temp table target_locations as select unnest(?::varchar[]) as location_id",
                    [list(back.target.locations)])  # fmt: skip
        rows = run_text(
            con, back.keys_sql.read_text(encoding="utf-8"), {"connection": back.target.connection},
            step=f"{back.target.system}/keys.sql",
        )  # fmt: skip
        known = con.execute(
            "select d.record_type, d.native_id from actual.documents as d inner join actual.reads as r "
            "on r.connection = d.connection and r.record_type = d.record_type and d.read_at >= r.read_at "
            "where d.connection = ? and ?", [back.target.connection, since_turn],
        ).fetchall()  # fmt: skip
    rows = sorted({(row[0], str(row[1])) for row in rows} - set(known))
    read = []
    for record_type in back.connector.keyed_types:
        ids = [native_id for name, native_id in rows if name == record_type]
        path = back.file(record_type)
        logger.info("%s %s: asking for %d records by id", back.target.connection, record_type, len(ids))
        answers = await back.connector.read_details(record_type, ids, path) if ids else {}
        certificate = _keyed_certificate(record_type, ids, answers)
        if isinstance(back.connector, RepeatSafe):
            certificate = replace(certificate, limits=back.connector.keyed_limits)
        read.append((path, certificate))
    return read


def _keyed_certificate(record_type: str, ids: Sequence[str], answers: Mapping[str, int]) -> ReadCertificate:
    found = sum(status == 200 for status in answers.values())
    failed = len(ids) - sum(answers.get(native_id) in (200, 404) for native_id in ids)
    return ReadCertificate(
        record_type=record_type,
        rows=found,
        unique_ids=found,
        declared=None,
        pages=len(ids),
        attempts=1,
        complete=failed == 0,
        reason=f"unreadable: {failed} of {len(ids)} records asked for by id" if failed else None,
        limits="the system cannot list these records: only those asked for by id are known, orphans are unverifiable",
    )


def _read_this_turn(con: duckdb.DuckDBPyConnection, back: ReadBack) -> dict[str, dict[str, Any]]:
    rows = con.execute(
        "select record_type, rows, declared, pages, complete, reason, limits from actual.reads "
        "where connection = ? and turn_id = ? and read_at > ? and complete",
        [back.target.connection, back.turn_id, naive(datetime.now(UTC) - SAME_TURN)],
    ).fetchall()
    names = ("rows", "declared", "pages", "complete", "reason", "limits")
    return {row[0]: {n: v if v is not None else "" for n, v in zip(names, row[1:], strict=True)} for row in rows}


def _store_certificate(
    con: duckdb.DuckDBPyConnection, back: ReadBack, certificate: ReadCertificate, listed_from: datetime
) -> None:
    con.execute(
        "insert or replace into actual.reads values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            back.target.connection, certificate.record_type, None, certificate.rows, certificate.unique_ids,
            certificate.declared, certificate.pages, certificate.attempts, certificate.complete, certificate.reason,
            naive(listed_from), certificate.limits, certificate.record_type in back.connector.keyed_types,
        ],
    )  # fmt: skip


async def _read_details(back: ReadBack, record_type: str) -> int:
    """Details of the records that carry a key of ours and changed since their detail was read."""
    with back.warehouse.open() as con:
        derive_actual(con, back.target, [record_type])
        ids = [
            row[0]
            for row in con.execute(
                "select d.native_id from actual.documents as d "
                "inner join actual.records as r using (connection, record_type, native_id) "
                "where d.connection = ? and d.record_type = ? and d.present and r.key is not null "
                "and d.list_hash is distinct from d.detail_list_hash order by native_order(d.native_id)",
                [back.target.connection, record_type],
            ).fetchall()
        ]
    if ids:
        path = back.file(f"{record_type}-details")
        await back.connector.read_details(record_type, ids, path)
        with back.warehouse.open() as con:
            load_documents(con, path, back.target.connection, datetime.now(UTC))
    return len(ids)


async def _confirm_absences(back: ReadBack) -> int:
    """Ask by id for records that left the lists or that only a cross-reference still names: 404 is the proof."""
    with back.warehouse.open() as con:
        describe_documents(con, back.target)
        rows = run_text(
            con,
            f"""
            with gone as (
                select record_type, native_id from {back.target.system}_dangling
                union
                select d.record_type, d.native_id from actual.documents as d
                inner join actual.known_keys as k using (connection, record_type, native_id)
                where d.connection = $connection and not d.present
            )

            select record_type, native_id from gone
            where (record_type, native_id) not in (
                select (record_type, native_id) from actual.documents
                where connection = $connection and absent_confirmed
            )
            order by record_type, native_order(native_id)""",
            {"connection": back.target.connection},
        )
    by_type: dict[str, list[str]] = {}
    for record_type, native_id in rows:
        by_type.setdefault(record_type, []).append(native_id)
    for record_type, ids in by_type.items():
        if len(ids) > MAX_ABSENCES:
            logger.warning(
                "%s %s: %d records are gone at once; they are not asked for one by one, the brake decides",
                back.target.connection, record_type, len(ids),
            )  # fmt: skip
            continue
        path = back.file(f"{record_type}-absences")
        await back.connector.read_details(record_type, ids, path)
        with back.warehouse.open() as con:
            load_documents(con, path, back.target.connection, datetime.now(UTC))
    return len(rows)
