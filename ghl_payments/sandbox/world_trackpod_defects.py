"""Ways in which orders of a seeded Track-POD account go astray.

Add one to `DEFECTS`, where it befalls an order that waits, or to `EXTRAS`, where it is one too many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.oracle_ghl import Ledgers, Order
from ghl_payments.sandbox.trackpod_data import CHANGED, REMOVED_FIELDS, day_of, local, naive
from ghl_payments.sandbox.trackpod_work import delivered, is_routed, routed


@dataclass(slots=True)
class Road:
    """What can go astray: waiting orders, and orders of GHL that have no business in a van, with their books."""

    rng: Random
    now: datetime
    new_id: Callable[[Random], str]
    waiting: list[Doc] = field(default_factory=list)
    tests: list[tuple[Ledgers, Order]] = field(default_factory=list)
    dead: list[tuple[Ledgers, Order]] = field(default_factory=list)
    sent: list[tuple[Ledgers, Order]] = field(default_factory=list)


Defect = Callable[[Road, Doc, Doc], None]
"""(what there is, state, the order that it befalls)."""

Extra = Callable[[Road, Doc, Callable[[Ledgers, Order], Doc]], None]
"""(what there is, state, how an order is written)."""


def _hand_over(road: Road, doc: Doc, facts: dict[int, Any] | None = None) -> None:
    at = road.now - timedelta(hours=road.rng.randrange(2, 20), minutes=road.rng.randrange(60))
    planned = doc if is_routed(doc) else routed(doc, day_of(local(at)))
    cash = doc["COD"] or None
    done = delivered(planned, at, cash=cash, facts=facts)
    doc.update(done | {CHANGED: f"{naive(at)}Z"})


def _delivered(road: Road, state: Doc, doc: Doc) -> None:
    """Handed over whole; GHL does not know."""
    _hand_over(road, doc)


def _in_part(road: Road, state: Doc, doc: Doc) -> None:
    """Less than ordered was handed over; GHL does not know."""
    facts = dict.fromkeys(range(1, len(doc["GoodsList"])), 0)
    _hand_over(road, doc, {0: max(1, int(doc["GoodsList"][0]["Quantity"]) - 1), **facts})


def _halved(road: Road, state: Doc, doc: Doc) -> None:
    """Half a unit was handed over, which GHL has no form for."""
    _hand_over(road, doc, {0: Decimal("0.5")})


def _missing(road: Road, state: Doc, doc: Doc) -> None:
    state["Order"].remove(doc)


def _removed(road: Road, state: Doc, doc: Doc) -> None:
    """Removed for good by a person."""
    state["Order"].remove(doc)
    gone = {name: doc[name] for name in REMOVED_FIELDS}
    at = naive(road.now - timedelta(days=1))
    state["Removed"].append(gone | {"DeletedBy": "dispatcher", "DeletedDate": at})


def _doubled(road: Road, state: Doc, doc: Doc) -> None:
    track_id = road.new_id(road.rng)
    twin = {**doc, "GoodsList": [dict(line) for line in doc["GoodsList"]], "TrackId": track_id, "TrackKey": track_id}
    state["Order"].append(twin | {"CreateSource": "DupOrder"})


def _renumbered_twin(road: Road, state: Doc, doc: Doc) -> None:
    """A second order with the same Id under another number."""
    _doubled(road, state, doc)
    state["Order"][-1]["Number"] = f"COPY-{len(state['Order'])}"


def _cash(road: Road, state: Doc, doc: Doc) -> None:
    """Another amount is to be collected."""
    doc["COD"] = doc["COD"] + 5


def _no_cash(road: Road, state: Doc, doc: Doc) -> None:
    """Nothing is to be collected, though there may be something due."""
    doc["COD"] = 0 if doc["COD"] else 7


def _quantity(road: Road, state: Doc, doc: Doc) -> None:
    line = doc["GoodsList"][0]
    line["Quantity"] = line["Quantity"] + 1


def _price(road: Road, state: Doc, doc: Doc) -> None:
    line = doc["GoodsList"][-1]
    line["Cost"] = line["Cost"] + 1


def _line_lost(road: Road, state: Doc, doc: Doc) -> None:
    doc["GoodsList"].pop()


DEFECTS: tuple[Defect, ...] = (
    _delivered,
    _missing,
    _cash,
    _quantity,
    _removed,
    _in_part,
    _doubled,
    _no_cash,
    _price,
    _halved,
    _renumbered_twin,
    _line_lost,
)


def _unknown(road: Road, state: Doc, write: Callable[[Ledgers, Order], Doc]) -> None:
    """Carries our number, and GHL never heard of it."""
    waiting = [doc for doc in road.waiting if doc["StatusId"] in (None, 0, 1)]
    if not waiting:
        return
    strange = f"{road.rng.getrandbits(96):024x}"
    track_id = road.new_id(road.rng)
    doc = {**road.rng.choice(waiting), "Number": f"GHL-{strange}", "Id": strange}
    goods = [dict(line) for line in doc["GoodsList"]]
    state["Order"].append(doc | {"TrackId": track_id, "TrackKey": track_id, "GoodsList": goods, CHANGED: None})


def _one_of(name: str) -> Extra:
    """Nobody should set out with one of these, and yet it is planned."""

    def plant(road: Road, state: Doc, write: Callable[[Ledgers, Order], Doc]) -> None:
        found = getattr(road, name)
        if found:
            state["Order"].append(write(*road.rng.choice(found)))

    return plant


EXTRAS: tuple[Extra, ...] = (_unknown, _one_of("sent"), _one_of("dead"), _one_of("tests"))
