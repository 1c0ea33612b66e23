"""Parcels that other systems' people handed over, as the answer key reads them, and what of them GHL still lacks.

Another system's deliveries are read here; which diffs follow from them is said in `oracle_deliveries`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from ghl_payments.sandbox.oracle_ghl import Document, Ledgers
from ghl_payments.sandbox.oracle_halo import Halo
from ghl_payments.sandbox.oracle_trackpod import orders_of

TRACKING_FIELD, CARRIER_FIELD = "CFDeliveryTracking", "CFDeliveryCarrier"
"""Custom fields of sales orders that the tenant's own people fill."""

CARRIER, ZONE = "Track-POD", ZoneInfo("Europe/Berlin")
"""Of Track-POD's deliveries, and of the times it states; the zone is what the connection's options say."""

DELIVERED, PARTLY = 3, 4

Units = dict[str, Decimal]
"""Units by price id."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One parcel that somebody noted, under the smallest of the keys that name it.

    `items` is what it held where that was noted, None for everything that was open; `unclear` that it cannot be told.
    """

    key: str
    order_id: str
    tracking: str
    carrier: str
    at: datetime | None = None
    items: Units | None = None
    unclear: bool = False


def noted_in_halo(halo_state: Mapping[str, Any], books: Mapping[str, Ledgers]) -> Iterator[tuple[str, Delivery]]:
    """(location, delivery) of every sales order with a tracking number."""
    for (location_id, record_type, key), docs in Halo(halo_state, books).places.items():
        for doc in docs if record_type == "sales_order" and location_id in books else ():
            custom = {row["name"]: row.get("value") or "" for row in doc.get("customfields") or ()}
            tracking = str(custom.get(TRACKING_FIELD, "")).strip()
            if tracking:
                carrier = str(custom.get(CARRIER_FIELD, "")).strip()
                order_id = key.removeprefix("ghl:order:")
                yield location_id, Delivery(f"halo:sales_order:{doc['id']}", order_id, tracking, carrier)


def driven(trackpod_state: Mapping[str, Any], books: Mapping[str, Ledgers]) -> Iterator[tuple[str, Delivery]]:
    """(location, delivery) of every order of Track-POD that was handed over, whole or in part."""
    for location_id, orders in orders_of(dict(trackpod_state), books).items():
        for key, docs in orders.items():
            for doc in docs:
                if doc.get("StatusId") in (DELIVERED, PARTLY):
                    delivery = _driven(key.removeprefix("ghl:order:"), doc)
                    # Of two orders for the same goods nobody knows which one counts.
                    yield location_id, replace(delivery, unclear=True) if len(docs) > 1 else delivery


def _driven(order_id: str, doc: Document) -> Delivery:
    times = doc.get("RescheduledTimes") or 0
    # Handed over once more after it had been planned anew: another parcel of the same order.
    tracking = f"{doc['TrackId']}#{times}" if times else str(doc["TrackId"])
    whole = doc["StatusId"] == DELIVERED
    items: Units = defaultdict(Decimal)
    unclear = False
    lines = [line for line in doc.get("GoodsList") or () if line.get("GoodsId")]
    for line in lines:
        fact = line.get("QuantityFact")
        count = units_of(line.get("Quantity") if fact is None and whole else fact or 0)
        unclear = unclear or count is None or count < 0 or count != count.to_integral_value()
        items[line["GoodsId"]] += count or 0
    stated = {price_id: count for price_id, count in items.items() if count}
    key = f"trackpod:order:{tracking}"
    return Delivery(key, order_id, tracking, CARRIER, _instant(doc.get("StatusDate")), stated, unclear or not stated)


def merged(found: Iterable[tuple[str, Delivery]], locations: Iterable[str]) -> dict[str, list[Delivery]]:
    """One delivery a tracking number and order, by location: the same parcel may be noted twice."""
    by_place: dict[str, dict[tuple[str, str], Delivery]] = {location_id: {} for location_id in locations}
    for location_id, delivery in sorted(found, key=lambda pair: pair[1].key):
        by_place[location_id].setdefault((delivery.order_id, plain(delivery.tracking)), delivery)
    return {location_id: list(places.values()) for location_id, places in by_place.items()}


def shares(books: Ledgers, deliveries: Sequence[Delivery]) -> dict[str, Units]:
    """What GHL can be given of each delivery that it does not have, by the delivery's key.

    Those that say what they held come first, then one of the others holds all that is left.
    """
    given: dict[str, Units] = {}
    left: dict[str, Units | None] = {}
    new = [delivery for delivery in deliveries if not having(books, delivery) and _is_single(delivery)]
    for delivery in sorted(new, key=_turn):
        if delivery.order_id not in left:
            left[delivery.order_id] = _left(books, delivery.order_id)
        open_units = left[delivery.order_id]
        if not open_units:
            continue
        asked = open_units if delivery.items is None else delivery.items
        share = {price_id: min(count, open_units.get(price_id, Decimal(0))) for price_id, count in asked.items()}
        share = {price_id: count for price_id, count in share.items() if count > 0}
        if share:
            given[delivery.key] = share
        left[delivery.order_id] = {
            price_id: count - share.get(price_id, Decimal(0)) for price_id, count in open_units.items()
        }
    return given


def having(books: Ledgers, delivery: Delivery) -> list[Document]:
    """GHL's fulfillments with the tracking number of a delivery."""
    parcels = books.fulfillments.get(delivery.order_id, [])
    return [doc for doc in parcels if plain(delivery.tracking) in map(plain, numbers_of(doc))]


def is_physical(line: Document) -> bool:
    """Whether an order's line can be sent at all."""
    kind = (line.get("product") or {}).get("productType") or "PHYSICAL"
    return "PHYSICAL" in str(kind).upper()


def units_of(value: object) -> Decimal | None:
    """A quantity, None for what is no number."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def plain(tracking: str) -> str:
    """A tracking number without case and blanks, by which parcels are told apart."""
    return "".join(tracking.split()).upper()


def numbers_of(parcel: Document) -> list[str]:
    """The tracking numbers of a fulfillment."""
    return [tracking.get("trackingNumber") or "" for tracking in parcel.get("trackings") or ()]


def _is_single(delivery: Delivery) -> bool:
    return not delivery.unclear and not any(sign in delivery.tracking for sign in ",;|\n")


def _turn(delivery: Delivery) -> tuple[bool, bool, datetime, str]:
    late = datetime.max.replace(tzinfo=UTC)
    return delivery.items is None, delivery.at is None, delivery.at or late, delivery.key


def _left(books: Ledgers, order_id: str) -> Units | None:
    """Units of an order by price id that nobody has sent yet; None where that cannot be told."""
    order = books.orders.get(order_id)
    if order is None or not order.live:
        return None
    left: Units = defaultdict(Decimal)
    for line in order.doc.get("items") or ():
        price_id = (line.get("price") or {}).get("_id")
        if price_id and is_physical(line):
            left[price_id] += Decimal(str(line.get("qty", 1)))
    sent: Units = defaultdict(Decimal)
    for parcel in books.fulfillments.get(order_id, ()):
        for line in parcel.get("items") or ():
            units = units_of(line.get("qty"))
            if units is None:
                return None
            sent[(line.get("price") or {}).get("_id") or line.get("_id")] += units
    return {
        price_id: units - max(sent[price_id], Decimal(0))
        for price_id, units in left.items()
        if units > max(sent[price_id], Decimal(0))
    }


def _instant(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=ZONE)).astimezone(UTC)
