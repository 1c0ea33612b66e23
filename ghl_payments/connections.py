"""`connections.yaml`: connections and locations, validated, every error with its line.

Add an entry here when users must say something new about an account; no secret ever stands in the file.
The environment belongs to `settings.py`.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

Policy = Literal["off", "preview", "review", "auto"]


class SettingsError(ValueError):
    """The configuration cannot be used; the text says where and what to do."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rate(_Strict):
    """A request budget: at most `requests` in any `seconds` seconds."""

    requests: Annotated[int, Field(gt=0)]
    seconds: Annotated[float, Field(gt=0)]


class Brakes(_Strict):
    """Limits that hold a plan. `shrink_share`: a target answer below this share of the one before holds all creates."""

    shrink_share: Annotated[float, Field(ge=0, le=1)] = 0.8


class Connection(_Strict):
    """One account of one system. `credentials` maps a role to the name of an environment variable.

    `mapping` is a file whose fields override the shipped mapping's, relative to this file. `capabilities` forces levels
    that a probe would otherwise find out; `options` are the system's own, checked by its connector.
    """

    name: str = ""
    system: str
    base_url: str
    live: bool = True
    policy: Policy | None = None
    rate: Rate | None = None
    credentials: dict[str, str] = Field(default_factory=dict)
    mapping: Path | None = None
    capabilities: dict[str, str] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    brakes: Brakes = Brakes()

    @field_validator("policy", mode="before")
    @classmethod
    def _bare_off(cls, value: object) -> object:
        return "off" if value is False else value  # as YAML reads a bare off

    @field_validator("base_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = "must be an http(s) URL with a host"
            raise ValueError(msg)
        if parts.scheme == "http" and not is_loopback(value):
            msg = "plain http is accepted for loopback only; use https"
            raise ValueError(msg)
        return value.rstrip("/")

    @property
    def effective_policy(self) -> Policy:
        """What was configured; unset means `auto` on loopback and `preview` anywhere else."""
        if self.policy is not None:
            return self.policy
        return "auto" if is_loopback(self.base_url) else "preview"


class GhlAccess(_Strict):
    """How a location is read: the GHL connection's name and the environment variable that holds its token."""

    connection: str
    token: str


class Provider(_Strict):
    """A white-label payment provider that the location should have; names are GHL's own."""

    unique_name: str = Field(pattern=r"^[a-z]([a-z-]*[a-z])?$")
    title: str = Field(min_length=1)
    provider: Literal["authorize-net", "nmi"]
    description: str = Field(min_length=1)
    image_url: str = Field(pattern=r"^https://")


class Location(_Strict):
    """One GHL sub-account; `timezone` decides business days only.

    `targets` names connections; with the GHL connection among them, deliveries and `providers` flow back into GHL.
    """

    id: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_-]+$")
    timezone: str
    ghl: GhlAccess
    targets: list[str] = Field(default_factory=list)
    providers: list[Provider] = Field(default_factory=list)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            msg = f"{value!r} is not an IANA time zone; write for example America/New_York"
            raise ValueError(msg) from None
        return value


class ConnectionsFile(_Strict):
    """The whole of `connections.yaml`."""

    version: Literal[1]
    connections: dict[str, Connection]
    locations: list[Location] = Field(min_length=1)

    @model_validator(mode="after")
    def _references_exist(self) -> ConnectionsFile:
        seen: set[str] = set()
        for location in self.locations:
            if location.id in seen:
                msg = f"location {location.id} is listed twice"
                raise ValueError(msg)
            seen.add(location.id)
            for name in [location.ghl.connection, *location.targets]:
                if name not in self.connections:
                    msg = f"location {location.id} names the connection {name!r}, which is not under `connections`"
                    raise ValueError(msg)
            systems = [self.connections[name].system for name in location.targets]
            if len(set(systems)) < len(systems):
                msg = f"location {location.id} has two targets of one system; a location has one of each"
                raise ValueError(msg)
        return self


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_connections(path: Path) -> ConnectionsFile:
    """A validated connections file; every error names the file, the line and the remedy."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read as a UTF-8 text file ({type(error).__name__})"
        raise SettingsError(msg) from None
    try:
        document = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        msg = f"{where}: not readable as YAML ({getattr(error, 'problem', None) or 'syntax error'})"
        raise SettingsError(msg) from None
    if not isinstance(document, dict):
        msg = f"{path}:1: must be a mapping with version, connections and locations"
        raise SettingsError(msg)
    try:
        return ConnectionsFile.model_validate(document)
    except ValidationError as error:
        raise SettingsError(_explain(path, node, error)) from None


def _explain(path: Path, node: yaml.Node | None, error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        spot = problem["loc"]
        name = ".".join(str(part) for part in spot) or "the file"
        lines.append(f"{path}:{_line_of(node, spot)}: {name}: {problem['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)


def _line_of(node: yaml.Node | None, spot: tuple[Any, ...]) -> int:
    line = 1
    for part in spot:
        if isinstance(node, yaml.MappingNode):
            match = next(((k, v) for k, v in node.value if getattr(k, "value", None) == str(part)), None)
            if match is None:
                break
            line, node = match[0].start_mark.line + 1, match[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
