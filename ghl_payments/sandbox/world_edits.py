"""Edits in Halo: fields of our records that someone changed there, or that were never brought up to date.

Add one as a `Defect` in `EDITS`: how its purchase is made, what is changed, and the rows that must follow; records
missing, doubled or left over belong to `world_defects_halo`.
"""

from __future__ import annotations

from datetime import timedelta

from ghl_payments.sandbox.oracle_ghl import instant
from ghl_payments.sandbox.oracle_rows import Row
from ghl_payments.sandbox.world_case import Case, simple_sale
from ghl_payments.sandbox.world_catalog import Contact
from ghl_payments.sandbox.world_deliveries import physical_sale
from ghl_payments.sandbox.world_halo import settle
from ghl_payments.sandbox.world_ledger import Ledger
from ghl_payments.sandbox.world_orders import plain
from ghl_payments.sandbox.world_scene import Defect, Scene, custom_field
from ghl_payments.sandbox.world_values import DAY, HOUR, Document, number, stamp_of


def delivered(ledger: Ledger, contact: Contact) -> Case:
    """A purchase sent in one parcel with carrier and number."""
    sale = physical_sale(ledger, contact)
    at = ledger.later(sale.at, HOUR, 4 * DAY)
    tracking = {"trackingNumber": f"4{ledger.rng.getrandbits(36):011d}", "shippingCarrier": "FedEx"}
    ledger.fulfill(sale, at, [(item, item["qty"]) for item in sale.doc["items"]], tracking)
    sale.doc["fulfillmentStatus"] = "fulfilled"
    ledger.touch(sale.doc, at)
    return Case(contact, [sale], [ledger.charge(sale)])


def in_dollars(ledger: Ledger, contact: Contact) -> Case:
    """A plain purchase in USD."""
    sale = simple_sale(ledger, contact, currency="USD")
    return Case(contact, [sale], [ledger.charge(sale)])


def canceled_subscription(ledger: Ledger, contact: Contact) -> Case:
    """A subscription that was canceled after its first charge."""
    sale = simple_sale(ledger, contact)
    doc = ledger.subscription(sale, sale.minor, status="canceled")
    doc["canceledAt"] = doc["updatedAt"]
    return Case(contact, [sale], [ledger.charge(sale, subscription=str(doc["_id"]))])


def _differs(scene: Scene, doc: Document, class_: str, *fields: str, minor: int | None = None) -> Row:
    record_type, key = _identity(scene, doc)
    return scene.row(
        record_type,
        key,
        "field_differs",
        class_=class_,
        fields=fields,
        docs=[doc],
        minor=minor,
        currency=scene.sale.currency,
    )


def _identity(scene: Scene, doc: Document) -> tuple[str, str]:
    if "intent_id" in doc:
        return "invoice_payment", str(doc["intent_id"])
    return ("sales_order" if "po_number" in doc else "invoice"), scene.order_key


def order_line_edited(scene: Scene) -> list[Row]:
    """Someone adds money to a line of the sales order."""
    doc, extra = scene.sales_order, scene.ledger.rng.randrange(1, 5_000)
    more = number(extra, scene.sale.currency)
    doc["lines"][0]["price"] += more
    doc["total"] += more
    return [_differs(scene, doc, "amount", "total", minor=extra)]


def order_amount_text_edited(scene: Scene) -> list[Row]:
    """The custom field with the amount is changed, the total is right."""
    custom_field(scene.sales_order, "CFGHLAmount", "1.00")
    return [_differs(scene, scene.sales_order, "amount", "amount_text", minor=0)]


def order_currency_changed(scene: Scene) -> list[Row]:
    """The sales order is in another currency, with the same number on it."""
    scene.sales_order["currency_code"] = scene.halo.currency_ids["AUD"]
    return [_differs(scene, scene.sales_order, "currency", "currency", minor=scene.sale.minor)]


def order_status_stale(scene: Scene) -> list[Row]:
    """Halo still has the status from before the payment."""
    custom_field(scene.sales_order, "CFGHLStatus", "pending")
    return [_differs(scene, scene.sales_order, "status", "status")]


def order_date_changed(scene: Scene) -> list[Row]:
    """The sales order is dated two days later."""
    scene.sales_order["date"] = _later(scene.sales_order["date"], timedelta(days=2))
    return [_differs(scene, scene.sales_order, "date", "date")]


