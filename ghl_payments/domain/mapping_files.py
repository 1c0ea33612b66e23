"""Mapping files: the shipped one, a user's override merged into it field by field, and every problem with its line.

Extend it when an override may say more; rules of a finished mapping stand in `mapping_rules.py`.
Binding expressions needs DuckDB and belongs to `warehouse/mapping_check.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Mapping as Pairs
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ghl_payments.domain.mapping import FieldClass, FieldRule, Mapping, MappingError
from ghl_payments.domain.mapping_rules import rule_findings
from ghl_payments.domain.yaml_lines import (
    Finding,
    Problem,
    Spot,
    UnreadableFileError,
    YamlFile,
    findings,
    nearest,
    read_yaml,
)

Writable = Pairs[str, Collection[str]]
"""Record type -> fields that the connector knows how to write."""

SHIPPED_ONLY = ("owner", "via")
"""What an override may say about a field of its own only."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldOverride(_Strict):
    """The parts of one field that shall be different; for a new field the whole of it."""

    desired: str | None = None
    actual: str | None = None
    field_class: FieldClass | None = Field(default=None, alias="class")
    compare: Literal["never", "exact", "minor", "time", "text"] | None = None
    tolerance: int | None = None
    owner: Literal["ghl", "target"] | None = None
    write: Literal["always", "create", "never"] | None = None
    via: str | None = None


class RecordOverride(_Strict):
    """Fields of one record type."""

    fields: dict[str, FieldOverride]


class MappingOverride(_Strict):
    """The whole of a user's own mapping file: what is different, and nothing else."""

    system: str
    version: Literal[1] = 1
    record_types: dict[str, RecordOverride]


_FIELD_DEPTH = len(("record_types", "record_type", "fields", "field"))


@dataclass(frozen=True)
class MappingText:
    """A mapping and what overrides it, as they are written; `merged` is what the two say together."""

    shipped: YamlFile
    override: YamlFile | None = None

    @cached_property
    def merged(self) -> Any:
        """Plain values, the override's parts of each field in place of the shipped ones."""
        data = copy.deepcopy(self.shipped.data)
        if self.override is None or not isinstance(data, dict):
            return data
        for record_type, name, parts in _overridden(self.override.data):
            fields = (data.get("record_types", {}).get(record_type) or {}).get("fields")
            if isinstance(fields, dict):
                fields[name] = {**fields.get(name, {}), **parts}
        return data

    def problem(self, finding: Finding) -> Problem:
        """The finding with file and line: those of the override where it says anything about the field in question."""
        file, reach = self.shipped, self.shipped.reach(finding.spot)
        if self.override is not None and (own := self.override.reach(finding.spot))[0] >= min(_FIELD_DEPTH, reach[0]):
            file, reach = self.override, own
        where, rest = _where(finding.spot)
        what = f"{rest}: {finding.what}" if rest else finding.what
        return Problem(file.name, reach[1], where, what, finding.nearest)


def read_text(shipped: Path, override: Path | None = None) -> MappingText:
    """Both files with their lines, under the names by which a person knows them; MappingError if one is no YAML."""
    try:
        return MappingText(
            read_yaml(shipped, shown=shown_name(shipped)), read_yaml(override) if override is not None else None
        )
    except UnreadableFileError as error:
        raise MappingError(str(error)) from None


def shown_name(path: Path) -> str:
    """`halo/mapping.yaml` for a connector's own file, the path for any other."""
    return f"{path.parent.name}/{path.name}" if path.parent.parent.name == "connectors" else str(path)


def effective_mapping(shipped: Path, override: Path | None = None, *, writable: Writable | None = None) -> Mapping:
    """The mapping that counts: the shipped one with the override merged in, structure and rules checked.

    `writable` are the fields that the connector can write, by default those that the shipped mapping writes.
    MappingError lists every problem as `file:line: record_type.field: what is wrong; nearest: name`.
    """
    mapping, problems = judge(read_text(shipped, override), writable=writable)
    if mapping is None or problems:
        raise MappingError("\n".join(map(str, problems)))
    return mapping


