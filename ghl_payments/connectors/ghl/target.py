"""GHL as a target of the loop, for one location: fulfillments and cash of its orders, and its white-label providers.

Requests belong to `client.py`, bodies to `bodies.py`, cash to `cash.py`; what differs is decided by SQL.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ghl_payments.connectors.base import DesiredRecord, Level, Probe, ReadCertificate, WriteAnswer
from ghl_payments.connectors.ghl.bodies import provider_body, refusal
from ghl_payments.connectors.ghl.cash import CashDesk
from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.parcels import PATH as PARCEL_PATH
from ghl_payments.connectors.ghl.parcels import ParcelDesk
from ghl_payments.connectors.ghl.payments import PATH as PAYMENT_PATH
from ghl_payments.connectors.ghl.providers import ProviderPass, list_providers
from ghl_payments.domain.keys import parse_key
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.errors import (
    ApiError,
    NotFound,
    Rejected,
    SchemaDrift,
    Transient,
    Unreachable,
    WrongTokenClass,
)
from ghl_payments.transport.jsontext import decode
from ghl_payments.transport.landing import LandingWriter
from ghl_payments.transport.outage import OutageGuard

_PROVIDERS = "/payments/integrations/provider/whitelabel"
_PATHS = {"fulfillment": PARCEL_PATH, "order_payment": PAYMENT_PATH, "provider": _PROVIDERS}


@dataclass(frozen=True, slots=True)
class _Order:
    """What hangs on one order; `status` is 200, 404, another error status, or 0 for no readable answer."""

    order_id: str
    status: int
    body: bytes | None

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [doc for doc in decode(self.body) if isinstance(doc, dict)] if self.body is not None else []


class GhlTarget:
    """One location of GHL; `connection` is the name of its target connection. See `connectors.base.Connector`.

    Native ids are `ORDERID/ID` for fulfillments and payments and GHL's `_id` for providers; the document of one of the
    former is that of its whole order, landed under the order's id, because GHL answers them only together. Without
    `record_cash` no payment is ever recorded.
    """

    system = "ghl"
    record_types: Sequence[str] = ("fulfillment", "provider", "order_payment")
    auxiliary_types: Sequence[str] = ()
    detail_types: Sequence[str] = ()
    keyed_types: Sequence[str] = ("fulfillment", "order_payment")
    capabilities: Mapping[str, tuple[str, ...]] = {}

    def __init__(
        self,
        client: GhlClient,
        connection: str,
        *,
        notify_customer: bool = False,
        record_cash: bool = False,
        concurrency: int = 8,
    ) -> None:
        self._client = client
        self._desks: dict[str, ParcelDesk | CashDesk] = {
            "fulfillment": ParcelDesk(client, notify_customer=notify_customer),
            "order_payment": CashDesk(client, enabled=record_cash),
        }
        self._connection = connection
        self._concurrency = concurrency

    async def probe_levels(self, *, may_write: bool) -> dict[str, Level]:  # noqa: ARG002
        """GHL's payments API is the same for every location."""
        return {}

    def use_levels(self, levels: Mapping[str, str]) -> None:
        """There is nothing to choose from."""

    async def probe(self, record_type: str) -> Probe:
        """Read one row of what the type stands on: whether the token is accepted and has the scope."""
        streams = {"provider": "integration_providers", "order_payment": "transactions"}
        return await self._client.probe(streams.get(record_type, "orders"))

    async def read(self, record_type: str, landing: Path) -> ReadCertificate:
        """List the providers completely. The other types are asked for by order."""
        if record_type != "provider":
            raise ValueError(f"GHL cannot list {record_type}")
        with LandingWriter(landing) as writer:
            passed = await list_providers(self._client)
            for page_no, page in enumerate(passed.pages, 1):
                writer.append(self._envelope("list", record_type, page=page_no, status=200), page, checked=True)
        return ReadCertificate(
            record_type=record_type,
            rows=len(passed.by_id),
            unique_ids=len(passed.by_id),
            declared=None,
            pages=len(passed.pages),
            attempts=1,
            complete=passed.reason is None,
            reason=passed.reason,
            limits="GHL does not say how many providers there are; pages are read until one brings nothing new",
        )

    async def read_details(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:
        """Orders' fulfillments or transactions, by order id or by `ORDERID/ID`, or providers by id.

        Native id -> 200, 404 (GHL has no such record), or for what could not be read its status or 0.
        """
        wanted = list(native_ids)
        with LandingWriter(landing) as writer:
            if record_type == "provider":
                return await self._provider_details(wanted, writer)
            answers = self._orders(record_type, _order_ids(wanted), writer, "sweep")
            orders = {order.order_id: order async for order in answers}
        return {native_id: _status(orders, native_id) for native_id in wanted}

    async def find(self, record_type: str, key: str, location_id: str, landing: Path) -> list[str]:  # noqa: ARG002
        """Native ids of the records that a key stands for, oldest first.

        The key of a delivery or of cash names no order, so only those that this connector itself tried to write can be
        searched for. Of others the last reading stands, and `create` looks for them before it writes anything.
        """
        with LandingWriter(landing) as writer:
            if record_type == "provider":
                passed = await list_providers(self._client, priority="verify")
                ids = passed.named((parse_key(key) or ("", ""))[1])
                self._land_providers(passed, ids, writer)
                return ids
            desk = self._desks[record_type]
            order_id = desk.order_of(key)
            if order_id is None:
                return []
            async with aclosing(self._orders(record_type, [order_id], writer, "verify")) as answers:
                (order,) = [answer async for answer in answers]
        if order.status not in (200, 404):
            raise Transient(
                system=self.system, method="GET", path=_PATHS[record_type].format(id=order_id),
                status=order.status or None,
                remedy="What hangs on the order could not be read; trying again later can help.",
            )  # fmt: skip
        return desk.found(key, order.documents)

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """Create a fulfillment, provider or payment, unless GHL shows it already.

        Looked for first, because GHL has no idempotency key and nothing can be deleted again.
        """
        if record.record_type == "provider":
            return await self._create_provider(record)
        return await self._desks[record.record_type].create(record)

    async def update(
        self,
        native_id: str,  # noqa: ARG002
        record: DesiredRecord,
        changed: Sequence[str],  # noqa: ARG002
    ) -> WriteAnswer:
        """Always Rejected: GHL's API changes nothing of this."""
        why = "GHL's API cannot change it; settle it in GHL or at its source."
        raise refusal(record, _PATHS[record.record_type], why, method="PUT")

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def _create_provider(self, record: DesiredRecord) -> WriteAnswer:
        body = provider_body(record)
        known = (await list_providers(self._client, priority="fresh")).named(str(body["uniqueName"]))
        if known:
            return WriteAnswer(known[0], 200)
        try:
            return await self._client.create_provider(body)
        except WrongTokenClass as error:
            raise Rejected(
                system=error.system, method=error.method, path=error.path, status=error.status,
                remedy="Only the token of a marketplace app may create a white-label provider, no private integration "
                "token; create it in GHL by hand or connect the location with OAuth.",
            ) from None  # fmt: skip

    async def _provider_details(self, native_ids: Sequence[str], writer: LandingWriter) -> dict[str, int]:
        """There is no request for one provider; one that a complete list does not have is not there."""
        passed = await list_providers(self._client, priority="verify")
        self._land_providers(passed, native_ids, writer)
        absent = 404 if passed.reason is None else 0
        return {native_id: 200 if native_id in passed.by_id else absent for native_id in native_ids}

    def _land_providers(self, passed: ProviderPass, native_ids: Iterable[str], writer: LandingWriter) -> None:
        for native_id in native_ids:
            body = passed.by_id.get(native_id)
            status = 200 if body is not None else 404 if passed.reason is None else 0
            envelope = self._envelope("detail", "provider", native_id=native_id, status=status)
            writer.append(envelope, body or b"null", checked=True)

    async def _orders(
        self, record_type: str, order_ids: Iterable[str], writer: LandingWriter, priority: Priority
    ) -> AsyncGenerator[_Order, None]:
        """Fetch and land what hangs on orders, in the order of the ids; one that is unreadable does not end it."""
        guard = OutageGuard()

        async def one(order_id: str) -> tuple[_Order, ApiError | None]:
            try:
                found = await self._desks[record_type].of_order(order_id, priority)
            except NotFound as error:
                return _Order(order_id, 404, None), error
            except Unreachable:
                raise
            except (Transient, SchemaDrift) as error:
                failed = error.status if error.status is not None and error.status >= 400 else 0
                return _Order(order_id, failed, None), error
            return _Order(order_id, 200, found), None

        async with aclosing(in_order(order_ids, one, self._concurrency)) as answers:
            async for order, error in answers:
                guard.note(error)
                envelope = self._envelope("detail", record_type, native_id=order.order_id, status=order.status)
                body = b'{"data":%b}' % order.body if order.body is not None else b"null"
                writer.append(envelope, body, checked=True)
                yield order

    def _envelope(self, kind: str, record_type: str, **more: object) -> dict[str, object]:
        return {
            "kind": kind,
            "system": self.system,
            "record_type": record_type,
            "connection": self._connection,
            **more,
            "fetched_at": datetime.now(UTC).isoformat(),
        }


def _order_ids(native_ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(native_id.partition("/")[0] for native_id in native_ids))


def _status(orders: Mapping[str, _Order], native_id: str) -> int:
    order_id, _, own_id = native_id.partition("/")
    order = orders[order_id]
    if order.status != 200 or not own_id:
        return order.status
    return 200 if any(doc.get("_id") == own_id for doc in order.documents) else 404
