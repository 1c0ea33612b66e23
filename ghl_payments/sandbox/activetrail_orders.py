"""Commerce orders of the sandboxed ActiveTrail: taken by POST, read and changed by id, never listed or deleted.

Which of the open behaviours it shows is said by its switches.
"""

from __future__ import annotations

from typing import Any

from ghl_payments.sandbox.activetrail_contacts import is_date, is_number, refused
from ghl_payments.sandbox.activetrail_data import ORDER_NAME, ActiveTrailData
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.journal import History

_AMOUNTS = frozenset({"netAmount", "tax", "totalAmount", "quantity", *(f"num{n}" for n in range(1, 6))})
_DATES = frozenset({"purchaseDate", "lastUpdate", *(f"date{n}" for n in range(1, 4))})
_OTHER = frozenset({"products", "storeId", "locationType"})


class OrderBook:
    """Commerce orders of one account."""

    def __init__(self, data: ActiveTrailData, history: History) -> None:
        self._data = data
        self._history = history

    def post(self, elements: list[Any], *, overwrite: bool) -> list[Doc]:
        """Take new orders; one that is there already is overwritten or refused, all or nothing."""
        docs = [_bound(element) for element in elements]
        for doc in docs:
            order_id = doc.get("orderId")
            if not isinstance(order_id, str) or not order_id:
                raise refused(400, "InvalidResource: orderId is required")
            if order_id in self._data.orders and not overwrite:
                raise refused(400, "InvalidResource: orderId exists already")
        for doc in docs:
            self._history.write(self._data.orders, doc["orderId"], doc)
        return docs

    def put(self, order_id: str, body: Any) -> Doc:
        """Replace an order's fields: what is not sent is emptied."""
        if order_id not in self._data.orders:
            raise refused(404, "ResourceNotFound")
        doc = {**_bound(body), "orderId": order_id}
        self._history.write(self._data.orders, order_id, doc)
        return doc


def _bound(element: Any) -> Doc:
    """An order with the names that are answered, whatever case they came in; 400 for a value of another type."""
    if not isinstance(element, dict):
        raise refused(400, "JSONParseError")
    doc = {ORDER_NAME[name.lower()]: value for name, value in element.items() if name.lower() in ORDER_NAME}
    for name, value in doc.items():
        if value is not None and not _fits(name, value):
            raise refused(400, f"InvalidResource: {name} cannot be converted")
    return doc


def _fits(name: str, value: Any) -> bool:
    if name in _AMOUNTS:
        return is_number(value)
    if name in _DATES:
        return is_date(value)
    return name in _OTHER or isinstance(value, str)
