"""Recording cash in GHL: the payments of one order as GHL shows them, and the one request that can never be taken back.

Extend it when a payment is recorded in another way; what forbids one stands in `payments.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from ghl_payments.connectors.base import DesiredRecord, WriteAnswer
from ghl_payments.connectors.ghl.bodies import refusal
from ghl_payments.connectors.ghl.client import MAX_LIMIT, GhlClient
from ghl_payments.connectors.ghl.payments import (
    PATH,
    Document,
    Payment,
    due_minor,
    is_unmarked_cash,
    payment_body,
    payment_of,
    recorded_as,
    with_detail,
)
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.errors import Forbidden, MissingScope, NotFound, Rejected, SchemaDrift, Transient
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

    async def of_order(self, order_id: str, priority: Priority) -> bytes:
        """The JSON array of an order's transactions."""
        return encode(await self.transactions(order_id, priority))

    async def transactions(self, order_id: str, priority: Priority) -> list[Document]:
        """Every transaction of an order; unmarked cash with its detail, where the marker may stand as well.

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
        return [await self._whole(doc, priority) for doc in found.values()]

    def order_of(self, key: str) -> str | None:
        """The order of a payment that this desk tried to record."""
        return self._tried[key].order_id if key in self._tried else None

    def found(self, key: str, documents: Iterable[Document]) -> list[str]:
        """Native ids of a payment that this desk tried to record."""
        payment = self._tried[key]
        return [f"{payment.order_id}/{found}" for found in recorded_as(payment, documents)]

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
            transactions = await self.transactions(payment.order_id, "fresh")
        except SchemaDrift as error:
            raise refusal(record, PATH, f"what GHL holds of its order cannot be relied on. {error.remedy}") from None
        known = recorded_as(payment, transactions)
        if known:
            return WriteAnswer(f"{payment.order_id}/{known[0]}", 200)
        due = due_minor(payment, order, transactions)
        if isinstance(due, str):
            raise refusal(record, PATH, due)
        return await self._send(record, payment, due)

    async def _send(self, record: DesiredRecord, payment: Payment, due: int) -> WriteAnswer:
        try:
            return await self._client.record_payment(payment.order_id, payment_body(payment, due))
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

    async def _whole(self, doc: Document, priority: Priority) -> Document:
        if not is_unmarked_cash(doc):
            return doc
        try:
            detail = decode((await self._client.transaction(str(doc["_id"]), priority=priority)).body)
        except NotFound:
            return doc
        return with_detail(doc, detail)
