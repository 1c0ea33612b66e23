"""Reading one slice (stream x UTC month of createdAt) completely, and the certificate that says so.

How a page is known to follow the one before stands here; which slices there are belongs to `sweep.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import uuid4

from ghl_payments.connectors.ghl.client import MAX_LIMIT, GhlClient
from ghl_payments.connectors.ghl.months import instant_text, month_bounds, month_of
from ghl_payments.connectors.ghl.shapes import Page, RowRef
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.errors import SchemaDrift, Transient, Unreachable, Unreadable
from ghl_payments.transport.landing import LandingWriter


@dataclass(frozen=True, slots=True)
class SliceCertificate:
    """Proof that a slice was read completely, or the reason why it was not.

    `rows` counts rows without the overlaps of pages, `unidentified` those of them without a usable `_id`, `outside`
    those created outside the month asked for. `asked_from`/`asked_to` are inclusive UTC instants, None with `month`
    None (the list without a date filter). `attempts` is also the attempt whose landing lines count.
    """

    stream: str
    month: date | None
    asked_from: datetime | None
    asked_to: datetime | None
    total_first: int
    total_last: int
    rows: int
    unique_ids: int
    unidentified: int
    outside: int
    pages: int
    requests: int
    attempts: int
    complete: bool
    reason: str | None
    scan_id: str

    @property
    def in_month(self) -> int:
        """Rows that belong to the slice; for an incomplete slice what the API's own count suggests."""
        return max(0, (self.rows if self.complete else self.total_last) - self.outside)


@dataclass(slots=True)
class _Tally:
    """What one attempt has seen so far; pages are added in the order of their offsets."""

    month: date | None
    total_first: int = -1
    total_last: int = -1
    rows: int = 0
    unidentified: int = 0
    outside: int = 0
    pages: int = 0
    ids: set[str] = field(default_factory=set)
    reason: str | None = None
    _last: bytes | None = None

    def add(self, page: Page) -> None:
        """Take a page; sets `reason` when it does not continue the one before."""
        self.pages += 1
        self.total_last = page.total_count
        if self._last is None:
            self.total_first = page.total_count
        elif page.total_count != self.total_first:
            self.reason = f"total_changed: {self.total_first} rows, then {page.total_count}"
        elif not page.rows:
            self.reason = f"empty_page: after {self.rows} of {self.total_first} rows"
        elif bytes(page.rows[0].raw) != self._last:
            self.reason = f"drift_while_paging: page {self.pages} does not begin with the last row of the page before"
        if self.reason is None and page.rows:
            self._count(page.rows if self._last is None else page.rows[1:])
            self._last = bytes(page.rows[-1].raw)

    def conclude(self) -> None:
        """The counts must agree once the last page is in."""
        if self.reason is None and len(self.ids) + self.unidentified != self.rows:
            self.reason = f"id_twice: {self.rows} rows, {len(self.ids) + self.unidentified} different"
        if self.reason is None and self.rows != self.total_first:
            self.reason = f"rows_missing: {self.rows} of {self.total_first} rows listed"

    def _count(self, rows: Iterable[RowRef]) -> None:
        prefix = f"{self.month:%Y-%m-}" if self.month is not None else ""
        for row in rows:
            self.rows += 1
            if row.id is None:
                self.unidentified += 1
            else:
                self.ids.add(row.id)
            at = row.created_at
            if at is None or (at.startswith(prefix) and at.endswith("Z")):
                continue  # by far the most; parsing every instant would cost more than everything else here
            if self.month is not None and month_of(at) not in (None, self.month):
                self.outside += 1


