"""Creating, taking over and changing orders: looked for first, written whole, never made again once removed.

What an order consists of belongs to `bodies.py`; whether a change may leave is decided by SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from ghl_payments.connectors.base import DesiredRecord, WriteAnswer
from ghl_payments.connectors.trackpod.bodies import (
    PROCESSED,
    adopting_body,
    changed_body,
    create_body,
    is_elsewhere,
    is_named,
    is_ours,
    is_replanned,
    number_of,
    order_id_of,
    refusal,
    whole_body,
)
from ghl_payments.connectors.trackpod.client import SYSTEM, TrackPodClient
from ghl_payments.connectors.trackpod.options import TrackPodOptions
from ghl_payments.connectors.trackpod.shapes import OrderRow
from ghl_payments.transport.errors import ApiError, NotFound, OutcomeUnknown
from ghl_payments.transport.jsontext import decode

Order = Mapping[str, Any]


class OrderDesk:
    """Writes orders of one account. `just_read` keeps what was read right after a write, once, for the read-back."""

    def __init__(self, client: TrackPodClient, options: TrackPodOptions, today: Callable[[], date]) -> None:
        self._client = client
        self._options = options
        self._today = today
        self.just_read: dict[str, OrderRow] = {}

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """Create an order or take over the one that has its Id; see `TrackPodConnector.create`."""
        body = create_body(record, quiet=self._is_quiet(record))
        known = await self._known(record)
        if known is not None:
            return await self._adopt(record, known)
        status = await self._client.post(body)
        try:
            made = await self._client.by_id(order_id_of(record.key), priority="verify")
        except ApiError as error:
            raise OutcomeUnknown(
                system=SYSTEM, method="POST", path="/Order", status=error.status,
                remedy="The order was accepted and could not be read afterwards; it is read back before anything else.",
            ) from None  # fmt: skip
        self.just_read[made.track_id] = made
        return WriteAnswer(made.track_id, status)

    async def update(self, native_id: str, record: DesiredRecord, changed: Sequence[str]) -> WriteAnswer:
        """Write the `changed` fields into the order as it is now."""
        order = decode((await self._client.by_track_id(native_id, priority="fresh")).raw)
        if is_replanned(order):
            why = "it was planned anew since, or paid for at the door; its goods and cash are what was left of it."
            raise refusal(record, why, method="PUT")
        return WriteAnswer(native_id, await self._write(record, order, changed_body(record, order, changed)))

    async def _known(self, record: DesiredRecord) -> OrderRow | None:
        """The delivery order that has the record's Id; Rejected when it was removed, or is another location's."""
        try:
            row = await self._client.by_id(order_id_of(record.key), priority="fresh")
            if decode(row.raw).get("Type") == 1:  # a collection under our Id hides what may stand behind it
                rows = await self._client.numbered(number_of(record.key), priority="fresh")
                behind = [other for other in rows if is_ours(decode(other.raw), record.key)]
                if not behind:
                    return None
                row = behind[0]
        except NotFound as error:
            if error.status == 410:
                raise refusal(record, error.remedy) from None
            return None
        if is_elsewhere(decode(row.raw), record.location_id):
            raise refusal(record, "the order of its Id says in CustomerReferenceId that it belongs elsewhere.")
        return row

    async def _adopt(self, record: DesiredRecord, row: OrderRow) -> WriteAnswer:
        order = decode(row.raw)
        wanted = adopting_body(record, order)
        is_history = order.get("StatusId") in PROCESSED and not self._options.force_update
        if wanted == whole_body(order) or (is_history and is_named(order, record)):
            self.just_read[row.track_id] = row
            return WriteAnswer(row.track_id, 200)
        return WriteAnswer(row.track_id, await self._write(record, order, wanted))

    async def _write(self, record: DesiredRecord, order: Order, body: Mapping[str, object]) -> int:
        """PUT the whole order. By Id, which the forced way needs, only where the Id names this very order."""
        track_id = str(order["TrackId"])
        if order.get("StatusId") not in PROCESSED:
            return await self._client.put(track_id, body)
        if not self._options.force_update:
            why = "the driver has processed it; `force_update` would change it all the same."
            raise refusal(record, why, method="PUT")
        named = await self._client.by_id(str(body.get("Id") or ""), priority="fresh")
        if named.track_id != track_id:
            raise refusal(record, "several orders have its Id, and the forced way would change another.", method="PUT")
        return await self._client.put_forced(body)

    def _is_quiet(self, record: DesiredRecord) -> bool:
        """Whether the customer is to hear nothing: always of orders that were made before yesterday."""
        day = record.fields.get("date") or ""
        return not self._options.notify_customers or day < (self._today() - timedelta(days=1)).isoformat()
