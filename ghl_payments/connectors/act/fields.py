"""The custom fields and columns that carry GHL's facts in Act!, and how their internal JSON names are found out. Pure.

Add a field here when the mapping writes one more; asking Act! for its metadata belongs to `directory.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

OWNERS = ("contact", "opportunity", "payment", "subscription")

RECORD_TYPES = {"contact": "Contact", "opportunity": "Opportunity"}
"""Act!'s name of the record type in its metadata; a custom table's is its own name."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of ours: its name in mappings, its type in Act!; `fallback` ones matter without custom tables only."""

    owner: str
    name: str
    type: str
    length: int | None = None
    fallback: bool = False

    def column(self, label: str) -> dict[str, Any]:
        """What creates it."""
        column: dict[str, Any] = {"name": label, "type": self.type, "isAllowBlank": True}
        if self.length is not None:
            column["length"] = self.length
        if self.type == "Decimal":
            column |= {"precision": 18, "scale": 4}
        return column


def _texts(owner: str, lengths: Mapping[str, int]) -> list[FieldSpec]:
    return [FieldSpec(owner, name, "Character", length) for name, length in lengths.items()]


def _dates(owner: str, *names: str, fallback: bool = False) -> list[FieldSpec]:
    return [FieldSpec(owner, name, "DateTime", fallback=fallback) for name in names]


SPECS: tuple[FieldSpec, ...] = (
    *_texts("contact", {"ghl_key": 80, "ghl_location": 40}),
    *_texts("opportunity", {
        "ghl_key": 80, "ghl_location": 40, "ghl_status": 64, "ghl_payment_status": 64, "ghl_amount": 32,
        "ghl_currency": 3, "ghl_subscription_status": 128, "ghl_fulfillment_status": 64,
    }),
    *_dates("opportunity", "ghl_shipped_at", "ghl_updated_at"),
    FieldSpec("opportunity", "ghl_tracking", "Memo"),
    FieldSpec("opportunity", "ghl_fulfillments", "Memo"),
    FieldSpec("opportunity", "ghl_plan", "Character", 128, fallback=True),
    FieldSpec("opportunity", "ghl_billing_interval", "Character", 32, fallback=True),
    *_dates("opportunity", "ghl_cancelled_at", "ghl_next_billing_at", fallback=True),
    *_texts("payment", {
        "ghl_key": 80, "ghl_location": 40, "currency": 3, "status": 64, "method": 64, "reference": 128,
    }),
    FieldSpec("payment", "amount", "Decimal"),
    FieldSpec("payment", "refunded", "Decimal"),
    *_dates("payment", "paid_at", "updated_at"),
    *_texts("subscription", {
        "ghl_key": 80, "ghl_location": 40, "currency": 3, "status": 64, "plan": 128, "billing_interval": 32,
    }),
    FieldSpec("subscription", "amount", "Decimal"),
    *_dates("subscription", "starts_at", "ends_at", "cancelled_at", "next_billing_at", "updated_at"),
)  # fmt: skip


def known_fields(owner: str) -> list[str]:
    """Names of an owner's fields."""
    return [spec.name for spec in SPECS if spec.owner == owner]


def needed(tables: bool) -> list[FieldSpec]:
    """The fields that an account needs, with custom tables or without."""
    if tables:
        return [spec for spec in SPECS if not spec.fallback]
    return [spec for spec in SPECS if spec.owner in RECORD_TYPES]


def label_of(spec: FieldSpec, configured: Mapping[str, Mapping[str, str]]) -> str:
    """What the field is called in Act!: as configured, else our own name, in capitals for a table's column."""
    named = configured.get(spec.owner, {}).get(spec.name)
    if named is not None:
        return named
    if spec.owner in RECORD_TYPES:
        return spec.name
    return "GHL_ID" if spec.name == "ghl_key" else spec.name.upper()


def json_name(label: str, columns: Sequence[Mapping[str, Any]], seen: Collection[str]) -> str | None:
    """The name under which records show the field that people know as `label`; None when there is no such field.

    `columns` is the metadata of its record type, `seen` the names that a record of this type has shown: those are
    internal names in lower case, which metadata call by differing properties.
    """
    shown = {name.casefold(): name for name in seen}
    for column in _named(label, columns):
        candidates = [*_texts_of(column, "columnName", "name", "aliasName"), _slug(column.get("displayName"))]
        for candidate in candidates:
            if candidate.casefold() in shown:
                return shown[candidate.casefold()]
        if candidates[0]:
            return candidates[0].lower()
    return shown.get(label.casefold())


def _named(label: str, columns: Sequence[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Columns that bear the label, internal names first."""
    for member in ("columnName", "name", "displayName", "aliasName"):
        for column in columns:
            value = column.get(member)
            if isinstance(value, str) and value.casefold() == label.casefold() and not column.get("isReadOnly"):
                yield column


def _texts_of(column: Mapping[str, Any], *members: str) -> list[str]:
    return [value for member in members if isinstance(value := column.get(member), str) and value]


def _slug(text: object) -> str:
    return re.sub(r"[^a-z0-9]", "_", text.lower()) if isinstance(text, str) else ""


@dataclass(frozen=True, slots=True)
class Directory:
    """What a database calls our fields: JSON names by (owner, name), and what is not there.

    `named_status` says that this database shows an opportunity's status by name instead of by number.
    """

    names: Mapping[tuple[str, str], str]
    missing: tuple[FieldSpec, ...]
    labels: Mapping[tuple[str, str], str] = field(default_factory=dict)
    named_status: bool = False

    def name(self, owner: str, name: str) -> str:
        """The JSON name of a field; KeyError when it is missing, which `missing` tells beforehand."""
        return self.names[owner, name]

    def rows(self) -> list[dict[str, str | None]]:
        """One row a field of ours, as `documents.sql` reads it."""
        known = {**dict.fromkeys(((spec.owner, spec.name) for spec in self.missing), None), **self.names}
        return [
            {"id": f"{owner}/{name}", "owner": owner, "field": name, "name": json}
            for (owner, name), json in sorted(known.items())
        ]