@dataclass(frozen=True, slots=True)
class _Scan:
    """Everything that stays the same over the attempts at one slice."""

    client: GhlClient
    stream: str
    month: date | None
    landing: LandingWriter
    limit: int
    concurrency: int
    priority: Priority
    scan_id: str

    async def attempt(self, number: int) -> _Tally:
        """Read the slice once from its first page to its last."""
        tally = _Tally(self.month)
        try:
            await self._pages(tally, number)
        except Unreachable:
            raise
        except Transient as error:
            tally.reason = f"{'page_unreadable' if isinstance(error, Unreadable) else 'page_failed'}: {error}"
        except SchemaDrift as error:
            tally.reason = f"schema_drift: {error.remedy}"
        tally.conclude()
        return tally

    def certificate(self, tally: _Tally, *, pages: int, requests: int, attempts: int) -> SliceCertificate:
        """What the last attempt proved; `pages` and `requests` count all attempts."""
        asked_from, asked_to = month_bounds(self.month)
        return SliceCertificate(
            stream=self.stream,
            month=self.month,
            asked_from=asked_from,
            asked_to=asked_to,
            total_first=max(0, tally.total_first),
            total_last=max(0, tally.total_last),
            rows=tally.rows,
            unique_ids=len(tally.ids),
            unidentified=tally.unidentified,
            outside=tally.outside,
            pages=pages,
            requests=requests,
            attempts=attempts,
            complete=tally.reason is None,
            reason=tally.reason,
            scan_id=self.scan_id,
        )

    async def _pages(self, tally: _Tally, number: int) -> None:
        first, fetched_at = await self._fetch(0)
        self._land(first, 0, number, fetched_at)
        tally.add(first)
        total, size = first.total_count, len(first.rows)
        if size >= total:
            return
        if size < 2:
            tally.reason = f"page_too_small: {size} rows a page, so pages cannot overlap"
            return
        # A server may cap the page size below what was asked for; what the first page holds is what counts.
        offsets = range(size - 1, total - 1, size - 1)
        async with aclosing(in_order(offsets, self._fetch, self.concurrency)) as answers:
            for offset in offsets:
                page, fetched_at = await anext(answers)
                self._land(page, offset, number, fetched_at)
                tally.add(page)
                if tally.reason is not None:
                    return

    async def _fetch(self, offset: int) -> tuple[Page, datetime]:
        asked_from, asked_to = month_bounds(self.month)
        page = await self.client.list_page(
            self.stream,
            offset=offset,
            limit=self.limit,
            start_at=instant_text(asked_from),
            end_at=instant_text(asked_to),
            priority=self.priority,
        )
        return page, datetime.now(UTC)

    def _land(self, page: Page, offset: int, number: int, fetched_at: datetime) -> None:
        envelope = {
            "kind": "list",
            "stream": self.stream,
            "location_id": self.client.location_id,
            "month": self.month.isoformat() if self.month else None,
            "scan_id": self.scan_id,
            "attempt": number,
            "offset": offset,
            "limit": self.limit,
            "fetched_at": fetched_at.isoformat(),
            "status": 200,
        }
        self.landing.append(envelope, page.body, checked=True)


async def scan_slice(
    client: GhlClient,
    stream: str,
    month: date | None,
    landing: LandingWriter,
    *,
    limit: int = MAX_LIMIT,
    max_attempts: int = 3,
    concurrency: int = 4,
    priority: Priority = "sweep",
    scan_id: str | None = None,
) -> SliceCertificate:
    """Read one month of a list stream into the landing file and certify it; `month` None reads without a filter.

    Offsets advance by one row less than a page, so each page must begin with the very row that ended the one before:
    rows that move while paging show at once, and the slice is read again, `max_attempts` times in all.
    Raises what makes going on useless (sign-in, scope, limits, unreachable); all else is the certificate's `reason`.
    """
    if limit < 2 or max_attempts < 1:
        raise ValueError("it takes pages of two rows, or they cannot overlap, and one attempt at least")
    scan = _Scan(client, stream, month, landing, limit, concurrency, priority, scan_id or new_scan_id())
    requests_before, pages = client.requests, 0
    for number in range(1, max_attempts + 1):
        tally = await scan.attempt(number)
        pages += tally.pages
        if tally.reason is None:
            break
    return scan.certificate(tally, pages=pages, requests=client.requests - requests_before, attempts=number)


def new_scan_id() -> str:
    """A random name for one scan, used in landing file names and envelopes."""
    return uuid4().hex[:16]
