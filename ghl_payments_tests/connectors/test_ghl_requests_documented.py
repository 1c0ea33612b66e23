"""Every request that the GHL client sends, beside the vendor's own OpenAPI document, where that is at hand.

GHL_PAYMENTS_TEST_OPENAPI names a folder with `ghl/apps/payments.json`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import SecretStr

from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.connectors.ghl.bodies import fulfillment_body, parcel_of, provider_body
from ghl_payments.connectors.ghl.client import ENDPOINTS, NOTES, WRITES, GhlClient
from ghl_payments.connectors.ghl.payments import payment_body, payment_of
from ghl_payments_tests.connectors.support import QUICK, unlimited
from ghl_payments_tests.loopback import Reply, Request, json_reply, loopback
from ghl_payments_tests.sandbox.states import Doc

FOLDER = os.environ.get("GHL_PAYMENTS_TEST_OPENAPI", "")
needs_document = pytest.mark.skipif(
    not FOLDER, reason="needs the vendor's OpenAPI document; GHL_PAYMENTS_TEST_OPENAPI names its folder"
)

ID = "653f5e0cde5a1314e62a837c"
BEYOND_THE_DOCUMENT = {"/payments/orders": {"altType"}, "/payments/orders/{id}": {"altType"}}
"""Sent by live clients, and required on every endpoint beside these two."""

Use = Callable[[GhlClient], Awaitable[object]]


def _record(record_type: str, **fields: str | None) -> DesiredRecord:
    return DesiredRecord(record_type, "key", "place", fields)


PARCEL = parcel_of(
    _record(
        "fulfillment", order_id=ID, tracking="T1", carrier="UPS", tracking_url="https://example.com/T1",
        items=json.dumps([{"price_id": ID, "quantity": "1.5"}, {"price_id": "p2", "quantity": "2"}]),
    )
)  # fmt: skip
PROVIDER = provider_body(
    _record("provider", unique_name="easy-direct", title="Easy", provider="nmi", description="Cards",
            image_url="https://example.com/a.png")
)  # fmt: skip
CASH = payment_of(
    _record("order_payment", order_id=ID, amount="4050", currency="USD", mode="cash", note="Cash collected on delivery")
)

CALLS: dict[str, tuple[str, str, Use]] = {
    "orders": ("GET", ENDPOINTS["orders"].path, lambda c: c.list_page(
        "orders", offset=0, start_at="2026-01-01", end_at="2026-02-01", contactId=ID, paymentMode="live")),
    "order": ("GET", ENDPOINTS["order_details"].path, lambda c: c.order(ID)),
    "fulfillments": ("GET", ENDPOINTS["fulfillments"].path, lambda c: c.fulfillments(ID)),
    "notes": ("GET", NOTES.path, lambda c: c.notes(ID)),
    "transactions": ("GET", ENDPOINTS["transactions"].path, lambda c: c.list_page("transactions", offset=99)),
    "transaction": ("GET", ENDPOINTS["transaction_details"].path, lambda c: c.transaction(ID)),
    "subscriptions": ("GET", ENDPOINTS["subscriptions"].path, lambda c: c.list_page("subscriptions", offset=0)),
    "subscription": ("GET", ENDPOINTS["subscription_details"].path, lambda c: c.subscription(ID)),
    "providers": ("GET", ENDPOINTS["integration_providers"].path, lambda c: c.providers(offset=100)),
    "fulfil": ("POST", WRITES["fulfillment"].path, lambda c: c.create_fulfillment(
        ID, fulfillment_body(PARCEL, PARCEL.items, notify_customer=False))),
    "bare parcel": ("POST", WRITES["fulfillment"].path, lambda c: c.create_fulfillment(
        ID, {"trackings": [], "items": [], "notifyCustomer": True})),
    "pay by card": ("POST", WRITES["order_payment"].path, lambda c: c.record_payment(ID, {
        "mode": "card", "card": {"type": "visa", "last4": "4242"}, "amount": Decimal("10.50"),
        "isPartialPayment": True, "notes": "at the desk", "meta": {"desk": 1}})),
    "pay by cheque": ("POST", WRITES["order_payment"].path, lambda c: c.record_payment(ID, {
        "mode": "cheque", "cheque": {"number": "9"}})),
    "cash at the door": ("POST", WRITES["order_payment"].path, lambda c: c.record_payment(ID, payment_body(CASH, 10_000))),
    "white label": ("POST", WRITES["provider"].path, lambda c: c.create_provider(PROVIDER)),
}  # fmt: skip


def sent_by(use: Use) -> Request:
    """The one request of a call."""

    def answer(request: Request) -> Reply:
        if request.path.endswith("/fulfillments"):
            return json_reply({"status": True, "data": {"_id": ID} if request.method == "POST" else []})
        return json_reply({"_id": ID, "data": [], "totalCount": 0, "providers": [], "success": True})

    async def main() -> Request:
        async with loopback(answer) as server:
            client = GhlClient(server.base_url, "place", SecretStr("pit-x"), unlimited(), retry=QUICK)
            try:
                await use(client)
            finally:
                await client.aclose()
            (request,) = server.seen
            return request

    return asyncio.run(main())


def specification() -> Doc:
    found: Doc = json.loads((Path(FOLDER) / "ghl/apps/payments.json").read_text(encoding="utf-8"))
    return found


def strict(schema: Any) -> Any:
    """A schema that knows no further properties, so that a misspelt one shows."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(part) for name, part in schema.items()}
    if "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


@needs_document
@pytest.mark.parametrize("name", CALLS)
def test_a_request_is_as_the_vendors_document_says(name: str) -> None:
    method, path, use = CALLS[name]
    document = specification()
    (documented,) = [p for p in document["paths"] if re.sub(r"\{\w+\}", "{id}", p) == path]
    operation = document["paths"][documented][method.lower()]
    request = sent_by(use)
    assert (request.method, request.path) == (method, path.replace("{id}", ID))
    _check_parameters(request, operation["parameters"], path)
    if "requestBody" not in operation:
        assert request.body == b""
        return
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": strict({"schemas": document["components"]["schemas"]})}
    jsonschema.Draft202012Validator(whole).validate(json.loads(request.body))


def _check_parameters(request: Request, parameters: list[Doc], path: str) -> None:
    known = {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "query"}
    assert set(request.query) - set(known) <= BEYOND_THE_DOCUMENT.get(path, set())
    assert {name for name, parameter in known.items() if parameter["required"]} <= set(request.query)
    for name, text in request.query.items():
        schema = known.get(name, {}).get("schema", {})
        value = float(text) if schema.get("type") == "number" else text
        jsonschema.Draft202012Validator(schema).validate(value)
    (version,) = [p for p in parameters if p["name"] == "Version"]
    assert request.headers["version"] in version["schema"]["enum"]


@needs_document
@pytest.mark.parametrize("what", WRITES)
def test_a_write_and_its_scope_are_documented(what: str) -> None:
    paths = specification()["paths"]
    (documented,) = [p for p in paths if re.sub(r"\{\w+\}", "{id}", p) == WRITES[what].path]
    assert {"Location-Access": [WRITES[what].scope]} in paths[documented]["post"]["security"]


def test_every_endpoint_of_the_client_is_among_the_calls() -> None:
    covered = {(method, path) for method, path, _ in CALLS.values()}
    reads = {("GET", endpoint.path) for endpoint in (*ENDPOINTS.values(), NOTES)}
    assert covered == reads | {("POST", endpoint.path) for endpoint in WRITES.values()}
