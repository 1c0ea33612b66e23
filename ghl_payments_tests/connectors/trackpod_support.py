"""Track-POD connectors of a running sandbox and of a server of the test's own; records as the loop wants them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import SecretStr

from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.connectors.trackpod.client import TrackPodClient
from ghl_payments.connectors.trackpod.connector import TrackPodConnector
from ghl_payments.connectors.trackpod.options import TrackPodOptions
from ghl_payments_tests.connectors.support import QUICK, as_of, unlimited
from ghl_payments_tests.loopback import Handler, Loopback, loopback
from ghl_payments_tests.running_sandbox import RunningSandbox, loopback_client

Result = TypeVar("Result")

PLACE = "location1"
ORDER_ID = "65f0000000000000000000a1"
KEY = f"ghl:order:{ORDER_ID}"
NUMBER = f"GHL-{ORDER_ID}"
TRACK_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
LINES = [
    {"line_id": f"{ORDER_ID}:1", "price_id": "p1", "name": "Widget", "quantity": "2", "unit_price": "10.05"},
    {"line_id": f"{ORDER_ID}:3", "price_id": None, "name": "Engraving", "quantity": "1", "unit_price": "0.1"},
]


def wanted(order_id: str = ORDER_ID, *, lines: list[Mapping[str, Any]] | None = None, **fields: str) -> DesiredRecord:
    """An order of 20.20 USD that is to be paid at the door."""
    texts = {
        "order_id": order_id, "date": "2026-11-20", "client": "Shop of tests", "client_id": "c1",
        "contact_name": "Contact 0001", "address": "1 Test Street, Testville, 12345, DE", "phone": "+491234",
        "email": "contact0001@example.com", "lines": json.dumps(LINES if lines is None else lines), "cod": "2020",
        "currency": "USD", **fields,
    }  # fmt: skip
    return DesiredRecord("order", f"ghl:order:{order_id}", PLACE, texts)


def shown(track_id: str = TRACK_ID, **members: Any) -> dict[str, Any]:
    """An order as the API shows it, with little more than what everything rests on."""
    return {
        "TrackId": track_id, "Id": ORDER_ID, "Number": NUMBER, "Type": 0, "CustomerReferenceId": PLACE,
        "Date": "2026-11-20T00:00:00", "StatusId": None, "GoodsList": [], "COD": 20.2, **members,
    }  # fmt: skip


async def with_handler(
    handler: Handler,
    use: Callable[[TrackPodConnector, Loopback], Awaitable[Result]],
    *,
    options: Mapping[str, Any] | None = None,
    levels: Mapping[str, str] | None = None,
) -> Result:
    """Run `use` with a connector to a server whose answers the test decides."""
    async with loopback(handler) as server:
        client = TrackPodClient(server.base_url, SecretStr("a-key"), unlimited(), retry=QUICK)
        made = TrackPodOptions.model_validate(options or {})
        connector = TrackPodConnector(client, "trackpod", made, now=lambda: datetime(2026, 11, 25, 22, 30, tzinfo=UTC))
        connector.use_levels(levels or {})
        try:
            return await use(connector, server)
        finally:
            await connector.aclose()


def with_trackpod(
    sandbox: RunningSandbox,
    use: Callable[[TrackPodConnector], Awaitable[Result]],
    *,
    api_key: str = "",
    **options: Any,
) -> Result:
    """Run `use` with a connector to the sandbox's account."""
    account = sandbox.ready["systems"]["trackpod"]

    async def main() -> Result:
        key = SecretStr(api_key or account["api_key"])
        client = TrackPodClient(account["base_url"], key, unlimited(), retry=QUICK)
        settings = TrackPodOptions.model_validate({"timezone": "Europe/Berlin", **options})
        connector = TrackPodConnector(client, "trackpod", settings, now=lambda: as_of(sandbox))
        connector.use_levels({"change_feed": "status"})
        try:
            return await use(connector)
        finally:
            await connector.aclose()

    return asyncio.run(main())


def orders(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    """What the account holds."""
    found: list[dict[str, Any]] = sandbox.state()["trackpod"]["Order"]
    return found


def by_hand(sandbox: RunningSandbox, action: str, **body: Any) -> dict[str, Any]:
    """What Track-POD's people do, e.g. `by_hand(sandbox, "deliver", id=ORDER_ID)`."""
    done: dict[str, Any] = sandbox.control("POST", f"/trackpod/{action}", body)
    return done


def entered(sandbox: RunningSandbox, **members: Any) -> None:
    """An order that somebody enters by another way than ours."""
    account = sandbox.ready["systems"]["trackpod"]
    with loopback_client(account["base_url"], {"X-API-KEY": account["api_key"]}) as http:
        body = {"Client": "Native", "Address": "2 Other Street", "Date": "2026-02-20", **members}
        assert http.post("/Order", json=body).status_code == 201
