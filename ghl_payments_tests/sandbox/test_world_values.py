"""The small values of the generator: numbers as JSON shows them, instants, ids, and the lines of a sales order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from ghl_payments.sandbox.world_halo import order_lines
from ghl_payments.sandbox.world_values import mongo_id, number, stamp, stamp_of, to_ms


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (15_010, "USD", "150.1"),
        (5_700, "USD", "57"),
        (500, "JPY", "500"),
        (1_234, "KWD", "1.234"),
        (0, "EUR", "0"),
        (-5, "USD", "-0.05"),
        (100_000_000, "USD", "1000000"),
    ],
)
def test_numbers_are_written_as_ghl_writes_them(minor: int, currency: str, text: str) -> None:
    assert str(number(minor, currency)) == text


def test_instants_keep_their_milliseconds_and_lose_their_zone() -> None:
    noon = datetime(2026, 3, 1, 12, 0, 0, 7_000, tzinfo=UTC)
    assert stamp(to_ms(noon)) == stamp_of(noon) == "2026-03-01T12:00:00.007Z"
    assert stamp_of(noon.astimezone(timezone(timedelta(hours=9)))) == "2026-03-01T12:00:00.007Z"


def test_ids_begin_with_their_second_of_creation() -> None:
    made = mongo_id(Random(1), to_ms(datetime(2026, 3, 1, tzinfo=UTC)))
    assert len(made) == 24
    assert datetime.fromtimestamp(int(made[:8], 16), UTC) == datetime(2026, 3, 1, tzinfo=UTC)


def _lines(minor: int, **summary: Any) -> list[tuple[str, int, str, str]]:
    item = {"name": "Thing", "qty": 2, "price": {"amount": Decimal("10.5"), "currency": "USD"}}
    doc = {"currency": "USD", "items": [item, item], "amountSummary": summary}
    return [(line["name"], line["quantity"], str(line["price"]), line["note"]) for line in order_lines(doc, minor)]


def test_a_sales_order_has_its_items_then_what_was_added_and_taken() -> None:
    assert _lines(4_850, discount=2, tax=Decimal("3.5"), shipping=5) == [
        ("Thing", 2, "10.5", "ghl:line:1"),
        ("Thing", 2, "10.5", "ghl:line:2"),
        ("Discount", 1, "-2", "ghl:line:discount"),
        ("Tax", 1, "3.5", "ghl:line:tax"),
        ("Shipping", 1, "5", "ghl:line:shipping"),
    ]


@pytest.mark.parametrize(("minor", "rest"), [(4_199, "-0.01"), (5_000, "8")])
def test_whatever_is_left_becomes_an_adjustment(minor: int, rest: str) -> None:
    assert _lines(minor)[-1] == ("Adjustment", 1, rest, "ghl:line:adjustment")
