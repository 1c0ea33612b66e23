"""What writes to the sandboxed ActiveTrail's contacts do: upserts by address, values refused, merges that are needed.

Reading belongs to `activetrail`, commerce orders to `activetrail_orders`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.activetrail_data import CONTACT_FIELDS, ActiveTrailData
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.wire import Refused, json_answer

_READ_ONLY = frozenset({"id", "state", "is_optined"})
_WRITABLE = tuple(name for name in CONTACT_FIELDS if name not in _READ_ONLY)
MAX_INT = 2**31 - 1


def refused(status: int, message: str) -> Refused:
    """An error in the platform's usual form."""
    return Refused(json_answer(status, {"Message": message}))


class ContactDesk:
    """Changes contacts of one account."""

    def __init__(self, data: ActiveTrailData, history: History, now: str) -> None:
        self._data = data
        self._history = history
        self._now = now

    def upsert(self, body: Doc) -> Doc:
        """The contact with this e-mail address or mobile number, created or changed in what was sent."""
        values = _values(body)
        if not values.get("email") and not values.get("sms"):
            raise refused(400, "InvalidResource: email or sms is required")
        found = self._owner(values)
        if found is None:
            doc = {"id": self._data.next_id("contacts"), "_created": self._now, **values}
        else:
            doc = {**found, "is_deleted": False, **values}
        return self._data.write(self._history, doc)

    def change(self, contact: Doc, body: Doc, *, replace: bool) -> Doc:
        """Change what was sent; with `replace` all else is emptied."""
        values = _values(body)
        for name in ("email", "sms"):
            other = self._data.contact_by(name, values.get(name))
            if other is not None and other["id"] != contact["id"]:
                raise refused(409, "ResolveMergeNeeded")
        kept = {name: value for name, value in contact.items() if not replace or name not in _WRITABLE}
        return self._data.write(self._history, {**kept, **values})

    def _owner(self, values: Doc) -> Doc | None:
        """The one contact that the addresses belong to; 409 when they belong to two."""
        found = [doc for name in ("email", "sms") if (doc := self._data.contact_by(name, values.get(name)))]
        if len(found) == 2 and found[0]["id"] != found[1]["id"]:
            raise refused(409, "ResolveMergeNeeded")
        return found[0] if found else None


def _values(body: Doc) -> Doc:
    """The writable properties that were sent; 400 for a value of another type."""
    values = {name: body[name] for name in _WRITABLE if name in body}
    for name, value in values.items():
        if value is not None and not _fits(name, value):
            raise refused(400, f"InvalidResource: {name} cannot be converted")
    return values


def _fits(name: str, value: Any) -> bool:
    if name.startswith("num"):
        return isinstance(value, int) and not isinstance(value, bool) and -MAX_INT - 1 <= value <= MAX_INT
    if name.startswith("date") or name in ("anniversary", "birthday"):
        return is_date(value)
    return isinstance(value, bool) if name == "is_deleted" else isinstance(value, str)


def is_date(value: object) -> bool:
    """Whether a value is a date as the API takes it."""
    try:
        datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


def is_number(value: object) -> bool:
    """Whether a value is a JSON number."""
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)
