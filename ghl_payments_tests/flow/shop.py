"""A small hand-written world: one location's purchases in GHL, and a Halo that knows some of them or none.

Add a builder when several flow tests need the same document; what a test changes stands in the test.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

Document = dict[str, Any]

LONG_AGO = "2026-10-05T10:00:00.000Z"
AMOUNT = Decimal("100.5")
USD, EUR = 11, 12
NATIVE = 900
LINK_TABLES = {"Client": 2, "Users": 4, "Invoice": 995, "SalesOrder": 996}


def order(number: int, **changes: Any) -> Document:
    """A paid live order of one item at 100.50 USD."""
    price = {"_id": f"price{number}", "name": "Default", "type": "one_time", "currency": "USD", "amount": AMOUNT}
    return {
        "_id": f"order{number}", "contactId": f"contact{number}", "contactSnapshot": contact(number),
        "currency": "USD", "amount": AMOUNT, "status": "completed", "paymentStatus": "paid",
        "liveMode": True, "markAsTest": False, "createdAt": LONG_AGO, "updatedAt": LONG_AGO,
        "amountSummary": {"subtotal": AMOUNT, "discount": 0, "tax": 0, "shipping": 0},
        "items": [{"_id": f"item{number}", "name": "Thing", "qty": 1, "price": price}],
    } | changes  # fmt: skip


def charge(number: int, **changes: Any) -> Document:
    """The charge that pays `order(number)`."""
    return {
        "_id": f"txn{number}", "contactId": f"contact{number}", "contactSnapshot": contact(number),
        "currency": "USD", "amount": AMOUNT, "amountRefunded": 0, "status": "succeeded",
        "liveMode": True, "markAsTest": False, "createdAt": LONG_AGO, "updatedAt": LONG_AGO,
        "entityType": "order", "entityId": f"order{number}", "chargeId": f"pi_{number}",
    } | changes  # fmt: skip


def contact(number: int) -> Document:
    """The contact as a snapshot in other documents."""
    return {"id": f"contact{number}", "firstName": "Contact", "lastName": f"{number:04d}",
            "email": f"contact{number:04d}@example.com"}  # fmt: skip


def native_halo() -> Document:
    """A Halo with work of its own and none of ours; an empty one would look like missing rights.

    The ids are high, because a Halo never gives an id to a second record.
    """
    own, who = {"id": NATIVE}, {"client_id": NATIVE}
    return {
        "Currency": [{"id": USD, "code": "USD", "name": "US Dollar"}, {"id": EUR, "code": "EUR", "name": "Euro"}],
        "Client": [{**own, "name": "Native Client", "main_site_id": NATIVE}],
        "Users": [{**own, **who, "name": "Native User", "site_id": NATIVE}],
        "SalesOrder": [{**own, **who, "user_id": NATIVE, "po_number": "PO-1", "date": LONG_AGO, "currency_code": USD,
                        "lines": [{"name": "Work", "quantity": 1, "price": 5}]}],
        "Invoice": [{**own, **who, "thirdpartyinvoicenumber": "QB-1", "invoice_date": LONG_AGO, "currency_code": USD,
                     "lines": [{"item_shortdescription": "Work", "qty_order": 1, "unit_price": 5}]}],
        "InvoicePayment": [{**own, **who, "invoice_id": NATIVE, "date": LONG_AGO, "amount": 5,
                            "intent_id": "pi_native"}],
        "ExternalLink": [{**own, "table_id": 995, "halo_id": NATIVE, "third_party_id": "quickbooks:1"}],
    }  # fmt: skip


def booked(number: int, location_id: str) -> Document:
    """Halo's records of purchase `number`, as the loop writes them; every id is 100 + number."""
    one, key, paid = 100 + number, f"ghl:order:order{number}", f"ghl:txn:txn{number}"
    custom = {"OrderId": f"order{number}", "Status": "completed", "Amount": "100.50", "Currency": "USD",
              "UpdatedAt": LONG_AGO}  # fmt: skip
    who = {"client_id": one}
    return {
        "Client": [{"id": one, "name": f"Contact {number:04d}", "main_site_id": one,
                    "external_links": [_link(f"ghl:contact:contact{number}", location_id)]}],
        "Users": [{"id": one, "name": f"Contact {number:04d}", **who, "site_id": one,
                   "external_links": [_link(f"ghl:contact:contact{number}", location_id)]}],
        "SalesOrder": [{
            "id": one, **who, "user_id": one, "po_number": key, "title": f"GHL order order{number}", "date": LONG_AGO,
            "currency_code": USD,
            "lines": [{"name": "Thing", "quantity": 1, "price": AMOUNT, "note": "ghl:line:1"}],
            "customfields": [{"name": f"CFGHL{name}", "value": value} for name, value in custom.items()],
            "external_links": [_link(key, location_id)],
        }],
        "Invoice": [{
            "id": one, **who, "thirdpartyinvoicenumber": key, "invoice_date": LONG_AGO, "duedate": LONG_AGO,
            "currency_code": USD, "salesorder_id": one, "reference": f"pi_{number}",
            "lines": [{"item_shortdescription": f"GHL order order{number}", "qty_order": 1, "unit_price": AMOUNT}],
            "external_links": [_link(key, location_id)],
        }],
        "InvoicePayment": [{"id": one, **who, "invoice_id": one, "date": LONG_AGO, "amount": AMOUNT,
                            "intent_id": paid, "thirdpartyid": paid}],
    }  # fmt: skip


