"""How often each shape of a purchase occurs.

Weigh a new shape here; shapes themselves stand in `world_orders`, `world_deliveries`, `world_recurring` and
`world_orderless`.
"""

from __future__ import annotations

from ghl_payments.sandbox.world_case import Shape
from ghl_payments.sandbox.world_deliveries import fulfilled, partly_fulfilled, two_parcels
from ghl_payments.sandbox.world_orderless import invoice, manual_with_contact, manual_without_contact, wallet_recharge
from ghl_payments.sandbox.world_orders import (
    charge_without_contact,
    deposit,
    failed_then_paid,
    marked_test,
    merged_contact,
    part_payments,
    partly_refunded,
    plain,
    refunded,
    same_price_twice,
    several_items,
    test_mode,
    unpaid,
    with_extras,
)
from ghl_payments.sandbox.world_recurring import orphan_subscription, subscription, trial

ORDER_SHAPES: tuple[tuple[Shape, int], ...] = (
    (plain, 560),
    (several_items, 60),
    (same_price_twice, 10),
    (with_extras, 70),
    (fulfilled, 60),
    (partly_fulfilled, 20),
    (two_parcels, 20),
    (part_payments, 30),
    (deposit, 10),
    (failed_then_paid, 30),
    (refunded, 15),
    (partly_refunded, 15),
    (unpaid, 25),
    (subscription, 35),
    (trial, 12),
    (orphan_subscription, 4),
    (merged_contact, 8),
    (charge_without_contact, 10),
    (test_mode, 20),
    (marked_test, 4),
)
"""Shapes with an order and their weights."""

OTHER_SHAPES: tuple[tuple[Shape, int], ...] = (
    (manual_with_contact, 4),
    (manual_without_contact, 2),
    (wallet_recharge, 2),
    (invoice, 4),
)
"""Shapes without an order; one follows about every thirtieth order."""
