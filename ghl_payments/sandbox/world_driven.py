"""Orders of a seeded world that Track-POD's drivers brought or are about to bring, as GHL shows them.

Add a way of delivery here; the Track-POD side of each follows from its parcels and payments in `world_trackpod`.
They are made with random numbers of their own after everything else, so that they move no other purchase.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ghl_payments.sandbox.world_catalog import Contact
from ghl_payments.sandbox.world_ledger import Ledger, Sale
from ghl_payments.sandbox.world_values import DAY, HOUR, Document, uuid_text

CARRIER = "Track-POD"
EVERY = 25
"""So many orders of a location for one of these."""


def drive(ledger: Ledger, index: int, count: int, rng: Random, *, agreed: bool = False) -> None:
    """Add so many orders, the kinds in turn; locations begin with different ones.

    In a world that is `agreed` all cash was recorded.
    """
    with ledger.dice(rng):
        for n in range(count):
            contact = ledger.catalog.contact(ledger.now - 400 * DAY)
            kind = _KINDS[(n + 2 * index) % len(_KINDS)]
            (cash_recorded if agreed and kind in _UNRECORDED else kind)(ledger, contact)


def track_link(track_id: str) -> str:
    """The public page of a parcel."""
    return f"https://track.example.com/{track_id}"


def _sale(ledger: Ledger, contact: Contact, payment_status: str) -> Sale:
    """Physical goods, two units of each of two, ordered in the last weeks."""
    at = ledger.now - ledger.rng.randrange(4 * DAY, 25 * DAY)
    currency = ledger.catalog.currency()
    products = ledger.rng.sample(ledger.catalog.physical, 2)
    items = [ledger.item(product, currency, 2) for product in products]
    return ledger.sale(contact, at, items, payment_status=payment_status)


def _bring(ledger: Ledger, sale: Sale, parts: list[tuple[Document, int]], track_id: str, times: int = 0) -> int:
    """One parcel handed over; when."""
    at = ledger.later(sale.at, (1 + times) * DAY, (1 + times) * DAY + 20 * HOUR)
    number = f"{track_id}#{times}" if times else track_id
    tracking = {"trackingNumber": number, "shippingCarrier": CARRIER, "trackingUrl": track_link(track_id)}
    ledger.fulfill(sale, at, parts, tracking)
    ledger.touch(sale.doc, at)
    return at


def _whole(sale: Sale) -> list[tuple[Document, int]]:
    return [(item, item["qty"]) for item in sale.doc["items"]]


def brought(ledger: Ledger, contact: Contact) -> None:
    """Paid, and handed over whole."""
    sale = _sale(ledger, contact, "paid")
    ledger.charge(sale)
    _bring(ledger, sale, _whole(sale), uuid_text(ledger.rng))
    sale.doc["fulfillmentStatus"] = "fulfilled"


def brought_in_part(ledger: Ledger, contact: Contact) -> None:
    """Paid; all of the first line was handed over, and one unit of the second."""
    sale = _sale(ledger, contact, "paid")
    ledger.charge(sale)
    first, second = sale.doc["items"]
    _bring(ledger, sale, [(first, 2), (second, 1)], uuid_text(ledger.rng))


def brought_twice(ledger: Ledger, contact: Contact) -> None:
    """Paid; one line was handed over at first, the other one when the order had been planned anew."""
    sale = _sale(ledger, contact, "paid")
    ledger.charge(sale)
    track_id = uuid_text(ledger.rng)
    for times, item in enumerate(sale.doc["items"]):
        _bring(ledger, sale, [(item, 2)], track_id, times)
    sale.doc["fulfillmentStatus"] = "fulfilled"


def brought_for_cash(ledger: Ledger, contact: Contact) -> None:
    """Handed over for cash, of which GHL knows nothing yet."""
    sale = _sale(ledger, contact, "unpaid")
    _bring(ledger, sale, _whole(sale), uuid_text(ledger.rng))


def rest_for_cash(ledger: Ledger, contact: Contact) -> None:
    """Half was paid before; the rest was collected, of which GHL knows nothing yet."""
    sale = _sale(ledger, contact, "partially_paid")
    ledger.charge(sale, minor=sale.minor // 2)
    _bring(ledger, sale, _whole(sale), uuid_text(ledger.rng))


def cash_recorded(ledger: Ledger, contact: Contact) -> None:
    """Handed over for cash, which somebody recorded in GHL an hour later."""
    sale = _sale(ledger, contact, "paid")
    at = _bring(ledger, sale, _whole(sale), uuid_text(ledger.rng))
    ledger.cash(sale, sale.minor, min(at + HOUR, ledger.now - HOUR // 2))


def waiting_for_cash(ledger: Ledger, contact: Contact) -> None:
    """Not paid and not on its way yet."""
    _sale(ledger, contact, "unpaid")


_KINDS: tuple[Callable[[Ledger, Contact], None], ...] = (
    brought_for_cash,
    brought,
    waiting_for_cash,
    brought_in_part,
    cash_recorded,
    brought_twice,
    rest_for_cash,
)
_UNRECORDED = (brought_for_cash, rest_for_cash)
