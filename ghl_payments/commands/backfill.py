"""`ghl-payments backfill`: past months of GHL, at the lowest priority, gone on with where it was cut short.

Only the order of things stands here; what is read belongs to `connectors/ghl/backfill.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from time import monotonic
from typing import Any

from filelock import FileLock, Timeout

from ghl_payments.commands.dates import Window
from ghl_payments.commands.loop import run_after_backfill
from ghl_payments.connectors.ghl.backfill import BackfillResult, read_backfill
from ghl_payments.connectors.ghl.connect import connect_ghl
from ghl_payments.connectors.ghl.extract import Extraction
from ghl_payments.defs.turn import open_warehouse
from ghl_payments.settings import Settings
from ghl_payments.transport.errors import ApiError
from ghl_payments.warehouse.backfills import Backfill, begin_backfill, end_backfill
from ghl_payments.warehouse.connection import Warehouse, WarehouseBusyError

Say = Callable[[str], None]

GOES_ON = "The same command goes on from here."


class BackfillBusyError(RuntimeError):
    """Another backfill of the location is running."""


@dataclass(slots=True)
class Report:
    """A whole command: what was read by location, and what failed with its remedy."""

    window: Window
    locations: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def incomplete(self) -> int:
        """Slices that could not be proven complete."""
        return sum(len(entry["incomplete"]) for entry in self.locations.values())


def run_backfill(
    settings: Settings, locations: Sequence[str], window: Window, say: Say, *, push: bool, restart: bool = False
) -> Report:
    """Read the window's months of each location, newest first, then compare once; a failed location stops no other.

    A backfill that was not brought to its end is gone on with, unless `restart`.
    """
    report, started = Report(window), monotonic()
    for location_id in locations:
        try:
            with _alone(settings, location_id):
                _one(settings, location_id, report, say, push=push, restart=restart)
        except (ApiError, WarehouseBusyError, BackfillBusyError) as error:
            report.failures[location_id] = [f"{error} {GOES_ON}"]
    report.seconds = round(monotonic() - started, 3)
    return report


@contextmanager
def _alone(settings: Settings, location_id: str) -> Iterator[None]:
    folder = settings.home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"backfill-{location_id}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        msg = f"Another backfill of {location_id} is running; wait until it has ended, or stop it."
        raise BackfillBusyError(msg) from None
    try:
        yield
    finally:
        lock.release()


def _one(settings: Settings, location_id: str, report: Report, say: Say, *, push: bool, restart: bool) -> None:
    warehouse, months = open_warehouse(settings), report.window.months
    with warehouse.open() as con:
        backfill = begin_backfill(con, location_id, months, datetime.now(UTC), restart=restart)
    what = f"{len(months)} months, {months[-1]:%Y-%m} to {months[0]:%Y-%m}"
    verb = "goes on with the backfill" if backfill.resumed else "begins a backfill"
    say(f"{location_id}: {verb} of {what}" + (f", begun {_shown(backfill.begun_at)}" if backfill.resumed else ""))
    read = BackfillResult()
    entry: dict[str, Any] = {"begun_at": backfill.begun_at.isoformat(), "resumed": backfill.resumed}
    report.locations[location_id] = entry
    try:
        asyncio.run(_read(settings, warehouse, backfill, months, read, say))
    finally:
        entry |= {"ended": False, **asdict(read)}
    say(f"{location_id}: reading targets and comparing")
    compared = run_after_backfill(location_id, push=push)
    report.failures |= compared.failures
    if compared.failures or read.incomplete or read.failed_details:
        return
    with warehouse.open() as con:
        end_backfill(con, backfill, datetime.now(UTC))
    entry["ended"] = True


async def _read(
    settings: Settings, warehouse: Warehouse, backfill: Backfill, months: Sequence[date], read: BackfillResult, say: Say
) -> None:
    client = connect_ghl(settings, settings.location(backfill.location_id))
    extraction = Extraction(
        client, warehouse, settings.landing, backfill.location_id, settings.now(), priority="backfill"
    )
    try:
        await read_backfill(extraction, backfill, months, read, say)
    finally:
        await client.aclose()


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def as_text(report: Report) -> str:
    """What a person reads at the end."""
    lines = [
        f"{location_id}: {entry['slices']} slices read, {entry['skipped']} done before, "
        f"{len(entry['incomplete'])} incomplete; {entry['rows']:,} rows, {entry['new_versions']:,} new or changed; "
        f"{entry['details']:,} details; {entry['requests']:,} requests."
        for location_id, entry in report.locations.items()
    ]
    for location_id, entry in report.locations.items():
        lines += [f"INCOMPLETE {location_id} {line}" for line in entry["incomplete"]]
        if entry["incomplete"] or entry["failed_details"]:
            lines.append(f"{location_id}: the same command reads again what was incomplete or failed.")
    for location_id, failures in report.failures.items():
        lines.append(f"FAILED {location_id}:\n  " + "\n  ".join(failures))
    return "\n".join([*lines, f"It took {report.seconds:.1f} s."])


def as_json(report: Report) -> dict[str, Any]:
    """The same for programs."""
    window = {"from": report.window.first.isoformat(), "to": report.window.last.isoformat()}
    return {
        **window, "locations": report.locations, "failures": report.failures, "seconds": report.seconds,
    }  # fmt: skip
