"""Deliveries told by other systems, as GHL should have them: what is still open of an order, and why not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ghl_payments.connectors.registry import target_systems
from ghl_payments.sandbox.oracle_deliveries import CARRIER_FIELD, TRACKING_FIELD, judge_deliveries
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.warehouse import outbox, reconcile
from ghl_payments.warehouse.landing_load import load_documents, naive
from ghl_payments.warehouse.queries import run, run_text
from ghl_payments.warehouse.reconcile import Target
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, OLD, order
from ghl_payments_tests.warehouse.desk import Desk, Document, Row, later, target, utc
from ghl_payments_tests.warehouse.worlds import World

GHL = target_systems()["ghl"]
CONNECTION = f"ghl/{LOCATION}"
TARGET = Target(CONNECTION, "ghl", True, "auto", 0.8, GHL.mapping, GHL.documents_sql, LOCATION, locations=(LOCATION,))


def item(price_id: str | None, qty: object = 1, kind: str | None = "PHYSICAL") -> Document:
    product = {"_id": f"product-{price_id}"} | ({"productType": kind} if kind else {})
    price = {"amount": 10} | ({"_id": price_id} if price_id else {})
    return {"name": "Thing", "qty": qty, "price": price, "product": product}


def parcel(fulfillment_id: str, *items: tuple[str, object], tracking: str | None = None, **tracks: str) -> Document:
    trackings = [{"trackingNumber": tracking, **tracks}] if tracking else []
    return {
        "_id": fulfillment_id, "trackings": trackings, "createdAt": OLD, "updatedAt": OLD,
        "items": [{"_id": price_id, "price": {"_id": price_id}, "qty": qty} for price_id, qty in items],
    }  # fmt: skip


def deliver(desk: Desk, native_id: str, tracking: str, *, order_id: str = "o1", connection: str = "halo",
            items: Sequence[Document] | None = None, carrier: str | None = None, url: str | None = None,
            delivered: str | None = None) -> str:  # fmt: skip
    key = f"{connection}:sales_order:{native_id}"
    desk.con.execute(
        "insert into actual.deliveries values (?, 'halo', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null)",
        [connection, LOCATION, key, f"ghl:order:{order_id}", tracking, carrier, utc(delivered) if delivered else None,
         json.dumps(items) if items is not None else None, native_id, naive(NOW), url],
    )  # fmt: skip
    return key


def canonical(desk: Desk) -> dict[str, Row]:
    desk.stage()
    run(desk.con, "reconciliation/canonical_deliveries", {"location_id": LOCATION})
    return {row["key"]: row for row in desk.rows("canonical_deliveries")}


def open_units(row: Row) -> dict[str, str]:
    return {line["price_id"]: line["quantity"] for line in json.loads(row["items"])}


def read_orders(desk: Desk, documents: Mapping[str, Sequence[Document] | None], *, at: Any = None) -> None:
    """The orders' fulfillments as the connector lands them."""
    envelope = {"kind": "detail", "record_type": "fulfillment"}
    path = desk.land(*(
        (envelope | {"native_id": order_id, "status": 404 if docs is None else 200},
         None if docs is None else {"data": list(docs)})
        for order_id, docs in documents.items()
    ))  # fmt: skip
    load_documents(desk.con, path, CONNECTION, at or later(minutes=1))


def read_providers(desk: Desk, *documents: Document) -> None:
    at = later(minutes=1)
    page = ({"kind": "list", "record_type": "provider", "status": 200}, [{"id": d["_id"], **d} for d in documents])
    load_documents(desk.con, desk.land(page), CONNECTION, at, listed_from=at, whole="provider")
    for record_type, keyed in (("provider", False), ("fulfillment", True)):
        desk.con.execute(
            "insert or replace into actual.reads values (?, ?, 'turn', 0, 0, null, 1, 1, true, null, ?, null, ?)",
            [CONNECTION, record_type, naive(at), keyed],
        )


def declare(desk: Desk, unique_name: str = "easy-direct", **changes: str) -> None:
    row = {
        "title": "Easy",
        "provider": "nmi",
        "description": "Cards",
        "image_url": "https://example.com/a.png",
    } | changes
    reconcile.store_declared_providers(desk.con, [{"location_id": LOCATION, "unique_name": unique_name, **row}])


def judge(desk: Desk) -> list[Row]:
    desk.stage()
    reconcile.derive_desired(desk.con, [TARGET], LOCATION)
    reconcile.reconcile_target(desk.con, TARGET, LOCATION, as_of=NOW, lag_seconds=300)
    return [row for row in desk.diffs() if row["connection"] == CONNECTION]


