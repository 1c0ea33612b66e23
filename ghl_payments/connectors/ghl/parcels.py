"""Writing deliveries to GHL: the fulfillments of one order, and one more that never exceeds what is still open.

Extend it when a fulfillment is written in another way; bodies and what is open stand in `bodies.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import InvalidOperation
from typing import Any

from ghl_payments.connectors.base import DesiredRecord, WriteAnswer
from ghl_payments.connectors.ghl.bodies import (
    Parcel,
    capped,
    fulfillment_body,
    fulfillment_ids,
    is_live,
    open_items,
    parcel_of,
    refusal,
)
from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.errors import Forbidden, MissingScope, Rejected
from ghl_payments.transport.jsontext import decode

PATH = "/payments/orders/{id}/fulfillments"


class ParcelDesk:
    """Fulfillments of one location's orders. Native ids are `ORDERID/FULFILLMENTID`."""

    def __init__(self, client: GhlClient, *, notify_customer: bool) -> None:
        self._client = client
        self._notify_customer = notify_customer
        self._tried: dict[str, Parcel] = {}

    async def of_order(self, order_id: str, priority: Priority) -> bytes:
        """The JSON array of an order's fulfillments."""
        return (await self._client.fulfillments(order_id, priority=priority)).body

    def order_of(self, key: str) -> str | None:
        """The order of a delivery that this desk tried to write."""
        return self._tried[key].order_id if key in self._tried else None

    def found(self, key: str, documents: Iterable[Mapping[str, Any]]) -> list[str]:
        """Native ids of a delivery that this desk tried to write."""
        parcel = self._tried[key]
        return [f"{parcel.order_id}/{found}" for found in fulfillment_ids(documents, parcel.tracking)]

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """Fulfil what is open of an order, unless a fulfillment has the tracking number already or nothing is open."""
        parcel = parcel_of(record)
        self._tried[record.key] = parcel
        answered = decode((await self._client.fulfillments(parcel.order_id, priority="fresh")).body)
        done = [doc for doc in answered if isinstance(doc, dict)]
        known = fulfillment_ids(done, parcel.tracking)
        if known:
            return WriteAnswer(f"{parcel.order_id}/{known[0]}", 200)
        order = decode((await self._client.order(parcel.order_id, priority="fresh")).body)
        path = PATH.format(id=parcel.order_id)
        if not is_live(order):
            raise refusal(record, path, "its order is in test mode.")
        try:
            items = capped(parcel.items, open_items(order, done))
        except InvalidOperation:
            raise refusal(record, path, "a quantity of its order or of a fulfillment is not a number.") from None
        if not items:
            raise refusal(record, path, "nothing of it is left to fulfil in GHL, and no fulfillment has its tracking.")
        body = fulfillment_body(parcel, items, notify_customer=self._notify_customer)
        try:
            made = await self._client.create_fulfillment(parcel.order_id, body)
        except (MissingScope, Forbidden) as error:
            # Reading works, so this is no reason to keep every other system waiting.
            raise Rejected(
                system=error.system, method=error.method, path=error.path, status=error.status,
                remedy=f"{error.remedy} Then `ghl-payments retry --connection ghl`.",
            ) from None  # fmt: skip
        return WriteAnswer(f"{parcel.order_id}/{made.native_id}", made.status)
