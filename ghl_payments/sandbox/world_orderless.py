"""Money without an order: taken by hand, recharges of a wallet, GHL's own invoices.

Add a shape without an order here and give it a weight in `world_shapes`.
"""

from __future__ import annotations

from decimal import Decimal

from ghl_payments.sandbox.world_case import Case
from ghl_payments.sandbox.world_catalog import Contact
from ghl_payments.sandbox.world_ledger import Ledger
from ghl_payments.sandbox.world_values import DAY, HOUR, Document, mongo_id, number, text_id


def _payment_source(ledger: Ledger, kind: str, sub_kind: str, description: str) -> Document:
    return {
        "type": kind,
        "subType": sub_kind,
        "id": text_id(ledger.rng, 20),
        "name": description,
        "meta": {"description": description},
    }


def manual_with_contact(ledger: Ledger, contact: Contact) -> Case:
    """Money taken by hand, without an order."""
    source = _payment_source(ledger, "manual", "contact_view", "Manual payment")
    charge = ledger.transaction(contact, ledger.moment(), ledger.rng.choice((25, 120, 300)), "USD", source=source)
    return Case(contact, (), [charge])


def manual_without_contact(ledger: Ledger, contact: Contact) -> Case:
    """Money taken by hand from nobody known."""
    source = _payment_source(ledger, "manual", "payments_dashboard", "Manual payment")
    return Case(None, (), [ledger.transaction(None, ledger.moment(), 80, "USD", source=source)])


def wallet_recharge(ledger: Ledger, contact: Contact) -> Case:
    """A wallet recharge with a fraction of a cent."""
    source = _payment_source(ledger, "manual", "saas_one_time", "Wallet recharge")
    amount = Decimal(ledger.rng.randrange(1_000, 9_999) * 10 + 7).scaleb(-3)
    return Case(contact, (), [ledger.transaction(contact, ledger.moment(), amount, "USD", source=source)])


def invoice(ledger: Ledger, contact: Contact) -> Case:
    """An invoice of GHL's own, paid at once or in two parts; invoices are not in the payments API."""
    at, total = ledger.moment(30 * DAY), ledger.rng.choice((90_000, 125_050, 240_000))
    source = _payment_source(ledger, "invoice", "card_payment", "Invoice")
    entity = ("invoice", mongo_id(ledger.rng, at))
    source["meta"] = {"invoiceNumber": str(ledger.rng.randrange(1, 99_999)), "invoiceNumberPrefix": "INV-"}
    parts = [total] if ledger.rng.random() < 0.5 else [total // 2, total - total // 2]
    charges = [
        ledger.transaction(
            contact,
            ledger.later(at, (n + 1) * HOUR, (n * 10 + 2) * DAY),
            number(part, "USD"),
            "USD",
            source=source,
            entity=entity,
        )
        for n, part in enumerate(parts)
    ]
    return Case(contact, (), charges)
