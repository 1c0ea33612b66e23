"""Orders paid once, in parts, late, never or in test mode: the everyday shapes.

Add a shape of a one-time order here and give it a weight in `world_shapes`; one that is wrong on purpose belongs to
`world_defects_ghl`.
"""

from __future__ import annotations

from ghl_payments.domain.money import exponent
from ghl_payments.sandbox.world_case import Case, simple_sale
from ghl_payments.sandbox.world_catalog import Contact
from ghl_payments.sandbox.world_ledger import Extras, Ledger, line_minor
from ghl_payments.sandbox.world_values import DAY, MINUTE


def plain(ledger: Ledger, contact: Contact) -> Case:
    """An order paid by one charge."""
    sale = simple_sale(ledger, contact)
    return Case(contact, [sale], [ledger.charge(sale)])


def several_items(ledger: Ledger, contact: Contact) -> Case:
    """Two to four lines, some with several units."""
    currency = ledger.catalog.currency()
    products = ledger.rng.sample(ledger.catalog.products, ledger.rng.randrange(2, 5))
    items = [ledger.item(product, currency, ledger.rng.randrange(1, 4)) for product in products]
    sale = ledger.sale(contact, ledger.moment(), items)
    return Case(contact, [sale], [ledger.charge(sale)])


def same_price_twice(ledger: Ledger, contact: Contact) -> Case:
    """Two lines with the same price id."""
    currency = ledger.catalog.currency()
    product = ledger.rng.choice(ledger.catalog.physical)
    items = [ledger.item(product, currency, 1), ledger.item(product, currency, 2)]
    sale = ledger.sale(contact, ledger.moment(), items)
    return Case(contact, [sale], [ledger.charge(sale)])


def with_extras(ledger: Ledger, contact: Contact) -> Case:
    """Tax and shipping, now and then a discount with a coupon."""
    currency = ledger.catalog.currency()
    items = [ledger.item(ledger.rng.choice(ledger.catalog.physical), currency, ledger.rng.randrange(1, 3))]
    tenth = line_minor(items[0]) // 10
    coupon = ledger.rng.random() < 0.5
    extras = Extras(
        discount=tenth if coupon else 0,
        tax_per_mille=ledger.rng.choice((70, 82, 100, 190)),
        shipping=ledger.rng.choice((0, 4, 9)) * 10 ** exponent(currency),
        coupon="TENOFF" if coupon else None,
    )
    sale = ledger.sale(contact, ledger.moment(), items, extras=extras)
    return Case(contact, [sale], [ledger.charge(sale)])


def part_payments(ledger: Ledger, contact: Contact) -> Case:
    """Paid in full by two charges, weeks apart."""
    sale = simple_sale(ledger, contact, min_age=30 * DAY)
    first = sale.minor * ledger.rng.choice((25, 40, 50)) // 100
    second_at = ledger.later(sale.at, DAY, 3 * 7 * DAY)
    charges = [ledger.charge(sale, minor=first), ledger.charge(sale, minor=sale.minor - first, at=second_at)]
    ledger.touch(sale.doc, second_at)
    return Case(contact, [sale], charges)


def deposit(ledger: Ledger, contact: Contact) -> Case:
    """Half is paid, the rest is still due."""
    sale = simple_sale(ledger, contact, payment_status="partially_paid")
    return Case(contact, [sale], [ledger.charge(sale, minor=sale.minor // 2)])


def failed_then_paid(ledger: Ledger, contact: Contact) -> Case:
    """The first card is declined, the second attempt succeeds."""
    sale = simple_sale(ledger, contact)
    failed = ledger.charge(sale, status="failed")
    return Case(contact, [sale], [ledger.charge(sale, at=sale.at + 4 * MINUTE), failed])


def refunded(ledger: Ledger, contact: Contact) -> Case:
    """Refunded in full after some days."""
    sale = simple_sale(ledger, contact, min_age=20 * DAY, payment_status="refunded")
    charge = ledger.charge(sale, status="refunded", refunded=sale.minor)
    moment = ledger.later(sale.at, DAY, 15 * DAY)
    ledger.touch(sale.doc, moment)
    ledger.touch(charge, moment)
    return Case(contact, [sale], [charge])


def partly_refunded(ledger: Ledger, contact: Contact) -> Case:
    """A third is given back; the charge stays succeeded."""
    sale = simple_sale(ledger, contact, min_age=20 * DAY)
    charge = ledger.charge(sale, refunded=sale.minor // 3)
    ledger.touch(charge, ledger.later(sale.at, DAY, 15 * DAY))
    return Case(contact, [sale], [charge])


def unpaid(ledger: Ledger, contact: Contact) -> Case:
    """Ordered and never paid; some have a failed or pending transaction."""
    sale = simple_sale(ledger, contact, payment_status="unpaid")
    status = ledger.rng.choice((None, "failed", "pending"))
    return Case(contact, [sale], [ledger.charge(sale, status=status)] if status else [])


def merged_contact(ledger: Ledger, contact: Contact) -> Case:
    """The order still names the contact that was merged away; its charge names the one that is left."""
    sale = simple_sale(ledger, contact)
    kept = ledger.catalog.contact(sale.at - DAY)
    charge = ledger.charge(sale)
    charge |= {"contactId": kept.id, "contactSnapshot": kept.snapshot, "mergedFromContactId": contact.id}
    return Case(kept, [sale], [charge])


def charge_without_contact(ledger: Ledger, contact: Contact) -> Case:
    """The transaction has no contact of its own; its order has."""
    sale = simple_sale(ledger, contact)
    charge = ledger.charge(sale)
    del charge["contactId"], charge["contactSnapshot"]
    return Case(contact, [sale], [charge])


def test_mode(ledger: Ledger, contact: Contact) -> Case:
    """A purchase in test mode (liveMode false)."""
    item = ledger.item(ledger.rng.choice(ledger.catalog.products), "USD")
    sale = ledger.sale(contact, ledger.moment(), [item], live=False)
    return Case(contact, [sale], [ledger.charge(sale)])


def marked_test(ledger: Ledger, contact: Contact) -> Case:
    """Live mode, but order and charge are marked as test; only their details say so."""
    item = ledger.item(ledger.rng.choice(ledger.catalog.products), "USD")
    sale = ledger.sale(contact, ledger.moment(), [item], marked_test=True)
    return Case(contact, [sale], [ledger.charge(sale)])
