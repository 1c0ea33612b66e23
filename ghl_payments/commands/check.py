"""`ghl-payments check`: whether every credential, right, clock and file is as a run needs it, each with its remedy.

Add a check for whatever a run may fail on that can be seen beforehand; judging data is the loop's own work.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import duckdb

from ghl_payments.commands.show import table
from ghl_payments.connections import Connection, Location, SettingsError
from ghl_payments.connectors.base import Connector, Probe
from ghl_payments.connectors.ghl.client import ENDPOINTS
from ghl_payments.connectors.ghl.connect import connect_ghl
from ghl_payments.connectors.registry import TargetSystem, access_to, describe_target, target_system
from ghl_payments.domain.streams import LIST_STREAMS, SNAPSHOT_STREAMS
from ghl_payments.settings import Settings
from ghl_payments.transport.errors import ApiError, MissingScope, SchemaDrift, Unauthorised, Unreachable
from ghl_payments.warehouse.connection import Warehouse, WarehouseBusyError
from ghl_payments.warehouse.queries import dicts

State = Literal["ok", "warning", "failed"]

MAX_CLOCK_SECONDS = 60.0
_PATIENCE = 60.0
"""Seconds after which an account that keeps failing is given up; a run would be more patient."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `remedy` is None when it is ok. Never holds a credential."""

    what: str
    state: State
    detail: str
    remedy: str | None = None


class _Prober(Protocol):
    async def probe(self, name: str, /) -> Probe: ...

    async def aclose(self) -> None: ...


def run_check(settings: Settings) -> list[Finding]:
    """Look at everything, in the order in which a run would meet it."""
    findings = [_settings(settings), _mappings(settings), _warehouse(settings)]
    findings += asyncio.run(_accounts(settings))
    return findings + _brakes(settings)


def _brakes(settings: Settings) -> list[Finding]:
    """What the last run held, and the command that releases it; nothing while the warehouse is in use."""
    if not settings.warehouse.exists():
        return []
    try:
        with Warehouse(settings.warehouse, lock_timeout_seconds=1.0, memory_limit=settings.memory_limit).open() as con:
            rows = dicts(con, "select connection, brake, reason from outbox.brakes where active order by all")
    except (WarehouseBusyError, duckdb.Error, OSError):
        return []
    return [
        Finding(
            f"{row['connection']} brake {row['brake']}",
            "failed",
            row["reason"],
            f"Settle it, then `ghl-payments release --connection {row['connection']}`.",
        )
        for row in rows
    ]


def report(findings: Iterable[Finding]) -> str:
    """A table, the remedies below it."""
    rows = [[finding.state, finding.what, finding.detail] for finding in findings]
    remedies = [f"{finding.state}: {finding.what}\n  {finding.remedy}" for finding in findings if finding.remedy]
    return "\n\n".join([table(rows, ["state", "what", "detail"]), *remedies])


def _settings(settings: Settings) -> Finding:
    counts = f"{len(settings.connections)} connections, {len(settings.locations)} locations"
    policies = ", ".join(f"{c.name} {c.effective_policy}" for c in _targets(settings))
    return Finding("settings", "ok", f"{counts}; policies: {policies or 'no targets'}")


def _mappings(settings: Settings) -> Finding:
    wrong, fine = [], []
    for connection in _targets(settings):
        try:
            describe_target(settings, connection)
        except SettingsError as error:
            wrong.append(str(error))
        own = connection.mapping.name if connection.mapping else "as shipped"
        fine.append(f"{connection.name} {own}")
    if wrong:
        remedy = (
            "Correct each line; `ghl-payments mapping check` looks again, docs/mappings.md says what may stand there."
        )
        return Finding("mappings", "failed", "\n".join(wrong), remedy)
    return Finding("mappings", "ok", ", ".join(fine) or "no targets")


def _warehouse(settings: Settings) -> Finding:
    what, path = "warehouse", settings.warehouse
    if not path.exists():
        folder = next(parent for parent in path.parents if parent.exists())
        if os.access(folder, os.W_OK):
            return Finding(what, "ok", f"{path.name} will be made by the first run")
        return Finding(
            what, "failed", f"{folder} is not writable", "Give this user the folder, or set GHL_PAYMENTS_HOME."
        )
    try:
        with Warehouse(path, lock_timeout_seconds=1.0, memory_limit=settings.memory_limit).open():
            return Finding(what, "ok", f"{path.name} opens")
    except WarehouseBusyError:
        return Finding(what, "warning", f"{path.name} is in use", "Fine while a run is going on; check again after it.")
    except (duckdb.Error, OSError) as error:
        remedy = f"Restore {path} from a backup, or move it away: the next run builds a new one."
        return Finding(what, "failed", f"{path.name} cannot be opened: {type(error).__name__}", remedy)


async def _accounts(settings: Settings) -> list[Finding]:
    findings: list[Finding] = []
    seen: set[str] = set()
    for location in settings.locations:
        findings += await _location(settings, location)
        if any(finding.what == f"ghl {location.id} access" for finding in findings):
            seen.add(f"{location.ghl.connection}/{location.id}")  # GHL as a target would only say the same again
    for location in settings.locations:
        for connection in settings.targets(location):
            if connection.name not in seen:
                seen.add(connection.name)
                findings += await _target(settings, connection, location)
    return findings


def _targets(settings: Settings) -> list[Connection]:
    found = {c.name: c for location in settings.locations for c in settings.targets(location)}
    return list(found.values())


