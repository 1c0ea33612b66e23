"""Track-POD on a desk: orders go in as the connector lands them, and are judged by the SQL and by the oracle.

Documents and expectations belong to the tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ghl_payments.connectors.registry import target_systems
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.sandbox.oracle_trackpod import judge
from ghl_payments.sandbox.trackpod_switches import TrackpodSwitches
from ghl_payments.warehouse.landing_load import load_documents, naive
from ghl_payments.warehouse.reconcile import Target, derive_actual
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, OLD, location, order
from ghl_payments_tests.warehouse.desk import Desk, Document, Row

TRACKPOD = target_systems()["trackpod"]
HOME = {
    "name": "Contact 0001",
    "address1": "1 Test Street",
    "city": "Testville",
    "postalCode": "12345",
    "country": "DE",
}
OPTIONS: Mapping[str, Any] = {"timezone": "Europe/Berlin", "deliver_days": 30, "scan_days": 90, "days_ahead": 14}


def track(number: int) -> str:
    """A TrackId; they sort by their number."""
    return f"00000000-0000-4000-8000-{number:012d}"


def item(price_id: str | None = "p1", qty: object = 1, amount: object = 10, kind: str | None = "PHYSICAL") -> Document:
    """An order's line."""
    product = {"_id": f"product-{price_id}"} | ({"productType": kind} if kind else {})
    price = {"amount": amount} | ({"_id": price_id} if price_id else {})
    return {"name": "Thing", "qty": qty, "price": price, "product": product}


def sold(order_id: str = "o1", *items: Document, address: Document | None = HOME, **changes: Any) -> Document:
    """An unpaid order of GHL that is to be brought to somebody."""
    usual = {
        "items": list(items) or [item("p1", 2)],
        "amount": 20,
        "paymentStatus": "unpaid",
        "contactSnapshot": address,
    }
    return order(order_id, **usual | changes)


def planned(
    number: int = 1, order_id: str = "o1", *lines: tuple[str | None, object, object], **members: Any
) -> Document:
    """An order in Track-POD of (price id, quantity, unit price) lines that nobody has set out with yet."""
    goods = [
        {
            "GoodsId": price_id,
            "Quantity": quantity,
            "Cost": cost,
            "QuantityFact": None,
            "OrderLineId": f"{order_id}:{n}",
        }
        for n, (price_id, quantity, cost) in enumerate(lines or [("p1", 2, 10)], 1)
    ]
    return {
        "TrackId": track(number), "Id": order_id, "Number": f"GHL-{order_id}", "Type": 0, "CustomerReferenceId": LOCATION,
        "Date": f"{OLD[:10]}T00:00:00", "RouteDate": None, "StatusId": None, "StatusDate": None, "GoodsList": goods,
        "COD": 20, "CODActual": None, "RescheduledTimes": None, "TrackLink": f"https://track.example.com/{number}",
        **members,
    }  # fmt: skip


def use_trackpod(desk: Desk, **options: Any) -> None:
    """From now on the desk's target is Track-POD."""
    desk.halo = Target(
        "trackpod", "trackpod", True, "auto", 0.8, TRACKPOD.mapping, TRACKPOD.documents_sql, LOCATION,
        {**OPTIONS, **options}, (LOCATION,),
    )  # fmt: skip
    desk.con.execute("set variable as_of = ?::timestamp", [naive(NOW)])


def trackpod_holds(
    desk: Desk, orders: Sequence[Document], *, removed: Sequence[str] = (), gone: Sequence[str] = ()
) -> None:
    """A complete reading of the days; keys that a person `removed`, and TrackIds that are `gone` (404)."""
    at = desk.tick()
    listed = {"kind": "list", "record_type": "order", "id_name": "TrackId", "status": 200}
    single = {"kind": "detail", "record_type": "order", "status": 404}
    asked = [f"removed/{key}" for key in removed] + list(gone)
    path = desk.land((listed, list(orders)), *((single | {"native_id": native_id}, None) for native_id in asked))
    load_documents(desk.con, path, "trackpod", at)
    desk.con.execute(
        "insert or replace into actual.reads values ('trackpod', 'order', 'turn', ?, ?, null, 1, 1, true, null, ?, null, false)",
        [len(orders), len(orders), naive(at)],
    )


def judged(
    desk: Desk, sales: Sequence[Document], orders: Sequence[Document], transactions: Sequence[Document] = (), *,
    fulfillments: Mapping[str, Any] | None = None, removed: Sequence[str] = (), **options: Any,
) -> list[Row]:  # fmt: skip
    """What SQL makes of GHL's orders and Track-POD's."""
    use_trackpod(desk, **options)
    desk.purchases(sales, transactions, fulfillments=fulfillments)
    trackpod_holds(desk, orders, removed=removed)
    derive_actual(desk.con, desk.halo)
    return [row for row in desk.judge() if row["system"] == "trackpod"]


def expected(
    sales: Sequence[Document], orders: Sequence[Document], transactions: Sequence[Document] = (), *,
    fulfillments: Mapping[str, Any] | None = None, removed: Sequence[Document] = (),
) -> list[Row]:  # fmt: skip
    """What the oracle makes of the same."""
    place = location(list(sales), list(transactions), fulfillments=dict(fulfillments or {}))
    state = {"Order": list(orders), "Removed": list(removed)}
    return [dict(row) for row in judge(state, {LOCATION: read_location(place)}, NOW, TrackpodSwitches())]
