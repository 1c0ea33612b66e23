"""`connections.yaml`: connections and locations, validated, every error with its line.

Add an entry here when users must say something new about an account; no secret ever stands in the file.
The environment belongs to `settings.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from ghl_payments.domain.schedules import Schedules
from ghl_payments.domain.time_zones import ZoneName
from ghl_payments.domain.yaml_lines import (
    Finding,
    FoundError,
    Problem,
    UnreadableFileError,
    YamlFile,
    findings,
    nearest,
    read_yaml,
)

Policy = Literal["off", "preview", "review", "auto"]


class SettingsError(ValueError):
    """The configuration cannot be used; the text says where and what to do."""


def _variable_name(value: str) -> str:
    if not re.fullmatch(_VARIABLE, value):
        msg = "must be the name of an environment variable (capital letters, digits and _), never the secret itself"
        raise ValueError(msg)
    return value


_VARIABLE = "[A-Z_][A-Z0-9_]*"

VariableName = Annotated[str, AfterValidator(_variable_name), Field(json_schema_extra={"pattern": f"^{_VARIABLE}$"})]


SafeUrl = Annotated[str, Field(pattern=r"^(https://|http://(localhost|127\.0\.0\.1)[:/])")]
"""An https URL, or a plain one of this machine."""


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
    credentials: dict[str, VariableName] = Field(default_factory=dict)
    mapping: Path | None = None
    capabilities: dict[str, str] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    brakes: Brakes = Brakes()
    _file: YamlFile | None = PrivateAttr(None)

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

    def place(self, *spot: str) -> str:
        """`connections.yaml:LINE` of a part of this connection, its name where it does not come from a file."""
        if self._file is None:
            return f"connection {self.name}"
        return f"{self._file.name}:{self._file.line(('connections', self.name.partition('/')[0], *spot))}"


class OauthApp(_Strict):
    """The GHL marketplace app that a location is connected with; `user_type` says what a person installs it on.

    `redirect_uri` is one that the app has registered. `authorize_url` replaces GHL's own consent page, for instance by
    the white-label one; what it has after a `?` is kept.
    """

    client_id: VariableName
    client_secret: VariableName
    user_type: Literal["Location", "Company"] = "Location"
    redirect_uri: SafeUrl | None = None
    authorize_url: SafeUrl | None = None


class GhlAccess(_Strict):
    """How a location is read: the GHL connection's name, and either a variable with its token or a marketplace app."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["token"]}, {"required": ["oauth"]}]})

    connection: str
    token: VariableName | None = None
    oauth: OauthApp | None = None

    @model_validator(mode="after")
    def _one_sign_in(self) -> GhlAccess:
        if (self.token is None) == (self.oauth is None):
            msg = "needs exactly one of `token` (a private integration token) and `oauth` (a marketplace app)"
            raise ValueError(msg)
        return self

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that hold its credentials."""
        if self.oauth is not None:
            return self.oauth.client_id, self.oauth.client_secret
        return (self.token or "",)


class Provider(_Strict):
    """A white-label payment provider that the location should have; names are GHL's own."""

    unique_name: str = Field(pattern=r"^[a-z]([a-z-]*[a-z])?$")
    title: str = Field(min_length=1)
    provider: Literal["authorize-net", "nmi"]
    description: str = Field(min_length=1)
    image_url: str = Field(pattern=r"^https://")


class Location(_Strict):
    """One GHL sub-account; `timezone` decides business days and when its nights are.

    `targets` names connections; with the GHL connection among them, deliveries and `providers` flow back into GHL.
    `schedules` holds only what differs from those of the file.
    """

    id: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_-]+$")
    timezone: ZoneName
    ghl: GhlAccess
    targets: list[str] = Field(default_factory=list)
    providers: list[Provider] = Field(default_factory=list)
    schedules: Schedules = Schedules()


class ConnectionsFile(_Strict):
    """The whole of `connections.yaml`."""

    version: Literal[1]
    connections: dict[str, Connection]
    locations: list[Location] = Field(min_length=1)
    schedules: Schedules = Schedules()

    @model_validator(mode="after")
    def _references_exist(self) -> ConnectionsFile:
        for finding in _wrong_references(self):
            # Only the first: pydantic takes one error from here, and the others may follow from it.
            raise FoundError(finding)
        return self


def _wrong_references(file: ConnectionsFile) -> Iterator[Finding]:
    seen: set[str] = set()
    for place, location in enumerate(file.locations):
        if location.id in seen:
            yield Finding(("locations", place, "id"), f"location {location.id} is listed twice")
        seen.add(location.id)
        named = [(("ghl", "connection"), location.ghl.connection)]
        named += [(("targets", number), name) for number, name in enumerate(location.targets)]  # type: ignore[misc]
        for spot, name in named:
            if name not in file.connections:
                what = f"location {location.id} names the connection {name!r}, which is not under `connections`"
                yield Finding(("locations", place, *spot), what, nearest(name, file.connections))
                return
        systems = [file.connections[name].system for name in location.targets]
        if len(set(systems)) < len(systems):
            what = f"location {location.id} has two targets of one system; a location has one of each"
            yield Finding(("locations", place, "targets"), what)


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
    """A validated connections file, paths in it resolved; every error names the file, the line and the remedy."""
    try:
        file = read_yaml(path)
    except UnreadableFileError as error:
        raise SettingsError(str(error)) from None
    if not isinstance(file.data, dict):
        msg = f"{path}:1: must be a mapping with version, connections and locations"
        raise SettingsError(msg)
    try:
        described = ConnectionsFile.model_validate(file.data)
    except ValidationError as error:
        raise SettingsError(_told(file, findings(error, ConnectionsFile))) from None
    found = {name: _resolved(path, connection) for name, connection in described.connections.items()}
    missing = [
        Finding(
            ("connections", name, "mapping"), f"{connection.mapping} does not exist; the path is relative to this file"
        )
        for name, connection in found.items()
        if connection.mapping is not None and not connection.mapping.is_file()
    ]
    if missing or file.repeated():
        raise SettingsError(_told(file, missing))
    for name, connection in found.items():
        connection._file = file  # noqa: SLF001 - the file is what made the connection
        found[name] = connection.model_copy(update={"name": name})
    return described.model_copy(update={"connections": found})


def _resolved(path: Path, connection: Connection) -> Connection:
    if connection.mapping is None:
        return connection
    return connection.model_copy(update={"mapping": path.parent / connection.mapping})


def _told(file: YamlFile, wrong: list[Finding]) -> str:
    problems = [Problem(file.name, file.line(f.spot), ".".join(map(str, f.spot)) or "the file", f.what, f.nearest)
                for f in wrong]  # fmt: skip
    return "\n".join(map(str, [*file.repeated(), *problems]))
