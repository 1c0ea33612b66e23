"""Small hand-written states for the oracle's tests: one location, one purchase, Halo in agreement with it.

Add a builder when several tests need the same document; what a test changes stands in the test.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.oracle import Row, judge

Document = dict[str, Any]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOCATION, OTHER = "LocationOne", "LocationTwo"
ORDER, TXN, CONTACT = "ghl:order:o1", "ghl:txn:t1", "ghl:contact:c1"
OLD = "2026-02-01T10:00:00.000Z"


def ago(**parts: float) -> str:
    """An instant before NOW, as GHL writes it."""
    return (NOW - timedelta(**parts)).isoformat().replace("+00:00", "Z")


def order(order_id: str = "o1", **changes: Any) -> Document:
    """A paid live order of 100.50 USD."""
    item = {"name": "Thing", "qty": 1, "price": {"_id": "p1", "amount": Decimal("100.5"), "currency": "USD"}}
    return {
        "_id": order_id,
        "contactId": "c1",
        "currency": "USD",
        "amount": Decimal("100.5"),
        "status": "completed",
        "paymentStatus": "paid",
        "liveMode": True,
        "markAsTest": False,
        "createdAt": OLD,
        "updatedAt": OLD,
        "items": [item],
    } | changes


def txn(txn_id: str = "t1", **changes: Any) -> Document:
    """The charge of order `o1`."""
    return {
        "_id": txn_id,
        "contactId": "c1",
        "currency": "USD",
        "amount": Decimal("100.5"),
        "status": "succeeded",
        "liveMode": True,
        "markAsTest": False,
        "createdAt": OLD,
        "updatedAt": OLD,
        "entityType": "order",
        "entityId": "o1",
        "amountRefunded": 0,
    } | changes


def parcel(parcel_id: str, created: str, qty: int, *trackings: Document) -> Document:
    """A fulfillment of `qty` units of price `p1`."""
    return {
        "_id": parcel_id,
        "createdAt": created,
        "trackings": list(trackings),
        "items": [{"_id": "p1", "price": {"_id": "p1"}, "qty": qty}],
    }


def location(orders: list[Document], transactions: list[Document], **parts: Any) -> Document:
    """One location of a state document."""
    return {
        "id": LOCATION,
        "timezone": "Europe/Berlin",
        "token": "x",
        "orders": orders,
        "transactions": transactions,
    } | parts


def link(record_type: str, halo_id: int, key: str, location_id: str | None = LOCATION) -> Document:
    """A cross-reference."""
    table = {"client": 2, "user": 4, "invoice": 995, "sales_order": 996}[record_type]
    return {
        "id": 100 * table + halo_id,
        "table_id": table,
        "halo_id": halo_id,
        "third_party_id": key,
        "third_party_secondary_id": location_id,
    }


def custom(**values: str) -> list[Document]:
    """Custom fields by their names without `CFGHL`."""
    return [{"name": f"CFGHL{name}", "value": value} for name, value in values.items()]


def agreed_halo() -> Document:
    """Halo in agreement with `order()` and `txn()`: client 1, user 2, sales order 3, invoice 4, payment 5."""
    return {
        "Currency": [{"id": 7, "code": "USD"}, {"id": 8, "code": "EUR"}],
        "Client": [{"id": 1, "name": "Contact 0001"}],
        "Users": [{"id": 2, "name": "Contact 0001", "client_id": 1}],
        "SalesOrder": [
            {
                "id": 3,
                "client_id": 1,
                "user_id": 2,
                "po_number": ORDER,
                "date": OLD,
                "currency_code": 7,
                "total": Decimal("100.5"),
                "customfields": custom(OrderId="o1", Status="completed", Amount="100.50", Currency="USD"),
            }
        ],
        "Invoice": [
            {
                "id": 4,
                "client_id": 1,
                "salesorder_id": 3,
                "thirdpartyinvoicenumber": ORDER,
                "invoice_date": OLD,
                "currency_code": 7,
                "total": Decimal("100.5"),
            }
        ],
        "InvoicePayment": [
            {
                "id": 5,
                "invoice_id": 4,
                "client_id": 1,
                "date": OLD,
                "amount": Decimal("100.5"),
                "intent_id": TXN,
                "thirdpartyid": TXN,
            }
        ],
        "ExternalLink": [
            link("client", 1, CONTACT),
            link("user", 2, CONTACT),
            link("sales_order", 3, ORDER),
            link("invoice", 4, ORDER),
        ],
    }


def state(
    *,
    orders: list[Document] | None = None,
    transactions: list[Document] | None = None,
    halo: Document | None = None,
    **parts: Any,
) -> Document:
    """A whole state; the standard purchase in agreement unless told otherwise."""
    place = location(
        [order()] if orders is None else orders, [txn()] if transactions is None else transactions, **parts
    )
    return {"ghl": {"locations": [place]}, "halo": agreed_halo() if halo is None else halo}


def verdicts(document: Document, system: str = "halo") -> list[tuple[str, str, str]]:
    """(record type, key, kind) of every row of a system."""
    return [(row["record_type"], row["key"], row["kind"]) for row in judge(document, NOW) if row["system"] == system]


def only_row(document: Document, system: str | None = None) -> Row:
    """The one row there must be."""
    [row] = [row for row in judge(document, NOW) if system in (None, row["system"])]
    return row