def keys_asked(desk: Desk) -> list[tuple[str, str]]:
    reconcile.describe_documents(desk.con, TARGET)
    desk.con.execute("create or replace temp table target_locations as select ? as location_id", [LOCATION])
    return run_text(desk.con, GHL.keys_sql.read_text(encoding="utf-8"), {"connection": CONNECTION})


def test_a_delivery_holds_what_is_open_of_its_order_by_price(desk: Desk) -> None:
    items = [item("p1", 2), item("p2", 3), item("p1", 1), item("p3", 1, "DIGITAL"), item("p4", 1, None)]
    sent = parcel("f1", ("p1", 2), ("p2", 3))
    desk.purchases([order(items=items)], fulfillments={"o1": [sent]})
    key = deliver(desk, "7", "T 1", carrier=" UPS ")
    row = canonical(desk)[key]
    assert row["reason"] is None
    assert open_units(row) == {"p1": "1", "p4": "1"}
    assert (row["tracking"], row["carrier"], row["order_key"]) == ("T 1", "UPS", "ghl:order:o1")


@pytest.mark.parametrize(
    ("document", "sent", "tracking", "reason"),
    [
        (order(), [parcel("f1", ("p1", 1))], "T1", "nothing of it is left"),
        (order(items=[item("p1", 1, "DIGITAL")]), [], "T1", "no physical item"),
        (order(items=[item(None)]), [], "T1", "no physical item"),
        (order(liveMode=False), [], "T1", "test mode"),
        (order(markAsTest=True), [], "T1", "test mode"),
        (order("o2"), [], "T1", "no order that could be read"),
        (order(), [parcel("f1", ("p1", "many"))], "T1", "not a number"),
        (order(), [], "T1, T2", "several tracking numbers"),
    ],
)
def test_what_ghl_cannot_be_given_says_why(
    desk: Desk, document: Document, sent: list[Document], tracking: str, reason: str
) -> None:
    desk.purchases([document], fulfillments={"o1": sent})
    key = deliver(desk, "7", tracking)
    row = canonical(desk)[key]
    assert reason in (row["reason"] or "")


def test_items_that_were_not_read_yet_are_no_empty_order(desk: Desk) -> None:
    desk.list("orders", order())
    key = deliver(desk, "7", "T1")
    assert "not been read yet" in canonical(desk)[key]["reason"]


@pytest.mark.parametrize("written", ["T1", "t1", " T1 ", "t 1"])
def test_a_tracking_number_that_ghl_has_agrees_whatever_its_case_and_blanks(desk: Desk, written: str) -> None:
    desk.purchases([order()], fulfillments={"o1": [parcel("f1", ("p1", 1), tracking=written)]})
    key = deliver(desk, "7", "T1")
    assert canonical(desk)[key]["reason"] is None
    read_providers(desk)
    assert judge(desk) == []
    record = desk.row("actual.records", "connection = ?", CONNECTION)
    assert (record["native_id"], record["key"]) == ("o1/f1", key)


def test_of_two_deliveries_of_one_order_the_first_takes_what_is_open_and_the_other_says_so(desk: Desk) -> None:
    desk.purchases([order(items=[item("p1", 2)])])
    first, second = deliver(desk, "7", "T1"), deliver(desk, "8", "T2")
    rows = canonical(desk)
    assert rows[first]["reason"] is None
    assert first in rows[second]["reason"]


def test_stated_items_are_kept_to_what_is_open(desk: Desk) -> None:
    desk.purchases([order(items=[item("p1", 2), item("p2", 1)])], fulfillments={"o1": [parcel("f1", ("p1", 1))]})
    stated = [{"price_id": "p1", "quantity": 5}, {"price_id": "p9", "quantity": 1}]
    some = deliver(desk, "7", "T1", items=stated)
    none = deliver(desk, "8", "T2", items=[{"price_id": "p9", "quantity": 1}])
    rows = canonical(desk)
    assert open_units(rows[some]) == {"p1": "1"}
    assert "nothing of it is left" in rows[none]["reason"]


def test_one_parcel_told_by_two_systems_is_one_delivery(desk: Desk) -> None:
    desk.purchases([order()], fulfillments={"o1": [parcel("f1", ("p1", 1), tracking="T1")]})
    told = [deliver(desk, "7", "T1"), deliver(desk, "7", "t 1", connection="another")]
    assert list(canonical(desk)) == [min(told)]
    read_providers(desk)
    assert judge(desk) == []
    assert len(desk.rows("actual.records", "connection = ?", CONNECTION)) == 1


