"""The planted defects: each causes the rows it declares and no others, in every world that is large enough."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from ghl_payments.domain.diff_kinds import FIELD_CLASSES, KIND_BY_NAME
from ghl_payments.domain.sandbox_identity import DEFAULT_NOW
from ghl_payments.sandbox.oracle import Row, identity
from ghl_payments.sandbox.world import World, generate
from ghl_payments.sandbox.world_defects import DEFECTS

KINDS = {
    ("ghl", "missing_in_target"),
    ("halo", "missing_in_target"),
    ("halo", "missing_in_source"),
    ("halo", "field_differs"),
    ("halo", "duplicate_in_target"),
    ("halo", "deleted_in_target"),
    ("halo", "not_representable"),
    ("halo", "unverifiable"),
    ("halo", "pending"),
    ("halo", "test_record_in_live"),
    ("ghl", "paid_without_transaction"),
    ("ghl", "transaction_without_order"),
    ("ghl", "amount_not_tied"),
    ("ghl", "payment_status_disagrees"),
}
WORLDS = [(seed, orders) for seed in range(1, 6) for orders in (200, 1000)]


@cache
def _world(seed: int, orders: int) -> World:
    return generate(seed, orders, DEFAULT_NOW)


def _follows(world: World, row: Row) -> bool:
    """Whether a row speaks of what a driver of Track-POD handed over and nobody told GHL."""
    brought = {f"ghl:order:{doc['Id']}" for doc in world.state["trackpod"]["Order"] if doc["StatusId"] in (3, 4)}
    return row["key"].startswith("trackpod:") or (row["record_type"] == "sales_order" and row["key"] in brought)


def _hashable(row: Row) -> str:
    return repr(sorted(row.items()))


@pytest.mark.parametrize(("seed", "orders"), [*WORLDS, (1, 3), (1, 20), (2, 60), (3, 150)])
def test_the_key_is_what_the_defects_declare_and_what_halo_has_no_form_for(seed: int, orders: int) -> None:
    world = _world(seed, orders)
    key, planted = ({_hashable(row) for row in rows} for rows in (world.answer_key, world.planted))
    assert planted <= key
    judged_here = [row for row in world.answer_key if row["system"] in ("ghl", "halo") and not _follows(world, row)]
    undeclared = [row for row in judged_here if _hashable(row) not in planted]
    assert {row["kind"] for row in undeclared} <= {"not_representable"}


@pytest.mark.parametrize(("seed", "orders"), WORLDS)
def test_every_kind_occurs_in_every_world_of_two_hundred_orders(seed: int, orders: int) -> None:
    key = [row for row in _world(seed, orders).answer_key if not row["key"].startswith("trackpod:")]
    assert {(row["system"], row["kind"]) for row in key if row["system"] in ("ghl", "halo")} == KINDS
    assert {row["class"] for row in key if row["class"]} == set(FIELD_CLASSES)


@pytest.mark.parametrize(("seed", "orders"), WORLDS)
def test_no_two_rows_are_the_same_diff(seed: int, orders: int) -> None:
    identities = Counter(identity(row) for row in _world(seed, orders).answer_key)
    assert max(identities.values()) == 1


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_world_of_a_thousand_orders_has_every_defect_in_either_location(seed: int) -> None:
    world = _world(seed, 1000)
    found: dict[str, set[object]] = {row["id"]: set() for row in world.state["ghl"]["locations"]}
    for row in world.planted:
        found[row["location_id"]].add((row["system"], row["record_type"], row["kind"], row["class"]))
    first, second = found.values()
    assert first == second


def test_defects_grow_with_the_world() -> None:
    few, many = (
        [row for row in world.planted if row["record_type"] != "fulfillment"]
        for world in (_world(1, 1000), generate(1, 2000, DEFAULT_NOW))
    )
    assert len(many) == 2 * len(few)


def test_names_of_defects_are_unique_and_their_kinds_known() -> None:
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS)
    assert {row["kind"] for row in _world(1, 1000).answer_key} <= KIND_BY_NAME.keys()


def test_rows_have_the_form_that_readers_rely_on() -> None:
    for row in _world(1, 1000).answer_key:
        assert list(row) == [
            "location_id",
            "live",
            "system",
            "record_type",
            "key",
            "kind",
            "class",
            "fields",
            "native_ids",
            "amount_minor",
            "currency",
        ]
        assert (row["class"] is None) == (row["kind"] != "field_differs")
        assert bool(row["fields"]) == (row["kind"] == "field_differs")
        assert row["fields"] == sorted(row["fields"])
        assert row["native_ids"] == sorted(row["native_ids"])
        assert (row["amount_minor"] is None) == (row["currency"] is None)
        deliveries = ("halo:sales_order:", "trackpod:order:")
        told = row["system"] == "ghl" and row["record_type"] in ("fulfillment", "order_payment")
        assert row["key"].startswith(deliveries if told else "ghl:")
