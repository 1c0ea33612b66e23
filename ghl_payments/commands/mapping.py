"""`ghl-payments mapping check | preview | docs | schema`: mappings without code.

Add a command here when people who write mappings need to see more; what is checked belongs to the layers below.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ghl_payments.commands.answers import CANNOT_TELL, DIFFERENCES, FINE, answers, print_json
from ghl_payments.connections import SettingsError

if TYPE_CHECKING:
    from ghl_payments.connectors.registry import TargetSystem
    from ghl_payments.domain.yaml_lines import Problem
    from ghl_payments.settings import Settings
    from ghl_payments.warehouse.mapping_preview import RecordPreview

MAX_CELL = 60


@click.group()
def mapping() -> None:
    """Mappings: how GHL's records become records of a target, field by field, as data."""


@mapping.command()
@click.option("--system", help="Only this target system.")
@click.option("--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="Only this mapping file.")
@click.option("--json", "as_json", is_flag=True)
@answers
def check(system: str | None, path: Path | None, as_json: bool) -> int:
    """Every problem of mappings with file, line, field and the nearest valid name; without options all of them."""
    if path is not None and not path.is_file():
        msg = f"{path} does not exist"
        raise SettingsError(msg)
    checked = _check_file(path, system) if path is not None else _check_known(system)
    problems = [problem for _, found in checked for problem in found]
    if as_json:
        print_json(
            {"ok": not problems, "checked": [name for name, _ in checked], "problems": list(map(asdict, problems))}
        )
    else:
        for problem in problems:
            click.echo(str(problem))
        if not problems:
            click.echo(f"fine: {', '.join(name for name, _ in checked)}")
    return DIFFERENCES if problems else FINE


def _check_file(path: Path, system: str | None) -> list[tuple[str, list[Problem]]]:
    """A user's override, or a whole mapping, which says `source_of`."""
    from ghl_payments.connectors.mappings import MappingSource, check_mapping
    from ghl_payments.domain.yaml_lines import UnreadableFileError, read_yaml

    try:
        data = read_yaml(path).data
    except UnreadableFileError as error:
        raise SettingsError(str(error)) from None
    said = data.get("system") if isinstance(data, dict) else None
    if isinstance(data, dict) and "source_of" in data:
        beside = path.with_name("documents.sql")
        source = MappingSource(path, beside if beside.is_file() else None)
        return [(str(path), check_mapping(source)[1])]
    source = _system(system or said, f"{path}: `system`").mapping_source
    return [(str(path), check_mapping(source, path)[1])]


def _check_known(system: str | None) -> list[tuple[str, list[Problem]]]:
    """Shipped mappings, and the overrides that connections.yaml names."""
    from ghl_payments.connectors.mappings import check_mapping
    from ghl_payments.connectors.registry import target_systems
    from ghl_payments.domain.mapping_files import shown_name
    from ghl_payments.settings import load_settings

    chosen = [_system(system, "--system")] if system else list(target_systems().values())
    checked = [(shown_name(s.mapping_source.shipped), check_mapping(s.mapping_source)[1]) for s in chosen]
    for connection in load_settings().connections.values():
        for item in chosen:
            if connection.mapping is not None and connection.system == item.name:
                checked.append((str(connection.mapping), check_mapping(item.mapping_source, connection.mapping)[1]))
    return checked


def _system(name: Any, what: str) -> TargetSystem:
    from ghl_payments.connectors.registry import target_systems
    from ghl_payments.domain.yaml_lines import nearest

    systems = target_systems()
    if name not in systems:
        near = nearest(name, systems)
        hint = f"; nearest: {near}" if near else ""
        msg = f"{what}: no target system {name!r}; there are {', '.join(systems)}{hint}"
        raise SettingsError(msg)
    return systems[name]


@mapping.command()
@click.option("--system", required=True, help="The target system.")
@click.option("--key", required=True, help="The record's key, for instance ghl:order:ID.")
@click.option("--location", help="Only this location id.")
@click.option("--show-personal", is_flag=True, help="Show names, e-mail addresses and telephone numbers.")
@click.option("--json", "as_json", is_flag=True)
@answers
def preview(system: str, key: str, location: str | None, show_personal: bool, as_json: bool) -> int:
    """One key under the mapping as it is now: canonical row, desired, actual, what differs; from the published copy."""
    from ghl_payments.settings import load_settings

    _system(system, "--system")
    settings = load_settings()
    records = _previews(settings, system, key, location, show_personal=show_personal)
    verdicts = {record.verdict for record in records}
    code = CANNOT_TELL if "cannot tell" in verdicts else DIFFERENCES if "differs" in verdicts else FINE
    if as_json:
        print_json(
            {"system": system, "key": key, "personal_shown": show_personal, "records": list(map(asdict, records))}
        )
    else:
        click.echo("\n\n".join(_shown(system, record) for record in records))
    return code


def _previews(
    settings: Settings, system: str, key: str, location: str | None, *, show_personal: bool
) -> list[RecordPreview]:
    from ghl_payments.commands import published
    from ghl_payments.connectors.registry import describe_target
    from ghl_payments.warehouse.mapping_preview import nearest_keys, prepare, preview

    places = [settings.location(location)] if location else settings.locations
    pairs = [(place, c) for place in places for c in settings.targets(place) if c.system == system]
    if not pairs:
        of = f"location {location}" if location else "any location"
        msg = f"{system} is no target of {of} in connections.yaml (or its policy is off)"
        raise SettingsError(msg)
    found: list[RecordPreview] = []
    alike: list[tuple[str, float]] = []
    with published.connect(settings.reports) as con:
        for place, connection in pairs:
            target = describe_target(settings, connection)
            prepare(con, target, place.id)
            here = preview(con, target, place.id, key, show_personal=show_personal)
            found += here
            alike += [] if here else nearest_keys(con, target, place.id, key)
    if not found:
        best = list(dict.fromkeys(name for name, _ in sorted(alike, key=lambda pair: (-pair[1], pair[0]))))[:3]
        hint = f"; nearest: {', '.join(best)}" if best else "; keys look like ghl:order:ID, ghl:txn:ID, ghl:contact:ID"
        msg = f"no record of {system} has the key {key!r}, in GHL or in the target, as far as the last run read{hint}"
        raise SettingsError(msg)
    return found


def _shown(system: str, record: RecordPreview) -> str:
    from ghl_payments.commands.show import table

    head = f"{system} {record.record_type} {record.key}: {record.verdict}" + (
        f" ({record.reason})" if record.reason else ""
    )
    ids = ", ".join(record.native_ids) or "none"
    place = f"location {record.location_id}, connection {record.connection}, native id {ids}"
    parts = [f"{head}\n{place}"]
    if record.fields:
        rows = [
            [f.field, f.field_class, f.compare, f.write, _cell(f.desired), _cell(f.actual),
             "DIFFERS" if f.verdict == "differs" else f.verdict]
            for f in record.fields
        ]  # fmt: skip
        parts.append(table(rows, ["field", "class", "compared", "written", "desired", "actual", ""]))
    if record.canonical:
        parts.append(table([[name, _cell(value)] for name, value in record.canonical.items()], ["GHL column", "value"]))
    return "\n\n".join(parts)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


@mapping.command()
@click.option("--system", help="Only the shipped mapping of this system.")
@click.option("--write", is_flag=True, help="Write docs/mappings.md instead of printing.")
@answers
def docs(system: str | None, write: bool) -> int:
    """What expressions can use (canonical columns with types, units and meaning) and what the shipped mappings say."""
    from ghl_payments.commands.mapping_docs import PATH, page, write_page

    if system is not None:
        _system(system, "--system")
    if write:
        click.echo(f"{'written' if write_page() else 'current'}: {PATH}")
    else:
        click.echo(page(system))
    return FINE


@mapping.command()
@click.option("--write", is_flag=True, help="Write the files in schemas/ instead of comparing them.")
@answers
def schema(write: bool) -> int:
    """Whether the JSON Schemas in schemas/ are current; with --write make them so."""
    from ghl_payments.commands.schemas import FOLDER, schemas, write_schemas

    if write:
        for path in write_schemas():
            click.echo(f"written: {path}")
        return FINE
    stale = [
        name for name, text in schemas().items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]  # fmt: skip
    click.echo(
        f"not current: {', '.join(stale)}; `ghl-payments mapping schema --write` writes them" if stale else "current"
    )
    return DIFFERENCES if stale else FINE
