"""The endpoints of GHL's payments API (Orders, Transactions, Subscriptions, Integrations), reads and writes.

Add an endpoint here with its scope; how lists are walked and proven complete belongs to `scan.py`, what is written to
`bodies.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from pydantic import SecretStr

from ghl_payments.connectors.base import Probe, WriteAnswer
from ghl_payments.connectors.ghl.shapes import (
    Document,
    Page,
    read_any,
    read_array,
    read_object,
    read_page,
    read_success,
    read_written,
)
from ghl_payments.transport.auth import Auth, BearerToken
from ghl_payments.transport.budget import Priority, RateBudget
from ghl_payments.transport.errors import MissingScope
from ghl_payments.transport.exchange import Response, Timeouts
from ghl_payments.transport.http import HttpClient, Params
from ghl_payments.transport.retry import RetryPolicy

Parsed = TypeVar("Parsed")

API_VERSION = "2021-07-28"
MAX_LIMIT = 100
"""Largest page that public clients ask for; the API documents no maximum."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path template below the base URL and the scope its token needs (GHL docs, scopes)."""

    path: str
    scope: str


ENDPOINTS: dict[str, Endpoint] = {
    "orders": Endpoint("/payments/orders", "payments/orders.readonly"),
    "order_details": Endpoint("/payments/orders/{id}", "payments/orders.readonly"),
    "fulfillments": Endpoint("/payments/orders/{id}/fulfillments", "payments/orders.readonly"),
    "transactions": Endpoint("/payments/transactions", "payments/transactions.readonly"),
    "transaction_details": Endpoint("/payments/transactions/{id}", "payments/transactions.readonly"),
    "subscriptions": Endpoint("/payments/subscriptions", "payments/subscriptions.readonly"),
    "subscription_details": Endpoint("/payments/subscriptions/{id}", "payments/subscriptions.readonly"),
    "integration_providers": Endpoint("/payments/integrations/provider/whitelabel", "payments/integration.readonly"),
}
"""Stream -> endpoint."""

NOTES = Endpoint("/payments/orders/{id}/notes", "")
"""No scope is documented for it, and no shape of its answer."""

WRITES: dict[str, Endpoint] = {
    "fulfillment": Endpoint("/payments/orders/{id}/fulfillments", "payments/orders.write"),
    "order_payment": Endpoint("/payments/orders/{id}/record-payment", "payments/orders.collectPayment"),
    "provider": Endpoint("/payments/integrations/provider/whitelabel", "payments/integration.write"),
}
"""What can be created in GHL -> endpoint. None of it can be changed or deleted again through the API."""

Body = Mapping[str, object]

_PRIVATE = "tick it under Settings > Private Integrations of the sub-account (it takes effect without a new token)"
_APP = "add it to a new version of the marketplace app, then connect the location again: ghl-payments connect"


