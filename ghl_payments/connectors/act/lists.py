"""Listing an Act! collection completely, as far as its API lets that be known: bare arrays without any count.

How one page is asked for belongs to `client.py`, where rows go to the caller.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ghl_payments.connectors.act.odata import Query, all_of, since
from ghl_payments.connectors.act.shapes import ListPage, ListRow
from ghl_payments.transport.errors import NotFound, Rejected, SchemaDrift, Transient, Unreachable, Unreadable

MAX_STANDSTILLS = 3
"""How often paging by position starts over, because pages do not follow each other, before it is given up."""

ROUNDING = timedelta(seconds=1)
"""How far what a row shows as its last edit may be from what the database compares."""

Fetch = Callable[[Query], Awaitable[ListPage]]
Take = Callable[[Sequence[ListRow], bool], None]
"""Gets rows not seen before, or (True) rows that were seen and have changed since."""


@dataclass(slots=True)
class ListPass:
    """One pass over a collection; `reason` is None when it went through to an empty page."""

    rows: int = 0
    pages: int = 0
    reason: str | None = None
    seen: dict[str, str | None] = field(default_factory=dict)

    def new_rows(self, page: ListPage, take: Take) -> int:
        """Count a page in and pass on what is new on it; returns how many rows were."""
        self.pages += 1
        fresh = [row for row in page.rows if row.id not in self.seen]
        changed = [row for row in page.rows if row.id in self.seen and self.seen[row.id] != row.edited]
        for rows, again in ((fresh, False), (changed, True)):
            self.seen.update((row.id, row.edited) for row in rows)
            if rows:
                take(rows, again)
        self.rows += len(fresh)
        return len(fresh) + len(changed)


class _NotHonouredError(Exception):
    """The database does not order or filter by `edited` as asked."""


async def list_all(fetch: Fetch, take: Take, *, where: str | None = None) -> ListPass:
    """Read all pages of a collection, giving rows to `take` as they come, and say whether the end was reached.

    Raises what makes going on useless (sign-in, rights, limits, unreachable); all else is the pass's `reason`.
    """
    result = ListPass()
    try:
        try:
            await _by_edited(fetch, take, result, where)
        except (_NotHonouredError, Rejected):
            await _by_position(fetch, take, result, where)
    except Unreachable:
        raise
    except Transient as error:
        result.reason = f"{'page_unreadable' if isinstance(error, Unreadable) else 'page_failed'}: {error}"
    except (SchemaDrift, Rejected, NotFound) as error:
        reasons = {SchemaDrift: "schema_drift", Rejected: "refused", NotFound: "no_such_collection"}
        result.reason = f"{reasons[type(error)]}: {error.remedy}"
    return result


async def _by_edited(fetch: Fetch, take: Take, result: ListPass, where: str | None) -> None:
    """Ascending by `edited`, each page beginning shortly before the second in which the one before ended.

    A record that is edited meanwhile moves to the end and is read again; none is skipped. Only within that time do
    pages go on by position.
    """
    start: datetime | None = None
    while True:
        bound = since("edited", start - ROUNDING) if start is not None else None
        query = Query(all_of([where, bound]), "edited asc,id asc")
        page = await fetch(query)
        _check_order(page, start)
        _check_overlap(page, start)
        result.new_rows(page, take)
        if not page.rows:
            return
        end = _second(page.rows[-1])
        if start is None or end > start:
            start = end
            continue
        start = await _rest_of_second(fetch, take, result, query, page, start)
        if start is None:
            return


async def _rest_of_second(
    fetch: Fetch, take: Take, result: ListPass, query: Query, page: ListPage, start: datetime
) -> datetime | None:
    """Go on by position until a page ends later than in the second `start` (returned) or there is no more (None)."""
    position = Position()
    position.advance(page)
    while True:
        page = await fetch(Query(query.where, query.order, skip=position.next_skip))
        _check_order(page, start)
        result.new_rows(page, take)
        if not position.advance(page):
            if position.lost(result):
                return None
        elif not page.rows:
            return None
        elif (end := _second(page.rows[-1])) > start:
            return end


async def _by_position(fetch: Fetch, take: Take, result: ListPass, where: str | None) -> None:
    """By `$skip` in the order of creation, each page beginning with the last row of the one before."""
    position = Position()
    while True:
        page = await fetch(Query(where, "created asc,id asc", skip=position.next_skip))
        result.new_rows(page, take)
        if not position.advance(page):
            if position.lost(result):
                return
        elif not page.rows:
            return


class Position:
    """Where paging by `$skip` stands: pages overlap by a row, so that a row that moved away shows."""

    def __init__(self) -> None:
        self.next_skip = 0
        self._standstills = 0
        self._anchor: str | None = None
        self._passed: str | None = None

    def advance(self, page: ListPage) -> bool:
        """Take a page; False when it does not begin where the one before ended, and paging starts over."""
        first = page.rows[0].id if page.rows else None
        strayed = self._anchor is not None and first != self._anchor
        if strayed or (self._passed is not None and first == self._passed):
            self._standstills += 1
            self.next_skip, self._anchor, self._passed = 0, None, None
            return False
        # A page of one row cannot overlap and still go on.
        overlap = 1 if len(page.rows) > 1 else 0
        self.next_skip += len(page.rows) - overlap
        last = page.rows[-1].id if page.rows else None
        self._anchor, self._passed = (last, None) if overlap else (None, last)
        return True

    def lost(self, result: ListPass) -> bool:
        """Whether paging has started over too often; says so in the result."""
        if self._standstills <= MAX_STANDSTILLS:
            return False
        result.reason = "paging_unsteady: pages do not follow each other, or $skip is not honoured"
        return True


def _second(row: ListRow) -> datetime:
    """The second in which a row was edited; what is shown may be cut to seconds, what is compared may not."""
    if row.edited_at is None:
        raise _NotHonouredError
    return row.edited_at.replace(microsecond=0)


def _check_order(page: ListPage, start: datetime | None) -> None:
    """Rows must ascend by `edited`, from what was asked for on."""
    last = start - ROUNDING if start is not None else None
    for row in page.rows:
        second = _second(row)
        if last is not None and second < last:
            raise _NotHonouredError
        last = second


def _check_overlap(page: ListPage, start: datetime | None) -> None:
    """The record in whose second a page begins must be on it: else the bound means another time than was meant.

    One that was edited or removed meanwhile looks the same; reading by position then costs time, but misses nothing.
    """
    if start is not None and (not page.rows or _second(page.rows[0]) > start):
        raise _NotHonouredError