async def _location(settings: Settings, location: Location) -> list[Finding]:
    what = f"ghl {location.id}"
    try:
        client = connect_ghl(settings, location)
    except SettingsError as error:
        return [Finding(f"{what} access", "failed", "no credential", str(error))]
    streams = {name: f"{what} {name} ({ENDPOINTS[name].scope})" for name in (*LIST_STREAMS, *SNAPSHOT_STREAMS)}
    return await _probe(client, what, streams)


async def _target(settings: Settings, connection: Connection, location: Location) -> list[Finding]:
    what = connection.name
    try:
        system = target_system(connection)
        forced = system.forced_levels(connection)
        connector = system.open(access_to(settings, connection, location))
    except SettingsError as error:
        return [Finding(f"{what} settings", "failed", "not usable", str(error))]
    names = [name for name in (*system.record_types, *system.auxiliary_types) if name not in connector.keyed_types]
    types = {name: f"{what} {name}" for name in names}
    own = {f"{what} {name}" for name, record in system.mapping.record_types.items() if record.may_start_empty}
    findings = [f if f.what in own else _doubted(f) for f in await _probe(connector, what, types)]
    if not system.capabilities or any(finding.what == f"{what} access" for finding in findings):
        return findings
    connector = system.open(access_to(settings, connection, location))
    return findings + await _levels(settings, system, connector, what, forced)


async def _levels(
    settings: Settings, system: TargetSystem, connector: Connector, what: str, forced: Mapping[str, str]
) -> list[Finding]:
    """What the account can do: as the last run found it out, else found out now without writing anything."""
    known: dict[str, tuple[str, str]] = {}
    try:
        if settings.warehouse.exists():
            with Warehouse(
                settings.warehouse, lock_timeout_seconds=1.0, memory_limit=settings.memory_limit
            ).open() as con:
                known = {
                    row["capability"]: (row["level"], f"{row['evidence']}; since {row['probed_at']:%Y-%m-%d %H:%M} UTC")
                    for row in dicts(con, "from ops.capabilities where connection = $connection", {"connection": what})
                    if row["capability"] not in getattr(connector, "volatile_capabilities", ())
                }
        if set(system.capabilities) - set(known):
            async with asyncio.timeout(_PATIENCE):
                probed = await connector.probe_levels(may_write=False)
            known = {
                name: (level.level, f"{level.evidence}; found out just now") for name, level in probed.items()
            } | known
    except (ApiError, TimeoutError, WarehouseBusyError, duckdb.Error) as error:
        remedy = "What the account can do could not be found out; a run will try again."
        if isinstance(error, SchemaDrift):
            return [Finding(f"{what} capabilities", "failed", _said(error), error.remedy)]
        return [Finding(f"{what} capabilities", "warning", type(error).__name__, remedy)]
    finally:
        await connector.aclose()
    known |= {name: (level, "forced in connections.yaml") for name, level in forced.items()}
    return [_level(what, name, levels, *known.get(name, (levels[-1], "not found out"))) for name, levels in
            system.capabilities.items()]  # fmt: skip


def _level(what: str, name: str, levels: Sequence[str], level: str, evidence: str) -> Finding:
    others = " > ".join(levels)
    return Finding(f"{what} capability {name}", "ok", f"{level} (of {others}): {evidence}")


def _doubted(finding: Finding) -> Finding:
    """An empty answer of a target may be an empty target or a missing right."""
    if finding.state != "ok" or finding.detail != _rows(0):
        return finding
    remedy = "Either there are none, or the credential may not see them; compare with the system's own screen."
    return Finding(finding.what, "warning", finding.detail, remedy)


async def _probe(client: _Prober, what: str, names: Mapping[str, str]) -> list[Finding]:
    """One line a stream or record type, one for the sign-in, one for the clock; the rest is left out without access."""
    findings: list[Finding] = []
    ahead: float | None = None
    try:
        async with asyncio.timeout(_PATIENCE):
            for name, label in names.items():
                try:
                    probe = await client.probe(name)
                except ApiError as error:
                    if isinstance(error, Unreachable | Unauthorised) and not isinstance(error, MissingScope):
                        findings.append(Finding(f"{what} access", "failed", _said(error), error.remedy))
                        break
                    findings.append(Finding(label, "failed", _said(error), error.remedy))
                else:
                    findings.append(Finding(label, "ok", _rows(probe.rows)))
                    ahead = probe.clock_ahead if probe.clock_ahead is not None else ahead
    except TimeoutError:
        remedy = "It answers too slowly or keeps failing; see the vendor's status page, then check again."
        findings.append(Finding(f"{what} access", "failed", f"no usable answer within {_PATIENCE:.0f} s", remedy))
    finally:
        await client.aclose()
    return [*findings, *_clock(what, ahead)]


def _clock(what: str, ahead: float | None) -> list[Finding]:
    if ahead is None:
        return []
    if abs(ahead) <= MAX_CLOCK_SECONDS:
        return [Finding(f"{what} clock", "ok", f"{abs(ahead):.0f} s apart")]
    which = "ahead of" if ahead > 0 else "behind"
    remedy = "Set this machine's clock (NTP): which records are recent enough to wait for is decided by it."
    return [Finding(f"{what} clock", "warning", f"{abs(ahead):.0f} s {which} this machine's", remedy)]


def _rows(count: int | None) -> str:
    return "readable" if count is None else f"readable, {count:,} records"


def _said(error: ApiError) -> str:
    return f"{type(error).__name__}" + (f", answered {error.status}" if error.status is not None else "")
