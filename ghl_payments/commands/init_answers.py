"""What `ghl-payments init` wants to know: questions on the terminal, flags, or a file of answers.

What a system needs stands in its connector's `connect.py`; ask here for what all of them need.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ghl_payments.connections import SettingsError
from ghl_payments.domain.yaml_lines import Finding, UnreadableFileError, YamlFile, findings, nearest, read_yaml

if TYPE_CHECKING:
    from ghl_payments.connectors.access import SetUp

Doc = dict[str, Any]


@cache
def known_systems() -> dict[str, SetUp]:
    """System -> what it needs, for each connector that says so."""
    from ghl_payments.connectors.registry import target_systems

    return {name: system.set_up for name, system in target_systems().items() if system.set_up is not None}


def needed_options(system: str) -> dict[str, str]:
    """Options without which a connection of the system cannot be used, with what they mean."""
    from ghl_payments.connectors.registry import target_systems

    model = target_systems()[system].options
    fields = model.model_fields if model is not None else {}
    return {name: about.description or name for name, about in fields.items() if about.is_required()}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LocationAnswer(_Strict):
    """One sub-account."""

    id: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_-]+$")
    timezone: str


class SystemAnswer(_Strict):
    """One account that the locations' records go to; without `base_url` the vendor's usual address."""

    base_url: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class Answers(_Strict):
    """Everything init asks for; each location gets each system as a target."""

    locations: list[LocationAnswer] = Field(min_length=1)
    systems: dict[str, SystemAnswer] = Field(default_factory=dict)


def read_answers(path: Path) -> Answers:
    """Answers from a file; SettingsError names line and nearest name of each wrong one."""
    try:
        file = read_yaml(path)
    except UnreadableFileError as error:
        raise SettingsError(str(error)) from None
    return _validated(file.data, file)


def _validated(data: Any, file: YamlFile | None) -> Answers:
    def told(finding: Finding) -> str:
        where = f"{file.name}:{file.line(finding.spot)}: " if file is not None else ""
        hint = f"; nearest: {finding.nearest}" if finding.nearest else ""
        return f"{where}{'.'.join(map(str, finding.spot)) or 'answers'}: {finding.what}{hint}"

    try:
        given = Answers.model_validate(data)
    except ValidationError as error:
        raise SettingsError("\n".join(map(told, findings(error, Answers)))) from None
    known = known_systems()
    unknown = [
        Finding(("systems", name), f"no such system; there are {', '.join(known)}", nearest(name, known))
        for name in given.systems
        if name not in known
    ]
    if unknown:
        raise SettingsError("\n".join(map(told, unknown)))
    return given


def from_flags(locations: Sequence[str], systems: Sequence[str], options: Sequence[str]) -> Answers:
    """Answers from `ID=TIMEZONE`, `NAME[=URL]` and `SYSTEM.NAME=VALUE`."""
    chosen: Doc = {}
    for text in systems:
        name, _, url = text.partition("=")
        chosen[name] = {"base_url": url or None, "options": {}}
    for text in options:
        name, _, rest = text.partition(".")
        option, equals, value = rest.partition("=")
        if name not in chosen or not option or not equals:
            msg = f"--option {text}: must be SYSTEM.NAME=VALUE of a system that --system names"
            raise SettingsError(msg)
        chosen[name]["options"][option] = value
    places = [dict(zip(("id", "timezone"), text.partition("=")[::2], strict=True)) for text in locations]
    return _validated({"locations": places, "systems": chosen}, None)


def asked() -> Answers:
    """Answers from questions on the terminal."""
    places, more = [], True
    while more:
        place = {"id": click.prompt("GHL location id (in its address after /location/)").strip()}
        place["timezone"] = click.prompt("Its time zone", default="America/New_York").strip()
        places.append(place)
        more = click.confirm("Another location?", default=False)
    systems: Doc = {}
    for name, system in known_systems().items():
        question = f"Does {system.title} get its records?"
        if name == "ghl":
            question = "May deliveries flow back into GHL?"
        if not click.confirm(question, default=False):
            continue
        systems[name] = {"base_url": None, "options": {}}
        if name != "ghl":
            url = click.prompt(f"Address of {system.title}", default=system.base_url or system.example).strip()
            systems[name]["base_url"] = url
        for option, what in needed_options(name).items():
            systems[name]["options"][option] = click.prompt(f"{system.title}: {what}").strip()
    return _validated({"locations": places, "systems": systems}, None)
