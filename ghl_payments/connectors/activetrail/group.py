"""Our own group of the account: found by its exact name, made when the first contact is written.

A group of our own has no automations, which is why only it is ever written to.
"""

from __future__ import annotations

import asyncio

from ghl_payments.connectors.activetrail.client import SYSTEM, ActiveTrailClient
from ghl_payments.connectors.activetrail.shapes import EMPTY, Page, id_text
from ghl_payments.transport.errors import OutcomeUnknown, Rejected, Transient

MAX_PAGES = 200


class OwnGroup:
    """The group of one account by its name; its id is asked for once."""

    def __init__(self, client: ActiveTrailClient, name: str) -> None:
        self._client = client
        self._name = name
        self._id: str | None = None
        self._lock = asyncio.Lock()

    async def find(self) -> str | None:
        """The group's id, None as long as there is none; the oldest of several with the name."""
        if self._id is None:
            self._id = await self._search()
        return self._id

    async def ensure(self) -> str:
        """The group's id, after making the group if need be. A lost answer is resolved by looking again."""
        async with self._lock:
            if await self.find() is None:
                try:
                    await self._client.create_group(self._name)
                except OutcomeUnknown:
                    if await self.find() is None:
                        raise self._missing() from None
            found = await self.find()
            if found is None:
                raise self._missing()
            return found

    def _missing(self) -> Transient:
        return Transient(
            system=SYSTEM, method="GET", path="/api/groups",
            remedy=f"The group {self._name!r} was made and is not listed yet; trying again later can help.",
        )  # fmt: skip

    async def _search(self) -> str | None:
        """The search for a name may be ignored or find parts, pages may begin at 0 or 1: look until nothing is new."""
        seen: set[str] = set()
        hits: set[str] = set()
        for page_no in range(MAX_PAGES):
            page = await self._page(page_no)
            hits.update(str(id_text(row.get("id"))) for row in page.rows if row.get("name") == self._name)
            # Page 1 may be page 0 once more, and is then no sign of the end.
            if seen.issuperset(page.ids) and (page_no > 1 or (page_no == 1 and not page.rows)):
                break
            seen.update(page.ids)
        return min(hits, key=lambda text: (len(text), text), default=None)

    async def _page(self, page_no: int) -> Page:
        try:
            return await self._client.groups(page_no, self._name)
        except Rejected:
            if page_no > 0:
                raise
            return EMPTY
