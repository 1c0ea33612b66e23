"""Reading all slices of a stream, and checking the API's date filter against its own unfiltered count.

How one slice is read belongs to `slices.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.months import month_of, months_back, next_month
from ghl_payments.connectors.ghl.slices import SliceCertificate, new_scan_id, scan_slice
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.landing import LandingWriter

Verdict = Literal["exact", "wider", "narrower"]
FLOOR = date(2015, 1, 1)
"""No location has payments from before; an unfiltered sweep ends here at the latest."""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep read. `sum_of_slices` counts rows created in the month they were listed for.

    `filter_verdict` is what the date filter proved to be, None when that could not be told (only some months were
    asked for, or rows came and went meanwhile). `whole` says that the slices hold every row of the stream, so that
    all months without a certificate are empty.
    """

    certificates: list[SliceCertificate]
    unfiltered_total: int | None
    sum_of_slices: int
    filter_verdict: Verdict | None
    files: list[Path]

    @property
    def whole(self) -> bool:
        """Whether the certificates prove all rows of the stream."""
        return self.unfiltered_total == self.sum_of_slices and all(item.complete for item in self.certificates)


@dataclass(slots=True)
class _Sweep:
    client: GhlClient
    stream: str
    landing_dir: Path
    as_of: datetime
    concurrency: int
    priority: Priority
    on_progress: Callable[[SliceCertificate], None] | None
    scan_id: str = field(default_factory=new_scan_id)
    slices: dict[date, SliceCertificate] = field(default_factory=dict)
    files: dict[date, Path] = field(default_factory=dict)
    totals: list[int] = field(default_factory=list)

    async def read(self, month: date) -> None:
        """Read one slice; reading it again replaces its certificate and its file."""
        path = self.landing_dir / f"{self.stream}-{month:%Y-%m}-{self.scan_id}.ndjson.zst"
        with LandingWriter(path) as landing:
            self.slices[month] = await scan_slice(
                self.client, self.stream, month, landing,
                concurrency=self.concurrency, priority=self.priority, scan_id=self.scan_id,
            )  # fmt: skip
        self.files[month] = path
        if self.on_progress is not None:
            self.on_progress(self.slices[month])

    def counted(self) -> int:
        """Rows in the slices read so far."""
        return sum(item.in_month for item in self.slices.values())

    async def ask_total(self) -> int:
        """The API's count of all rows, whatever their date."""
        page = await self.client.list_page(self.stream, offset=0, limit=1, priority=self.priority)
        self.totals.append(page.total_count)
        return page.total_count

    async def walk(self, floor: date) -> None:
        """Read month after month into the past until every row the API counts is found, or the floor is reached."""
        this_month = date(self.as_of.year, self.as_of.month, 1)
        total, ends = await self._ends()
        for month in sorted(end for end in ends if end > this_month):
            await self.read(month)
        looked_again = False
        for month in months_back(this_month, floor):
            await self.read(month)
            more_to_come = looked_again or (bool(ends) and month > min(ends))
            if self.counted() != total and more_to_come:
                continue
            total = await self.ask_total()
            if self.counted() != total and not looked_again:
                # Rows that came meanwhile are in the newest months; read those again before walking on.
                for recent in (next_month(this_month), this_month):
                    await self.read(recent)
                total = await self.ask_total()
            if self.counted() == total:
                return
            looked_again = True
        await self.ask_total()

    async def _ends(self) -> tuple[int, list[date]]:
        """The unfiltered total and the months of the first and last row: a hint only, as no order is documented."""
        first = await self.client.list_page(self.stream, offset=0, limit=1, priority=self.priority)
        total = first.total_count
        self.totals.append(total)
        rows = list(first.rows)
        if total > 1:
            last = await self.client.list_page(self.stream, offset=total - 1, limit=1, priority=self.priority)
            rows += last.rows
        return total, [month for row in rows if (month := month_of(row.created_at)) is not None]

    def result(self) -> SweepResult:
        """Judge the date filter and hand over what was read, oldest month first."""
        certificates = [self.slices[month] for month in sorted(self.slices)]
        found, total = self.counted(), self.totals[-1] if self.totals else None
        wider = any(item.outside for item in certificates)
        verdict: Verdict | None = "wider" if wider else None
        if total is not None:
            # Rows that came or went meanwhile explain as much difference as the total has moved, and no more.
            moved = max(self.totals) - min(self.totals)
            if abs(found - total) > moved:
                kind = "date_filter_narrower" if found < total else "unfiltered_count_lower"
                reason = f"{kind}: {found} rows found by month, {total} counted without a date filter"
                certificates = [_void(item, reason) for item in certificates]
                verdict = "narrower" if found < total else verdict
            elif found == total and not wider:
                verdict = "exact"
        return SweepResult(certificates, total, found, verdict, [self.files[month] for month in sorted(self.files)])


async def sweep(
    client: GhlClient,
    stream: str,
    landing_dir: Path,
    *,
    as_of: datetime,
    months: Sequence[date] | None = None,
    floor: date = FLOOR,
    concurrency: int = 4,
    priority: Priority = "sweep",
    on_progress: Callable[[SliceCertificate], None] | None = None,
) -> SweepResult:
    """Read slices of a list stream, one landing file a slice: the `months` given (first days), or all there are.

    Without `months` it walks back from `as_of` until the rows found equal the unfiltered count. If they never do and
    the count stood still, the date filter hides rows, and every certificate of the sweep becomes incomplete.
    """
    run = _Sweep(client, stream, landing_dir, as_of.astimezone(UTC), concurrency, priority, on_progress)
    if months is None:
        await run.walk(floor)
    else:
        for month in sorted({month.replace(day=1) for month in months}, reverse=True):
            await run.read(month)
    return run.result()


def _void(certificate: SliceCertificate, reason: str) -> SliceCertificate:
    return replace(certificate, complete=False, reason=certificate.reason or reason)