def test_a_missing_fulfillment_is_planned_and_verified_from_the_order_read_back(desk: Desk) -> None:
    desk.purchases([order(items=[item("p1", 2)])])
    key = deliver(desk, "7", "T1", carrier="UPS")
    read_providers(desk)
    (diff,) = judge(desk)
    assert (diff["record_type"], diff["key"], diff["kind"], diff["pushable"]) == (
        "fulfillment", key, "missing_in_target", True,
    )  # fmt: skip
    outbox.plan(desk.con, TARGET, LOCATION, as_of=NOW, turn_id="turn")
    (change,) = outbox.claim(desk.con, TARGET, LOCATION, as_of=NOW)
    assert change.fields["order_id"] == "o1"
    assert json.loads(change.fields["items"] or "") == [{"price_id": "p1", "quantity": "2"}]
    desk.answered("sent", change, native_id="o1/f9")
    read_orders(desk, {"o1": [parcel("f9", ("p1", 2), tracking="T1", shippingCarrier="UPS")]})
    reconcile.derive_actual(desk.con, TARGET, ["fulfillment"])
    assert outbox.verify(desk.con, [change.change_id], as_of=NOW, settled=True) == {"verified": 1}
    assert judge(desk) == []


def test_another_carrier_is_reported_and_never_written_and_no_carrier_is_not_compared(desk: Desk) -> None:
    parcels = [parcel("f1", ("p1", 1), tracking="T1", shippingCarrier="FedEx")]
    desk.purchases([order()], fulfillments={"o1": parcels})
    deliver(desk, "7", "T1")
    read_providers(desk)
    assert judge(desk) == []
    desk.con.execute("update actual.deliveries set carrier = 'UPS'")
    (diff,) = judge(desk)
    assert (diff["kind"], diff["class"], diff["pushable"]) == ("field_differs", "other", False)
    assert [(f["field"], f["desired"], f["actual"]) for f in diff["fields"]] == [("carrier", "UPS", "FedEx")]


def test_two_fulfillments_with_one_tracking_number_are_duplicates(desk: Desk) -> None:
    twins = [parcel("f1", ("p1", 1), tracking="T1"), parcel("f2", ("p1", 1), tracking="T1")]
    desk.purchases([order(items=[item("p1", 2)])], fulfillments={"o1": twins})
    deliver(desk, "7", "T1")
    read_providers(desk)
    (diff,) = judge(desk)
    assert (diff["kind"], diff["native_ids"]) == ("duplicate_in_target", ["o1/f1", "o1/f2"])


def test_a_fulfillment_that_was_taken_out_again_is_not_written_anew(desk: Desk) -> None:
    desk.purchases([order()])
    key = deliver(desk, "7", "T1")
    read_providers(desk)
    read_orders(desk, {"o1": [parcel("f9", ("p1", 1), tracking="T1")]})
    assert judge(desk) == []
    read_orders(desk, {"o1": []}, at=later(minutes=2))
    (diff,) = judge(desk)
    assert (diff["key"], diff["kind"], diff["pushable"]) == (key, "not_representable", False)
    assert "written to GHL before" in diff["reason"]


def test_only_orders_whose_delivery_is_not_known_in_ghl_are_asked_for(desk: Desk) -> None:
    desk.purchases(
        [order(), order("o2"), order("o3")], fulfillments={"o2": [parcel("f1", ("p1", 1), tracking="T2")], "o3": []}
    )
    desk.stage()
    for number, order_id in enumerate(["o1", "o2", "o3", "gone"], 1):
        deliver(desk, str(number), f"T{number}", order_id=order_id)
    assert keys_asked(desk) == [("fulfillment", "gone"), ("fulfillment", "o1"), ("fulfillment", "o3")]
    recent = desk.con.execute("select (now() at time zone 'UTC')").fetchone()
    assert recent is not None
    read_orders(desk, {"o1": [], "o3": [parcel("f2", ("p1", 1))], "gone": None}, at=recent[0])
    assert keys_asked(desk) == [("fulfillment", "o1")]


def test_providers_are_missing_differ_or_are_nobody_of_ours(desk: Desk) -> None:
    declare(desk)
    other = {"_id": "m2", "route": "other", "title": "Other", "provider": "nmi", "description": "x", "imageUrl": "y"}
    read_providers(desk, other)
    (missing,) = judge(desk)
    assert (missing["key"], missing["kind"], missing["pushable"]) == (
        "ghl:provider:easy-direct", "missing_in_target", True,
    )  # fmt: skip
    ours = other | {"_id": "m1", "route": "easy-direct", "title": "Hard", "description": "Cards",
                    "imageUrl": "https://example.com/a.png"}  # fmt: skip
    read_providers(desk, other, ours)
    (differs,) = judge(desk)
    assert (differs["kind"], differs["pushable"]) == ("field_differs", False)
    assert [(f["field"], f["desired"], f["actual"]) for f in differs["fields"]] == [("title", "Easy", "Hard")]
    unmanaged = desk.rows("actual.records", "connection = ? and key is null", CONNECTION)
    assert [row["native_id"] for row in unmanaged] == ["m2"]


