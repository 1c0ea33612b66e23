"""A sandboxed ActiveTrail account for tests of its connector: records to write, levels, documents read back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pydantic import SecretStr

from ghl_payments.connectors.activetrail.client import ActiveTrailClient
from ghl_payments.connectors.activetrail.connector import ActiveTrailConnector
from ghl_payments.connectors.activetrail.options import Options
from ghl_payments.connectors.base import DesiredRecord
from ghl_payments_tests.connectors.support import QUICK, unlimited
from ghl_payments_tests.running_sandbox import RunningSandbox, loopback_client

Result = TypeVar("Result")
Doc = dict[str, Any]

PLACE, OTHER_PLACE = "location1", "location2"
BEST = {
    "commerce": "available", "unknown_order": "not_found", "external_pair": "find", "page_base": "one",
    "contact_search": "exact", "contact_update": "partial", "slots": "own",
}  # fmt: skip


def with_activetrail(
    sandbox: RunningSandbox,
    use: Callable[[ActiveTrailConnector], Awaitable[Result]],
    *,
    levels: Mapping[str, str] = BEST,
    token: str = "",
    **options: Any,
) -> Result:
    """Run `use` with a connector of its own at the given levels."""
    system = sandbox.ready["systems"]["activetrail"]

    async def main() -> Result:
        client = ActiveTrailClient(system["base_url"], SecretStr(token or system["token"]), unlimited(), retry=QUICK)
        connector = ActiveTrailConnector(client, "activetrail", Options(**options))
        connector.use_levels(levels)
        try:
            return await use(connector)
        finally:
            await connector.aclose()

    return asyncio.run(main())


def contact(key: str = "ghl:contact:C1", place: str = PLACE, **fields: str | None) -> DesiredRecord:
    """A person with an e-mail address and a phone number, and a roll-up."""
    values: dict[str, str | None] = {
        "email": "ann@example.com", "first_name": "Ann", "last_name": "Ample", "phone": "+15550100",
        "last_order_id": "O1", "order_count": "3", "lifetime": "12345", "lifetime_text": "123.45", "amount_due": "0",
        "amount_due_text": "0.00", "currency": "USD", "billing_status": "active", "next_billing_date": None,
        "last_order_date": "2026-10-01", "first_order_date": "2026-01-31",
    }  # fmt: skip
    return DesiredRecord("contact", key, place, values | fields)


def order(parent: str | None = "1", place: str = PLACE, **fields: str | None) -> DesiredRecord:
    """Order O1 of 21.99 USD."""
    values: dict[str, str | None] = {
        "order_name": "Shop O1", "total": "2199", "net": "2100", "tax": "99", "quantity": "2", "contact_id": "C1",
        "purchase_type": "funnel", "status": "completed", "currency": "USD", "payment_status": "paid",
        "fulfillment_status": "unfulfilled", "tracking": None, "paid": "2199", "refunded": "0", "charge_id": "pi_1",
        "subscription_ids": None, "subscription_status": None, "purchase_date": "2026-10-01",
        "update_date": "2026-10-02",
    }  # fmt: skip
    return DesiredRecord(
        "commerce_order", "ghl:order:O1", place, values | fields, {"contact": parent} if parent else {}
    )


def account(sandbox: RunningSandbox) -> Doc:
    """What the sandboxed account holds."""
    part: Doc = sandbox.state()["activetrail"]
    return part


def hold(sandbox: RunningSandbox, **part: Any) -> None:
    """Put these records into the account: contacts, groups, members, pairs, orders, labels."""
    sandbox.put_state(sandbox.state() | {"activetrail": part})


def native(contact_id: int = 1, **fields: Any) -> Doc:
    """A contact that somebody else made."""
    return {"id": contact_id, "email": "ann@example.com", "first_name": "Anna", "last_name": "Older"} | fields


def sent(sandbox: RunningSandbox, method: str) -> list[str]:
    """Paths of all requests of one method, in order."""
    return [row["path"] for row in sandbox.requests() if row["system"] == "activetrail" and row["method"] == method]


def own_group(*contact_ids: int) -> Doc:
    """Our group with these members."""
    return {"groups": [{"id": 7, "name": "GHL payments"}], "members": [[7, n] for n in contact_ids]}


def http(sandbox: RunningSandbox) -> Any:
    """A plain client with the account's token."""
    system = sandbox.ready["systems"]["activetrail"]
    return loopback_client(system["base_url"], {"Authorization": system["token"]})