def _link(key: str, location_id: str) -> Document:
    return {"third_party_id": key, "third_party_secondary_id": location_id, "third_party_type": "ghl",
            "third_party_desc": "GoHighLevel"}  # fmt: skip


def shop(
    *purchases: int,
    known: Iterable[int] = (),
    location_id: str = "",
    orders: Iterable[Document] = (),
    transactions: Iterable[Document] = (),
    **parts: Any,
) -> Document:
    """A state of the sandbox's first location: the numbered purchases and further documents.

    Those `known` are in Halo already, for which `location_id` must be that location's.
    """
    numbers = [*known, *purchases]
    place = {
        "orders": [*(order(number) for number in numbers), *orders],
        "transactions": [*(charge(number) for number in numbers), *transactions],
    }
    halo = native_halo()
    for number in known:
        for table, documents in booked(number, location_id).items():
            halo[table] += documents
    return {"ghl": {"locations": [place | parts]}, "halo": halo}


def books(state: Document) -> dict[tuple[str, str], list[Document]]:
    """What Halo holds under our keys, without ids and stamps: (table, key) -> records, several when it is doubled."""
    halo = state["halo"]
    keys = {(link["table_id"], link["halo_id"]): link["third_party_id"] for link in halo["ExternalLink"]}
    codes = {currency["id"]: currency["code"] for currency in halo["Currency"]}
    found: dict[tuple[str, str], list[Document]] = {}
    for table, own in (("Client", ""), ("Users", ""), ("SalesOrder", "po_number"),
                       ("Invoice", "thirdpartyinvoicenumber"), ("InvoicePayment", "intent_id")):  # fmt: skip
        for doc in halo[table]:
            key = keys.get((LINK_TABLES.get(table), doc["id"])) or doc.get(own) or ""
            if key.startswith("ghl:"):
                found.setdefault((table, key), []).append(_entry(doc, keys, codes))
    return found


def _entry(doc: Document, keys: dict[tuple[int, int], str], codes: dict[int, str]) -> Document:
    names = ("total", "amount", "amountpaid", "date", "invoice_date", "ship_status", "ship_date")
    lines = [line.get("price", line.get("unit_price")) for line in doc.get("lines") or []]
    custom = {field["name"]: field["value"] for field in doc.get("customfields") or []}
    return {name: doc[name] for name in names if doc.get(name) is not None} | {
        "client": keys.get((2, doc.get("client_id", 0))), "currency": codes.get(doc.get("currency_code", 0)),
        "lines": lines, "custom": custom,
    }  # fmt: skip
