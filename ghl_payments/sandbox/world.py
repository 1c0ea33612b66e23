"""The seeded sandbox world: GHL and Halo first in agreement, then with planted defects, and the key to all of them.

Change the size and the mix here; how single records look belongs to the other `world_*` modules.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from ghl_payments.domain.sandbox_identity import sandbox_identity
from ghl_payments.sandbox.oracle_collections import judge_collections, with_cash_given
from ghl_payments.sandbox.oracle_deliveries import judge_deliveries, with_deliveries_given
from ghl_payments.sandbox.oracle_desired import derive
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.sandbox.oracle_rows import Row, identity
from ghl_payments.sandbox.vendor import SystemWorld
from ghl_payments.sandbox.vendors import vendor_modules
from ghl_payments.sandbox.world_defects import build_defects, plant_defects
from ghl_payments.sandbox.world_driven import EVERY as DRIVEN_EVERY
from ghl_payments.sandbox.world_driven import drive
from ghl_payments.sandbox.world_halo import Halo
from ghl_payments.sandbox.world_ledger import SPAN, Ledger
from ghl_payments.sandbox.world_shapes import ORDER_SHAPES, OTHER_SHAPES
from ghl_payments.sandbox.world_told import tell_deliveries
from ghl_payments.sandbox.world_values import Document, to_ms


@dataclass(frozen=True, slots=True)
class World:
    """`state` is the document of `GET /_sandbox/state`; `answer_key` all diffs the first turn of the loop must report.

    `planted` are the rows that the planted defects declare by themselves: a part of the answer key.
    Sub-documents of `state` (products, prices, contacts) are shared
    between documents: replace, never mutate them.
    """

    state: dict[str, Any]
    answer_key: list[Row]
    planted: list[Row] = field(default_factory=list)


def generate(
    seed: int, orders: int, now: datetime, *, defects: bool = True, switches: Mapping[str, Any] | None = None
) -> World:
    """A world of `orders` GHL orders over two locations as it stands at `now`; the same arguments, the same bytes.

    `switches` holds each system's own at the start, by system: they decide in which form it keeps its records.
    """
    with _collector_paused():
        others = _other_systems(seed, to_ms(now), switches or {})
        state, planted = _build(seed, orders, to_ms(now), defects, others)
        return World(state, first_turn(state, now, switches), planted)


def first_turn(state: Mapping[str, Any], now: datetime, switches: Mapping[str, Any] | None = None) -> list[Row]:
    """Every diff that a first turn reports when it may write.

    Those of the state, and those that follow in the same turn from what GHL is given, as it is written to first.
    """
    found = {identity(row): row for row in judge_all(state, now, switches)}
    lacking = {row["record_type"] for row in found.values() if row["kind"] == "missing_in_target"}
    after = state
    if "fulfillment" in lacking:
        after = with_deliveries_given(after, now)
    if "order_payment" in lacking and _switches_of("ghl", switches or {}).ghl_cash_recorded:
        after = with_cash_given(after, now)
    if after is not state:
        found |= {identity(row): row for row in judge_all(after, now, switches)}
    return sorted(found.values(), key=identity)


def judge_all(state: Mapping[str, Any], now: datetime, switches: Mapping[str, Any] | None = None) -> list[Row]:
    """Every diff of a state document in every system, sorted by identity."""
    books = {row["id"]: read_location(row) for row in state["ghl"]["locations"]}
    # Deliveries and cash lie between two systems, so no single system's judge sees them.
    key = judge_deliveries(state.get("halo") or {}, books, now, state.get("trackpod") or {})
    key += judge_collections(state.get("trackpod") or {}, books, now)
    for name, module in vendor_modules().items():
        if module.judge is not None:
            key += module.judge(state.get(name) or {}, books, now, _switches_of(name, switches or {}))
    return sorted(key, key=identity)


def _switches_of(name: str, switches: Mapping[str, Any]) -> Any:
    return switches.get(name) or vendor_modules()[name].switches()


def _other_systems(seed: int, moment: int, switches: Mapping[str, Any]) -> dict[str, SystemWorld]:
    """The systems whose part of the world is their own; GHL and Halo are written here."""
    return {
        name: module.world(Random(f"{seed}/{name}"), moment, _switches_of(name, switches), sandbox_identity(seed))
        for name, module in vendor_modules().items()
        if module.world is not None
    }


def _build(
    seed: int, orders: int, moment: int, defects: bool, others: Mapping[str, SystemWorld]
) -> tuple[dict[str, Any], list[Row]]:
    """The state and the rows its defects declare; everything else it took to make them is let go."""
    ledgers = [
        Ledger(location, index, Random(f"{seed}/ghl/{location.id}"), moment)
        for index, location in enumerate(sandbox_identity(seed).locations)
    ]
    planned = build_defects(ledgers, orders) if defects else []
    for index, (ledger, share) in enumerate(zip(ledgers, (orders - orders * 2 // 5, orders * 2 // 5), strict=True)):
        driven = share // DRIVEN_EVERY
        _fill(ledger, share - driven)
        drive(ledger, index, _left(ledger, share), Random(f"{seed}/driven/{ledger.location.id}"), agreed=not defects)
    halo = Halo(Random(f"{seed}/halo"), moment)
    locations = [_location(ledger) for ledger in ledgers]
    for location in locations:
        books, people = read_location(location), _people(location)
        halo.agree(location["id"], derive(books), people)
        for other in others.values():
            other.agree(books, people)
    planted = sorted(plant_defects(planned, halo), key=identity)
    halo.settle_removals()
    for ledger, location in zip(ledgers, locations, strict=True):
        _delete_doomed(ledger, location)
    for other in others.values():
        other.natives()
        if defects:
            other.plant()
    if defects:
        # What a van has on board is nobody else's to send.
        carried = (doc.get("Id") for name in ("Order", "Removed") for doc in others["trackpod"].state[name])
        broken = {sale.id for _, _, case in planned for sale in case.sales} | {*carried}
        rng = Random(f"{seed}/deliveries")
        told = tell_deliveries(rng, locations, halo.state["SalesOrder"], moment, broken=broken)
        planted = sorted([*planted, *told], key=identity)
    state = {"ghl": {"locations": locations}, "halo": halo.state}
    return state | {name: other.state for name, other in others.items()}, planted


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Millions of fresh containers and no garbage: the cyclic collector would only walk them again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _fill(ledger: Ledger, orders: int) -> None:
    """Every shape once if there is room, then shapes by weight, until the location will have `orders` orders."""
    shapes, weights = zip(*ORDER_SHAPES, strict=True)
    others, other_weights = zip(*OTHER_SHAPES, strict=True)
    rng = ledger.rng
    if _left(ledger, orders) >= 2 * len(shapes):
        for shape in (*shapes, *others):
            shape(ledger, ledger.catalog.contact(ledger.now - SPAN))
    while _left(ledger, orders) > 0:
        contact = ledger.catalog.contact(ledger.now - SPAN)
        visits = rng.randrange(2, 6) if rng.random() < 0.1 else 1
        for _ in range(min(visits, _left(ledger, orders))):
            rng.choices(shapes, weights=weights)[0](ledger, contact)
        if rng.random() < 0.03:
            rng.choices(others, weights=other_weights)[0](ledger, contact)


def _left(ledger: Ledger, orders: int) -> int:
    """How many orders a location still lacks; those to be deleted do not count."""
    return orders - len(ledger.orders) + len(ledger.doomed) // 2


def _delete_doomed(ledger: Ledger, location: Document) -> None:
    for name in ("orders", "transactions"):
        location[name] = [doc for doc in location[name] if doc["_id"] not in ledger.doomed]


def _location(ledger: Ledger) -> Document:
    def newest(doc: Document) -> tuple[str, str]:
        return doc["createdAt"], doc["_id"]

    return {
        "id": ledger.location.id,
        "timezone": ledger.location.timezone,
        "token": ledger.location.token,
        "orders": sorted(ledger.orders, key=newest, reverse=True),
        "transactions": sorted(ledger.transactions, key=newest, reverse=True),
        "subscriptions": sorted(ledger.subscriptions, key=newest, reverse=True),
        "fulfillments": ledger.fulfillments,
        "providers": ledger.catalog.providers,
    }


def _people(location: Document) -> dict[str, tuple[str, str]]:
    snapshots = (doc.get("contactSnapshot") for name in ("orders", "transactions") for doc in location[name])
    return {
        snapshot["id"]: (f"{snapshot['firstName']} {snapshot['lastName']}", snapshot["email"])
        for snapshot in snapshots
        if snapshot
    }
