"""Listing the contacts of our group completely: the page base that sources disagree about, page caps, changing counts.

How one page is asked for belongs to `client.py`, where pages go to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date

from ghl_payments.connectors.activetrail.client import EVER, ActiveTrailClient, Window
from ghl_payments.connectors.activetrail.shapes import EMPTY, Doc, Page
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.errors import Rejected, SchemaDrift, Transient, Unreachable, Unreadable

MAX_ATTEMPTS = 3

MAX_WINDOWS = 500
"""Windows of one pass; a count that no splitting reaches is wrong, and asking on would only cost requests."""

Take = Callable[[int, Page], None]


@dataclass(slots=True)
class ListPass:
    """One pass over a group; `reason` is None when its contacts are as many as ActiveTrail counts."""

    ids: set[str] = field(default_factory=set)
    declared: int | None = None
    pages: int = 0
    windows: int = 0
    reason: str | None = None

    def add(self, page: Page) -> int:
        """Count a page in; how many of its contacts are new."""
        self.pages += 1
        before = len(self.ids)
        self.ids.update(page.ids)
        return len(self.ids) - before

    def conclude(self) -> None:
        """The counts must agree once all that can be asked for was asked for."""
        if self.reason is None and self.declared is not None and len(self.ids) != self.declared:
            self.reason = f"rows_missing: {len(self.ids)} different contacts of {self.declared} listed"


@dataclass(frozen=True, slots=True)
class MemberList:
    """How to list one group: `first_page` is 0 where pages may begin there; doing so is right either way."""

    client: ActiveTrailClient
    group_id: str
    first_page: int
    concurrency: int = 4
    priority: Priority = "sweep"

    async def read(self, take: Take) -> ListPass:
        """All contacts of the group, page by page to `take`, and whether they are all.

        Raises what makes going on useless (sign-in, rights, limits, unreachable); all else is the pass's `reason`.
        """
        result = ListPass()
        try:
            await self._window(EVER, take, result, whole=True)
        except Unreachable:
            raise
        except Transient as error:
            result.reason = f"{'page_unreadable' if isinstance(error, Unreadable) else 'page_failed'}: {error}"
        except SchemaDrift as error:
            result.reason = f"schema_drift: {error.remedy}"
        result.conclude()
        return result

    async def _window(self, window: Window, take: Take, result: ListPass, *, whole: bool) -> None:
        """The contacts of some days. Where pages end before the count is reached, its halves are asked for instead."""
        result.windows += 1
        seen: set[str] = set()
        first = await self._page(self.first_page, window)
        if whole:
            result.declared = first.count
        self._count(first, take, result, seen, self.first_page)
        if first.rows and not _all(seen, first):
            await self._further(first, window, take, result, seen)
        if first.count is not None and len(seen) < first.count and not self._is_all(result):
            for half in _halves(window):
                if not self._is_all(result):
                    await self._window(half, take, result, whole=False)

    async def _further(self, first: Page, window: Window, take: Take, result: ListPass, seen: set[str]) -> None:
        """The pages after the first: as many as the count says, else until one brings nothing new."""
        count = first.count
        # With a doubtful base the first page may come twice, so that one page more is needed.
        expected = -(-count // len(first.rows)) + (self.first_page == 0) if count is not None else None
        last = self.first_page + expected if expected is not None else 10**9
        numbers = range(self.first_page + 1, last)
        width = self.concurrency if count is not None else 1

        async def fetch(page_no: int) -> Page:
            return await self._page(page_no, window)

        async with aclosing(in_order(numbers, fetch, width)) as pages:
            for page_no in numbers:
                page = await anext(pages)
                repeats_first = page_no == 1 and self.first_page == 0 and page.ids == first.ids
                if not self._count(page, take, result, seen, page_no) and not repeats_first:
                    return
                if page.count != count:
                    result.reason = f"total_changed: {count} contacts, then {page.count}"
                    return
                if _all(seen, first):
                    return

    async def _page(self, page_no: int, window: Window) -> Page:
        """A page; one that is refused as being out of range holds nothing."""
        try:
            return await self.client.members(self.group_id, page_no, window=window, priority=self.priority)
        except Rejected:
            if page_no == 1:
                raise
            return await self._page(1, window) if page_no == 0 else EMPTY

    def _count(self, page: Page, take: Take, result: ListPass, seen: set[str], page_no: int) -> int:
        """Hand a page on; how many of its contacts this window had not shown yet."""
        result.add(page)
        take(page_no, page)
        before = len(seen)
        seen.update(page.ids)
        return len(seen) - before

    def _is_all(self, result: ListPass) -> bool:
        done = result.declared is not None and len(result.ids) >= result.declared
        return done or result.reason is not None or result.windows >= MAX_WINDOWS


def _all(seen: set[str], first: Page) -> bool:
    return first.count is not None and len(seen) >= first.count


def _halves(window: Window) -> tuple[Window, ...]:
    """Two windows that share a day, so that neither reading of their ends leaves one out; none for a single day."""
    first, last = date.fromisoformat(window.first), date.fromisoformat(window.last)
    if (last - first).days <= 1:
        return ()
    middle = (first + (last - first) / 2).isoformat()
    return Window(window.first, middle), Window(middle, window.last)


def first_page(levels: Mapping[str, str]) -> int:
    """Where a listing begins at the level in force."""
    return 1 if levels["page_base"] == "one" else 0


async def search(client: ActiveTrailClient, text: str, first: int) -> list[Doc]:
    """The first contacts that a free text search finds, wherever its pages begin; check every row."""
    if first == 1:
        return list((await client.search(text, 1)).rows)
    try:
        zeroth = (await client.search(text, 0)).rows
    except Rejected:
        zeroth = ()
    return [*zeroth, *(await client.search(text, 1)).rows]


async def is_one_based(client: ActiveTrailClient, group_id: str) -> tuple[bool, str] | None:
    """Whether the first page is 1, and how that shows; None while the group has no contact to tell by."""
    first = await client.members(group_id, 1, size=1)
    try:
        zeroth = await client.members(group_id, 0, size=1)
    except Rejected:
        return True, "page 0 is refused"
    if not first.rows and not zeroth.rows:
        return None
    if zeroth.ids == first.ids or not zeroth.rows:
        return True, "page 0 shows nothing that page 1 does not"
    return False, "page 0 shows a contact that page 1 does not"
