"""Lists of the sandboxed ActiveTrail: windows of days, free text, pages, and the switches for all that is left open.

A new ambiguity of the account is one more switch here; what it changes belongs to the module that acts it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from ghl_payments.sandbox.activetrail_contacts import refused
from ghl_payments.sandbox.activetrail_data import shown_contact
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.wire import Request

DEFAULT_WINDOW = timedelta(days=92)
"""Lists that name no dates show about three months."""

MAX_LIMIT, USUAL_LIMIT = 100, 20
_SEARCHED = ("email", "sms", "first_name", "last_name")


class ActiveTrailSwitches(msgspec.Struct, forbid_unknown_fields=True):
    """Behaviours that the vendor's documentation leaves open.

    `page_base` is the number of the first page; page 0 of an account that begins at 1 is `page_zero`. `page_cap` ends
    lists after so many pages, 0 never. `commerce` `missing` answers 404, `forbidden` 403. `external` `attach` cannot
    find contacts by their external id, `none` has none at all. `contact_put` `replace` empties what is not sent;
    `counts` says whether a group's list counts its contacts.
    """

    activetrail_page_base: Literal[0, 1] = 1
    activetrail_page_zero: Literal["clamp", "error"] = "clamp"
    activetrail_page_cap: int = 0
    activetrail_unknown_order: Literal["not_found", "empty"] = "not_found"
    activetrail_duplicate_order: Literal["overwrite", "error"] = "overwrite"
    activetrail_write_answer: Literal["document", "empty", "no_content"] = "empty"
    activetrail_member_answer: Literal["document", "empty"] = "document"
    activetrail_commerce: Literal["available", "forbidden", "missing"] = "available"
    activetrail_external: Literal["find", "attach", "none"] = "find"
    activetrail_search: Literal["free_text", "ignored"] = "free_text"
    activetrail_contact_put: Literal["partial", "replace"] = "partial"
    activetrail_labels: Literal["told", "missing"] = "told"
    activetrail_counts: bool = True


class Lists:
    """Selects and pages what a list shows."""

    def __init__(self, switches: ActiveTrailSwitches, now: datetime) -> None:
        self._switches = switches
        self._now = now

    def found(self, request: Request, docs: Iterable[Doc]) -> list[Doc]:
        """Contacts that the search text is a part of, by name or address."""
        shown = self.in_window(request, docs)
        text = parameters(request).get("searchterm", "").strip().casefold()
        if not text or self._switches.activetrail_search == "ignored":
            return shown
        return [doc for doc in shown if any(text in str(doc.get(name) or "").casefold() for name in _SEARCHED)]

    def in_window(self, request: Request, docs: Iterable[Doc]) -> list[Doc]:
        """Contacts registered in the window that was asked for; without one, lately."""
        query = parameters(request)
        first = query.get("fromdate") or f"{self._now - DEFAULT_WINDOW:%Y-%m-%d}"
        last = query.get("todate") or f"{self._now:%Y-%m-%d}"
        if not _is_day(first) or not _is_day(last):
            raise refused(400, "BadRequest: a date is not valid")
        states = query.get("customerstates", "ALL").casefold()
        if states not in ("all", "active"):
            return []
        return [shown_contact(doc) for doc in docs if first[:10] <= str(doc["_created"])[:10] <= last[:10]]

    def page(self, request: Request, rows: list[Doc]) -> tuple[list[Doc], int]:
        """One page of the rows, and how many there are in all."""
        query, switches = parameters(request), self._switches
        limit, page = query.get("limit", str(USUAL_LIMIT)), query.get("page", str(switches.activetrail_page_base))
        if not limit.isdigit() or not 1 <= int(limit) <= MAX_LIMIT or not page.isdigit():
            raise refused(400, "BadRequest: Limit is 1 to 100")
        number = int(page) - switches.activetrail_page_base
        if number < 0 and switches.activetrail_page_zero == "error":
            raise refused(400, "BadRequest: Page begins at 1")
        number = max(0, number)
        if request.empty_lists:
            return [], 0
        if switches.activetrail_page_cap and number >= switches.activetrail_page_cap:
            return [], len(rows)
        return rows[number * int(limit) : (number + 1) * int(limit)], len(rows)


def parameters(request: Request) -> dict[str, str]:
    """The query, its names in lower case."""
    return {name.casefold(): value for name, value in request.query.items()}


def _is_day(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
