"""What deliveries noted in other systems ask of GHL, and where GHL's fulfillments disagree: a part of the answer key.

A rule about deliveries changes here; how another system's deliveries are read belongs to `oracle_parcels`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ghl_payments.sandbox.ghl_write import new_id
from ghl_payments.sandbox.oracle_ghl import Document, Ledgers, read_location
from ghl_payments.sandbox.oracle_parcels import (
    CARRIER_FIELD,
    TRACKING_FIELD,
    Delivery,
    Units,
    driven,
    having,
    is_physical,
    merged,
    noted_in_halo,
    plain,
    shares,
)
from ghl_payments.sandbox.oracle_rows import LAG, Row, make_row

__all__ = ["CARRIER_FIELD", "TRACKING_FIELD", "judge_deliveries", "with_deliveries_given"]

_NOTHING: Mapping[str, Any] = {}


def judge_deliveries(
    halo_state: Mapping[str, Any],
    books: Mapping[str, Ledgers],
    now: datetime,
    trackpod_state: Mapping[str, Any] = _NOTHING,
) -> list[Row]:
    """All diffs about fulfillments that deliveries ask for."""
    found = _noted(halo_state, trackpod_state, books)
    return [row for location_id, deliveries in found.items() for row in _judge(books[location_id], deliveries, now)]


def with_deliveries_given(state: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The state once GHL was given every delivery that it lacks: a turn writes to GHL first and then reads it again."""
    locations = (state.get("ghl") or {}).get("locations") or []
    books = {row["id"]: read_location(row) for row in locations}
    halo_state, trackpod_state = state.get("halo") or {}, state.get("trackpod") or {}
    lacking = {
        row["key"]
        for row in judge_deliveries(halo_state, books, now, trackpod_state)
        if row["kind"] == "missing_in_target"
    }
    found = _noted(halo_state, trackpod_state, books)
    given = []
    for row in locations:
        share = shares(books[row["id"]], found[row["id"]])
        new = [delivery for delivery in found[row["id"]] if delivery.key in lacking & share.keys()]
        given.append(_given(row, [(delivery, share[delivery.key]) for delivery in new], now))
    return {**state, "ghl": {**(state.get("ghl") or {}), "locations": given}}


def _noted(
    halo_state: Mapping[str, Any], trackpod_state: Mapping[str, Any], books: Mapping[str, Ledgers]
) -> dict[str, list[Delivery]]:
    return merged([*noted_in_halo(halo_state, books), *driven(trackpod_state, books)], books)


def _given(location: Document, new: Sequence[tuple[Delivery, Units]], now: datetime) -> Document:
    """The location with these parcels sent."""
    orders = {order["_id"]: order for order in location["orders"]} if new else {}
    fulfillments = dict(location.get("fulfillments") or {})
    for delivery, share in new:
        earlier = fulfillments.get(delivery.order_id, [])
        prices = {
            line["price"]["_id"]: line["price"]
            for line in orders[delivery.order_id]["items"]
            if is_physical(line) and line["price"].get("_id")
        }
        parcel = {
            "_id": new_id(location["id"], "fulfillment", delivery.order_id, len(earlier)),
            "trackings": [{"trackingNumber": delivery.tracking, "shippingCarrier": delivery.carrier or None}],
            "items": [
                {"_id": price_id, "price": prices[price_id], "qty": int(count) if count == int(count) else count}
                for price_id, count in sorted(share.items())
            ],
            "createdAt": now.isoformat(),
        }
        fulfillments[delivery.order_id] = [*earlier, parcel]
    return {**location, "fulfillments": fulfillments}


def _judge(books: Ledgers, deliveries: Sequence[Delivery], now: datetime) -> Iterator[Row]:
    can_be_given = shares(books, deliveries)
    for delivery in sorted(deliveries, key=lambda delivery: delivery.key):
        if parcels := having(books, delivery):
            yield from _compare(books, delivery, parcels)
        elif delivery.key not in can_be_given:
            yield _row(books, delivery, "not_representable")
        else:
            settled = now - (delivery.at or books.orders[delivery.order_id].updated) >= LAG
            yield _row(books, delivery, "missing_in_target" if settled else "pending")


def _compare(books: Ledgers, delivery: Delivery, parcels: Sequence[Document]) -> Iterator[Row]:
    ids = [f"{delivery.order_id}/{doc['_id']}" for doc in parcels]
    if len(parcels) > 1:
        yield _row(books, delivery, "duplicate_in_target", native_ids=ids)
        return
    carriers = {
        _folded(tracking.get("shippingCarrier") or "")
        for tracking in parcels[0]["trackings"]
        if plain(tracking.get("trackingNumber") or "") == plain(delivery.tracking)
    }
    if delivery.carrier and _folded(delivery.carrier) not in carriers:
        yield _row(books, delivery, "field_differs", class_="other", fields=["carrier"], native_ids=ids)


def _row(books: Ledgers, delivery: Delivery, kind: str, **rest: Any) -> Row:
    return make_row(books.location_id, "fulfillment", delivery.key, kind, system="ghl", **rest)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
