"""Halo's resources as the loop knows them: paths, cross-reference tables, and which property holds which field.

Add a record type or a field here; values and requests belong to `bodies.py` and `connector.py`.
Names are those of Halo's own API description and its public clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource below `/api`.

    `plain` and `custom` map canonical fields to properties and custom fields; `parents` maps a parent's record type
    to the property with its id; `key_properties` hold our key in the record itself; `link_table` is the `table_id` of
    its cross-references; `search` is the list parameter that finds records by `key_properties[0]`.
    """

    path: str
    plain: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    key_properties: tuple[str, ...] = ()
    link_table: int | None = None
    search: str | None = None
    lines: Literal["order", "invoice"] | None = None
    list_filters: Mapping[str, str] = field(default_factory=dict)
    """Parameters without which a list leaves records out."""
    has_currency: bool = False
    quiet: bool = False
    """Ask Halo to start no automations (mails, accounting syncs) for our writes."""


DATES = frozenset({"date", "ship_date", "invoice_date"})
"""Canonical fields that are cleared with null; all others with an empty text."""

_ALSO_INACTIVE = {"includeactive": "true", "includeinactive": "true"}

RESOURCES: dict[str, Resource] = {
    "client": Resource("Client", plain={"name": ("name",)}, link_table=2, list_filters=_ALSO_INACTIVE),
    "user": Resource(
        "Users",
        plain={
            "name": ("name",),
            "first_name": ("firstname",),
            "last_name": ("surname",),
            "email": ("emailaddress",),
            "phone": ("phonenumber",),
        },
        parents={"client": "client_id"},
        link_table=4,
        list_filters=_ALSO_INACTIVE,
    ),
    "sales_order": Resource(
        "SalesOrder",
        plain={"title": ("title",), "date": ("date",), "ship_date": ("ship_date",), "ship_status": ("ship_status",)},
        custom={
            "order_id": "CFGHLOrderId",
            "status": "CFGHLStatus",
            "amount_text": "CFGHLAmount",
            "currency_text": "CFGHLCurrency",
            "updated_at": "CFGHLUpdatedAt",
            "tracking": "CFGHLTracking",
            "fulfillments": "CFGHLFulfillments",
            "subscription_status": "CFGHLSubscriptionStatus",
        },
        parents={"client": "client_id", "user": "user_id"},
        key_properties=("po_number",),
        link_table=996,
        search="search",
        lines="order",
        has_currency=True,
        quiet=True,
    ),
    "invoice": Resource(
        "Invoice",
        plain={"reference": ("reference",), "invoice_date": ("invoice_date", "duedate")},
        parents={"client": "client_id", "sales_order": "salesorder_id"},
        key_properties=("thirdpartyinvoicenumber",),
        link_table=995,
        search="third_party_id",
        lines="invoice",
        has_currency=True,
        quiet=True,
    ),
    "invoice_payment": Resource(
        "InvoicePayment",
        plain={"date": ("date",)},
        parents={"invoice": "invoice_id", "client": "client_id"},
        key_properties=("intent_id", "thirdpartyid"),
        search="intent_id",
    ),
    "external_link": Resource("ExternalLink"),
    "currency": Resource("Currency"),
}
"""Record type -> resource."""
