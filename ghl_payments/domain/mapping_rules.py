"""What must hold in a finished mapping beyond its structure: names that refer to each other, order, rules that fit.

Add a rule here when a mapping can be wrong in a way that shows without SQL; expressions are bound by
`warehouse/mapping_check.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

from ghl_payments.domain.keys import KeyKind
from ghl_payments.domain.mapping import FieldRule, Mapping, RecordMapping
from ghl_payments.domain.yaml_lines import Finding, Spot, nearest

KINDS = (*get_args(KeyKind), "delivery", "collection", "any")
"""What `source_of` may say of a record type's keys."""

NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Names become parts of SQL identifiers and JSON paths."""

MAX_TIME_TOLERANCE = 31 * 86_400
"""Seconds; two instants a month apart are not the same by any calendar."""


def rule_findings(mapping: Mapping) -> Iterator[Finding]:
    """Everything that breaks a rule."""
    if not NAME.fullmatch(mapping.system):
        yield Finding(("system",), f"{mapping.system!r} must be lower case letters, digits and _")
    yield from _source_findings(mapping)
    earlier: list[str] = []
    for record_type, record in mapping.record_types.items():
        yield from _record_findings(mapping, record_type, record, earlier)
        for name, rule in record.fields.items():
            spot: Spot = ("record_types", record_type, "fields", name)
            if not NAME.fullmatch(name):
                yield Finding(spot, "a field's name must be lower case letters, digits and _")
            yield from _field_findings(spot, rule)
            yield from _via_findings(spot, name, rule, record)
        earlier.append(record_type)
    for place, entry in enumerate(mapping.not_representable):
        if entry.record_type not in mapping.record_types:
            yield Finding(("not_representable", place, "record_type"), f"no record type {entry.record_type!r}",
                          nearest(entry.record_type, mapping.record_types))  # fmt: skip


def _source_findings(mapping: Mapping) -> Iterator[Finding]:
    for record_type, kind in mapping.source_of.items():
        if kind not in KINDS:
            yield Finding(("source_of", record_type), f"{kind!r} is no kind of key; kinds: {', '.join(KINDS)}",
                          nearest(kind, KINDS))  # fmt: skip
        if record_type not in mapping.record_types:
            yield Finding(("source_of", record_type), f"no record type {record_type!r}",
                          nearest(record_type, mapping.record_types))  # fmt: skip
    for record_type in mapping.record_types:
        if record_type not in mapping.source_of:
            yield Finding(("source_of",), f"says nothing of the keys of {record_type!r}")


def _record_findings(
    mapping: Mapping, record_type: str, record: RecordMapping, earlier: list[str]
) -> Iterator[Finding]:
    spot: Spot = ("record_types", record_type)
    if not NAME.fullmatch(record_type):
        yield Finding(spot, "a record type's name must be lower case letters, digits and _")
    for name, rule in record.fields.items():
        if record.irreversible and rule.write == "always":
            said = "what is irreversible is written at its creation only: `create` or `never`"
            yield Finding((*spot, "fields", name, "write"), said)
    if not record.fields:
        yield Finding((*spot, "fields"), "has no field")
    for parent in record.parents:
        if parent not in mapping.record_types:
            yield Finding((*spot, "parents", parent), f"no record type {parent!r}",
                          nearest(parent, mapping.record_types))  # fmt: skip
        elif parent not in earlier:
            said = f"{parent!r} is written after {record_type!r}; a parent must stand above its children"
            yield Finding((*spot, "parents", parent), said)
    for place, parent in enumerate(record.optional_parents):
        if parent not in record.parents:
            yield Finding((*spot, "optional_parents", place), f"{parent!r} is not among the parents",
                          nearest(parent, record.parents))  # fmt: skip


def _field_findings(spot: Spot, rule: FieldRule) -> Iterator[Finding]:
    if rule.compare != "never" and rule.actual is None:
        yield Finding(spot, f"is compared ({rule.compare}) and has no `actual` to compare with")
    if rule.tolerance < 0:
        yield Finding((*spot, "tolerance"), "must be 0 or more")
    elif rule.tolerance and rule.compare not in ("minor", "time"):
        yield Finding((*spot, "tolerance"), f"has no effect with `compare: {rule.compare}`; it goes with minor (minor "
                                            "units) and time (seconds)")  # fmt: skip
    elif rule.compare == "time" and rule.tolerance > MAX_TIME_TOLERANCE:
        yield Finding((*spot, "tolerance"), f"{rule.tolerance} seconds are more than a month; nothing would differ")
    if rule.owner == "target" and rule.write == "always":
        yield Finding((*spot, "write"), "a field that the target owns is never written again: `create` or `never`")


def _via_findings(spot: Spot, name: str, rule: FieldRule, record: RecordMapping) -> Iterator[Finding]:
    if rule.via is None:
        return
    if rule.via not in record.fields:
        yield Finding((*spot, "via"), f"no field {rule.via!r} in this record type", nearest(rule.via, record.fields))
    elif rule.via == name or record.fields[rule.via].write != "always":
        yield Finding((*spot, "via"), f"{rule.via!r} is not written always, and so cannot keep this one right")
    if rule.write != "never":
        yield Finding((*spot, "write"), "a field that follows from another (`via`) is not written itself: `never`")
