"""The seeded world as a whole: size, bytes, agreement before the defects, and what every document must satisfy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import msgspec
import pytest

from ghl_payments.domain.money import parse_major
from ghl_payments.domain.sandbox_identity import DEFAULT_NOW, sandbox_identity
from ghl_payments.sandbox.world import World, first_turn, generate
from ghl_payments.sandbox.world_natives import NATIVES

Document = dict[str, Any]
_JSON = msgspec.json.Encoder(decimal_format="number")
_PRINT_BYTES = """
import hashlib, msgspec
from ghl_payments.domain.sandbox_identity import DEFAULT_NOW
from ghl_payments.sandbox.world import generate, judge_all
world = generate(7, 200, DEFAULT_NOW)
raw = msgspec.json.Encoder(decimal_format="number").encode([world.state, world.answer_key, world.planted])
print(hashlib.sha256(raw).hexdigest())
"""


@cache
def _agreed() -> World:
    return generate(3, 1000, DEFAULT_NOW, defects=False)


def _stream(world: World, name: str) -> list[Document]:
    return [doc for location in world.state["ghl"]["locations"] for doc in location[name]]


def _values(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _values(part)
    elif isinstance(value, list):
        for part in value:
            yield from _values(part)
    else:
        yield value


def test_the_same_arguments_give_the_same_bytes_in_any_process() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", _PRINT_BYTES],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_another_seed_gives_another_world() -> None:
    one, other = ({doc["_id"] for doc in _stream(generate(seed, 20, DEFAULT_NOW), "orders")} for seed in (1, 2))
    assert not one & other


@pytest.mark.parametrize("orders", [0, 1, 2, 7, 40, 199, 200, 1001])
def test_a_world_has_as_many_orders_as_asked_for_in_both_locations(orders: int) -> None:
    world = generate(1, orders, DEFAULT_NOW)
    sizes = [len(location["orders"]) for location in world.state["ghl"]["locations"]]
    assert sum(sizes) == orders
    assert orders < 5 or min(sizes) >= orders // 3
    assert [row["id"] for row in world.state["ghl"]["locations"]] == [row.id for row in sandbox_identity(1).locations]


def test_there_is_no_float_anywhere() -> None:
    assert {type(value) for value in _values(generate(7, 400, DEFAULT_NOW).state)} <= {
        str,
        int,
        bool,
        Decimal,
        type(None),
    }


def test_the_answer_key_survives_the_way_over_json() -> None:
    world = generate(7, 400, DEFAULT_NOW)
    state = msgspec.json.Decoder(float_hook=Decimal).decode(_JSON.encode(world.state))
    assert first_turn(state, DEFAULT_NOW) == world.answer_key


def test_the_answer_key_does_not_depend_on_the_order_of_documents() -> None:
    world = generate(7, 400, DEFAULT_NOW)
    shuffle = Random(1).shuffle
    for part in (*world.state["ghl"]["locations"], world.state["halo"]):
        for docs in part.values():
            if isinstance(docs, list):
                shuffle(docs)
    assert first_turn(world.state, DEFAULT_NOW) == world.answer_key


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_before_the_defects_only_what_halo_has_no_form_for_is_open(seed: int) -> None:
    world = generate(seed, 600, DEFAULT_NOW, defects=False)
    assert world.planted == []
    assert {row["kind"] for row in world.answer_key} == {"not_representable"}


def test_records_in_agreement_stay_so_however_long_the_clock_runs() -> None:
    world = _agreed()
    later = first_turn(world.state, DEFAULT_NOW + timedelta(days=30))
    # Orders that cannot be driven to are spoken of as long as anybody would set out with them.
    waiting = [row for row in world.answer_key if row["system"] == "trackpod" and row not in later]
    assert later == [row for row in world.answer_key if row not in waiting]
    assert {row["kind"] for row in waiting} == {"not_representable"}


def test_halo_totals_are_the_sums_of_their_lines() -> None:
    halo = _agreed().state["halo"]
    for order in halo["SalesOrder"]:
        assert sum(line["quantity"] * line["price"] for line in order["lines"]) == order["total"]
    for invoice in halo["Invoice"]:
        assert sum(line["qty_order"] * line["unit_price"] for line in invoice["lines"]) == invoice["total"]


def test_halo_invoices_count_their_payments() -> None:
    halo = _agreed().state["halo"]
    paid: Counter[int] = Counter()
    for payment in halo["InvoicePayment"]:
        paid[payment["invoice_id"]] += payment["amount"]
    for invoice in halo["Invoice"]:
        assert invoice["amountpaid"] == paid[invoice["id"]]
        assert invoice["amountdue"] == invoice["total"] - invoice["amountpaid"]


@pytest.mark.parametrize("defects", [False, True])
def test_halo_references_lead_somewhere(defects: bool) -> None:
    halo = generate(5, 600, DEFAULT_NOW, defects=defects).state["halo"]
    ids = {name: [doc["id"] for doc in docs] for name, docs in halo.items()}
    assert all(len(set(found)) == len(found) for found in ids.values())
    targets = {
        "client_id": "Client",
        "user_id": "Users",
        "salesorder_id": "SalesOrder",
        "invoice_id": "Invoice",
        "currency_code": "Currency",
    }
    known = {name: set(found) for name, found in ids.items()}
    for docs in halo.values():
        for doc in docs:
            for name in targets.keys() & doc.keys():
                assert doc[name] in known[targets[name]]


def test_every_order_amount_follows_from_its_items() -> None:
    for doc in _stream(_agreed(), "orders"):

        def minor(amount: object, currency: str = doc["currency"]) -> int:
            return parse_major(str(amount), currency).minor

        summary = {name: minor(value) for name, value in doc["amountSummary"].items()}
        assert summary["subtotal"] == sum(item["qty"] * minor(item["price"]["amount"]) for item in doc["items"])
        assert minor(doc["amount"]) == (
            summary["subtotal"] - summary["discount"] + summary["tax"] + summary["shipping"]
        )
        assert minor(doc["amount"]) >= 0


def test_documents_look_like_ghls() -> None:
    world = generate(7, 400, DEFAULT_NOW)
    for name in ("orders", "transactions", "subscriptions"):
        docs = _stream(world, name)
        assert len({doc["_id"] for doc in docs}) == len(docs)
        for doc in docs:
            assert len(doc["_id"]) == 24
            assert int(doc["_id"], 16)
            created, updated = (datetime.fromisoformat(doc[part]) for part in ("createdAt", "updatedAt"))
            assert created <= updated <= DEFAULT_NOW
            assert doc["createdAt"].endswith("Z")
            assert "contactSnapshot" not in doc or doc["contactSnapshot"]["email"].endswith("@example.com")


def test_the_world_has_every_shape_a_reader_must_cope_with() -> None:
    world = _agreed()
    orders, transactions = _stream(world, "orders"), _stream(world, "transactions")
    of_order = Counter(doc.get("entityId") for doc in transactions)
    known = {doc["_id"] for doc in _stream(world, "subscriptions")}
    traits = {
        "seven currencies": len({doc["currency"] for doc in orders}) == 7,
        "test mode": any(not doc["liveMode"] for doc in orders),
        "marked as test": any(doc["markAsTest"] and doc["liveMode"] for doc in orders),
        "free trial": any(doc["amount"] == 0 for doc in orders),
        "coupon": any("coupon" in doc for doc in orders),
        "tax": any(doc["taxSummary"] for doc in orders),
        "unpaid": any(doc["paymentStatus"] == "unpaid" for doc in orders),
        "refunded": any(doc["paymentStatus"] == "refunded" for doc in orders),
        "same price twice": any(
            len({item["price"]["_id"] for item in doc["items"]}) < len(doc["items"]) for doc in orders
        ),
        "several transactions": max(of_order.values()) > 3,
        "failed": any(doc["status"] == "failed" for doc in transactions),
        "partly refunded": any(0 < doc["amountRefunded"] < doc["amount"] for doc in transactions),
        "merged": any("mergedFromContactId" in doc for doc in transactions),
        "no contact": any("contactId" not in doc for doc in transactions),
        "invoice": any(doc["entityType"] == "invoice" for doc in transactions),
        "orphan subscription": any(doc.get("subscriptionId", "").startswith("sub_") for doc in transactions),
        "listed subscription": any(doc.get("subscriptionId") in known for doc in transactions),
        "fraction of a cent": any(
            row["record_type"] == "invoice_payment" and row["amount_minor"] is None for row in world.answer_key
        ),
        "equal instants": len({doc["createdAt"] for doc in orders}) < len(orders),
        "several orders of one contact": max(Counter(doc["contactId"] for doc in orders).values()) > 1,
    }
    assert [name for name, present in traits.items() if not present] == []


def test_parcels_come_with_every_kind_of_tracking() -> None:
    parcels = [
        doc
        for location in _agreed().state["ghl"]["locations"]
        for docs in location["fulfillments"].values()
        for doc in docs
    ]
    forms = {tuple(sorted(doc["trackings"][0])) if doc["trackings"] else () for doc in parcels}
    assert () in forms
    assert {name for form in forms for name in form} == {"shippingCarrier", "trackingNumber", "trackingUrl"}
    assert {form for form in forms if len(form) == 1} == {("trackingNumber",), ("shippingCarrier",)}


def test_natives_of_halo_are_never_ours() -> None:
    world = generate(7, 400, DEFAULT_NOW)
    for name, docs in world.state["halo"].items():
        natives = [doc for doc in docs if doc["id"] <= NATIVES + 1]
        assert "ghl:" not in _JSON.encode(natives).decode()
        assert natives or name == "RecurringInvoice"
    touched = {int(name) for row in world.answer_key if row["system"] == "halo" for name in row["native_ids"]}
    assert min(touched) > NATIVES + 1
