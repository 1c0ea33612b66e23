"""What is written to GHL: fulfillments that never exceed what is still open of an order, and providers. Pure.

Add the body of a new endpoint here; requests belong to `client.py`, what is wanted to `mapping.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.transport.errors import Rejected
from ghl_payments.transport.jsontext import NotJson, decode

Body = dict[str, Any]
Quantities = dict[str, Decimal]
"""Price id -> units. GHL knows order lines by their price only, so lines of the same price are one."""

PROVIDER_FIELDS = {
    "unique_name": "uniqueName",
    "title": "title",
    "provider": "provider",
    "description": "description",
    "image_url": "imageUrl",
}
"""Canonical field -> property of the request; answers give `uniqueName` back as `route`."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery to be written: its order, its tracking number, and the units it holds by price id."""

    order_id: str
    tracking: str
    carrier: str | None
    tracking_url: str | None
    items: Quantities


def refusal(record: DesiredRecord, path: str, why: str, *, method: str = "POST") -> Rejected:
    """A Rejected for what cannot even be asked; `why` names fields or ids, never a person's data."""
    return Rejected(system="ghl", method=method, path=path, remedy=f"{record.key}: {why} Nothing was sent.")


def parcel_of(record: DesiredRecord) -> Parcel:
    """The parcel that a desired fulfillment asks for. Raises Rejected when its canonical fields cannot be used."""
    path = "/payments/orders/{id}/fulfillments"
    order_id, tracking = record.fields.get("order_id"), (record.fields.get("tracking") or "").strip()
    if not order_id or not tracking:
        raise refusal(record, path, "a fulfillment needs an order and a tracking number.")
    try:
        rows = decode(record.fields.get("items") or "")
        items = _summed((str(row["price_id"]), row["quantity"]) for row in rows)
    except (NotJson, TypeError, KeyError, InvalidOperation):
        raise refusal(record, path, "its items are not a list of price ids and quantities.") from None
    carrier, url = record.fields.get("carrier"), record.fields.get("tracking_url")
    return Parcel(order_id, tracking, carrier or None, url or None, items)


def same_tracking(one: str, other: str) -> bool:
    """Whether two texts are the same tracking number: case and blanks do not count."""
    return _plain(one) == _plain(other)


def fulfillment_ids(fulfillments: Iterable[Mapping[str, Any]], tracking: str) -> list[str]:
    """Ids of the fulfillments that carry a tracking number, oldest first."""
    found = [
        (str(doc.get("createdAt") or ""), str(doc["_id"]))
        for doc in fulfillments
        if doc.get("_id") and any(same_tracking(number, tracking) for number in _tracking_numbers(doc))
    ]
    return [native_id for _, native_id in sorted(found)]


def open_items(order: Mapping[str, Any], fulfillments: Iterable[Mapping[str, Any]]) -> Quantities:
    """Units by price id that were ordered and are in no fulfillment yet; what is not physical is never sent.

    Raises InvalidOperation when a quantity is not a number: then nothing can be said to be open.
    """
    ordered = _summed(
        (str(price["_id"]), item.get("qty", 1))
        for item in _objects(order.get("items"))
        if (price := _part(item, "price")).get("_id") and _is_physical(item)
    )
    sent = _summed(
        (str(_part(item, "price").get("_id") or item.get("_id")), item.get("qty", 0))
        for doc in fulfillments
        for item in _objects(doc.get("items"))
    )
    left = {price_id: units - max(sent.get(price_id, Decimal(0)), Decimal(0)) for price_id, units in ordered.items()}
    return {price_id: units for price_id, units in left.items() if units > 0}


def is_live(order: Mapping[str, Any]) -> bool:
    """Whether an order's detail says that it is no test, by either of the two marks that GHL has for one."""
    live, test = (str(order.get(name)).lower() == "true" for name in ("liveMode", "markAsTest"))
    return live and not test


def capped(wanted: Quantities, left: Quantities) -> Quantities:
    """What is wanted, never more than is left of each price; nothing at all of prices that are not left."""
    most = {price_id: min(units, left.get(price_id, Decimal(0))) for price_id, units in wanted.items()}
    return {price_id: units for price_id, units in most.items() if units > 0}


def fulfillment_body(parcel: Parcel, items: Quantities, *, notify_customer: bool) -> Body:
    """The request of one fulfillment, without the account."""
    tracking: Body = {"trackingNumber": parcel.tracking}
    if parcel.carrier:
        tracking["shippingCarrier"] = parcel.carrier
    if parcel.tracking_url:
        tracking["trackingUrl"] = parcel.tracking_url
    return {
        "trackings": [tracking],
        "items": [{"priceId": price_id, "qty": _plain_number(units)} for price_id, units in sorted(items.items())],
        "notifyCustomer": notify_customer,
    }


def provider_body(record: DesiredRecord) -> Body:
    """The request of one white-label provider, without the account. Raises Rejected when a field is missing."""
    missing = [name for name in PROVIDER_FIELDS if not record.fields.get(name)]
    if missing:
        path = "/payments/integrations/provider/whitelabel"
        raise refusal(record, path, f"it lacks {', '.join(missing)}.")
    return {native: record.fields[name] for name, native in PROVIDER_FIELDS.items()}


def _summed(pairs: Iterable[tuple[str, object]]) -> Quantities:
    total: Quantities = {}
    for price_id, units in pairs:
        number = Decimal(str(units))
        if not number.is_finite():
            raise InvalidOperation
        total[price_id] = total.get(price_id, Decimal(0)) + number
    return total


def _plain(text: str) -> str:
    return "".join(text.split()).upper()


def _plain_number(units: Decimal) -> int | Decimal:
    return int(units) if units == units.to_integral_value() else units


def _tracking_numbers(doc: Mapping[str, Any]) -> Sequence[str]:
    numbers = (tracking.get("trackingNumber") for tracking in _objects(doc.get("trackings")))
    return [number for number in numbers if isinstance(number, str) and number.strip()]


def _is_physical(item: Mapping[str, Any]) -> bool:
    kind = _part(item, "product").get("productType")
    return not isinstance(kind, str) or "PHYSICAL" in kind.upper()


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _part(doc: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = doc.get(name)
    return part if isinstance(part, dict) else {}
