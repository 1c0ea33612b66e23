"""Orders of physical products on their way: sent whole, in part, in two parcels, with and without tracking.

Add a shape with fulfillments here and give it a weight in `world_shapes`.
"""

from __future__ import annotations

from ghl_payments.sandbox.world_case import Case
from ghl_payments.sandbox.world_catalog import Contact
from ghl_payments.sandbox.world_ledger import Ledger, Sale
from ghl_payments.sandbox.world_values import DAY, HOUR, Document


def _tracking(ledger: Ledger) -> Document | None:
    number_text = f"4{ledger.rng.getrandbits(36):011d}"
    forms: tuple[Document | None, ...] = (
        {
            "trackingNumber": number_text,
            "shippingCarrier": "FedEx",
            "trackingUrl": f"https://tracking.example.com/?n={number_text}",
        },
        {"trackingNumber": number_text, "shippingCarrier": "UPS"},
        {"trackingNumber": number_text},
        {"shippingCarrier": "Courier"},
        None,
    )
    return ledger.rng.choices(forms, weights=(5, 3, 1, 1, 1))[0]


def physical_sale(ledger: Ledger, contact: Contact, lines: int = 2) -> Sale:
    """A paid order of physical products, two units of each, old enough to be on its way."""
    currency = ledger.catalog.currency()
    products = ledger.rng.sample(ledger.catalog.physical, lines)
    return ledger.sale(contact, ledger.moment(5 * DAY), [ledger.item(product, currency, 2) for product in products])


def fulfilled(ledger: Ledger, contact: Contact) -> Case:
    """Everything sent in one parcel."""
    sale = physical_sale(ledger, contact)
    at = ledger.later(sale.at, HOUR, 4 * DAY)
    ledger.fulfill(sale, at, [(item, item["qty"]) for item in sale.doc["items"]], _tracking(ledger))
    sale.doc["fulfillmentStatus"] = "fulfilled"
    ledger.touch(sale.doc, at)
    return Case(contact, [sale], [ledger.charge(sale)])


def partly_fulfilled(ledger: Ledger, contact: Contact) -> Case:
    """One unit of the first line is sent; nothing promises that the order is touched by it."""
    sale = physical_sale(ledger, contact)
    ledger.fulfill(sale, ledger.later(sale.at, HOUR, 4 * DAY), [(sale.doc["items"][0], 1)], _tracking(ledger))
    return Case(contact, [sale], [ledger.charge(sale)])


def two_parcels(ledger: Ledger, contact: Contact) -> Case:
    """Two lines in two parcels, days apart, each with a tracking number."""
    sale = physical_sale(ledger, contact)
    first_at = ledger.later(sale.at, HOUR, 2 * DAY)
    for item, at in zip(sale.doc["items"], (first_at, ledger.later(first_at, HOUR, 2 * DAY)), strict=True):
        tracking = {"trackingNumber": f"7{ledger.rng.getrandbits(36):011d}", "shippingCarrier": "DHL"}
        ledger.fulfill(sale, at, [(item, item["qty"])], tracking)
    sale.doc["fulfillmentStatus"] = "fulfilled"
    return Case(contact, [sale], [ledger.charge(sale)])
