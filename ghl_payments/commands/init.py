"""`ghl-payments init`: a first connections.yaml and the names missing in .env, shown before anything is written.

What is asked belongs to `init_answers.py`, how files grow to `init_files.py`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ghl_payments.commands.answers import CANNOT_TELL, DIFFERENCES, FINE, answers
from ghl_payments.commands.init_answers import (
    Answers,
    LocationAnswer,
    SystemAnswer,
    asked,
    from_flags,
    known_systems,
    read_answers,
)
from ghl_payments.commands.init_files import fresh, grown, merged, with_names
from ghl_payments.connections import ConnectionsFile, Location, SettingsError, read_connections

Say = Callable[[str], None]
Doc = dict[str, Any]


@dataclass(slots=True)
class Plan:
    """What would be added; `targets` by the place of a location that stands in the file already."""

    connections: dict[str, Doc] = field(default_factory=dict)
    locations: list[Doc] = field(default_factory=list)
    targets: dict[int, list[str]] = field(default_factory=dict)
    variables: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@click.command()
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=".", show_default=True,
              help="Where connections.yaml and .env stand.")  # fmt: skip
@click.option("--location", "locations", multiple=True, metavar="ID=TIMEZONE", help="A sub-account; repeatable.")
@click.option("--system", "systems", multiple=True, metavar="NAME[=URL]", help="A target; repeatable.")
@click.option("--option", "options", multiple=True, metavar="SYSTEM.NAME=VALUE", help="An option of a target.")
@click.option(
    "--answers", "path", type=click.Path(dir_okay=False, path_type=Path), help="All answers from a YAML file."
)
@click.option("--force", is_flag=True, help="Change files that exist without asking.")
@answers
def init(
    folder: Path,
    locations: tuple[str, ...],
    systems: tuple[str, ...],
    options: tuple[str, ...],
    path: Path | None,
    force: bool,
) -> int:
    """Write connections.yaml and the names missing in .env; existing files are added to, after showing what changes."""
    asks = path is None and not locations
    if path is not None:
        given = read_answers(path)
    elif locations:
        given = from_flags(locations, systems, options)
    else:
        given = asked()
    return set_up(given, folder, click.echo, force=force, confirm=click.confirm if asks else None)


def set_up(
    given: Answers, folder: Path, say: Say, *, force: bool = False, confirm: Callable[[str], bool] | None = None
) -> int:
    """Plan, show, and write what is missing; 1 when files exist and nobody allowed to change them."""
    connections_path, env_path = folder / "connections.yaml", folder / ".env"
    there = read_connections(connections_path) if connections_path.exists() else None
    plan = plan_for(given, there)
    before = connections_path.read_text(encoding="utf-8") if there is not None else ""
    env = env_path.read_text(encoding="utf-8") if env_path.exists() else ""
    after = _connections_text(before, plan) if there is not None else fresh(plan.connections, plan.locations)
    env_after = with_names(env, plan.variables)
    for note in plan.notes:
        say(note)
    target = connections_path
    if after is None:
        target = folder / "connections.new.yaml"
        after = _rewritten(before, plan)
        say(f"{connections_path} is written in a way that cannot be added to line by line; the whole stands in "
            f"{target.name}, without its comments: compare the two and rename it.")  # fmt: skip
    if after == before and env_after == env:
        say("Nothing to add.")
        return FINE
    _show(say, connections_path, before, after)
    _show(say, env_path, env, env_after)
    if (before and target == connections_path and after != before) or (env and env_after != env):
        allowed = force or (confirm is not None and confirm("Write this?"))
        if not allowed:
            say("Nothing was written." + ("" if confirm else " --force writes it."))
            return DIFFERENCES
    folder.mkdir(parents=True, exist_ok=True)
    if after != before:
        _write_checked(target, after)
    if env_after != env:
        _write_private(env_path, env_after)
    _next_steps(say, target, env_path, plan)
    return FINE if target == connections_path else CANNOT_TELL


def plan_for(given: Answers, there: ConnectionsFile | None) -> Plan:
    """What the answers ask for and the file does not say yet; what it says otherwise stays, with a note."""
    plan = Plan()
    known = dict(there.connections) if there is not None else {}
    ghl = next((name for name, item in known.items() if item.system == "ghl"), None)
    if ghl is None:
        ghl = _free_name("ghl", known)
        plan.connections[ghl] = {"system": "ghl", "base_url": known_systems()["ghl"].base_url}
    names = {}
    for system, answer in given.systems.items():
        names[system] = ghl if system == "ghl" else _connection(plan, known, system, answer)
    if "ghl" in given.systems and ghl in plan.connections:
        plan.connections[ghl]["policy"] = "preview"
    standing = list(there.locations) if there is not None else []
    for wanted in given.locations:
        place = next((n for n, location in enumerate(standing) if location.id == wanted.id), None)
        if place is None:
            plan.locations.append(_location(plan, wanted, ghl, list(names.values()), standing))
        else:
            _more_targets(plan, place, standing[place], wanted, names, known)
    return plan


def _connection(plan: Plan, known: Mapping[str, Any], system: str, answer: SystemAnswer) -> str:
    about = known_systems()[system]
    url = (answer.base_url or about.base_url or about.example).rstrip("/")
    for name, item in known.items():
        if item.system == system and (answer.base_url is None or item.base_url == url):
            if answer.options and answer.options != item.options:
                plan.notes.append(f"{name} stands already with other options; they are left as they are.")
            return name
    name = _free_name(system, known)
    prefix = name.upper().replace("-", "_")
    credentials = {role: f"{prefix}_{role.upper()}" for role in about.credentials}
    entry: Doc = {"system": system, "base_url": url, "policy": "preview", "credentials": credentials}
    if answer.options:
        entry["options"] = answer.options
    plan.connections[name] = entry
    plan.variables += credentials.values()
    if answer.base_url is None and about.base_url is None:
        plan.notes.append(f"{name}: put your own address in place of {about.example}.")
    return name


def _location(plan: Plan, answer: LocationAnswer, ghl: str, targets: list[str], standing: Sequence[Location]) -> Doc:
    taken = {location.ghl.token for location in standing} | set(plan.variables)
    number = next(n for n in range(1, 10_000) if f"GHL_TOKEN_{n}" not in taken)
    plan.variables.append(f"GHL_TOKEN_{number}")
    access = {"connection": ghl, "token": f"GHL_TOKEN_{number}"}
    return {"id": answer.id, "timezone": answer.timezone, "ghl": access, "targets": targets}


def _more_targets(
    plan: Plan,
    place: int,
    location: Location,
    answer: LocationAnswer,
    names: Mapping[str, str],
    known: Mapping[str, Any],
) -> None:
    if answer.timezone != location.timezone:
        plan.notes.append(f"location {location.id} stands already with {location.timezone}, which is left as it is.")
    has = {known[name].system: name for name in location.targets}
    for system, name in names.items():
        if system not in has:
            plan.targets.setdefault(place, []).append(name)
        elif has[system] != name:
            plan.notes.append(
                f"location {location.id} has a target of {system} already ({has[system]}); {name} is not added."
            )


def _free_name(wanted: str, known: Mapping[str, Any]) -> str:
    names = [wanted, *(f"{wanted}-{number}" for number in range(2, 10_000))]
    return next(name for name in names if name not in known)


def _connections_text(before: str, plan: Plan) -> str | None:
    if not (plan.connections or plan.locations or plan.targets):
        return before
    return grown(before, plan.connections, plan.locations, plan.targets)


def _rewritten(before: str, plan: Plan) -> str:
    import yaml

    document = merged(yaml.safe_load(before), plan.connections, plan.locations, plan.targets)
    return yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)


def _write_checked(path: Path, text: str) -> None:
    """Replace the file only by one that can be read, options of each system included."""
    from ghl_payments.connectors.registry import target_systems

    partial = path.with_name(path.name + ".tmp")
    partial.write_text(text, encoding="utf-8")
    try:
        systems = target_systems()
        for connection in read_connections(partial).connections.values():
            if connection.system in systems:
                systems[connection.system].options_of(connection)
    except SettingsError as error:
        partial.unlink()
        raise SettingsError(f"Nothing was written:\n{str(error).replace(str(partial), str(path))}") from None
    partial.replace(path)


def _write_private(path: Path, text: str) -> None:
    """Secrets will stand in it: a new one is for this user only."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    path.write_text(text, encoding="utf-8")


def _show(say: Say, path: Path, before: str, after: str) -> None:
    if before != after:
        # Of .env only the new names are shown: the lines around them hold secrets.
        around = 0 if path.name == ".env" else 2
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), str(path), str(path), lineterm="", n=around
        )
        say("\n".join(lines))


def _next_steps(say: Say, target: Path, env_path: Path, plan: Plan) -> None:
    say(f"Written: {target}. New connections start in preview: they are read and compared, nothing is written to them.")
    if plan.variables:
        say(f"Fill in {env_path}: {', '.join(dict.fromkeys(plan.variables))}")
    say("Then: ghl-payments check")