def test_no_provider_at_all_is_no_brake(desk: Desk, tmp_path: Path) -> None:
    declare(desk)
    read_providers(desk)
    judge(desk)
    states = outbox.plan(desk.con, TARGET, LOCATION, as_of=NOW, turn_id="turn")
    assert states == {"approved": 1}


TOLD = ("1Z 9", "1z9", "2", "T3", "T4", "a,b", " ", "")


@pytest.mark.parametrize("seed", range(6))
def test_sql_and_oracle_agree_on_every_delivery(desk: Desk, seed: int) -> None:
    rng, world = Random(seed), World(seed, purchases=20)
    halo = world._agreed()
    for doc in halo["SalesOrder"]:
        told = {TRACKING_FIELD: rng.choice(TOLD), CARRIER_FIELD: rng.choice(("UPS", "ups ", None))}
        doc["customfields"] = [*(doc.get("customfields") or []), *({"name": n, "value": v} for n, v in told.items())]
    for doc in rng.sample(halo["SalesOrder"], 3):
        twin = {**doc, "id": doc["id"] + 5000, "customfields": [{"name": TRACKING_FIELD, "value": rng.choice(TOLD)}]}
        halo["SalesOrder"].append(twin)
    desk.halo = replace(
        target(), options={"delivery_tracking_field": TRACKING_FIELD, "delivery_carrier_field": CARRIER_FIELD}
    )
    place = world.place
    desk.purchases(place["orders"], place["transactions"], subscriptions=place["subscriptions"],
                   fulfillments=place["fulfillments"])  # fmt: skip
    desk.halo_holds(halo)
    desk.stage()
    reconcile.derive_desired(desk.con, [desk.halo], LOCATION)
    reconcile.derive_actual(desk.con, desk.halo)
    read_providers(desk)
    books = read_location(place)
    expected = {(r["key"], r["kind"], tuple(r["fields"]), tuple(r["native_ids"]))
                for r in judge_deliveries(halo, {LOCATION: books}, NOW)}  # fmt: skip
    found = {(r["key"], r["kind"], tuple(f["field"] for f in r["fields"]), tuple(r["native_ids"]))
             for r in judge(desk)}  # fmt: skip
    assert expected
    assert found == expected


def units(*pairs: tuple[str, str]) -> list[Document]:
    return [{"price_id": price_id, "quantity": quantity} for price_id, quantity in pairs]


def test_deliveries_that_say_what_they_hold_never_exceed_the_order_together(desk: Desk) -> None:
    desk.purchases(
        [order(items=[item("p1", 5), item("p2", 1)])], fulfillments={"o1": [parcel("f1", ("p1", 1), tracking="T0")]}
    )
    first = deliver(desk, "1", "T1", items=units(("p1", "3")), delivered="2026-02-20T10:00:00Z")
    second = deliver(desk, "2", "T2", items=units(("p1", "3"), ("p2", "1")), delivered="2026-02-21T10:00:00Z")
    rest = deliver(desk, "3", "T3")
    found = canonical(desk)
    assert json.loads(found[first]["items"]) == units(("p1", "3"))
    assert json.loads(found[second]["items"]) == units(("p1", "1"), ("p2", "1"))
    assert found[rest]["items"] is None
    assert "nothing of it is left" in found[rest]["reason"]


def test_half_a_unit_is_never_rounded_and_takes_nothing_from_other_deliveries(desk: Desk) -> None:
    desk.purchases([order(items=[item("p1", 2)])])
    half = deliver(desk, "1", "T1", items=units(("p1", "1.5")))
    other = deliver(desk, "2", "T2", items=units(("p1", "2")))
    found = canonical(desk)
    assert found[half]["reason"] == "a delivered quantity is not a whole number"
    assert json.loads(found[other]["items"]) == units(("p1", "2"))


def test_where_a_parcel_can_be_followed_goes_along(desk: Desk) -> None:
    desk.purchases([order(items=[item("p1", 1)])])
    key = deliver(desk, "1", "T1", url="https://track.example.com/?id=1")
    assert canonical(desk)[key]["tracking_url"] == "https://track.example.com/?id=1"
