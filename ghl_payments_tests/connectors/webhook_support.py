"""A connector of signed events against a server of the test's own, and records to tell of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import SecretStr

from ghl_payments.connections import Connection
from ghl_payments.connectors.access import Access
from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.connectors.rankr.connect import RankrConnector
from ghl_payments.connectors.registry import target_systems
from ghl_payments.settings import Settings, load_settings
from ghl_payments_tests.loopback import Handler, Loopback, loopback

Result = TypeVar("Result")

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER = "whsec_" + "B" * 40
READ = {"list": {"url": "{base}/records", "items": "$.data[*]"}, "map": {"key": "$.key"}}


def settings(**secrets: str) -> Settings:
    """Settings without a rate budget, and with these secrets."""
    plain = load_settings({"GHL_PAYMENTS_LIMITER": "off"})
    return plain.model_copy(update={"secrets": {name: SecretStr(text) for name, text in secrets.items()}})


def connector(base_url: str, *, secrets: dict[str, str] | None = None, **options: Any) -> RankrConnector:
    """A connector as the registry opens it; `secrets` by role."""
    given = secrets if secrets is not None else {"secret": SECRET}
    names = {role: f"RANKR_{role.upper()}" for role in given}
    connection = Connection(name="rankr", system="rankr", base_url=base_url, credentials=names, options=options)
    access = Access(settings(**{names[role]: text for role, text in given.items()}), connection)
    opened = target_systems()["rankr"].open(access)
    assert isinstance(opened, RankrConnector)
    return opened


def order(amount: str = "10050", *, revision: int = 1, **fields: str | None) -> DesiredRecord:
    """An order to tell of; `amount` in minor units."""
    said = {
        "amount": amount, "currency": "USD", "status": "completed", "payment_status": "paid",
        "updated_at": "2026-01-02T03:04:05.678Z", "content_hash": f"sha256:{amount}", **fields,
    }  # fmt: skip
    return DesiredRecord("order", "ghl:order:o1", "LocationOne", said, revision=revision)


def with_server(
    handler: Handler, use: Callable[[RankrConnector, Loopback], Awaitable[Result]], **made: Any
) -> tuple[Result, Loopback]:
    """Run `use` with a connector to this handler; what the server saw comes back too."""

    async def main() -> tuple[Result, Loopback]:
        async with loopback(handler) as server:
            opened = connector(server.base_url, **made)
            try:
                return await use(opened, server), server
            finally:
                await opened.aclose()

    return asyncio.run(main())
