"""What a sandbox location sells and to whom: products, prices, sources, contacts.

Add a product type, a source or a currency here; orders made of them belong to `world_ledger`.
Sub-documents made here are shared by many documents: replace them, never change them in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ghl_payments.domain.money import exponent
from ghl_payments.sandbox.world_values import DAY, Document, mongo_id, number, stamp, text_id, uuid_text

CURRENCIES = ("USD", "EUR", "GBP", "JPY", "KWD", "BHD", "ISK")
_WEIGHTS = ((86, 5, 3, 2, 2, 1, 1), (62, 28, 4, 2, 2, 1, 1))
"""Shares of `CURRENCIES` in the first and the second location."""

_PRICE_POINTS = {
    0: (500, 1_980, 4_900, 12_000, 29_800),
    2: (1_500, 2_999, 4_900, 5_700, 9_795, 12_100, 19_700, 49_700),
    3: (1_234, 4_750, 12_500, 30_255, 99_000),
}
_PRODUCTS = 24
_STATES = (("Sampleton", "CA", "US"), ("Exampleville", "TX", "US"), ("Testburg", "", "DE"))
_WITHOUT_ADDRESS = 12
"""Every so many-th contact has none."""
_SOURCES = (
    ("funnel", "one_step_order_form", "Launch funnel"),
    ("funnel", "two_step_order_form", "Webinar funnel"),
    ("funnel", "upsell", "Upsell page"),
    ("website", "store", "Online store"),
    ("payment_link", "payments_dashboard", "Payment link"),
    ("calendar", "service", "Booking calendar"),
)


@dataclass(frozen=True, slots=True)
class Contact:
    """One generated test person; `snapshot` is the `contactSnapshot` of every document about them."""

    id: str
    name: str
    email: str
    snapshot: Document


class Catalog:
    """Products, prices and sources of one location; a price exists once per product, currency and type."""

    def __init__(self, location_id: str, index: int, rng: Random, since: int) -> None:
        self._location_id = location_id
        self._index = index
        self._rng = rng
        self._since = since
        self._prices: dict[tuple[str, str, bool], Document] = {}
        self.providers = [self._white_label()]
        self._contacts = 0
        self.tax_id = mongo_id(rng, since)
        self.products = [self._product(n) for n in range(1, _PRODUCTS + 1)]
        self.physical = [product for product in self.products if product["productType"] == "PHYSICAL"]
        self.digital = [product for product in self.products if product["productType"] != "PHYSICAL"]
        self.sources = [self._source(*row) for row in _SOURCES]
        self.provider = {
            "type": "stripe",
            "connectedAccount": {"_id": mongo_id(rng, since), "accountId": f"acct_{text_id(rng, 16)}"},
        }

    def throw(self, rng: Random) -> Random:
        """Use other random numbers from now on; the ones used before."""
        before, self._rng = self._rng, rng
        return before

    def currency(self) -> str:
        """A currency with the location's shares."""
        return self._rng.choices(CURRENCIES, weights=_WEIGHTS[self._index % 2])[0]

    def contact(self, at: int) -> Contact:
        """A new person; numbers are odd in the first location and even in the second, so no name repeats."""
        serial = f"{self._contacts * 2 + self._index + 1:04d}"
        self._contacts += 1
        return person(self._rng, self._location_id, serial, at)

    def price(self, product: Document, currency: str, *, recurring: bool = False) -> Document:
        """The price of a product in a currency; a recurring one is monthly."""
        known = self._prices.get((product["_id"], currency, recurring))
        if known is None:
            known = self._prices[product["_id"], currency, recurring] = self._price(product, currency, recurring)
        return known

    def _price(self, product: Document, currency: str, recurring: bool) -> Document:
        minor = self._rng.choice(_PRICE_POINTS[exponent(currency)])
        price = {
            "_id": mongo_id(self._rng, self._since),
            "name": "Monthly" if recurring else "Default",
            "type": "recurring" if recurring else "one_time",
            "currency": currency,
            "amount": number(minor, currency),
            "product": product["_id"],
            "locationId": self._location_id,
            "variantOptionIds": [],
        }
        return {**price, "recurring": {"interval": "month", "intervalCount": 1}} if recurring else price

    def _product(self, n: int) -> Document:
        kind = ("PHYSICAL", "DIGITAL", "SERVICE")[n % 3]
        created = stamp(self._since - n * DAY)
        return {
            "_id": mongo_id(self._rng, self._since - n * DAY),
            "name": f"Product {n:02d}",
            "productType": kind,
            "availableInStore": True,
            "taxes": [],
            "variants": [],
            "locationId": self._location_id,
            "createdAt": created,
            "updatedAt": created,
        }

    def _white_label(self) -> Document:
        created = stamp(self._since)
        return {
            "_id": mongo_id(self._rng, self._since),
            "altId": self._location_id,
            "altType": "location",
            "title": "Card payments",
            "route": "card-payments",
            "provider": "nmi",
            "description": "Card payments for the shop",
            "imageUrl": "https://shop.example.com/cards.png",
            "createdAt": created,
            "updatedAt": created,
        }

    def _source(self, kind: str, sub_kind: str, name: str) -> Document:
        meta = {
            "domain": "shop.example.com",
            "pageId": text_id(self._rng, 20),
            "pageUrl": "/checkout",
            "stepId": uuid_text(self._rng),
        }
        return {"type": kind, "subType": sub_kind, "id": text_id(self._rng, 20), "name": name, "meta": meta}


def person(rng: Random, location_id: str, serial: str, at: int) -> Contact:
    """A neutral contact named by its serial number, e.g. `Contact 0001` with `contact0001@example.com`."""
    contact_id, email, added = text_id(rng, 20), f"contact{serial}@example.com", stamp(at)
    snapshot = {
        "id": contact_id,
        "locationId": location_id,
        "firstName": "Contact",
        "lastName": serial,
        "email": email,
        "emailLowerCase": email,
        "tags": [],
        "dateAdded": added,
        "dateUpdated": added,
        "customFields": [],
        **_address(int(serial)),
    }
    return Contact(contact_id, f"Contact {serial}", email, snapshot)


def _address(serial: int) -> Document:
    """Where a contact lives, out of its number alone; some say nothing about it."""
    if serial % _WITHOUT_ADDRESS == 0:
        return {}
    city, state, country = _STATES[serial % len(_STATES)]
    return {
        "address1": f"{serial} Sample Street",
        "city": city,
        **({"state": state} if state else {}),
        "postalCode": f"{10_000 + serial % 80_000}",
        "country": country,
    }
