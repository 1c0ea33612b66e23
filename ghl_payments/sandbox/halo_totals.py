"""What Halo computes itself: line and document totals, what is paid and due of an invoice.

Everything a client may write belongs to `halo_schema`; nothing here is ever taken from a request.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.halo_schema import Resource

UNPAID, PARTLY_PAID, PAID = 0, 1, 2
"""`paymentstatus` codes of this tenant; the vendor does not publish its own."""

Amount = int | Decimal


def as_amount(value: Any) -> Amount | None:
    """The number, or None for anything that is not one."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return value


def price_lines(resource: Resource, doc: Doc) -> Amount | None:
    """Write every line's computed amounts and return their sum; None when a line cannot be computed."""
    order = resource.lines == "order"
    total: Amount = 0
    for line in doc.get("lines") or []:
        quantity = as_amount(line.get("quantity" if order else "qty_order", 1))
        price = as_amount(line.get("price" if order else "unit_price", 0))
        if quantity is None or price is None:
            return None
        net = quantity * price
        if order:
            line["net_total"] = line["total_price"] = net
        else:
            line["net_amount"] = net
            line.setdefault("tax_amount", 0)
            net += as_amount(line["tax_amount"]) or 0
        total += net
    return total


def recompute_total(resource: Resource, doc: Doc) -> None:
    """Set `total` from the lines; a document whose lines cannot be computed keeps what it has."""
    total = price_lines(resource, doc)
    if total is not None:
        doc["total"] = total


def settle_invoice(doc: Doc, payments: Iterable[Doc]) -> None:
    """Set `amountpaid`, `amountdue` and `paymentstatus` from the payments; an unreadable total leaves due unknown."""
    paid: Amount = 0
    for payment in payments:
        paid += as_amount(payment.get("amount")) or 0
    total = as_amount(doc.get("total"))
    doc["amountpaid"] = paid
    doc["amountdue"] = None if total is None else total - paid
    doc["paymentstatus"] = UNPAID
    if paid and total is not None:
        doc["paymentstatus"] = PAID if paid >= total else PARTLY_PAID
