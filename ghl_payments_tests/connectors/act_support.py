"""Act! connectors of a running sandbox, small states of its database, and records as the loop wants them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from ghl_payments.connectors.act.client import ActClient
from ghl_payments.connectors.act.connector import ActConnector
from ghl_payments.connectors.act.options import ActOptions
from ghl_payments.connectors.base import DesiredRecord, Level
from ghl_payments_tests.connectors.support import QUICK, landed, unlimited
from ghl_payments_tests.running_sandbox import RunningSandbox

Result = TypeVar("Result")

PLACE = "location1"
AT = "2026-11-01T08:30:00.000Z"
DAY = "2026-11-01T00:00:00.000Z"
LINES = [
    {"name": "Widget", "quantity": "2", "price": "10.5", "note": "ghl:line:1"},
    {"name": "Tax", "quantity": "1", "price": "0.99", "note": "ghl:line:tax"},
]
OWNER = {"id": "c0000000-0000-4000-8000-000000000001", "fullName": "Ada Native", "emailAddress": "ada@example.com"}


def client_of(sandbox: RunningSandbox, **changed: str) -> ActClient:
    """A client of the sandbox's database; `changed` replaces base_url, database, user or password."""
    act = sandbox.ready["systems"]["act"] | changed
    return ActClient(
        f"{act['base_url']}/act.web.api", act["database"], act["user"], SecretStr(act["password"]), unlimited(),
        retry=QUICK,
    )  # fmt: skip


def with_act(
    sandbox: RunningSandbox,
    use: Callable[[ActConnector], Awaitable[Result]],
    *,
    levels: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    **changed: str,
) -> Result:
    """Run `use` with a connector; without `levels` it works at those that a writing probe finds first."""

    async def main() -> Result:
        settings = ActOptions.model_validate({"history_type_id": 1001, **(options or {})})
        connector = ActConnector(client_of(sandbox, **changed), "act", settings)
        try:
            found = levels
            if found is None:
                found = {name: level.level for name, level in (await connector.probe_levels(may_write=True)).items()}
            connector.use_levels(found)
            return await use(connector)
        finally:
            await connector.aclose()

    return asyncio.run(main())


def probe(sandbox: RunningSandbox, *, may_write: bool = True, **more: Any) -> dict[str, Level]:
    """The levels of the account as it is."""
    return with_act(sandbox, lambda act: act.probe_levels(may_write=may_write), levels={}, **more)


def contact(key: str = "ghl:contact:C1", **fields: str | None) -> DesiredRecord:
    """A contact."""
    values = {"name": "Ada Lovelace", "first_name": "Ada", "last_name": "Lovelace", "email": "Ada@Example.com"}
    return DesiredRecord("contact", key, PLACE, {**values, "phone": None, **fields})


def order(**fields: str | None) -> DesiredRecord:
    """An order of 21.99 in the database's currency."""
    values: dict[str, str | None] = {
        "name": "GHL order O1", "lines": json.dumps(LINES), "total": "2199", "ghl_amount": "2199", "ghl_currency": "USD",
        "status": "1", "ghl_status": "completed", "ghl_payment_status": "paid", "ghl_subscription_status": None,
        "ghl_fulfillment_status": None, "ghl_fulfillments": '[{"id":"F1","items":[]}]', "open_date": DAY,
        "due_date": DAY, "close_date": DAY, "ghl_shipped_at": None, "ghl_tracking": "UPS 1Z'9", "ghl_updated_at": AT,
    }  # fmt: skip
    return DesiredRecord("opportunity", "ghl:order:O1", PLACE, values | fields, {"contact": OWNER["id"]})


def payment(key: str = "ghl:txn:T1", **fields: str | None) -> DesiredRecord:
    """A charge of 21.99."""
    values: dict[str, str | None] = {
        "amount": "2199", "refunded": "0", "currency": "USD", "status": "succeeded", "paid_at": AT, "reference": "ch_1",
        "method": "stripe", "updated_at": AT,
    }  # fmt: skip
    return DesiredRecord("payment", key, PLACE, values | fields, {"contact": OWNER["id"]})


def subscription(**fields: str | None) -> DesiredRecord:
    """A monthly subscription of 9.50."""
    values: dict[str, str | None] = {
        "name": "Subscription Gold", "state": "0", "amount": "950", "currency": "USD", "status": "active",
        "plan": "Gold", "billing_interval": "1 month", "starts_at": AT, "ends_at": None, "cancelled_at": None,
        "next_billing_at": "2026-12-01T08:30:00.000Z", "updated_at": AT,
    }  # fmt: skip
    return DesiredRecord("subscription", "ghl:sub:S1", PLACE, values | fields, {"contact": OWNER["id"]})


def document(sandbox: RunningSandbox, path: Path, record_type: str, native_id: str, **more: Any) -> dict[str, Any]:
    """One record as the connector lands it."""
    with_act(sandbox, lambda act: act.read_details(record_type, [native_id], path), **more)
    (line,) = landed(path)
    body: dict[str, Any] = line["body"]
    return body
