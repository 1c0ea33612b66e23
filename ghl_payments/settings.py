"""Settings: what the environment says, beside `connections.yaml`, with no secret in any repr.

Add a setting here when something must differ between installations; name it in `.env.example` too.
Decisions about money or matching are not settings and belong to `domain/` and the mappings.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ghl_payments.connections import (
    Connection,
    ConnectionsFile,
    GhlAccess,
    Location,
    Rate,
    SettingsError,
    read_connections,
)
from ghl_payments.domain.sandbox_identity import (
    DEFAULT_NOW,
    DEFAULT_PORT,
    DEFAULT_WEBHOOK_KEY,
    sandbox_identity,
    sandbox_targets,
)
from ghl_payments.domain.schedules import Place, Schedules


class WebhookSettings(BaseModel):
    """What `ghl-payments webhooks` needs to know. Keys are PEM text or paths; `legacy_key` may also be `off`."""

    model_config = ConfigDict(frozen=True)

    public_key: str | None = None
    legacy_key: str | None = None
    hmac_header: str | None = None
    replay_days: float = 30.0
    max_body_bytes: int = 1_048_576
    keep_days: float = 30.0


class Settings(BaseModel):
    """Everything a run needs to know; `secrets` maps environment names to values and never shows them."""

    model_config = ConfigDict(frozen=True)

    connections: dict[str, Connection]
    locations: list[Location]
    schedules: Schedules = Schedules()
    home: Path
    warehouse: Path
    reports: Path
    landing: Path
    inbox: Path
    as_of: datetime | None = None
    settle_seconds: float = 30.0
    lag_seconds: int = 300
    limiter: bool = True
    lock_timeout_seconds: float = 120.0
    memory_limit: str = "1GB"
    webhooks: WebhookSettings = WebhookSettings()
    secrets: dict[str, SecretStr] = Field(default_factory=dict, repr=False)

    def now(self) -> datetime:
        """The instant decisions are made for: `GHL_PAYMENTS_AS_OF` when set, else the clock."""
        return self.as_of or datetime.now(UTC)

    def location(self, location_id: str) -> Location:
        """The location, or a SettingsError that lists the known ids."""
        for location in self.locations:
            if location.id == location_id:
                return location
        known = ", ".join(location.id for location in self.locations)
        msg = f"no location {location_id!r} in connections.yaml; known: {known}"
        raise SettingsError(msg)

    def places(self) -> list[Place]:
        """Every location with its time zone and its schedules, the file's where it has none of its own."""
        return [Place(x.id, x.timezone, self.schedules.with_own(x.schedules)) for x in self.locations]

    def connection(self, name: str) -> Connection:
        """The connection of that name."""
        return self.connections[name]

    def secret(self, env_name: str) -> SecretStr:
        """The secret an environment variable holds, or a SettingsError that names the variable."""
        if env_name not in self.secrets:
            msg = f"the environment variable {env_name} is not set; connections.yaml takes a credential from it"
            raise SettingsError(msg)
        return self.secrets[env_name]

    def targets(self, location: Location) -> list[Connection]:
        """The location's target connections that are not switched off, GHL itself first.

        What GHL holds is one location's, so that as a target it is a connection of its own for each.
        """
        named = [self.connections[name] for name in location.targets]
        found = [
            c.model_copy(update={"name": f"{c.name}/{location.id}"}) if c.system == "ghl" else c
            for c in named
            if c.effective_policy != "off"
        ]
        return sorted(found, key=lambda connection: connection.system != "ghl")


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment and the connections file it names (default `connections.yaml`).

    Without a file they describe the bundled sandbox on its default port. SettingsError says what to correct.
    """
    env = dict(os.environ if environ is None else environ)
    home = Path(env.get("GHL_PAYMENTS_HOME") or ".ghl_payments").absolute()
    path = Path(env.get("GHL_PAYMENTS_CONNECTIONS") or "connections.yaml").absolute()
    if path.exists():
        described = _described(path, _version(path))
    elif "GHL_PAYMENTS_CONNECTIONS" in env:
        msg = f"GHL_PAYMENTS_CONNECTIONS names {path}, which does not exist"
        raise SettingsError(msg)
    else:
        described, sandbox_env = _sandbox_defaults()
        env = {**sandbox_env, **{name: value for name, value in env.items() if value}}
        home = home / "sandbox"
    return _settings(described, env, home)


def _version(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=8)
def _described(path: Path, version: tuple[int, int]) -> ConnectionsFile:  # noqa: ARG001 - another version, another entry
    """The file, read once a version: every step of a run asks for it."""
    return read_connections(path)


def _settings(described: ConnectionsFile, env: Mapping[str, str], home: Path) -> Settings:
    def path_of(name: str, default: str) -> Path:
        return Path(env[name]).absolute() if env.get(name) else home / default

    wanted = {name for location in described.locations for name in location.ghl.variables}
    wanted |= {name for connection in described.connections.values() for name in connection.credentials.values()}
    return Settings(
        connections={n: c.model_copy(update={"name": n}) for n, c in described.connections.items()},
        locations=described.locations,
        schedules=described.schedules,
        home=home,
        warehouse=path_of("GHL_PAYMENTS_WAREHOUSE", "ghl_payments.duckdb"),
        reports=path_of("GHL_PAYMENTS_REPORTS", "ghl_payments_reports.duckdb"),
        landing=path_of("GHL_PAYMENTS_LANDING", "landing"),
        inbox=path_of("GHL_PAYMENTS_INBOX", "inbox"),
        as_of=_instant(env.get("GHL_PAYMENTS_AS_OF")),
        settle_seconds=_number(env, "GHL_PAYMENTS_SETTLE_SECONDS", 30.0),
        lag_seconds=int(_number(env, "GHL_PAYMENTS_LAG_SECONDS", 300)),
        limiter=env.get("GHL_PAYMENTS_LIMITER", "on").lower() != "off",
        lock_timeout_seconds=_number(env, "GHL_PAYMENTS_LOCK_TIMEOUT_SECONDS", 120.0),
        memory_limit=env.get("GHL_PAYMENTS_MEMORY_LIMIT") or "1GB",
        webhooks=_webhooks(env),
        secrets={name: SecretStr(env[name]) for name in wanted if env.get(name)},
    )


def _webhooks(env: Mapping[str, str]) -> WebhookSettings:
    return WebhookSettings(
        public_key=env.get("GHL_PAYMENTS_WEBHOOK_PUBLIC_KEY") or None,
        legacy_key=env.get("GHL_PAYMENTS_WEBHOOK_LEGACY_KEY") or None,
        hmac_header=env.get("GHL_PAYMENTS_WEBHOOK_HMAC_HEADER") or None,
        replay_days=_number(env, "GHL_PAYMENTS_WEBHOOK_REPLAY_DAYS", 30, "days"),
        max_body_bytes=int(_number(env, "GHL_PAYMENTS_WEBHOOK_MAX_BODY_BYTES", 1_048_576, "bytes")),
        keep_days=_number(env, "GHL_PAYMENTS_INBOX_KEEP_DAYS", 30, "days"),
    )


def _number(env: Mapping[str, str], name: str, default: float, unit: str = "seconds") -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        msg = f"{name} must be a number of {unit}, 0 or more, not {text!r}"
        raise SettingsError(msg)
    return value


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        msg = f"GHL_PAYMENTS_AS_OF must be an ISO 8601 instant such as 2026-11-16T12:00:00Z, not {text!r}"
        raise SettingsError(msg) from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _sandbox_defaults() -> tuple[ConnectionsFile, dict[str, str]]:
    who = sandbox_identity()
    base = f"http://127.0.0.1:{DEFAULT_PORT}"
    targets = sandbox_targets(who)
    connections = {
        name: Connection(
            system=name,
            base_url=f"{base}/{name}",
            policy="auto",
            rate=Rate(requests=target.requests, seconds=target.seconds),
            credentials={role: variable for role, (variable, _) in target.secrets.items()},
            options=dict(target.options),
        )
        for name, target in targets.items()
    }
    described = ConnectionsFile(
        version=1,
        connections={"ghl": Connection(system="ghl", base_url=f"{base}/ghl", policy="auto"), **connections},
        locations=[
            Location(
                id=place.id,
                timezone=place.timezone,
                ghl=GhlAccess(connection="ghl", token=f"GHL_TOKEN_{number}"),
                targets=["ghl", *targets],
            )
            for number, place in enumerate(who.locations, start=1)
        ],
    )
    env = {f"GHL_TOKEN_{number}": place.token for number, place in enumerate(who.locations, start=1)}
    for target in targets.values():
        env |= dict(target.secrets.values())
    env |= {
        "GHL_PAYMENTS_AS_OF": DEFAULT_NOW.isoformat(),
        "GHL_PAYMENTS_SETTLE_SECONDS": "0",
        "GHL_PAYMENTS_WEBHOOK_PUBLIC_KEY": DEFAULT_WEBHOOK_KEY,
    }
    return described, env
