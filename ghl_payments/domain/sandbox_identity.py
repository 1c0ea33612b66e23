"""Who the bundled sandbox is: its default address, clock, locations and credentials, all derived from the seed.

Both the sandbox and the default settings read it, so that plain commands find each other without configuration.
Nothing of a real account belongs here; none of these values opens anything but the sandbox.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

DEFAULT_PORT = 8790
DEFAULT_SEED = 7
DEFAULT_ORDERS = 1000
DEFAULT_NOW = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
"""The sandbox's clock stands still at this instant unless `--now` says otherwise, so its bytes repeat."""

DEFAULT_WEBHOOK_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAXPRr8RHUtY1Sja1xDGtuN0zJhzyjikTqpMET02JrWqo=
-----END PUBLIC KEY-----
"""
"""The public half of the key with which the sandbox of the default seed signs its events."""

TIMEZONES = ("America/New_York", "Europe/Berlin")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class SandboxLocation:
    """One sandbox sub-account: a 20-character id, an IANA time zone, a private integration token."""

    id: str
    timezone: str
    token: str


@dataclass(frozen=True, slots=True)
class SandboxIdentity:
    """Credentials of one seeded sandbox world."""

    seed: int
    locations: tuple[SandboxLocation, ...]
    halo_tenant: str
    halo_client_id: str
    halo_client_secret: str
    oauth_client_id: str
    oauth_client_secret: str

    def secret(self, system: str, role: str, length: int = 32) -> str:
        """The same text for the same seed, system and role."""
        return _text_id(self.seed, f"{system}-{role}", length)

    def uuid(self, system: str, role: str) -> str:
        """The same UUID for the same seed, system and role."""
        return _uuid(self.seed, f"{system}-{role}")


def _digest(seed: int, *parts: object) -> bytes:
    return hashlib.sha256("/".join(["ghl-payments-sandbox", str(seed), *map(str, parts)]).encode()).digest()


def _uuid(seed: int, name: str) -> str:
    return str(uuid.UUID(bytes=_digest(seed, name)[:16], version=4))


def _text_id(seed: int, name: str, length: int) -> str:
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in _digest(seed, name)[:length])


def sandbox_identity(seed: int = DEFAULT_SEED) -> SandboxIdentity:
    """The same seed gives the same ids, tokens and secrets."""
    return SandboxIdentity(
        seed=seed,
        locations=tuple(
            SandboxLocation(_text_id(seed, f"location{n}", 20), zone, f"pit-{_uuid(seed, f'token{n}')}")
            for n, zone in enumerate(TIMEZONES)
        ),
        halo_tenant=f"sandbox{seed}",
        halo_client_id=_uuid(seed, "halo-client"),
        halo_client_secret=_text_id(seed, "halo-secret", 32),
        oauth_client_id=f"{_digest(seed, 'oauth-app').hex()[:24]}-{_text_id(seed, 'oauth-suffix', 8).lower()}",
        oauth_client_secret=_uuid(seed, "oauth-secret"),
    )


@dataclass(frozen=True, slots=True)
class SandboxTarget:
    """A target that the sandbox serves: (environment variable, value) by role, its scaled window, and its options."""

    secrets: dict[str, tuple[str, str]]
    requests: int
    seconds: int
    options: dict[str, Any]


def sandbox_targets(who: SandboxIdentity) -> dict[str, SandboxTarget]:
    """The bundled targets as plain commands find them without configuration; a test holds the sandbox against it."""
    return {
        "act": SandboxTarget(
            {
                "user": ("ACT_USER", "sandbox-api"),
                "password": ("ACT_PASSWORD", who.secret("act", "password")),
                "database": ("ACT_DATABASE", f"Sandbox{who.seed}"),
            },
            6_000,
            60,
            {"history_type_id": 1001},
        ),
        "activetrail": SandboxTarget(
            {"token": ("ACTIVETRAIL_TOKEN", who.secret("activetrail", "token"))}, 2_000, 10, {}
        ),
        "halo": SandboxTarget(
            {
                "tenant": ("HALO_TENANT", who.halo_tenant),
                "client_id": ("HALO_CLIENT_ID", who.halo_client_id),
                "client_secret": ("HALO_CLIENT_SECRET", who.halo_client_secret),
            },
            30_000,
            300,
            {"delivery_tracking_field": "CFDeliveryTracking", "delivery_carrier_field": "CFDeliveryCarrier"},
        ),
        "rankr": rankr_target(who),
        "trackpod": SandboxTarget(
            {"api_key": ("TRACKPOD_API_KEY", who.secret("trackpod", "api-key"))},
            40_000,
            60,
            {"timezone": "Europe/Berlin"},
        ),
    }


def rankr_target(who: SandboxIdentity) -> SandboxTarget:
    """The receiver of signed events, which can be read by list and singly."""
    secrets = {role: base64.b64encode(who.secret("rankr", role).encode()).decode() for role in ("secret", "previous")}
    read_back = {
        "get": {"url": "{base}/records/{key}"},
        "list": {
            "url": "{base}/records?limit={limit}&cursor={cursor}&updated_since={since}",
            "items": "$.data[*]",
            "next": "$.next_cursor",
            "total": "$.total",
        },
        "auth": {"type": "header", "name": "X-API-Key", "role": "read_token"},
        "map": {
            "key": "$.externalId",
            "id": "$.id",
            "location": "$.locationId",
            "amount": "$.amount",
            "currency": "$.currency",
            "status": "$.status",
            "updated_at": "$.updatedAt",
            "hash": "$.contentHash",
        },
    }
    return SandboxTarget(
        {
            "secret": ("RANKR_SECRET", f"whsec_{secrets['secret']}"),
            "previous_secret": ("RANKR_PREVIOUS_SECRET", f"whsec_{secrets['previous']}"),
            "read_token": ("RANKR_READ_TOKEN", who.secret("rankr", "read_token")),
        },
        60_000,
        60,
        {"endpoint": "{base}/events", "read_back": read_back},
    )
