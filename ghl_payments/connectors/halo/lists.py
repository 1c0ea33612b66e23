"""Listing a Halo resource completely, as far as its API lets that be known.

How one page is asked for belongs to `client.py`, where pages go to the caller.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from ghl_payments.connectors.halo.client import PAGE_SIZE, HaloClient
from ghl_payments.connectors.halo.shapes import ListPage
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.errors import SchemaDrift, Transient, Unreachable, Unreadable

MAX_ATTEMPTS = 3

Take = Callable[[int, ListPage], None]
Fetch = Callable[[int], Awaitable[ListPage]]


@dataclass(slots=True)
class ListPass:
    """One pass over a list; `reason` is None when its pages agree with each other and with Halo's own count."""

    rows: int = 0
    ids: set[str] = field(default_factory=set)
    without_id: int = 0
    declared: int | None = None
    pages: int = 0
    reason: str | None = None

    def add(self, page: ListPage) -> None:
        """Count a page in."""
        self.pages += 1
        self.rows += len(page.rows)
        for row in page.rows:
            if row.id is None:
                self.without_id += 1
            else:
                self.ids.add(row.id)
        if self.pages == 1:
            self.declared = page.record_count
        elif page.record_count != self.declared:
            self.reason = f"total_changed: {self.declared} rows, then {page.record_count}"
        elif not page.rows and self.declared is not None:
            self.reason = f"empty_page: after {self.rows} of {self.declared} rows"

    def conclude(self) -> None:
        """The counts must agree once the last page is in."""
        different = len(self.ids) + self.without_id
        if self.reason is None and different != self.rows:
            self.reason = f"id_twice: {self.rows} rows, {different} different"
        if self.reason is None and self.declared is not None and self.rows != self.declared:
            self.reason = f"rows_missing: {self.rows} of {self.declared} rows listed"


async def list_once(
    client: HaloClient,
    path: str,
    take: Take,
    *,
    filters: Mapping[str, str | int] | None = None,
    concurrency: int = 4,
    priority: Priority = "sweep",
) -> ListPass:
    """Read all pages of a resource in order, giving each to `take`, and say whether they agree.

    Raises what makes going on useless (sign-in, rights, limits, unreachable); all else is the pass's `reason`.
    """
    result = ListPass()

    async def fetch(page_no: int) -> ListPage:
        return await client.list_page(path, page_no, filters=filters, priority=priority)

    try:
        await _pages(fetch, take, result, concurrency)
    except Unreachable:
        raise
    except Transient as error:
        result.reason = f"{'page_unreadable' if isinstance(error, Unreadable) else 'page_failed'}: {error}"
    except SchemaDrift as error:
        result.reason = f"schema_drift: {error.remedy}"
    result.conclude()
    return result


async def _pages(fetch: Fetch, take: Take, result: ListPass, concurrency: int) -> None:
    first = await fetch(1)
    result.add(first)
    take(1, first)
    if first.record_count is None:
        await _uncounted_pages(fetch, take, result, first)
        return
    if not first.rows:
        return
    # A tenant may cap the page size below what was asked for; what the first page holds is what counts.
    page_nos = range(2, -(-first.record_count // len(first.rows)) + 1)
    async with aclosing(in_order(page_nos, fetch, concurrency)) as answers:
        for page_no in page_nos:
            page = await anext(answers)
            result.add(page)
            take(page_no, page)
            if result.reason is not None:
                return


async def _uncounted_pages(fetch: Fetch, take: Take, result: ListPass, first: ListPage) -> None:
    """Bare arrays say nothing about the whole, and a tenant may cap the page: read on until an empty page.

    An endpoint that ignores paging answers everything each time, which a repeated page gives away.
    """
    page, page_no = first, 1
    while page.rows:
        page_no += 1
        following = await fetch(page_no)
        if following.body == page.body:
            if len(page.rows) == PAGE_SIZE:
                result.reason = f"paging_ignored: every page holds the same {PAGE_SIZE} rows, so there may be more"
            return
        if not following.rows:
            return
        page = following
        result.add(page)
        take(page_no, page)
