"""Reading past months of one location so that it may be cut short at any moment: newest first, slice by slice.

Extend it when a backfill has to read more; comparing and pushing what was read belongs to the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from time import monotonic

from ghl_payments.connectors.ghl.extract import Extraction, extract_list, extract_named_details, needed_details
from ghl_payments.domain.streams import LIST_STREAMS
from ghl_payments.warehouse.backfills import Backfill, done_slices

DETAIL_STREAMS = ("order_details", "fulfillments")
"""What can be told to be needed before targets were read; the rest is fetched with the comparison."""

BATCH = 500
"""Details in one file; a kill loses as much as was fetched since the last one was loaded."""

Say = Callable[[str], None]


@dataclass(slots=True)
class BackfillResult:
    """What one command read of one location's backfill; `skipped` slices were done before."""

    slices: int = 0
    skipped: int = 0
    incomplete: list[str] = field(default_factory=list)
    rows: int = 0
    new_versions: int = 0
    requests: int = 0
    details: int = 0
    failed_details: int = 0


async def read_backfill(
    extraction: Extraction, backfill: Backfill, months: Sequence[date], result: BackfillResult, say: Say
) -> None:
    """Read the months' slices that are not done, then the details they call for; each is stored before the next.

    `result` is filled on the way. A slice that could not be proven complete is stored as such and counted; what makes
    going on useless is raised.
    """
    with extraction.warehouse.open() as con:
        done = done_slices(con, backfill)
    wanted = [(stream, month) for month in sorted(months, reverse=True) for stream in LIST_STREAMS]
    left = [item for item in wanted if item not in done]
    result.skipped = len(wanted) - len(left)
    if result.skipped:
        say(f"{extraction.location_id}: {result.skipped} of {len(wanted)} slices are done already")
    clock = _Clock(len(left))
    for stream, month in left:
        metrics = await extract_list(extraction, stream, months=[month])
        result.slices += 1
        result.rows += metrics["rows"]
        result.new_versions += metrics["new_versions"]
        result.requests += metrics["requests"]
        result.incomplete += [f"{stream} {reason}" for reason in metrics["incomplete"]]
        said = f"{metrics['rows']:,} rows in {metrics['requests']} request{'s' if metrics['requests'] != 1 else ''}"
        said += "".join(f", incomplete: {reason}" for reason in metrics["incomplete"])
        say(f"{extraction.location_id} {month:%Y-%m} {stream}: {said}; {clock.after(result.slices, 'slices')}")
    for stream in DETAIL_STREAMS:
        await _read_details(extraction, stream, result, say)


async def _read_details(extraction: Extraction, stream: str, result: BackfillResult, say: Say) -> None:
    ids = needed_details(extraction, stream, warm=False)
    clock, done = _Clock(len(ids)), 0
    for start in range(0, len(ids), BATCH):
        metrics = await extract_named_details(extraction, stream, ids[start : start + BATCH])
        done = min(start + BATCH, len(ids))
        result.details += metrics["fetched"] + metrics["absent"]
        result.failed_details += metrics["failed"]
        result.requests += metrics["requests"]
        say(f"{extraction.location_id} {stream}: {clock.after(done, 'records')}")


class _Clock:
    """How much is done, and how long the rest takes at the pace so far."""

    def __init__(self, of_all: int) -> None:
        self._of_all = of_all
        self._started = monotonic()

    def after(self, done: int, what: str) -> str:
        """`3 of 39 slices, about 2 min left`."""
        left = (monotonic() - self._started) / done * (self._of_all - done)
        return f"{done:,} of {self._of_all:,} {what}" + (f", about {spoken(left)} left" if done < self._of_all else "")


def spoken(seconds: float) -> str:
    """Seconds as a person says them: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
