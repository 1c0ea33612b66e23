"""Deliveries that Halo's people noted on sales orders of a seeded world, most of them still unknown to GHL.

Add a way to note one here; what each must lead to is said in `oracle_deliveries`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from random import Random

from ghl_payments.sandbox.clock import epoch_ms
from ghl_payments.sandbox.oracle_deliveries import CARRIER_FIELD, TRACKING_FIELD
from ghl_payments.sandbox.oracle_ghl import is_live
from ghl_payments.sandbox.oracle_halo_account import CLASSES
from ghl_payments.sandbox.oracle_rows import Row, make_row
from ghl_payments.sandbox.world_values import DAY, Document

ORDERS_PER_DELIVERY = 500
"""Of the world, for one delivery in each location."""
_CARRIERS = ("UPS", "FedEx", "DHL")
_SHIPPED = ("fulfillments", "ship_date", "ship_status", "tracking")
"""What a fulfillment changes in Halo's sales order."""


def tell_deliveries(
    rng: Random,
    locations: Sequence[Document],
    sales_orders: Iterable[Document],
    now_ms: int,
    *,
    broken: Collection[str] = (),
) -> Iterator[Row]:
    """Note deliveries on Halo's sales orders; yields what GHL lacks then, and what Halo lacks once GHL was given it.

    Each location has at least one that GHL does not know yet, if it has a paid order of physical products that was
    never sent, and one that GHL knows already; ids of orders that are `broken` otherwise are left alone. Touches no GHL
    document.
    """
    by_key: dict[str, list[Document]] = {}
    for doc in sales_orders:
        by_key.setdefault(str(doc.get("po_number")), []).append(doc)
    orders = sum(len(location["orders"]) for location in locations)
    for location in locations:
        fulfillments = location["fulfillments"]
        waiting, known = [], []
        for order in sorted(location["orders"], key=lambda order: str(order["_id"])):
            docs = by_key.get(f"ghl:order:{order['_id']}", [])
            if len(docs) != 1 or not is_live(order) or order["_id"] in broken:
                continue
            if numbers := _numbers(fulfillments.get(order["_id"], ())):
                known.append((docs[0], numbers[0]))
            elif _is_waiting(order, fulfillments, now_ms):
                waiting.append(docs[0])
        for doc in _chosen(rng, waiting, orders):
            _note(doc, f"1Z{rng.getrandbits(40):013d}", rng.choice((None, *_CARRIERS)))
            yield from _rows(str(location["id"]), doc)
        for doc, number in rng.sample(known, min(1, len(known))):
            _note(doc, number.lower(), None)


def _rows(location_id: str, doc: Document) -> Iterator[Row]:
    key = f"halo:sales_order:{doc['id']}"
    yield make_row(location_id, "fulfillment", key, "missing_in_target", system="ghl")
    for name in _SHIPPED:
        yield make_row(
            location_id,
            "sales_order",
            doc["po_number"],
            "field_differs",
            class_=CLASSES[name],
            fields=[name],
            native_ids=[doc["id"]],
        )


def _chosen(rng: Random, waiting: Sequence[Document], orders: int) -> list[Document]:
    return rng.sample(list(waiting), min(len(waiting), max(1, orders // ORDERS_PER_DELIVERY)))


def _is_waiting(order: Document, fulfillments: Mapping[str, Sequence[Document]], now_ms: int) -> bool:
    """Paid, of physical products, never sent, and not touched lately."""
    updated = epoch_ms(order.get("updatedAt"))
    return (
        order.get("paymentStatus") == "paid"
        and not fulfillments.get(order["_id"])
        and updated is not None
        and now_ms - updated > DAY
        and any(
            line["product"].get("productType") == "PHYSICAL" and line["price"].get("_id") for line in order["items"]
        )
    )


def _note(doc: Document, tracking: str, carrier: str | None) -> None:
    values = {TRACKING_FIELD: tracking, CARRIER_FIELD: carrier}
    noted = [{"name": name, "value": value} for name, value in values.items() if value is not None]
    doc["customfields"] = [*doc["customfields"], *noted]


def _numbers(parcels: Iterable[Document]) -> list[str]:
    trackings = (tracking for parcel in parcels for tracking in parcel["trackings"])
    return [tracking["trackingNumber"] for tracking in trackings if tracking.get("trackingNumber")]