class GhlClient:
    """One location (sub-account) of GHL; create it inside the running event loop and `aclose` it there.

    Errors are `transport.errors` classes; a missing scope is named with the place where it is granted.
    """

    def __init__(
        self,
        base_url: str,
        location_id: str,
        token: SecretStr | Auth,
        budget: RateBudget,
        *,
        version: str = API_VERSION,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.location_id = location_id
        auth = BearerToken(token) if isinstance(token, SecretStr) else token
        self._grant = _PRIVATE if isinstance(auth, BearerToken) else _APP
        self._http = HttpClient(
            "ghl", base_url, auth, budget, headers={"Version": version}, timeouts=timeouts, retry=retry
        )
        self._account = {"altId": location_id, "altType": "location"}

    @property
    def requests(self) -> int:
        """How many requests were sent so far, retries included."""
        return self._http.requests

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which GHL's clock was ahead of ours at its last answer; None if it did not say."""
        return self._http.clock_ahead

    async def probe(self, stream: str) -> Probe:
        """Read one row of a list or snapshot stream: whether the token is accepted and has the stream's scope."""
        if stream == "integration_providers":
            await self.providers(priority="fresh")
            return Probe(None, self.clock_ahead)
        page = await self.list_page(stream, offset=0, limit=1, priority="fresh")
        return Probe(page.total_count, self.clock_ahead)

    async def list_page(
        self,
        stream: str,
        *,
        offset: int,
        limit: int = MAX_LIMIT,
        start_at: str | None = None,
        end_at: str | None = None,
        priority: Priority = "sweep",
        **filters: str,
    ) -> Page:
        """One page of orders, transactions or subscriptions (GHL payments API, list orders and its kin).

        `start_at`/`end_at` are ISO instants or bare dates; the API does not document how exactly they bound.
        `filters` are the API's own parameter names, e.g. contactId, paymentMode, entityId.
        """
        params: dict[str, str | int] = {**self._account, **filters, "limit": limit, "offset": offset}
        if start_at is not None:
            params["startAt"] = start_at
        if end_at is not None:
            params["endAt"] = end_at

        def parse(response: Response) -> Page:
            return read_page(response.body)

        return await self._read(stream, "", parse, params, priority)

    async def order(self, order_id: str, *, priority: Priority = "sweep") -> Document:
        """An order with its items (GHL payments API, get order)."""
        return await self.detail("order_details", order_id, priority=priority)

    async def fulfillments(self, order_id: str, *, priority: Priority = "sweep") -> Document:
        """All fulfillments of an order as one JSON array (GHL payments API, list fulfillments; not paged)."""
        return await self.detail("fulfillments", order_id, priority=priority)

    async def transaction(self, transaction_id: str, *, priority: Priority = "sweep") -> Document:
        """A transaction with markAsTest and isParent (GHL payments API, get transaction)."""
        return await self.detail("transaction_details", transaction_id, priority=priority)

    async def subscription(self, subscription_id: str, *, priority: Priority = "sweep") -> Document:
        """A subscription with its billing interval (GHL payments API, get subscription)."""
        return await self.detail("subscription_details", subscription_id, priority=priority)

    async def providers(self, *, offset: int = 0, priority: Priority = "sweep") -> Document:
        """White-label integration providers as one JSON array (GHL payments API, list white-label providers).

        At most a hundred from `offset` on; the API does not say how many there are.
        """
        # The documented default of limit is 0, so it is always given.
        params: dict[str, str | int] = {**self._account, "limit": MAX_LIMIT, "offset": offset}

        def parse(response: Response) -> Document:
            return Document("", read_array(response.body, "providers"))

        return await self._read("integration_providers", "", parse, params, priority)

    async def detail(self, stream: str, record_id: str, *, priority: Priority = "sweep") -> Document:
        """The document of one record of a detail stream; NotFound when GHL has no such record."""

        def parse(response: Response) -> Document:
            if stream == "fulfillments":
                return Document(record_id, read_array(response.body, "data"))
            return Document(record_id, read_object(response.body, record_id))

        return await self._read(stream, record_id, parse, self._account, priority)

    async def notes(self, order_id: str, *, priority: Priority = "sweep") -> bytes:
        """An order's notes as answered (GHL payments API, list order notes); their shape is not documented.

        There is no endpoint that writes one.
        """
        path = NOTES.path.format(id=quote(order_id, safe=""))
        return await self._http.read(path, lambda r: read_any(r.body), params=self._account, priority=priority)

    async def create_fulfillment(self, order_id: str, body: Body, *, priority: Priority = "fresh") -> WriteAnswer:
        """Fulfil items of an order (GHL payments API, create order fulfillment); the id is the fulfillment's.

        Sent once: a lost answer is OutcomeUnknown, as the API has no idempotency key.
        """

        def parse(response: Response) -> WriteAnswer:
            return WriteAnswer(read_written(response.body), response.status)

        return await self._write("fulfillment", order_id, body, parse, priority)

    async def record_payment(self, order_id: str, body: Body, *, priority: Priority = "fresh") -> WriteAnswer:
        """Record a payment made outside of GHL (GHL payments API, record order payment); answers no id of its own.

        The `native_id` of the answer is the order's. Sent once, like every write.
        """

        def parse(response: Response) -> WriteAnswer:
            read_success(response.body)
            return WriteAnswer(order_id, response.status)

        return await self._write("order_payment", order_id, body, parse, priority)

    async def create_provider(self, body: Body, *, priority: Priority = "fresh") -> WriteAnswer:
        """Create a white-label provider (GHL payments API, create white-label integration provider).

        Only tokens of a marketplace app may: WrongTokenClass for a private integration token.
        """

        def parse(response: Response) -> WriteAnswer:
            return WriteAnswer(read_written(response.body), response.status)

        return await self._write("provider", "", body, parse, priority)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def _read(
        self,
        stream: str,
        record_id: str,
        parse: Callable[[Response], Parsed],
        params: Params,
        priority: Priority,
    ) -> Parsed:
        endpoint = ENDPOINTS[stream]
        read = self._http.read(_path(endpoint, stream, record_id), parse, params=params, priority=priority)
        return await _naming_scope(read, self._grant, endpoint, f"{stream} cannot be read")

    async def _write(
        self, what: str, record_id: str, body: Body, parse: Callable[[Response], Parsed], priority: Priority
    ) -> Parsed:
        endpoint = WRITES[what]
        document = {**self._account, **body}
        path = _path(endpoint, what, record_id)
        sent = self._http.request("POST", path, parse, json=document, idempotent=False, priority=priority)
        return await _naming_scope(sent, self._grant, endpoint, f"No {what.replace('_', ' ')} can be written")


def _path(endpoint: Endpoint, name: str, record_id: str) -> str:
    if "{id}" not in endpoint.path:
        return endpoint.path
    if not record_id:
        raise ValueError(f"{name} needs a record id")
    return endpoint.path.format(id=quote(record_id, safe=""))


async def _naming_scope(call: Coroutine[object, object, Parsed], grant: str, endpoint: Endpoint, what: str) -> Parsed:
    """The call's result; a missing scope is named with the place where it is granted."""
    try:
        return await call
    except MissingScope as error:
        if error.scope is not None:
            raise  # named already: what the agency's token lacks
        remedy = f"The token lacks the scope {endpoint.scope}: {grant}. {what} until then."
        raise MissingScope(
            system=error.system, method=error.method, path=error.path, status=error.status,
            remedy=remedy, scope=endpoint.scope,
        ) from None  # fmt: skip