def judge(text: MappingText, *, writable: Writable | None = None) -> tuple[Mapping | None, list[Problem]]:
    """The mapping, None where its structure is wrong, and every problem that shows without SQL, by file and line."""
    problems = text.shipped.repeated()
    shipped, found = _validated(text.shipped.data, Mapping)
    problems += [MappingText(text.shipped).problem(finding) for finding in found]
    if text.override is None:
        mapping = shipped
    else:
        problems += text.override.repeated()
        problems += [_at(text.override, finding) for finding in _override_findings(text.override, shipped, writable)]
        mapping, found = _validated(text.merged, Mapping) if shipped is not None and not problems else (None, [])
        problems += [text.problem(finding) for finding in found]
    if mapping is not None:
        problems += [text.problem(finding) for finding in rule_findings(mapping)]
    return mapping, sorted(set(problems), key=lambda p: (p.file, p.line, p.where, p.what))


def _validated(data: Any, model: type[BaseModel]) -> tuple[Any, list[Finding]]:
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, findings(error, model)


def _at(file: YamlFile, finding: Finding) -> Problem:
    return MappingText(file).problem(finding)


def _override_findings(file: YamlFile, shipped: Mapping | None, writable: Writable | None) -> Iterator[Finding]:
    override, found = _validated(file.data, MappingOverride)
    yield from (_clearer(finding) for finding in found)
    if override is None or shipped is None:
        return
    if override.system != shipped.system:
        yield Finding(("system",), f"is {override.system!r}; a mapping cannot be moved to another system than "
                                   f"{shipped.system!r}", shipped.system)  # fmt: skip
        return
    for record_type, record in override.record_types.items():
        if record_type not in shipped.record_types:
            yield Finding(
                ("record_types", record_type),
                "no such record type; an override changes fields of those there are",
                nearest(record_type, shipped.record_types),
            )
            continue
        known = shipped.record_types[record_type].fields
        can = writable.get(record_type, ()) if writable is not None else _written(known)
        for name, parts in record.fields.items():
            yield from _field_findings(record_type, name, parts, known, can)


def _field_findings(
    record_type: str, name: str, parts: FieldOverride, known: Pairs[str, FieldRule], can: Collection[str]
) -> Iterator[Finding]:
    spot: Spot = ("record_types", record_type, "fields", name)
    said = parts.model_dump(exclude_unset=True, by_alias=True)
    is_new = name not in known
    if is_new and parts.desired is None:
        yield Finding(spot, "no such field, and a new one needs `desired`", nearest(name, known))
        return
    for key in SHIPPED_ONLY:
        if key in said and not is_new:
            remedy = "switch the field off with `compare: never` and `write: never` instead"
            yield Finding((*spot, key), f"cannot be changed; {remedy}")
    write = said.get("write") or ("always" if is_new else known[name].write)
    was = "never" if is_new else known[name].write
    if write != "never" and was == "never" and name not in can:
        remedy = "a field of your own is compare-only: say `write: never`" if is_new else "it is compare-only"
        yield Finding((*spot, "write"), f"the connector cannot write {name!r} of {record_type}; {remedy}",
                      nearest(name, can) if is_new else None)  # fmt: skip


def _written(fields: Pairs[str, FieldRule]) -> list[str]:
    return [name for name, rule in fields.items() if rule.write != "never"]


def _clearer(finding: Finding) -> Finding:
    match finding.spot:
        case ("record_types", _, "fields", _) if "valid dictionary" in finding.what:
            remedy = "switch it off with {compare: never, write: never}"
            return Finding(finding.spot, f"a field cannot be taken away; {remedy}")
        case ("record_types", _, _) if finding.what.startswith("unknown key"):
            return Finding(finding.spot, "unknown key; an override changes `fields` only", finding.nearest)
        case ("source_of" | "not_representable",):
            return Finding(finding.spot, "not permitted in an override, which changes fields only")
    return finding


def _overridden(data: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for record_type, record in _pairs(_get(data, "record_types")):
        for name, parts in _pairs(_get(record, "fields")):
            if isinstance(parts, dict):
                yield record_type, name, parts


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _pairs(value: Any) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _where(spot: Spot) -> tuple[str, str]:
    """`record_type.field` of a spot, and the rest of its parts."""
    match spot:
        case ("record_types", record_type, "fields", name, *rest):
            return f"{record_type}.{name}", ".".join(map(str, rest))
        case ("record_types", record_type, *rest):
            return str(record_type), ".".join(map(str, rest))
    return ".".join(map(str, spot)) or "the file", ""
