"""The list forms of GHL's orders, transactions and subscriptions, derived from their detail documents.

The vendor flattens in lists what it nests in details; a document's private `_list` holds facts that only lists show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ghl_payments.sandbox.codec import Doc

LIST_ONLY = "_list"

_ORDER_FIELDS = (
    "_id",
    "altId",
    "altType",
    "contactId",
    "currency",
    "amount",
    "status",
    "paymentStatus",
    "liveMode",
    "createdAt",
    "updatedAt",
    "fulfillmentStatus",
    "createdBy",
)
_TRANSACTION_FIELDS = (
    "_id",
    "altId",
    "altType",
    "contactId",
    "mergedFromContactId",
    "currency",
    "amount",
    "status",
    "liveMode",
    "entityType",
    "entityId",
    "subscriptionId",
    "chargeId",
    "chargeSnapshot",
    "ipAddress",
    "createdAt",
    "updatedAt",
    "amountRefunded",
    "createdBy",
)
_SUBSCRIPTION_FIELDS = (
    "_id",
    "altId",
    "altType",
    "contactId",
    "currency",
    "amount",
    "status",
    "liveMode",
    "entityType",
    "entityId",
    "subscriptionId",
    "subscriptionSnapshot",
    "ipAddress",
    "createdAt",
    "updatedAt",
    "createdBy",
)
_SOURCE_PARTS = (("Type", "type"), ("SubType", "subType"), ("Name", "name"), ("Id", "id"), ("Meta", "meta"))


def order_row(doc: Doc) -> Doc:
    """An order as GHL payments API, list orders, shows it: no items, no tax, no shipping."""
    row = _picked(doc, _ORDER_FIELDS)
    _add_contact(row, doc)
    summary = _part(doc, "amountSummary")
    row |= {name: summary[name] for name in ("subtotal", "discount") if name in summary}
    _add_source(row, _part(doc, "source"), "source")
    if "code" in (coupon := _part(doc, "coupon")):
        row["couponCode"] = coupon["code"]
    items = doc.get("items")
    if isinstance(items, list):
        recurring = sum(_part(item, "price").get("type") == "recurring" for item in items if isinstance(item, dict))
        row["totalProducts"] = len(items)
        row["onetimeProducts"] = len(items) - recurring
        row["recurringProducts"] = recurring
    return row | _part(doc, LIST_ONLY)


def transaction_row(doc: Doc) -> Doc:
    """A transaction as GHL payments API, list transactions, shows it."""
    row = _picked(doc, _TRANSACTION_FIELDS)
    _add_contact(row, doc)
    _add_source(row, _part(doc, "entitySource"), "entitySource")
    _add_provider(row, doc)
    row["paymentMethod"] = doc.get("paymentMethod", {})
    if fulfilled_at := doc.get("fulfilledAt", doc.get("createdAt")):
        row["fulfilledAt"] = fulfilled_at
    row["paymentProviders"] = []
    row["giftCardsMetadata"] = []
    return row | _part(doc, LIST_ONLY)


def subscription_row(doc: Doc) -> Doc:
    """A subscription as GHL payments API, list subscriptions, shows it: no interval, no schedule."""
    row = _picked(doc, _SUBSCRIPTION_FIELDS)
    _add_contact(row, doc)
    if phone := _part(doc, "contactSnapshot").get("phone"):
        row["contactPhone"] = phone
    _add_source(row, _part(doc, "entitySource"), "entitySource")
    _add_provider(row, doc)
    return row | _part(doc, LIST_ONLY)


LIST_FORMS: dict[str, Callable[[Doc], Doc]] = {
    "orders": order_row,
    "transactions": transaction_row,
    "subscriptions": subscription_row,
}


def _picked(doc: Doc, names: tuple[str, ...]) -> Doc:
    return {name: doc[name] for name in names if name in doc}


def _part(doc: Doc, name: str) -> dict[str, Any]:
    part = doc.get(name)
    return part if isinstance(part, dict) else {}


def _add_contact(row: Doc, doc: Doc) -> None:
    contact = _part(doc, "contactSnapshot")
    name = contact.get("name") or " ".join(filter(None, (contact.get("firstName"), contact.get("lastName"))))
    if name:
        row["contactName"] = name
    if email := contact.get("email"):
        row["contactEmail"] = email


def _add_source(row: Doc, source: Doc, prefix: str) -> None:
    row |= {f"{prefix}{suffix}": source[name] for suffix, name in _SOURCE_PARTS if name in source}


def _add_provider(row: Doc, doc: Doc) -> None:
    provider = _part(doc, "paymentProvider")
    if kind := provider.get("type"):
        row["paymentProviderType"] = kind
    account = provider.get("connectedAccount")
    if account:
        row["paymentProviderConnectedAccount"] = account.get("_id") if isinstance(account, dict) else account
