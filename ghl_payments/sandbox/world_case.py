"""What one purchase leaves behind, and the simplest way to make one.

Add a helper that several shapes share here; shapes stand in `world_orders`, `world_deliveries`, `world_recurring` and
`world_orderless`, their weights in `world_shapes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ghl_payments.sandbox.world_catalog import Contact
from ghl_payments.sandbox.world_ledger import Ledger, Sale
from ghl_payments.sandbox.world_values import HOUR, Document


@dataclass(frozen=True, slots=True)
class Case:
    """What one shape wrote: the orders of one contact and all transactions about them, the main ones first."""

    contact: Contact | None
    sales: Sequence[Sale]
    transactions: Sequence[Document]

    @property
    def sale(self) -> Sale:
        """The only (or first) order."""
        return self.sales[0]

    @property
    def charge(self) -> Document:
        """The only (or first) transaction."""
        return self.transactions[0]


Shape = Callable[[Ledger, Contact], Case]


def simple_sale(
    ledger: Ledger,
    contact: Contact,
    *,
    min_age: int = 2 * HOUR,
    currency: str | None = None,
    payment_status: str = "paid",
) -> Sale:
    """An order of one item of any product."""
    product = ledger.rng.choice(ledger.catalog.products)
    item = ledger.item(product, currency or ledger.catalog.currency())
    return ledger.sale(contact, ledger.moment(min_age), [item], payment_status=payment_status)
