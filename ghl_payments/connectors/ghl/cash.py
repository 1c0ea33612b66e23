"""Recording cash in GHL: the payments of one order as GHL shows them, and the one request that can never be taken back.

Extend it when a payment is recorded in another way; what forbids one stands in `payments.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ghl_payments.connectors.base import DesiredRecord, WriteAnswer
from ghl_payments.connectors.ghl.bodies import refusal
from ghl_payments.connectors.ghl.client import MAX_LIMIT, GhlClient
from ghl_payments.connectors.ghl.payments import (
    PATH,
    Document,
    Payment,
    due_minor,
    needs_detail,
    payment_body,
    payment_of,
    perhaps_recorded_as,
    recorded_as,
    with_detail,
)
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.errors import (
    Forbidden,
    MissingScope,
    NotFound,
    OutcomeUnknown,
    Rejected,
    SchemaDrift,
    Transient,
)
from ghl_payments.transport.jsontext import decode, encode

_LIST = "/payments/transactions"


class CashDesk:
    """Payments of one location's orders. Native ids are `ORDERID/TRANSACTIONID`.

    Unless `enabled` nothing is ever sent, whatever is asked for.
    """

    def __init__(self, client: GhlClient, *, enabled: bool) -> None:
        self._client = client
        self._enabled = enabled
        self._tried: dict[str, Payment] = {}
        self._lost: set[str] = set()

    async def of_order(self, order_id: str, priority: Priority) -> bytes:
        """The JSON array of an order's transactions."""
        return encode(await self.transactions(order_id, priority))

    async def transactions(self, order_id: str, priority: Priority, *, since: datetime | None = None) -> list[Document]:
        """Every transaction of an order; each unmarked payment with its detail, where the marker may stand as well.

        Payments from before `since` are left as the list shows them.

        Transient when the pages do not agree, SchemaDrift when GHL answers transactions of other orders too.
        """
        found: dict[str, Document] = {}
        while True:
            page = await self._client.list_page(
                "transactions", offset=len(found), limit=MAX_LIMIT, priority=priority, entityId=order_id
            )
            before = len(found)
            for row in page.rows:
                doc = decode(row.raw)
                if doc.get("entityId") != order_id or row.id is None:
                    raise SchemaDrift(
                        system="ghl", method="GET", path=_LIST, status=200,
                        remedy="The filter entityId was not kept to, so that an order's payments are not known.",
                    )  # fmt: skip
                found[row.id] = doc
            if len(found) >= page.total_count:
                break
            if len(found) == before:
                remedy = "The pages of an order's transactions do not agree; trying again later can help."
                raise Transient(system="ghl", method="GET", path=_LIST, status=200, remedy=remedy)
        return [await self._whole(doc, priority, since) for doc in found.values()]

    def order_of(self, key: str) -> str | None:
        """The order of a payment that this desk tried to record."""
        return self._tried[key].order_id if key in self._tried else None

    def found(self, key: str, documents: Iterable[Document]) -> list[str]:
        """Native ids of a payment that this desk tried to record; without its marker, the first one that may be it."""
        payment, known = self._tried[key], list(documents)
        ids = recorded_as(payment, known) or perhaps_recorded_as(payment, known)[:1]
        return [f"{payment.order_id}/{found}" for found in ids]

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """Record a payment once, unless the order shows it already or anything about it is in doubt (Rejected).

        The order and its transactions are read right before, because GHL knows no key of a request. The answer names
        no transaction, so that the native id is the order's until the payment is read back.
        """
        payment = payment_of(record)
        if not self._enabled:
            raise refusal(record, PATH, "recording cash is off by default (options.record_cash).")
        self._tried[record.key] = payment
        try:
            order = decode((await self._client.order(payment.order_id, priority="fresh")).body)
            transactions = await self.transactions(payment.order_id, "fresh", since=payment.since)
        except SchemaDrift as error:
            raise refusal(record, PATH, f"what GHL holds of its order cannot be relied on. {error.remedy}") from None
        perhaps = perhaps_recorded_as(payment, transactions)
        known = recorded_as(payment, transactions) or (perhaps if record.key in self._lost else [])
        if known:
            return WriteAnswer(f"{payment.order_id}/{known[0]}", 200)
        if perhaps:
            why = f"a payment of this amount is there ({perhaps[0]}); record it by hand if it is another."
            raise refusal(record, PATH, why)
        due = due_minor(payment, order, transactions)
        if isinstance(due, str):
            raise refusal(record, PATH, due)
        return await self._send(record, payment, due)

    async def _send(self, record: DesiredRecord, payment: Payment, due: int) -> WriteAnswer:
        try:
            return await self._client.record_payment(payment.order_id, payment_body(payment, due))
        except OutcomeUnknown:
            self._lost.add(payment.key)
            raise
        except NotFound as error:
            raise Rejected(
                system=error.system, method=error.method, path=error.path, status=error.status,
                remedy=f"{record.key}: GHL has the order and says not found to a payment of it, a known fault of its "
                "API; nothing was recorded. Record it in GHL by hand, or later `ghl-payments retry --connection ghl`.",
            ) from None  # fmt: skip
        except (MissingScope, Forbidden) as error:
            # Reading works, so this is no reason to keep every other system waiting.
            raise Rejected(
                system=error.system, method=error.method, path=error.path, status=error.status,
                remedy=f"{error.remedy} Then `ghl-payments retry --connection ghl`.",
            ) from None  # fmt: skip

    async def _whole(self, doc: Document, priority: Priority, since: datetime | None) -> Document:
        if not needs_detail(doc, since):
            return doc
        try:
            detail = decode((await self._client.transaction(str(doc["_id"]), priority=priority)).body)
        except NotFound:
            return doc
        return with_detail(doc, detail)
