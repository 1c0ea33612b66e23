"""A state of Act! as the answer key reads it: every visible record that carries one of our keys, in either form.

Add a form here when records can be kept in one more; what should be held belongs to `oracle_act`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from ghl_payments.domain.keys import parse_key
from ghl_payments.sandbox.act_data import is_visible
from ghl_payments.sandbox.act_schema import STATUS_NAMES
from ghl_payments.sandbox.codec import Doc, decode

PAYMENT_TABLE, SUBSCRIPTION_TABLE = "GHL_PAYMENT", "GHL_SUBSCRIPTION"
_KINDS = {"contact": "contact", "opportunity": "order", "payment": "txn", "subscription": "sub"}
_AS_OPPORTUNITY = {
    "amount": "ghl_amount", "currency": "ghl_currency", "status": "ghl_status", "plan": "ghl_plan",
    "billing_interval": "ghl_billing_interval", "cancelled_at": "ghl_cancelled_at",
    "next_billing_at": "ghl_next_billing_at",
}  # fmt: skip

Canonical = Mapping[str, Callable[[object], str | None]]
"""Location -> the contact that a contact id stands for today."""


@dataclass(slots=True)
class Held:
    """One record of ours; `fields` are its texts by our own names, `total` what its products come to."""

    record_type: str
    key: str
    native_id: str
    location_id: str | None
    fields: dict[str, Any] = field(default_factory=dict)
    contact_keys: set[str] = field(default_factory=set)
    currency: str | None = None
    total: object = None
    readable: bool = True


def read_state(state: Doc, *, tables: bool, only_location: str | None, canonical: Canonical) -> list[Held]:
    """Every record that carries a key of its own kind, with the location it belongs to."""
    reader = _Reader(state, only_location, canonical)
    found = reader.contacts()
    found += reader.opportunities("opportunity")
    if tables:
        custom = state.get("custom") or {}
        found += reader.rows("payment", PAYMENT_TABLE, custom.get(PAYMENT_TABLE) or ())
        found += reader.rows("subscription", SUBSCRIPTION_TABLE, custom.get(SUBSCRIPTION_TABLE) or ())
    else:
        found += reader.history()
        found += reader.opportunities("subscription")
    return found


class _Reader:
    def __init__(self, state: Doc, only_location: str | None, canonical: Canonical) -> None:
        self._state = state
        self._only = only_location
        self._canonical = canonical
        self._names: dict[str, dict[str, str]] = {}
        for column in state.get("fields") or ():
            names = self._names.setdefault(column["recordType"], {})
            names[str(column["columnName"]).lower()] = str(column["name"]).lower()
        self._owners: dict[str, tuple[str, str | None]] = {}

    def contacts(self) -> list[Held]:
        """Contacts first, as the others are located by them."""
        found = []
        for doc in self._visible("contacts"):
            fields = self._custom(doc, "Contact")
            key, place = _key("contact", fields.get("ghl_key")), fields.get("ghl_location") or self._only
            if key is None:
                continue
            if place in self._canonical:
                contact = self._canonical[str(place)](key.removeprefix("ghl:contact:"))
                key = f"ghl:contact:{contact}"
            self._owners[doc["id"].lower()] = (key, place)
            found.append(Held("contact", key, doc["id"], place))
        return found

    def opportunities(self, record_type: str) -> list[Held]:
        """Opportunities that carry a key of the kind that goes with the record type."""
        found = []
        for doc in self._visible("opportunities"):
            fields = self._custom(doc, "Opportunity")
            key = _key(record_type, doc.get("sourceId")) or _key(record_type, fields.get("ghl_key"))
            if key is None:
                continue
            place = fields.get("ghl_location")
            if record_type == "subscription":
                fields = {name: fields.get(field) for name, field in _AS_OPPORTUNITY.items()} | {
                    "starts_at": doc.get("openDate"), "ends_at": doc.get("estimatedCloseDate"),
                    "state": _status(doc.get("status")), "ghl_currency": fields.get("ghl_currency"),
                }  # fmt: skip
            else:
                fields |= {
                    "status": _status(doc.get("status")), "open_date": doc.get("openDate"),
                    "close_date": doc.get("actualCloseDate"),
                }  # fmt: skip
            held = self._held(record_type, key, doc, fields, place, doc.get("contacts") or ())
            held.total = doc.get("productTotal")
            held.readable = _is_number(held.total) if record_type == "opportunity" else _is_text(fields.get("amount"))
            found.append(held)
        return found

    def rows(self, record_type: str, table: str, docs: Any) -> list[Held]:
        """Rows of a custom table."""
        names = self._names.get(table, {})
        found = []
        for doc in docs:
            fields = {names[name.lower()]: _clean(value) for name, value in doc.items() if name.lower() in names}
            key = _key(record_type, fields.get("ghl_id"))
            if key is not None:
                place = fields.get("ghl_location")
                held = self._held(record_type, key, doc, fields, place, doc.get("contacts") or ())
                held.readable = _is_text(fields.get("amount"))
                found.append(held)
        return found

    def history(self) -> list[Held]:
        """Payments kept as history."""
        found = []
        for doc in self._visible("history"):
            key = _key("payment", doc.get("regarding"))
            if key is None:
                continue
            try:
                details = decode(str(doc.get("details")).encode())
            except msgspec.DecodeError:
                details = {}
            fields = {name: _clean(value) for name, value in details.items()} if isinstance(details, dict) else {}
            held = self._held("payment", key, doc, fields, fields.get("location"), doc.get("contacts") or ())
            held.readable = _is_text(fields.get("amount"))
            found.append(held)
        return found

    def _held(self, record_type: str, key: str, doc: Doc, fields: dict[str, Any], place: Any, links: Any) -> Held:
        owners = [self._owners[link["id"].lower()] for link in links if link["id"].lower() in self._owners]
        places = sorted(owner[1] for owner in owners if owner[1])
        place = place or (places[0] if places else self._only)
        currency = fields.get("ghl_currency") or fields.get("currency")
        return Held(
            record_type, key, doc["id"], place, fields, {owner[0] for owner in owners},
            currency.upper() if isinstance(currency, str) else None,
        )  # fmt: skip

    def _visible(self, name: str) -> Iterator[Doc]:
        yield from (doc for doc in self._state.get(name) or () if is_visible(doc))

    def _custom(self, doc: Doc, record_type: str) -> dict[str, Any]:
        names = self._names.get(record_type, {})
        custom = doc.get("customFields") or {}
        return {names[name.lower()]: _clean(value) for name, value in custom.items() if name.lower() in names}


def _key(record_type: str, text: object) -> str | None:
    parsed = parse_key(text) if isinstance(text, str) else None
    return str(text) if parsed is not None and parsed[0] == _KINDS[record_type] else None


def _status(value: object) -> str | None:
    if isinstance(value, str):
        return str(STATUS_NAMES.index(value)) if value in STATUS_NAMES else None
    return str(value) if value in range(len(STATUS_NAMES)) else None


def _clean(value: object) -> object:
    """Blank is nothing; numbers are texts, as they come out of JSON."""
    if isinstance(value, str):
        return value.strip(" ") or None
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    """Whether a text is a number."""
    try:
        return Decimal(str(value)).is_finite()
    except ArithmeticError:
        return False
