"""What each sandboxed Halo resource is made of: properties, filters, what its list rows show, how it carries our key.

Add a resource or property here; names are those of Halo's own swagger and its public clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _row(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CUSTOM_FIELDS = (
    "CFGHLOrderId",
    "CFGHLStatus",
    "CFGHLAmount",
    "CFGHLCurrency",
    "CFGHLUpdatedAt",
    "CFGHLTracking",
    "CFGHLFulfillments",
    "CFGHLSubscriptionStatus",
    "CFDeliveryTracking",
    "CFDeliveryCarrier",
)
"""The custom fields that this tenant has defined; values for others are silently dropped."""

INT_PROPERTIES = _names(
    "client_id user_id uid ticket_id status currency_code salesorder_id contract_id recurring_invoice_id invoice_id "
    "method module_id table_id halo_id details_id toplevel_id main_site_id sitenumber invoicetype"
)
NUMBER_PROPERTIES = _names(
    "amount site_id quantity price costprice baseprice qty_order unit_price tax_amount tax_rate discount_perc"
)
DATE_PROPERTIES = _names(
    "date datereceived ship_date invoice_date duedate dateposted datesent intent_date startdate enddate"
)
REFERENCES = {
    "client_id": "Client",
    "user_id": "Users",
    "uid": "Users",
    "invoice_id": "Invoice",
    "salesorder_id": "SalesOrder",
    "currency_code": "Currency",
}
"""Properties that name a record of another resource; 0 and null name none."""

_INVOICE = (
    "client_id sitenumber uid invoicenumber thirdpartyinvoicenumber reference payment_ref order_number "
    "cust_order_number name invoice_date duedate dateposted datesent posted currency_code invoicetype salesorder_id "
    "contract_id recurring_invoice_id ticket_id voided notes_1 notes_2 notes_3 internal_note"
)
_INVOICE_LIST = (
    "id client_id client_name thirdpartyinvoicenumber invoicenumber reference invoice_date duedate currency_code total "
    "amountpaid amountdue paymentstatus salesorder_id last_modified posted voided"
)
_INVOICE_SEARCH = ("thirdpartyinvoicenumber", "reference", "invoicenumber", "client_name")
_INVOICE_FILTERS = {
    "client_id": "client_id",
    "client_ids": "client_id",
    "user_id": "uid",
    "ticket_id": "ticket_id",
    "contract_id": "contract_id",
    "recurringinvoice_id": "recurring_invoice_id",
    "salesorder_id": "salesorder_id",
    "currency_code": "currency_code",
    "paymentstatuses": "paymentstatus",
}

ORDER_LINE = _names(
    "id item_id name productcode note costprice baseprice quantity price discount_perc taxable item_tax_code"
)
INVOICE_LINE = _names(
    "id item_code item_shortdescription item_longdescription nominal_code tax_code qty_order "
    "unit_price tax_amount tax_rate startdate enddate isinactive"
)


@dataclass(frozen=True, slots=True)
class Resource:
    """One collection below `/api`.

    `filters` maps exact query parameters to properties (comma separated values mean any of them); `list_fields` are
    the properties of list rows, None for all but the sub-lists; `key_field` carries our key without an ExternalLink.
    """

    name: str
    record_type: str
    plural: str
    scope: str | None
    writable: frozenset[str]
    required: tuple[str, ...] = ()
    table_id: int | None = None
    key_field: str | None = None
    lines: Literal["order", "invoice"] | None = None
    stamp: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    indexed: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    list_fields: tuple[str, ...] | None = None


RESOURCES: dict[str, Resource] = {
    resource.name.lower(): resource
    for resource in (
        Resource(
            "Client",
            "client",
            "clients",
            "customers",
            _names(
                "name accountsid ref inactive accountsemailaddress stripe_customer_id hubspot_id toplevel_id "
                "main_site_id customfields"
            ),
            required=("name",),
            table_id=2,
            searched=("name", "ref", "accountsid", "accountsemailaddress"),
            filters={"toplevel_id": "toplevel_id"},
        ),
        Resource(
            "Users",
            "user",
            "users",
            "customers",
            _names(
                "name firstname surname emailaddress phonenumber site_id client_id inactive third_party_guid "
                "customfields"
            ),
            required=("name", "client_id"),
            table_id=4,
            searched=("name", "emailaddress"),
            filters={"client_id": "client_id", "site_id": "site_id"},
            indexed=("client_id",),
        ),
        Resource(
            "SalesOrder",
            "sales_order",
            "salesorders",
            "sos",
            _names(
                "client_id site_id user_id ticket_id title date datereceived ship_date ship_status status note "
                "summary po_number accountsref invoicenumber currency_code customfields do_not_invoice"
            ),
            required=("client_id", "user_id"),
            table_id=996,
            key_field="po_number",
            lines="order",
            stamp="last_update_time",
            indexed=("client_id", "po_number"),
            filters={name: name for name in ("client_id", "site_id", "user_id", "ticket_id")}
            | {"client_ids": "client_id"},
            searched=("title", "po_number", "client_name", "accountsref"),
            list_fields=_row(
                "id title client_id client_name site_id user_id date po_number currency_code total "
                "status ship_status ship_date accountsref last_update_time"
            ),
        ),
        Resource(
            "Invoice",
            "invoice",
            "invoices",
            "invoices",
            _names(f"{_INVOICE} customfields"),
            required=("client_id",),
            table_id=995,
            key_field="thirdpartyinvoicenumber",
            lines="invoice",
            stamp="last_modified",
            filters=_INVOICE_FILTERS | {"third_party_id": "thirdpartyinvoicenumber"},
            indexed=("client_id", "thirdpartyinvoicenumber", "salesorder_id"),
            searched=_INVOICE_SEARCH,
            list_fields=_row(_INVOICE_LIST),
        ),
        Resource(
            "RecurringInvoice",
            "recurring_invoice",
            "invoices",
            "invoices",
            _names(f"{_INVOICE} is_recurring_invoice disabled startdate enddate period period_type customfields"),
            required=("client_id",),
            key_field="thirdpartyinvoicenumber",
            lines="invoice",
            stamp="last_modified",
            filters=_INVOICE_FILTERS,
            indexed=("client_id",),
            searched=_INVOICE_SEARCH,
            list_fields=_row(f"{_INVOICE_LIST} startdate enddate disabled"),
        ),
        Resource(
            "InvoicePayment",
            "invoice_payment",
            "invoicepayments",
            "invoices",
            _names(
                "invoice_id date amount method status module_id intent_id intent_date intent_response "
                "thirdpartyid sage50_reference client_id"
            ),
            required=("invoice_id", "amount"),
            key_field="intent_id",
            filters={name: name for name in ("invoice_id", "client_id", "intent_id")},
            indexed=("invoice_id", "client_id", "intent_id"),
            searched=("intent_id", "thirdpartyid"),
        ),
        Resource(
            "ExternalLink",
            "external_link",
            "externallinks",
            None,
            _names(
                "table_id module_id halo_id third_party_id third_party_secondary_id third_party_desc "
                "third_party_type third_party_url third_party_status details_id primary "
                "extra_match_field"
            ),
            required=("table_id", "halo_id", "third_party_id"),
            indexed=("third_party_id", "halo_id"),
            filters={
                name: name
                for name in (
                    "third_party_id",
                    "third_party_secondary_id",
                    "third_party_type",
                    "third_party_desc",
                    "table_id",
                    "halo_id",
                    "module_id",
                    "details_id",
                )
            },
            searched=("third_party_id", "third_party_desc"),
        ),
        Resource("Currency", "currency", "currencies", None, frozenset()),
    )
}
"""Resources by lower-case path name."""

SUB_LISTS = ("lines", "customfields")
