"""Finds the target systems: every folder below `connectors/` that has a `mapping.yaml` and a `connect.py`.

Nothing is listed by hand here, so that a new system is one new folder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Mapping as Pairs
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ghl_payments.connections import Connection, Location, SettingsError
from ghl_payments.connectors.access import Access, SetUp
from ghl_payments.connectors.base import Connector
from ghl_payments.connectors.mappings import MappingSource, mapping_for
from ghl_payments.domain.mapping import Mapping
from ghl_payments.domain.mapping_files import effective_mapping
from ghl_payments.domain.yaml_lines import findings, nearest
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
    keyed_types: tuple[str, ...]
    capabilities: Pairs[str, tuple[str, ...]]
    keys_sql: Path
    options: type[BaseModel] | None
    writable_fields: Pairs[str, Collection[str]] | None = None
    set_up: SetUp | None = None
    removal_types: tuple[str, ...] = ()

    @property
    def mapping_source(self) -> MappingSource:
        """What a mapping of this system is checked against; a connector may name more fields as `writable_fields`."""
        folder = self.documents_sql.parent
        known = self.options.model_fields if self.options is not None else {}
        switches = tuple(name for name, option in known.items() if option.annotation is bool)
        return MappingSource(
            folder / "mapping.yaml", self.documents_sql, self.record_types, self.capabilities, self.writable_fields,
            switches,
        )  # fmt: skip

    def options_of(self, connection: Connection) -> BaseModel | None:
        """The connection's options, checked and completed; SettingsError names each wrong one with its line."""
        if self.options is None:
            if connection.options:
                place = connection.place("options")
                msg = f"{place}: {connection.name}: {self.name} has no options, found {', '.join(connection.options)}"
                raise SettingsError(msg)
            return None
        try:
            return self.options.model_validate(connection.options)
        except ValidationError as error:
            raise SettingsError("\n".join(self._wrong_options(connection, error))) from None

    def _wrong_options(self, connection: Connection, error: ValidationError) -> list[str]:
        assert self.options is not None
        known = ", ".join(sorted(self.options.model_fields))
        told = []
        for finding in findings(error, self.options):
            spot = list(map(str, finding.spot))
            place = f"{connection.place('options', *spot)}: {connection.name}: {'.'.join(['options', *spot])}"
            hint = f"; nearest: {finding.nearest}" if finding.nearest else ""
            told.append(f"{place}: {finding.what}{hint}. Options of {self.name}: {known}")
        return told

    def forced_levels(self, connection: Connection) -> dict[str, str]:
        """Levels that the configuration forces; SettingsError names those that the system does not have."""
        for name, level in connection.capabilities.items():
            place = f"{connection.place('capabilities', name)}: {connection.name}"
            if name not in self.capabilities:
                known = ", ".join(self.capabilities) or "none"
                hint = _hint(name, self.capabilities)
                msg = f"{place}: no capability {name!r}; {self.name} has: {known}{hint}"
                raise SettingsError(msg)
            levels = self.capabilities[name]
            if level not in levels and "*" not in levels:
                hint = _hint(level, levels)
                msg = f"{place}: capability {name} has no level {level!r}; levels: {', '.join(levels)}{hint}"
                raise SettingsError(msg)
        return dict(connection.capabilities)

    def open(self, access: Access) -> Connector:
        """A connector for one account, with its options checked."""
        return self.connect(replace(access, options=self.options_of(access.connection)))


def _hint(name: str, known: Collection[str]) -> str:
    near = nearest(name, known)
    return f"; nearest: {near}" if near else ""


@cache
def target_systems() -> dict[str, TargetSystem]:
    """System name -> system, in alphabetical order."""
    found = {}
    for folder in sorted(Path(__file__).parent.iterdir()):
        if not (folder / "mapping.yaml").exists() or not (folder / "connect.py").exists():
            continue
        module = import_module(f"ghl_payments.connectors.{folder.name}.connect")
        mapping = effective_mapping(folder / "mapping.yaml")
        found[mapping.system] = TargetSystem(
            name=mapping.system,
            mapping=mapping,
            documents_sql=folder / "documents.sql",
            connect=module.connect,
            record_types=tuple(module.CONNECTOR.record_types),
            auxiliary_types=tuple(module.CONNECTOR.auxiliary_types),
            keyed_types=tuple(module.CONNECTOR.keyed_types),
            capabilities=module.CONNECTOR.capabilities,
            keys_sql=folder / "keys.sql",
            options=getattr(module, "OPTIONS", None),
            writable_fields=getattr(module.CONNECTOR, "writable_fields", None),
            set_up=getattr(module, "SET_UP", None),
            removal_types=tuple(getattr(module.CONNECTOR, "removal_types", ())),
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
    sharing = [place.id for place in settings.locations if connection.name in {c.name for c in settings.targets(place)}]
    options = system.options_of(connection)
    return Target(
        connection=connection.name,
        system=connection.system,
        live=connection.live,
        policy=connection.effective_policy,
        shrink_share=connection.brakes.shrink_share,
        mapping=mapping_for(system.mapping_source, connection.mapping),
        documents_sql=system.documents_sql,
        only_location=sharing[0] if len(sharing) == 1 else None,
        options=plain_options(options),
        locations=tuple(sharing),
    )


def plain_options(options: BaseModel | None) -> dict[str, Any]:
    """Options as SQL reads them with `option('name')`."""
    return options.model_dump(mode="json", exclude_none=True) if options else {}


def describe_targets(settings: Settings, location: Location) -> list[Target]:
    """A location's targets that are not switched off."""
    return [describe_target(settings, connection) for connection in settings.targets(location)]


def access_to(settings: Settings, connection: Connection, location: Location) -> Access:
    """What a connector of this connection needs; the location matters where it has a credential of its own."""
    return Access(settings, connection, location=location)


def declared_providers(settings: Settings) -> list[dict[str, str]]:
    """The white-label providers that locations should have, one row a provider."""
    return [
        {"location_id": place.id, **provider.model_dump()}
        for place in settings.locations
        for provider in place.providers
    ]
