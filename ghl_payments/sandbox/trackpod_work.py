"""What dispatchers and drivers do with an order of the sandboxed Track-POD: route, deliver, reject, reschedule.

Add an act here; the API's own Complete and Reject and the sandbox's control hooks both end in these.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.trackpod_data import local

IN_PROGRESS, SITE_ISSUE, DELIVERED, PARTIALLY, ORDER_ISSUE = 1, 2, 3, 4, 5
STATUS_TEXT = {
    IN_PROGRESS: "In progress",
    SITE_ISSUE: "Not delivered",
    DELIVERED: "Delivered",
    PARTIALLY: "Partially",
    ORDER_ISSUE: "Not delivered",
}
PROCESSED = frozenset({SITE_ISSUE, DELIVERED, PARTIALLY, ORDER_ISSUE})
REASONS: Mapping[str, Mapping[int, str]] = {
    "SiteIssue": {1: "Nobody there", 2: "Address not found"},
    "OrderIssue": {3: "Canceled", 4: "Refused by the customer"},
    "GoodsIssue": {5: "Damaged", 6: "Missing"},
    "ScanningIssues": {7: "No barcode"},
}


def is_processed(doc: Doc) -> bool:
    """Whether a driver has finished with the order."""
    return doc.get("StatusId") in PROCESSED


def is_routed(doc: Doc) -> bool:
    """Whether the order is planned into a route."""
    return bool(doc.get("RouteNumber"))


def routed(doc: Doc, day: str, number: str = "", status: str = "Ready") -> Doc:
    """Planned into the route of a day (yyyy-MM-dd)."""
    return {
        **doc,
        "RouteNumber": number or f"R{day.replace('-', '')}",
        "RouteDate": f"{day}T00:00:00",
        "RouteStatus": status,
        "RoutePriority": 1,
        "SeqNumber": 1,
        "SeqNumberDriver": 1,
        "DriverLogin": "driver1",
        "DriverName": "Driver 1",
        "DriverNumber": 1,
        "DriverVehicle": "VAN 1",
    }


def begun(doc: Doc, at: datetime) -> Doc:
    """The driver is on the way with it."""
    return {**doc, "RouteStatus": "InProgress", "LoadStatus": "loaded", "LoadDate": local(at)} | _status(
        IN_PROGRESS, at
    )


def delivered(
    doc: Doc, at: datetime, *, cash: Decimal | int | None = None, facts: Mapping[int, Any] | None = None
) -> Doc:
    """Handed over: whole, or in part if a line has less than its quantity.

    `facts` are the quantities by place of the line where they are not all; `cash` what was paid at the door.
    """
    goods = [dict(line) for line in doc["GoodsList"]]
    for place, line in enumerate(goods):
        line["QuantityFact"] = (facts or {}).get(place, line["Quantity"])
    whole = all((line["QuantityFact"] or 0) >= (line["Quantity"] or 0) for line in goods)
    any_ = any((line["QuantityFact"] or 0) > 0 for line in goods) or not goods
    status = DELIVERED if whole else PARTIALLY if any_ else ORDER_ISSUE
    return {
        **doc,
        "GoodsList": goods,
        "RouteStatus": "InProgress",
        # A number everywhere else, a text here.
        "CODActual": None if cash is None else cash_text(cash),
        "ArrivedDate": local(at),
        "DepartedDate": local(at),
        "HasPhoto": False,
        "HasSignaturePhoto": False,
    } | _status(status, at)


def rejected(doc: Doc, at: datetime, reason: int = 3) -> Doc:
    """Brought back; a reason of the site is a site issue, any other one of the order."""
    status = SITE_ISSUE if reason in REASONS["SiteIssue"] else ORDER_ISSUE
    text = next((names[reason] for names in REASONS.values() if reason in names), "Other")
    return {**doc, "RejectReason": text, "RouteStatus": "InProgress"} | _status(status, at)


def rescheduled(doc: Doc, at: datetime, unscheduled: int | None) -> Doc:
    """Back among the orders to be planned, once more."""
    emptied = dict.fromkeys(
        (
            "RouteNumber", "RouteDate", "RouteStatus", "RoutePriority", "SeqNumber", "SeqNumberDriver", "DriverLogin",
            "DriverName", "DriverNumber", "DriverVehicle", "Status", "StatusDate", "CODActual", "RejectReason",
            "ArrivedDate", "DepartedDate", "LoadStatus", "LoadDate",
        )
    )  # fmt: skip
    goods = [line | {"QuantityFact": None} for line in doc["GoodsList"]]
    again = {"StatusId": unscheduled, "RescheduledTimes": (doc.get("RescheduledTimes") or 0) + 1, "GoodsList": goods}
    return doc | emptied | again


def cash_text(amount: Decimal | int | str) -> str:
    """An amount as CODActual shows it: a text with two decimals or as many as it has."""
    value = Decimal(str(amount))
    places = -int(value.as_tuple().exponent)
    return f"{value:.{max(2, places)}f}"


def _status(status: int, at: datetime) -> Doc:
    return {"StatusId": status, "Status": STATUS_TEXT[status], "StatusDate": local(at)}
