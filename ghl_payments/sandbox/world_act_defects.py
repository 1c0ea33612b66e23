"""Defects in a seeded Act! database: records missing, doubled, edited or left over; what follows the oracle says.

Add one to `DEFECTS` with the record type it breaks; records are chosen by the world's own random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

from ghl_payments.domain.money import major_text
from ghl_payments.sandbox.act_data import product_total
from ghl_payments.sandbox.codec import Doc, decode, encode
from ghl_payments.sandbox.oracle_ghl import instant
from ghl_payments.sandbox.world_act_fields import ODD_COLUMN
from ghl_payments.sandbox.world_values import stamp_of

RECORDS_PER_ROUND = 500
"""Every kind of defect is planted once in so many opportunities."""


class World(Protocol):
    """What a defect needs of the world it is planted in."""

    rng: Any
    tables: bool
    state: Doc
    ours: dict[tuple[str, str, str], Doc]
    test_orders: list[tuple[str, str, int, str]]

    def new_id(self) -> str:
        """A GUID."""

    def rows_of(self, record_type: str) -> list[Doc]:
        """The collection in which records of a type stand."""

    def opportunity(self, place: str, key: str, name: str, status: int, custom: Doc) -> Doc:
        """A bare opportunity of ours."""


Break = Callable[[World, str, Doc], None]
"""Breaks one record of ours, given its record type."""


def plant_all(world: World) -> None:
    """Break at most every third record of each type, each at most once."""
    pools = {record_type: _shuffled(world, record_type) for record_type in _TYPES}
    orders = sum(1 for spot in world.ours if spot[1] == "opportunity")
    for _ in range(max(1, orders // RECORDS_PER_ROUND)):
        for record_type, defect in DEFECTS:
            doc = next(pools[record_type], None)
            if doc is not None:
                defect(world, record_type, doc)
        for place, order_id, minor, currency in world.test_orders[:1]:
            _test_record(world, place, order_id, major_text(minor, currency), currency)
        world.test_orders = world.test_orders[1:]


def _shuffled(world: World, record_type: str) -> Iterator[Doc]:
    docs = [doc for (_, kind, _), doc in world.ours.items() if kind == record_type]
    world.rng.shuffle(docs)
    return iter(docs[: len(docs) // 3])


def _remove(world: World, record_type: str, doc: Doc) -> None:
    rows = world.rows_of(record_type)
    rows[:] = [row for row in rows if row is not doc]


def _double(world: World, record_type: str, doc: Doc) -> None:
    twin = {**doc, "id": world.new_id()}
    world.rows_of(record_type).append(twin)
    copies = [p for p in world.state["products"] if p["opportunityID"] == doc["id"]]
    world.state["products"] += [{**p, "id": world.new_id(), "opportunityID": twin["id"]} for p in copies]


def _edit(name: str, value: Any) -> Break:
    """A custom field, a column or a part of a history's details gets another value."""

    def edit(world: World, record_type: str, doc: Doc) -> None:
        if record_type == "opportunity":
            doc["customFields"] = {**doc["customFields"], name: value}
        elif world.tables:
            doc[name] = value
        elif record_type == "payment":
            doc["details"] = encode({**decode(doc["details"].encode()), name: str(value)}).decode()
        else:
            doc["customFields"] = {**doc["customFields"], f"ghl_{name}": str(value)}

    return edit


def _product_edited(world: World, record_type: str, doc: Doc) -> None:
    """Somebody adds money to a product; an opportunity without any gets one, which is not ours to remove."""
    products = [product for product in world.state["products"] if product["opportunityID"] == doc["id"]]
    if products:
        products[0]["price"] += Decimal("12.34")
        products[0]["total"] = product_total(products[:1])
    else:
        products = [{"id": world.new_id(), "opportunityID": doc["id"], "name": "Setup", "price": Decimal("12.34"),
                     "quantity": 1, "total": Decimal("12.34"), "created": doc["created"],
                     "edited": doc["edited"]}]  # fmt: skip
        world.state["products"] += products
    doc["productTotal"] = product_total(products)


def _lost(world: World, record_type: str, doc: Doc) -> None:
    """Somebody moved the opportunity to another status."""
    doc["status"] = 2 if doc["status"] != 2 else 0


def _redated(world: World, record_type: str, doc: Doc) -> None:
    name = "openDate" if record_type == "opportunity" else "paid_at"
    later = stamp_of(instant(doc.get(name) or doc["created"]) + timedelta(days=3))
    if name in doc:
        doc[name] = later
    else:
        _edit(name, later)(world, record_type, doc)


def _moved(world: World, record_type: str, doc: Doc) -> None:
    """Somebody linked the record to a person of Act!'s own."""
    native = next(row for row in world.state["contacts"] if row["fullName"] == "Native Person 1")
    doc["contacts"] = [{"id": native["id"], "displayName": native["fullName"]}]


def _unreadable(world: World, record_type: str, doc: Doc) -> None:
    """No sum comes out of the products."""
    doc["productTotal"] = "n/a"


def _without_source_id(world: World, record_type: str, doc: Doc) -> None:
    """No defect: the key still stands in the custom field."""
    doc["sourceId"] = None


def _without_custom_key(world: World, record_type: str, doc: Doc) -> None:
    """No defect where the key still stands in `sourceId`."""
    if doc.get("sourceId"):
        doc["customFields"] = {**doc["customFields"], "ghl_key": None}


def _unmanaged(world: World, record_type: str, doc: Doc) -> None:
    """A contact lost our key: it is there, but nobody knows whose it is until it is adopted by its address."""
    doc["customFields"] = {}


def _test_record(world: World, place: str, order_id: str, amount: str, currency: str) -> None:
    """An order of test mode that got into the live database."""
    key = f"ghl:order:{order_id}"
    doc = world.opportunity(place, key, "Test", 0, {"ghl_amount": amount, "ghl_currency": currency})
    world.rows_of("opportunity").append(doc)


_TYPES = ("contact", "opportunity", "payment", "subscription")

DEFECTS: tuple[tuple[str, Break], ...] = (
    ("opportunity", _remove),
    ("payment", _remove),
    ("opportunity", _product_edited),
    ("payment", _edit("amount", Decimal("1.5"))),
    ("subscription", _edit("status", "stale")),
    ("opportunity", _double),
    ("payment", _edit("refunded", Decimal("0.25"))),
    ("opportunity", _lost),
    ("subscription", _remove),
    ("contact", _unmanaged),
    ("opportunity", _edit("ghl_amount", "1.00")),
    ("payment", _double),
    ("opportunity", _moved),
    ("opportunity", _redated),
    ("payment", _redated),
    ("opportunity", _edit("ghl_currency", "AUD")),
    ("subscription", _edit("plan", "Another plan")),
    ("opportunity", _edit(ODD_COLUMN.lower(), "FedEx 1")),
    ("opportunity", _edit("ghl_payment_status", "unpaid or so")),
    ("payment", _edit("currency", "AUD")),
    ("payment", _edit("reference", "ch_other")),
    ("payment", _edit("status", "pending")),
    ("opportunity", _unreadable),
    ("opportunity", _without_source_id),
    ("opportunity", _without_custom_key),
    ("subscription", _edit("amount", Decimal("3.5"))),
    ("subscription", _double),
    ("payment", _moved),
)
"""Kinds of defects, the most instructive first; two of them are traps that must not be reported."""