def order_quantity_stale(scene: Scene) -> list[Row]:
    """Halo knows the parcel, but with another number of units."""
    rows = scene.sales_order["customfields"]
    sent = next(row["value"] for row in rows if row["name"] == "CFGHLFulfillments")
    custom_field(scene.sales_order, "CFGHLFulfillments", sent.replace('"qty":2', '"qty":1'))
    return [_differs(scene, scene.sales_order, "quantity", "fulfillments")]


def order_tracking_edited(scene: Scene) -> list[Row]:
    """Someone typed another tracking number."""
    custom_field(scene.sales_order, "CFGHLTracking", "FedEx 1")
    return [_differs(scene, scene.sales_order, "other", "tracking")]


def order_delivery_unknown(scene: Scene) -> list[Row]:
    """Halo has not heard of the delivery: four classes differ at once."""
    doc = scene.sales_order
    del doc["ship_status"], doc["ship_date"]
    custom_field(doc, "CFGHLFulfillments", None)
    custom_field(doc, "CFGHLTracking", None)
    return [
        _differs(scene, doc, "date", "ship_date"),
        _differs(scene, doc, "other", "tracking"),
        _differs(scene, doc, "quantity", "fulfillments"),
        _differs(scene, doc, "status", "ship_status"),
    ]


def order_subscription_stale(scene: Scene) -> list[Row]:
    """Halo still calls the canceled subscription active."""
    custom_field(scene.sales_order, "CFGHLSubscriptionStatus", "active")
    return [_differs(scene, scene.sales_order, "status", "subscription_status")]


def order_on_other_client(scene: Scene) -> list[Row]:
    """The sales order was moved to a client of Halo's own."""
    native = next(row for row in scene.halo.state["Client"] if row["name"] == "Native Client 1")
    scene.sales_order.update(
        client_id=native["id"], client_name=native["name"], site_id=native["main_site_id"], user_id=1
    )
    return [_differs(scene, scene.sales_order, "contact", "client")]


def order_edited_twice(scene: Scene) -> list[Row]:
    """A line and the status of one sales order were changed."""
    return [*order_line_edited(scene), *order_status_stale(scene)]


def invoice_line_edited(scene: Scene) -> list[Row]:
    """Someone adds money to the invoice's line."""
    doc, extra = scene.invoice, scene.ledger.rng.randrange(1, 5_000)
    more = number(extra, scene.sale.currency)
    doc["lines"][0]["unit_price"] += more
    doc["total"] += more
    settle(doc, 0)
    return [_differs(scene, doc, "amount", "total", minor=extra)]


def invoice_date_changed(scene: Scene) -> list[Row]:
    """The invoice is dated a week later; nobody but Halo's people may change that."""
    scene.invoice["invoice_date"] = _later(scene.invoice["invoice_date"], timedelta(days=7))
    return [_differs(scene, scene.invoice, "date", "invoice_date")]


def payment_amount_edited(scene: Scene) -> list[Row]:
    """The payment is a little short in Halo."""
    short = scene.ledger.rng.randrange(1, 400)
    scene.payment["amount"] -= number(short, scene.sale.currency)
    settle(scene.invoice, -number(short, scene.sale.currency))
    return [_differs(scene, scene.payment, "amount", "amount", minor=short)]


def payment_date_changed(scene: Scene) -> list[Row]:
    """The payment is dated a day later."""
    scene.payment["date"] = _later(scene.payment["date"], timedelta(days=1))
    return [_differs(scene, scene.payment, "date", "date")]


def _later(text: str, by: timedelta) -> str:
    return stamp_of(instant(text) + by)


EDITS: tuple[Defect, ...] = (
    Defect("order_line_edited", plain, order_line_edited),
    Defect("order_status_stale", plain, order_status_stale),
    Defect("order_delivery_unknown", delivered, order_delivery_unknown),
    Defect("order_date_changed", plain, order_date_changed),
    Defect("order_currency_changed", in_dollars, order_currency_changed),
    Defect("order_on_other_client", plain, order_on_other_client),
    Defect("order_quantity_stale", delivered, order_quantity_stale),
    Defect("order_tracking_edited", delivered, order_tracking_edited),
    Defect("order_amount_text_edited", plain, order_amount_text_edited),
    Defect("order_subscription_stale", canceled_subscription, order_subscription_stale),
    Defect("order_edited_twice", plain, order_edited_twice),
    Defect("invoice_line_edited", plain, invoice_line_edited),
    Defect("invoice_date_changed", plain, invoice_date_changed),
    Defect("payment_amount_edited", plain, payment_amount_edited),
    Defect("payment_date_changed", plain, payment_date_changed),
)
"""Edits, the most instructive first."""
