"""Finds the target systems: every folder below `connectors/` that has a `mapping.yaml` and a `connect.py`.

Nothing is listed by hand here, so that a new system is one new folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from ghl_payments.connections import Connection, Location, SettingsError
from ghl_payments.connectors.access import Access
from ghl_payments.connectors.base import Connector
from ghl_payments.domain.mapping import Mapping, load_mapping
from ghl_payments.settings import Settings
from ghl_payments.warehouse.reconcile import Target


@dataclass(frozen=True, slots=True)
class TargetSystem:
    """One target system: its mapping, the SQL of its documents, and how to open a connection to it."""

    name: str
    mapping: Mapping
    documents_sql: Path
    connect: Callable[[Access], Connector]
    record_types: tuple[str, ...]
    auxiliary_types: tuple[str, ...]


@cache
def target_systems() -> dict[str, TargetSystem]:
    """System name -> system, in alphabetical order."""
    found = {}
    for folder in sorted(Path(__file__).parent.iterdir()):
        if not (folder / "mapping.yaml").exists() or not (folder / "connect.py").exists():
            continue
        module = import_module(f"ghl_payments.connectors.{folder.name}.connect")
        mapping = load_mapping(folder / "mapping.yaml")
        found[mapping.system] = TargetSystem(
            name=mapping.system,
            mapping=mapping,
            documents_sql=folder / "documents.sql",
            connect=module.connect,
            record_types=tuple(module.CONNECTOR.record_types),
            auxiliary_types=tuple(module.CONNECTOR.auxiliary_types),
        )
    return found


def target_system(connection: Connection) -> TargetSystem:
    """The system of a connection; SettingsError that lists the known ones."""
    systems = target_systems()
    if connection.system not in systems:
        known = ", ".join(systems)
        msg = f"connection {connection.name}: unknown system {connection.system!r}; known targets: {known}"
        raise SettingsError(msg)
    return systems[connection.system]


def describe_target(settings: Settings, connection: Connection) -> Target:
    """The connection as reconciliation sees it."""
    system = target_system(connection)
    sharing = [place.id for place in settings.locations if connection.name in place.targets]
    return Target(
        connection=connection.name,
        system=connection.system,
        live=connection.live,
        policy=connection.effective_policy,
        shrink_share=connection.brakes.shrink_share,
        mapping=system.mapping,
        documents_sql=system.documents_sql,
        only_location=sharing[0] if len(sharing) == 1 else None,
    )


def describe_targets(settings: Settings, location: Location) -> list[Target]:
    """A location's targets that are not switched off."""
    return [describe_target(settings, connection) for connection in settings.targets(location)]
