"""GHL into the warehouse: fetch first with the file closed, then load, stream by stream.

Extend it when a stream is read in a new way; pages and slices belong to `scan.py`, SQL to `sql/raw/`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.scan import SliceCertificate, SweepResult, fetch_details, fetch_providers, sweep
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.landing import LandingWriter
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.landing_load import load_details, load_providers, load_slice, naive, record_sweep
from ghl_payments.warehouse.queries import run

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 5.0
_CERTIFICATE_COLUMNS = (
    "stream", "month", "total_first", "total_last", "unique_ids", "unidentified", "outside", "pages", "requests",
    "attempts", "complete", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Extraction:
    """One location's extraction: its client, where bytes land, and the clock of the turn.

    `subscriptions_in_detail` when some target wants what stands only in a subscription's detail.
    """

    client: GhlClient
    warehouse: Warehouse
    landing: Path
    location_id: str
    as_of: datetime
    priority: Priority = "sweep"
    subscriptions_in_detail: bool = False

    @property
    def folder(self) -> Path:
        """Where this location's landing files go."""
        return self.landing / "ghl" / self.location_id


async def extract_list(extraction: Extraction, stream: str, *, months: Sequence[date] | None = None) -> dict[str, Any]:
    """Scan a list stream by slices and load it; counts of rows, new versions, requests and slices.

    Slices that could not be proven complete are loaded too, as `incomplete` with their reason.
    """

    def progress(certificate: SliceCertificate) -> None:
        logger.info(
            "%s %s %s: %d rows%s", extraction.location_id, stream, certificate.month, certificate.rows,
            "" if certificate.complete else f", incomplete: {certificate.reason}",
        )  # fmt: skip

    result = await sweep(
        extraction.client, stream, extraction.folder, as_of=extraction.as_of, months=months,
        priority=extraction.priority, on_progress=progress,
    )  # fmt: skip
    return _load_sweep(extraction, stream, result, whole=months is None)


def _load_sweep(extraction: Extraction, stream: str, result: SweepResult, *, whole: bool) -> dict[str, Any]:
    scanned_at, news = datetime.now(UTC), 0
    with extraction.warehouse.open() as con:
        for path, certificate in zip(result.files, result.certificates, strict=True):
            row = {name: getattr(certificate, name) for name in _CERTIFICATE_COLUMNS}
            row |= {
                "row_count": certificate.rows,
                "asked_from": certificate.asked_from.isoformat() if certificate.asked_from else None,
                "asked_to": certificate.asked_to.isoformat() if certificate.asked_to else None,
            }
            news += load_slice(con, path, row, extraction.location_id, scanned_at)
        if whole:
            totals = (result.unfiltered_total, result.sum_of_slices)
            record_sweep(con, extraction.location_id, stream, totals, result.filter_verdict, scanned_at)
    slices = result.certificates
    return {
        "rows": sum(item.rows for item in slices),
        "new_versions": news,
        "requests": sum(item.requests for item in slices),
        "slices_complete": sum(item.complete for item in slices),
        "slices_incomplete": sum(not item.complete for item in slices),
        "date_filter": result.filter_verdict or "not judged",
        "incomplete": sorted({f"{item.month}: {item.reason}" for item in slices if not item.complete}),
    }


async def extract_details(extraction: Extraction, stream: str, *, warm: bool = True) -> dict[str, Any]:
    """Fetch the details that SQL finds needed and load them; counts of fetched, absent, failed and requests.

    What was fetched before a failure (a daily limit, a lost connection) is loaded before the error goes on.
    """
    return await extract_named_details(extraction, stream, needed_details(extraction, stream, warm=warm))


def needed_details(extraction: Extraction, stream: str, *, warm: bool) -> list[str]:
    """Ids of the records whose detail SQL finds needed; `warm` adds fulfillments that nothing announces."""
    keys = {
        "location_id": extraction.location_id,
        "warm": warm,
        "as_of": naive(extraction.as_of),
        "detailed": extraction.subscriptions_in_detail,
    }
    with extraction.warehouse.open() as con:
        return [row[0] for row in run(con, f"raw/needed_{stream}", keys)]


async def extract_named_details(extraction: Extraction, stream: str, ids: Sequence[str]) -> dict[str, Any]:
    """Fetch the details of these records and load them; see `extract_details`."""
    if not ids:
        return {"needed": 0, "fetched": 0, "absent": 0, "failed": 0, "requests": 0, "new_versions": 0}
    path = extraction.folder / f"{stream}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.ndjson.zst"
    try:
        with LandingWriter(path) as landing:
            result = await fetch_details(
                extraction.client, stream, ids, landing, priority=extraction.priority,
                on_progress=_Progress(f"{extraction.location_id} {stream}"),
            )  # fmt: skip
    except BaseException:
        partial = path.with_name(path.name + ".partial")
        if partial.exists():
            _load_file(extraction, partial, stream)
        raise
    for record_id, reason in result.failed.items():
        logger.warning("%s %s %s could not be read: %s", extraction.location_id, stream, record_id, reason)
    return {
        "needed": len(ids),
        "fetched": result.fetched,
        "absent": len(result.absent),
        "failed": len(result.failed),
        "requests": result.requests,
        "new_versions": _load_file(extraction, path, stream),
    }


def _load_file(extraction: Extraction, path: Path, stream: str) -> int:
    with extraction.warehouse.open() as con:
        return load_details(con, path, stream, extraction.location_id, datetime.now(UTC))


async def extract_providers(extraction: Extraction) -> dict[str, Any]:
    """Read the location's white-label payment providers whole and load them."""
    path = extraction.folder / f"integration_providers-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.ndjson.zst"
    with LandingWriter(path) as landing:
        requests = await fetch_providers(extraction.client, landing, priority=extraction.priority)
    with extraction.warehouse.open() as con:
        news = load_providers(con, path, extraction.location_id, datetime.now(UTC))
        row = con.execute(
            "select count(*) from raw.integration_providers where location_id = ? and is_current and absent_at is null",
            [extraction.location_id],
        ).fetchone()
    return {"rows": row[0] if row else 0, "new_versions": news, "requests": requests}


def months_between(start: date, end: date) -> list[date]:
    """First days of the UTC months from `start` to `end`, both included."""
    months, month = [], start.replace(day=1)
    while month <= end:
        months.append(month)
        month = (month + timedelta(days=31)).replace(day=1)
    return months


class _Progress:
    """Logs counts and the time left, at most every few seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._started = self._said = monotonic()

    def __call__(self, done: int, of_all: int) -> None:
        now = monotonic()
        if now - self._said < PROGRESS_SECONDS and done < of_all:
            return
        self._said = now
        left = (now - self._started) / max(done, 1) * (of_all - done)
        logger.info("%s: %d of %d, about %.0f s left", self._name, done, of_all, left)
