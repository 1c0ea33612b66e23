"""What deliveries noted in Halo ask of GHL, and where GHL's fulfillments disagree: a part of the answer key.

Another system's deliveries are added here; Halo's own records belong to `oracle_halo`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from ghl_payments.sandbox.oracle_ghl import Document, Ledgers, read_location
from ghl_payments.sandbox.oracle_halo import Halo
from ghl_payments.sandbox.oracle_rows import LAG, Row, make_row

TRACKING_FIELD, CARRIER_FIELD = "CFDeliveryTracking", "CFDeliveryCarrier"
"""Custom fields of sales orders that the tenant's own people fill."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One parcel that somebody noted, under the smallest of the keys that name it."""

    key: str
    order_id: str
    tracking: str
    carrier: str


def judge_deliveries(halo_state: Mapping[str, Any], books: Mapping[str, Ledgers], now: datetime) -> list[Row]:
    """All diffs about fulfillments that deliveries ask for."""
    halo = Halo(halo_state, books)
    noted: dict[str, dict[tuple[str, str], Delivery]] = {location_id: {} for location_id in books}
    for (location_id, record_type, key), docs in halo.places.items():
        if record_type == "sales_order" and location_id in noted:
            for doc in docs:
                _note(noted[location_id], doc, key.removeprefix("ghl:order:"))
    return [
        row for location_id, found in noted.items() for row in _judge(books[location_id], list(found.values()), now)
    ]


def with_deliveries_given(state: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The state once GHL was given every delivery that it lacks: a turn writes to GHL first and then reads it again."""
    locations = (state.get("ghl") or {}).get("locations") or []
    halo_state = state.get("halo") or {}
    books = {row["id"]: read_location(row) for row in locations}
    docs = {str(doc["id"]): doc for doc in halo_state.get("SalesOrder") or ()}
    parcels: dict[str, dict[str, Document]] = {location_id: {} for location_id in books}
    for row in judge_deliveries(halo_state, books, now):
        if row["kind"] == "missing_in_target":
            doc = docs[row["key"].rpartition(":")[2]]
            parcels[row["location_id"]][str(doc["po_number"]).removeprefix("ghl:order:")] = _parcel(doc, now)
    given = [_given(row, parcels[row["id"]]) for row in locations]
    return {**state, "ghl": {**(state.get("ghl") or {}), "locations": given}}


def _parcel(doc: Document, now: datetime) -> Document:
    custom = {row["name"]: row.get("value") for row in doc["customfields"]}
    return {
        "_id": "given",
        "trackings": [{"trackingNumber": custom[TRACKING_FIELD], "shippingCarrier": custom.get(CARRIER_FIELD)}],
        "createdAt": now.isoformat(),
    }


def _given(location: Document, parcels: Mapping[str, Document]) -> Document:
    """The location with all that is open of these orders sent."""
    orders = {order["_id"]: order for order in location["orders"]}
    fulfillments = dict(location.get("fulfillments") or {})
    for order_id, parcel in parcels.items():
        items = [
            {"_id": line["price"]["_id"], "price": line["price"], "qty": line.get("qty", 1)}
            for line in orders[order_id]["items"]
            if _is_physical(line) and line["price"].get("_id")
        ]
        fulfillments[order_id] = [*fulfillments.get(order_id, []), parcel | {"items": items}]
    return {**location, "fulfillments": fulfillments}


def _note(noted: dict[tuple[str, str], Delivery], doc: Document, order_id: str) -> None:
    custom = {row["name"]: row.get("value") or "" for row in doc.get("customfields") or ()}
    tracking = str(custom.get(TRACKING_FIELD, "")).strip()
    if not tracking:
        return
    delivery = Delivery(f"halo:sales_order:{doc['id']}", order_id, tracking, str(custom.get(CARRIER_FIELD, "")).strip())
    place = order_id, plain(tracking)
    if place not in noted or delivery.key < noted[place].key:
        noted[place] = delivery


def _judge(books: Ledgers, deliveries: Sequence[Delivery], now: datetime) -> Iterator[Row]:
    taken: set[str] = set()
    for delivery in sorted(deliveries, key=lambda delivery: delivery.key):
        parcels = books.fulfillments.get(delivery.order_id, [])
        having = [doc for doc in parcels if plain(delivery.tracking) in map(plain, _numbers(doc))]
        if having:
            yield from _compare(books, delivery, having)
            continue
        is_one = not any(sign in delivery.tracking for sign in ",;|\n")
        is_first = is_one and delivery.order_id not in taken
        taken |= {delivery.order_id} if is_one else set()
        if not is_first or not _can_be_given(books, delivery, parcels):
            yield _row(books, delivery, "not_representable")
        else:
            settled = now - books.orders[delivery.order_id].updated >= LAG
            yield _row(books, delivery, "missing_in_target" if settled else "pending")


def _compare(books: Ledgers, delivery: Delivery, having: Sequence[Document]) -> Iterator[Row]:
    ids = [f"{delivery.order_id}/{doc['_id']}" for doc in having]
    if len(having) > 1:
        yield _row(books, delivery, "duplicate_in_target", native_ids=ids)
        return
    carriers = {
        _folded(tracking.get("shippingCarrier") or "")
        for tracking in having[0]["trackings"]
        if plain(tracking.get("trackingNumber") or "") == plain(delivery.tracking)
    }
    if delivery.carrier and _folded(delivery.carrier) not in carriers:
        yield _row(books, delivery, "field_differs", class_="other", fields=["carrier"], native_ids=ids)


def _can_be_given(books: Ledgers, delivery: Delivery, parcels: Iterable[Document]) -> bool:
    order = books.orders.get(delivery.order_id)
    if order is None or not order.live:
        return False
    left: dict[str, Decimal] = {}
    for line in order.doc.get("items") or ():
        price_id = (line.get("price") or {}).get("_id")
        if price_id and _is_physical(line):
            left[price_id] = left.get(price_id, Decimal(0)) + Decimal(str(line.get("qty", 1)))
    for parcel in parcels:
        for line in parcel.get("items") or ():
            units = _units(line.get("qty"))
            if units is None:
                return False
            price_id = (line.get("price") or {}).get("_id") or line.get("_id")
            left[price_id] = left.get(price_id, Decimal(0)) - max(units, Decimal(0))
    return any(units > 0 for units in left.values())


def _is_physical(line: Document) -> bool:
    kind = (line.get("product") or {}).get("productType") or "PHYSICAL"
    return "PHYSICAL" in str(kind).upper()


def _units(value: object) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _row(books: Ledgers, delivery: Delivery, kind: str, **rest: Any) -> Row:
    return make_row(books.location_id, "fulfillment", delivery.key, kind, system="ghl", **rest)


def plain(tracking: str) -> str:
    """A tracking number without case and blanks, by which parcels are told apart."""
    return "".join(tracking.split()).upper()


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _numbers(parcel: Document) -> list[str]:
    return [tracking.get("trackingNumber") or "" for tracking in parcel.get("trackings") or ()]
