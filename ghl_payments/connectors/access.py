"""What a connector needs in order to reach its account: the connection, its secrets, a rate budget.

Extend it when every system needs a further piece; how a system signs in belongs to its connector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from ghl_payments.connections import Connection, Location
from ghl_payments.settings import Settings
from ghl_payments.transport.budget import RateBudget


@dataclass(frozen=True, slots=True)
class SetUp:
    """What `ghl-payments init` asks for; a connector's `connect.py` names it `SET_UP`.

    `credentials` are roles, `base_url` the one address of every account, None where each has its own like `example`.
    """

    title: str
    example: str
    credentials: tuple[str, ...] = ()
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """One connection ready to be opened; `secret` raises SettingsError naming the environment variable."""

    settings: Settings
    connection: Connection
    location: Location | None = None
    """The location at work, for systems whose credential is the location's own."""
    options: Any = None
    """The connection's `options`, validated by the connector's own model; None where it has none."""

    def secret(self, role: str) -> SecretStr:
        """The secret of a role that `connections.yaml` lists under `credentials`."""
        return self.settings.secret(self.connection.credentials.get(role, f"(no credential {role!r})"))

    def optional_secret(self, role: str) -> SecretStr | None:
        """The secret of a role, None where `connections.yaml` does not list it."""
        return self.secret(role) if role in self.connection.credentials else None

    def budget(
        self,
        credential: str,
        *,
        requests: int,
        seconds: float,
        name: str = "",
        burst: tuple[int, float] | None = None,
    ) -> RateBudget:
        """The shared budget of this host and credential; the connection's own `rate` wins over the vendor's.

        `burst` is the vendor's second, shorter window (requests, seconds); a `rate` of the connection's own changes it
        by the same factor. `name` is what `ghl-payments budget` calls it, the connection's name unless given.
        """
        rate = self.connection.rate
        limit = rate.requests if rate else requests
        window = rate.seconds if rate else seconds
        if burst is not None:
            burst = max(1, round(burst[0] * (limit / window) / (requests / seconds))), burst[1]
        return RateBudget(
            self.settings.home / "budget.sqlite3",
            host=urlsplit(self.connection.base_url).netloc,
            credential=credential,
            limit=limit if self.settings.limiter else None,
            window_seconds=window,
            name=name or self.connection.name,
            burst=burst,
        )
