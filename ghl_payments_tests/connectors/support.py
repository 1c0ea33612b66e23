"""Clients of a running sandbox, and landing files read back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import zstandard
from pydantic import SecretStr

from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.halo.client import HaloClient
from ghl_payments.connectors.halo.connector import HaloConnector
from ghl_payments.transport.budget import RateBudget
from ghl_payments.transport.jsontext import decode
from ghl_payments.transport.retry import RetryPolicy
from ghl_payments_tests.running_sandbox import RunningSandbox

Result = TypeVar("Result")
QUICK = RetryPolicy(tries=3, base=0.001, refused_base=0.001)


def unlimited() -> RateBudget:
    """A budget that is switched off."""
    return RateBudget(None, host="h", credential="c", limit=None, window_seconds=1)


def with_ghl(
    sandbox: RunningSandbox, use: Callable[[GhlClient], Awaitable[Result]], *, location: int = 0, token: str = ""
) -> Result:
    """Run `use` with a client of the nth location."""
    place = sandbox.ready["systems"]["ghl"]["locations"][location]

    async def main() -> Result:
        secret = SecretStr(token or place["token"])
        base_url = sandbox.ready["systems"]["ghl"]["base_url"]
        client = GhlClient(base_url, place["id"], secret, unlimited(), retry=QUICK)
        try:
            return await use(client)
        finally:
            await client.aclose()

    return asyncio.run(main())


def with_halo(sandbox: RunningSandbox, use: Callable[[HaloConnector], Awaitable[Result]], **changed: str) -> Result:
    """Run `use` with a connector to the sandbox's tenant; `changed` replaces tenant, client_id or client_secret."""
    halo = sandbox.ready["systems"]["halo"] | changed

    async def main() -> Result:
        client = HaloClient(
            halo["base_url"], halo["tenant"], SecretStr(halo["client_id"]), SecretStr(halo["client_secret"]),
            unlimited(), retry=QUICK,
        )  # fmt: skip
        connector = HaloConnector(client, "halo")
        try:
            return await use(connector)
        finally:
            await connector.aclose()

    return asyncio.run(main())


def landed(path: Path) -> list[dict[str, Any]]:
    """The lines of a landing file."""
    with path.open("rb") as file:
        return [decode(line) for line in zstandard.ZstdDecompressor().stream_reader(file).read().splitlines()]


def listed_ids(path: Path) -> list[str]:
    """Ids in the last attempt of a landed slice, overlaps included."""
    lines = landed(path)
    last = max(line["envelope"]["attempt"] for line in lines)
    return [row["_id"] for line in lines if line["envelope"]["attempt"] == last for row in line["body"]["data"]]


def as_of(sandbox: RunningSandbox) -> datetime:
    """The sandbox's clock."""
    return datetime.fromisoformat(sandbox.ready["now"])
