"""Deliveries noted in a seeded world: on which sales orders, and what the answer key says of them."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest

from ghl_payments.domain.sandbox_identity import DEFAULT_NOW
from ghl_payments.sandbox.oracle_deliveries import TRACKING_FIELD, judge_deliveries, with_deliveries_given
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.sandbox.world import generate
from ghl_payments.sandbox.world_told import tell_deliveries
from ghl_payments.sandbox.world_values import to_ms

State = dict[str, Any]


def told(doc: State) -> str | None:
    return next((field["value"] for field in doc["customfields"] if field["name"] == TRACKING_FIELD), None)


def lacking(state: State) -> set[tuple[str, str]]:
    books = {row["id"]: read_location(row) for row in state["ghl"]["locations"]}
    return {(row["location_id"], row["kind"]) for row in judge_deliveries(state["halo"], books, DEFAULT_NOW)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_location_has_a_delivery_that_ghl_lacks_and_one_that_it_knows(seed: int) -> None:
    state = generate(seed, 200, DEFAULT_NOW).state
    assert lacking(state) == {(row["id"], "missing_in_target") for row in state["ghl"]["locations"]}
    noted = [doc for doc in state["halo"]["SalesOrder"] if told(doc)]
    assert len(noted) == 4


def test_once_ghl_was_given_its_deliveries_it_lacks_none() -> None:
    state = generate(1, 200, DEFAULT_NOW).state
    assert lacking(with_deliveries_given(state, DEFAULT_NOW)) == set()


def test_a_world_without_defects_has_no_deliveries() -> None:
    assert not any(map(told, generate(1, 200, DEFAULT_NOW, defects=False).state["halo"]["SalesOrder"]))


def test_orders_that_are_broken_otherwise_in_test_mode_or_touched_lately_are_left_alone() -> None:
    state = generate(1, 200, DEFAULT_NOW, defects=False).state
    locations, sales_orders = state["ghl"]["locations"], state["halo"]["SalesOrder"]
    before = copy.deepcopy(locations)
    ids = {order["_id"] for location in locations for order in location["orders"]}
    assert list(tell_deliveries(Random(1), locations, sales_orders, to_ms(DEFAULT_NOW), broken=ids)) == []
    for location in locations:
        for order in location["orders"]:
            order["liveMode"] = False
    assert list(tell_deliveries(Random(1), locations, sales_orders, to_ms(DEFAULT_NOW))) == []
    rows = list(tell_deliveries(Random(1), before, sales_orders, 0))
    assert rows == []
