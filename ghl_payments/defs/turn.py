"""One turn of the loop as an asset sees it: settings, location, warehouse, clock, and errors a person can act on.

Extend it when every asset needs a further thing; what an asset does belongs to its own file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import cast, get_args

import dagster as dg

from ghl_payments.connections import Connection, Location, SettingsError
from ghl_payments.connectors.push import ConnectionBusyError
from ghl_payments.settings import Settings, load_settings
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.errors import ApiError, Unreachable
from ghl_payments.warehouse.connection import ForeignWarehouseError, Warehouse, WarehouseBusyError

TURN_TAG = "ghl/turn"
"""Runs that share this tag are one turn: a connection shared by their locations is read once."""

PRIORITY_TAG = "ghl/priority"
"""How a run's requests to GHL stand in the rate budget: fresh, verify, sweep (unless tagged) or backfill."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one run works with; `turn_id` is shared by the runs of one command or one tick of a schedule."""

    settings: Settings
    location: Location
    warehouse: Warehouse
    as_of: datetime
    turn_id: str
    priority: Priority = "sweep"

    @property
    def landing(self) -> Path:
        """Where landing files go."""
        return self.settings.landing


def open_warehouse(settings: Settings) -> Warehouse:
    """The warehouse of these settings; ForeignWarehouseError when it holds data of other sources."""
    warehouse = Warehouse(
        settings.warehouse, settings.lock_timeout_seconds, settings.memory_limit, as_of=settings.now()
    )
    sources = {("connection", name): _account(settings, item) for name, item in settings.connections.items()}
    sources |= {
        ("location", place.id): settings.connection(place.ghl.connection).base_url for place in settings.locations
    }
    _claim_once(warehouse, frozenset(sources.items()))
    return warehouse


def _account(settings: Settings, connection: Connection) -> str:
    """Which account a connection is: its address, and a hash of who signs in where (a rotated secret is no other)."""
    roles = [role for role in ("tenant", "client_id") if role in connection.credentials]
    who = [settings.secrets[name].get_secret_value() for role in roles
           if (name := connection.credentials[role]) in settings.secrets]  # fmt: skip
    digest = f" #{sha256('/'.join(who).encode()).hexdigest()[:12]}" if who else ""
    return connection.base_url + digest


@cache
def _claim_once(warehouse: Warehouse, sources: frozenset[tuple[tuple[str, str], str]]) -> None:
    """Every asset of a run asks; the file need be opened for the answer only once a process."""
    warehouse.claim_for(dict(sources))


def turn_of(context: dg.AssetExecutionContext) -> Turn:
    """The turn a partitioned asset runs in."""
    settings = load_settings()
    tags = context.run.tags
    priority = tags.get(PRIORITY_TAG, "sweep")
    if priority not in get_args(Priority):
        msg = f"the tag {PRIORITY_TAG} is one of {', '.join(get_args(Priority))}, not {priority!r}"
        raise dg.Failure(msg, allow_retries=False)
    return Turn(
        settings=settings,
        location=settings.location(context.partition_key),
        warehouse=open_warehouse(settings),
        as_of=settings.now(),
        turn_id=tags.get(TURN_TAG) or tags.get("dagster/backfill") or context.run.run_id,
        priority=cast(Priority, priority),
    )


@contextmanager
def explained() -> Iterator[None]:
    """Errors whose text already names the remedy end the step with just that text; a retry of the step is no use."""
    try:
        yield
    except Unreachable as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
    except (ApiError, SettingsError, WarehouseBusyError, ForeignWarehouseError, ConnectionBusyError) as error:
        raise dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False) from None
