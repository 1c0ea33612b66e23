"""The mapping model: how canonical GHL rows become records of a target, field by field, as data.

Extend it when a mapping must say something new about a field or a record type.
Compiling it to SQL belongs to `warehouse/mapping_sql.py`, vendors' field names to each connector.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Source = Literal[
    "contacts",
    "orders",
    "invoices",
    "charges",
    "exceptions",
    "subscriptions",
    "rollups",
    "deliveries",
    "providers",
    "collections",
    "fulfillments",
    "shipments",
]  # fmt: skip
FieldClass = Literal["amount", "currency", "status", "quantity", "date", "contact", "other"]


class MappingError(ValueError):
    """A mapping file that cannot be used; the text names file and field."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FieldRule(_Strict):
    """One field: `desired` is SQL over the canonical row, `actual` SQL over the target's document.

    `compare` never | exact | minor (tolerance in minor units) | time (tolerance in seconds) | text (case and blanks
    folded). `write` always | create | never says when the field may be sent; `via` names the field whose writing
    changes this one, for values the target computes itself.
    """

    desired: str
    actual: str | None = None
    field_class: FieldClass = Field(default="other", alias="class")
    compare: Literal["never", "exact", "minor", "time", "text"] = "exact"
    tolerance: int = 0
    owner: Literal["ghl", "target"] = "ghl"
    write: Literal["always", "create", "never"] = "always"
    via: str | None = None


class RecordMapping(_Strict):
    """One record type: where its rows come from, their key and money, parents by record type, and fields.

    `requires` names the levels of capabilities at which the system has this record type at all; elsewhere every row is
    `not_representable` with `requires_reason`. `may_start_empty` is for containers of our own: an empty first list of
    them is no sign of missing rights. `irreversible` says that the system's API neither changes nor takes back what was
    written; `enabled_by` names the connection's option (true or false) without which such records are planned and shown
    but never written.
    """

    source: Source
    key: str = "key"
    where: str = "reason is null"
    amount: str = "amount_minor"
    currency: str = "currency"
    parents: dict[str, str] = Field(default_factory=dict)
    optional_parents: tuple[str, ...] = ()
    actual_amount: str = "null"
    requires: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    requires_reason: str = "the account has no such records"
    may_start_empty: bool = False
    irreversible: bool = False
    enabled_by: str | None = None
    fields: dict[str, FieldRule]


class Unrepresentable(_Strict):
    """Canonical rows for which the target has no form; they are reported, never written."""

    record_type: str
    source: Source
    where: str = "reason is not null"
    key: str = "key"
    reason: str = "reason"
    amount: str = "amount_minor"
    currency: str = "currency"


class Mapping(_Strict):
    """The whole of one connector's `mapping.yaml`; record types in the order in which they must be written."""

    system: str
    version: int
    source_of: dict[str, str]
    record_types: dict[str, RecordMapping]
    not_representable: tuple[Unrepresentable, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Changes whenever the mapping does, so that a refused change may be planned anew."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def load_mapping(path: Path) -> Mapping:
    """A validated mapping; MappingError names the file and every wrong field."""
    try:
        return Mapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        msg = f"{path.name}: not readable as YAML: {getattr(error, 'problem', error)}"
        raise MappingError(msg) from None
    except ValidationError as error:
        problems = "\n".join(
            f"{path.name}: {'.'.join(map(str, e['loc']))}: {e['msg']}"
            for e in error.errors(include_input=False, include_url=False)
        )
        raise MappingError(problems) from None
