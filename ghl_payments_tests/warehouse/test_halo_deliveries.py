"""Deliveries that Halo's people note in fields of their own, and the fields that may not be taken for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from ghl_payments.connections import Connection, SettingsError
from ghl_payments.connectors.halo.connect import OPTIONS
from ghl_payments.connectors.registry import plain_options
from ghl_payments.warehouse import reconcile
from ghl_payments_tests.sandbox.oracle_states import LOCATION, OLD
from ghl_payments_tests.warehouse.desk import HALO, Desk, Row, target

OURS = "CFGHLTracking"
THEIRS, CARRIER = "CFDeliveryTracking", "CFDeliveryCarrier"


def sales_order(native_id: int, key: str | None = "ghl:order:o1", **fields: str | None) -> dict[str, Any]:
    return {
        "id": native_id, "po_number": key, "total": 1, "date": OLD,
        "customfields": [{"name": name, "value": value} for name, value in fields.items()],
    }  # fmt: skip


def deliveries(desk: Desk, *documents: dict[str, Any], **options: str) -> list[Row]:
    desk.halo = replace(target(), options=plain_options(OPTIONS(**options)))
    desk.halo_holds({"SalesOrder": documents})
    reconcile.derive_actual(desk.con, desk.halo)
    return desk.rows("actual.deliveries", "connection = 'halo'")


def test_a_filled_field_is_a_delivery_of_its_order(desk: Desk) -> None:
    documents = (
        sales_order(7, **{THEIRS: " 1Z 9 ", CARRIER: "UPS"}),
        sales_order(8, "ghl:order:o2", **{THEIRS: "  ", CARRIER: "UPS"}),
        sales_order(9, "PO-1", **{THEIRS: "native"}),
        sales_order(10, None),
    )
    (row,) = deliveries(desk, *documents, delivery_tracking_field=THEIRS, delivery_carrier_field=CARRIER)
    assert (row["delivery_key"], row["order_key"], row["tracking"], row["carrier"], row["native_id"]) == (
        "halo:sales_order:7", "ghl:order:o1", "1Z 9", "UPS", "7",
    )  # fmt: skip
    assert (row["location_id"], row["system"]) == (LOCATION, "halo")


def test_without_the_option_nothing_is_delivered(desk: Desk) -> None:
    assert deliveries(desk, sales_order(7, **{THEIRS: "T1", OURS: "T2"})) == []


def test_a_field_that_is_emptied_again_takes_the_delivery_back(desk: Desk) -> None:
    assert len(deliveries(desk, sales_order(7, **{THEIRS: "T1"}), delivery_tracking_field=THEIRS)) == 1
    assert deliveries(desk, sales_order(7, **{THEIRS: ""}), delivery_tracking_field=THEIRS) == []


def test_what_a_test_account_says_is_no_delivery_of_the_live_order_whose_key_it_copied(desk: Desk) -> None:
    assert len(deliveries(desk, sales_order(7, **{THEIRS: "T1"}), delivery_tracking_field=THEIRS)) == 1
    reconcile.derive_actual(desk.con, replace(desk.halo, live=False))
    assert desk.rows("actual.deliveries") == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"delivery_tracking_field": OURS}, "written by ghl_payments"),
        ({"delivery_tracking_field": OURS.lower()}, "written by ghl_payments"),
        ({"delivery_tracking_field": THEIRS, "delivery_carrier_field": "CFGHLFulfillments"}, "written by ghl_payments"),
        ({"delivery_carrier_field": CARRIER}, "needs delivery_tracking_field"),
        ({"delivery_tracking_field": THEIRS, "delivery_carrier_field": THEIRS}, "two fields"),
    ],
)
def test_a_field_of_ours_or_half_a_choice_is_refused(options: dict[str, str], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        OPTIONS.model_validate(options)
    connection = Connection(name="halo", system="halo", base_url="http://127.0.0.1:1", options=options)
    with pytest.raises(SettingsError, match=r"connection halo: .*Options of halo: delivery_carrier_field"):
        HALO.options_of(connection)
