"""Small hand-written states of Track-POD: one purchase to be brought, and what Track-POD holds of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.oracle_ghl import Ledgers, read_location
from ghl_payments_tests.sandbox.oracle_states import (
    LOCATION,
    OTHER,
    location,
    order,
    txn,
)

Doc = dict[str, Any]
HOME = {"id": "c1", "firstName": "Ann", "address1": "1 Sample Street", "city": "Sampleton"}
ID = "7a1d3c52-0000-4000-8000-000000000001"
TWIN = "7a1d3c52-0000-4000-8000-000000000002"


def line(price_id: str | None = "p1", qty: Any = 2, amount: str = "20.1", kind: str = "PHYSICAL") -> Doc:
    price = {"_id": price_id, "amount": Decimal(amount), "currency": "USD"}
    return {"name": f"Thing {price_id}", "qty": qty, "price": price, "product": {"productType": kind}}


def bought(**changes: Any) -> Doc:
    """Two of p1 and three of p2, to be brought to an address."""
    return order(**({"contactSnapshot": HOME, "items": [line(), line("p2", 3)]} | changes))


def held(**changes: Any) -> Doc:
    """What Track-POD holds of it."""
    goods = [
        {"GoodsId": "p1", "Quantity": 2, "Cost": Decimal("20.1")},
        {"GoodsId": "p2", "Quantity": 3, "Cost": "20.1"},
    ]
    return {
        "TrackId": ID, "Number": "GHL-o1", "Id": "o1", "Type": 0, "COD": 0, "CustomerReferenceId": LOCATION,
        "StatusId": None, "GoodsList": goods, "RescheduledTimes": None,
    } | changes  # fmt: skip


def handed_over(*facts: Any, status: int = 4, at: str = "2026-02-28T10:00:00", **changes: Any) -> Doc:
    """The order once a driver gave these units of each line."""
    doc = held(StatusId=status, StatusDate=at, **changes)
    goods = [{**line_, "QuantityFact": fact} for line_, fact in zip(doc["GoodsList"], facts, strict=True)]
    return doc | {"GoodsList": goods}


def books(*orders: Doc, charges: list[Doc] | None = None, **parts: Any) -> dict[str, Ledgers]:
    documents = location(list(orders) or [bought()], [txn()] if charges is None else charges, **parts)
    return {LOCATION: read_location(documents), OTHER: read_location({"id": OTHER})}
