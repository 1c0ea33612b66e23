"""The mapping a connection works by: shipped, a user's override merged in, and checked down to its SQL before a run.

Extend it when something more has to hold before a mapping may decide about records.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as Pairs
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock

import duckdb

from ghl_payments.connections import SettingsError
from ghl_payments.domain.mapping import Mapping, MappingError, RecordMapping
from ghl_payments.domain.mapping_files import MappingText, judge, read_text
from ghl_payments.domain.yaml_lines import Finding, Problem, nearest
from ghl_payments.warehouse.mapping_check import new_layout, sql_findings


@dataclass(frozen=True, slots=True)
class MappingSource:
    """What a mapping is checked against: the connector's own files and what it can do.

    `writable` is None for a connector that does not say it; then the shipped mapping's written fields count.
    `switches` are the connection's options that are true or false, None where they are not known.
    """

    shipped: Path
    documents_sql: Path | None
    record_types: tuple[str, ...] = ()
    capabilities: Pairs[str, tuple[str, ...]] | None = field(default=None, compare=False)
    writable: Pairs[str, Collection[str]] | None = field(default=None, compare=False)
    switches: tuple[str, ...] | None = None


def mapping_for(source: MappingSource, override: Path | None = None) -> Mapping:
    """The mapping that counts, checked; SettingsError lists every problem with file, line and field."""
    texts = tuple(_content(path) for path in (source.shipped, source.documents_sql, override))
    return _checked(source, override, texts)


def check_mapping(source: MappingSource, override: Path | None = None) -> tuple[Mapping | None, list[Problem]]:
    """Every problem of a mapping, with SQL bound as soon as its structure allows; the mapping if there is one."""
    text = read_text(source.shipped, override)
    mapping, problems = judge(text, writable=source.writable)
    if mapping is None:
        return None, problems
    found = [text.problem(finding) for finding in _connector_findings(source, mapping)]
    return mapping, [*problems, *found, *_sql_problems(text, mapping, source.documents_sql)]


def _sql_problems(text: MappingText, mapping: Mapping, documents_sql: Path | None) -> list[Problem]:
    with _ONE_AT_A_TIME:
        return [text.problem(finding) for finding in sql_findings(_layout(), mapping, documents_sql)]


_ONE_AT_A_TIME = Lock()


@cache
def _layout() -> duckdb.DuckDBPyConnection:
    """Kept for the life of the process: it costs more to make than all mappings to bind."""
    return new_layout()


def _connector_findings(source: MappingSource, mapping: Mapping) -> list[Finding]:
    found = []
    for record_type, record in mapping.record_types.items():
        if source.record_types and record_type not in source.record_types:
            found.append(
                Finding(
                    ("record_types", record_type),
                    "the connector has no such record type",
                    nearest(record_type, source.record_types),
                )
            )
        found += _level_findings(source.capabilities, record_type, record)
        if record.enabled_by is not None and source.switches is not None and record.enabled_by not in source.switches:
            said = f"the connector has no option {record.enabled_by!r} that is true or false"
            spot = ("record_types", record_type, "enabled_by")
            found.append(Finding(spot, said, nearest(record.enabled_by, source.switches)))
    return found


def _level_findings(
    capabilities: Pairs[str, tuple[str, ...]] | None, record_type: str, record: RecordMapping
) -> list[Finding]:
    if capabilities is None:
        return []
    found = []
    for name, levels in record.requires.items():
        spot = ("record_types", record_type, "requires", name)
        known = capabilities.get(name)
        if known is None:
            found.append(Finding(spot, f"the connector has no capability {name!r}", nearest(name, capabilities)))
        else:
            found += [
                Finding(spot, f"{name} has no level {level!r}", nearest(level, known))
                for level in levels
                if level not in known and "*" not in known
            ]
    return found


@cache
def _checked(source: MappingSource, override: Path | None, _texts: tuple[str | None, ...]) -> Mapping:
    try:
        mapping, problems = check_mapping(source, override)
    except MappingError as error:
        raise SettingsError(str(error)) from None
    if mapping is None or problems:
        raise SettingsError("\n".join(map(str, problems)))
    return mapping


def _content(path: Path | None) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path is not None and path.is_file() else None
