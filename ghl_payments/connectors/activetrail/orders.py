"""Commerce orders: read and written by GHL's order id, as the API can neither list nor delete them.

What is written belongs to `bodies.py`.
"""

from __future__ import annotations

import asyncio

from ghl_payments.connectors.activetrail import bodies, probes
from ghl_payments.connectors.activetrail.client import SYSTEM, ActiveTrailClient
from ghl_payments.connectors.activetrail.options import Options
from ghl_payments.connectors.activetrail.people import Levels
from ghl_payments.connectors.activetrail.shapes import Doc, folded, slot_text
from ghl_payments.connectors.base import DesiredRecord, WriteAnswer
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.errors import Forbidden, NotFound
from ghl_payments.transport.jsontext import decode


class OrderDesk:
    """Reads and writes commerce orders at the levels in force; one for a connector's life."""

    def __init__(self, client: ActiveTrailClient, options: Options, levels: Levels) -> None:
        self._client = client
        self._options = options
        self._levels = levels
        self._contacts: dict[str, Doc] = {}
        self._checked = False
        self._lock = asyncio.Lock()

    async def check(self) -> None:
        """An account that lost its commerce area answers 404 for every order, which must not pass for deletion."""
        async with self._lock:
            if not self._checked and not await probes.still_there(self._client):
                raise Forbidden(
                    system=SYSTEM, method="GET", path="/api/commerce/schema",
                    remedy="The account's commerce area does not answer, so that nothing can be said of its orders. "
                    "Ask ActiveTrail whether the plan includes it.",
                )  # fmt: skip
            self._checked = True

    async def document(self, order_id: str, priority: Priority) -> bytes | None:
        """An order's bytes; None or NotFound when there is none."""
        empty = self._levels["unknown_order"] == "empty"
        return await self._client.order(order_id, empty_is_none=empty, priority=priority)

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """Create an order after a look at whether it is there: what a second POST would do is not documented."""
        await self.check()
        order_id = bodies.ghl_id(record)
        existing = await self._standing(order_id)
        if existing is not None:
            return await self._put(order_id, record, existing)
        body = bodies.order_body(record, self._options, await self._contact(record))
        return WriteAnswer(order_id, await self._client.post_order({"orderId": order_id, **body}))

    async def update(self, order_id: str, record: DesiredRecord) -> WriteAnswer:
        """Write all fields, as the PUT may replace the whole; what else stands in the order is sent along."""
        existing = await self._standing(order_id)
        if existing is None:
            raise NotFound(system=SYSTEM, method="GET", path=f"/api/commerce/Order/{order_id}", status=404)
        return await self._put(order_id, record, existing)

    async def _standing(self, order_id: str) -> Doc | None:
        try:
            body = await self.document(order_id, "fresh")
        except NotFound:
            return None
        return None if body is None else order_fields(body)

    async def _put(self, order_id: str, record: DesiredRecord, existing: Doc) -> WriteAnswer:
        """An order that names another location, or none, is somebody else's and stays as it is."""
        place = slot_text(existing, bodies.LOCATION_SLOT)
        if place != record.location_id:
            whose = f"names location {place}" if place else "names no location, so that it was not written from here"
            raise bodies.refusal(record, f"the order is there already and {whose}; it is left as it is.")
        same_person = slot_text(existing, "externalid") == record.fields.get("contact_id")
        # A contact that is doubled or in the bin is for a person to sort out; the rest of the order need not wait.
        keeps_address = same_person or "contact" not in record.parents
        body = bodies.order_body(record, self._options, None if keeps_address else await self._contact(record))
        return WriteAnswer(order_id, await self._client.put_order(order_id, bodies.put_body(existing, body)))

    async def _contact(self, record: DesiredRecord) -> Doc:
        """The order's contact as ActiveTrail has it: by another address the order would belong to a second one."""
        native_id = record.parents.get("contact")
        if native_id is None:
            raise bodies.refusal(record, "an order needs a contact.")
        if native_id not in self._contacts:
            self._contacts[native_id] = (await self._client.contact(native_id, priority="fresh"))[0]
        return self._contacts[native_id]


def order_fields(body: bytes) -> Doc:
    """An answered order with lower-case names."""
    document = decode(body)
    return folded(document[0] if isinstance(document, list) else document)
