"""Which defects are planted where: every kind at least once in a world of 200 orders, more in larger ones.

Change the number or the order of defects here; the defects themselves stand in `world_defects_*` and `world_edits`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

from ghl_payments.sandbox.oracle_rows import Row
from ghl_payments.sandbox.world_case import Case
from ghl_payments.sandbox.world_defects_ghl import GHL_DEFECTS
from ghl_payments.sandbox.world_defects_halo import HALO_DEFECTS
from ghl_payments.sandbox.world_edits import EDITS
from ghl_payments.sandbox.world_halo import Halo
from ghl_payments.sandbox.world_ledger import Ledger
from ghl_payments.sandbox.world_scene import Defect, Scene
from ghl_payments.sandbox.world_values import DAY

DEFECTS: tuple[Defect, ...] = tuple(
    defect for defect in chain.from_iterable(zip_longest(HALO_DEFECTS, GHL_DEFECTS, EDITS)) if defect is not None
)
"""All kinds, mixed, so that even a world of a few orders has some of each sort."""

ORDERS_PER_KIND = 500
_MOST_PER_ORDERS = 3
"""At most every third order of a small world is part of a defect."""

Planned = tuple[Ledger, Defect, Case]


def build_defects(ledgers: Sequence[Ledger], orders: int) -> list[Planned]:
    """Make the purchases that will be broken, each with a contact of its own, alternating between the locations."""
    rounds = max(1, orders // ORDERS_PER_KIND)
    most = orders // _MOST_PER_ORDERS
    planned = []
    for n in range(min(most, rounds * len(DEFECTS))):
        turn, kind = divmod(n, len(DEFECTS))
        ledger, defect = ledgers[(turn + kind) % len(ledgers)], DEFECTS[kind]
        if orders < defect.least_orders:
            continue
        contact = ledger.catalog.contact(ledger.now - 430 * DAY)
        planned.append((ledger, defect, defect.build(ledger, contact)))
    return planned


def plant_defects(planned: Sequence[Planned], halo: Halo) -> Iterator[Row]:
    """Break what was built, now that Halo agrees with it; yields the rows each defect declares."""
    for ledger, defect, case in planned:
        yield from defect.plant(Scene(ledger, halo, case))
