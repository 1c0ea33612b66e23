"""Defects whose cause lies in GHL: books that do not tie, records deleted, in test mode, unreadable or brand new.

Add one as a `Defect` in `GHL_DEFECTS`: what `build` makes wrong is wrong inside GHL while Halo agrees with it, what
`plant` does comes after that agreement; defects of Halo's own belong to `world_defects_halo`.
"""

from __future__ import annotations

from collections.abc import Callable

from ghl_payments.sandbox.oracle_rows import Row
from ghl_payments.sandbox.world_case import Case, simple_sale
from ghl_payments.sandbox.world_catalog import Contact
from ghl_payments.sandbox.world_ledger import Ledger
from ghl_payments.sandbox.world_orders import failed_then_paid, marked_test, plain, test_mode
from ghl_payments.sandbox.world_recurring import trial
from ghl_payments.sandbox.world_scene import Defect, Scene, custom_field, minor_of
from ghl_payments.sandbox.world_values import SECOND, stamp

UNKNOWN_CURRENCY = "XXQ"

ORDERS_FOR_SEVERAL = 500
"""Worlds from this size on hold several unreadable orders."""


def _paid_in_full(status: str, *, percent: int = 100, refunded: bool = False) -> Callable[[Ledger, Contact], Case]:
    """An order that claims `status`, with one charge over a share of its amount."""

    def build(ledger: Ledger, contact: Contact) -> Case:
        sale = simple_sale(ledger, contact, payment_status=status)
        minor = sale.minor * percent // 100
        return Case(contact, [sale], [ledger.charge(sale, minor=minor, refunded=minor if refunded else 0)])

    return build


def _no_charge(ledger: Ledger, contact: Contact) -> Case:
    return Case(contact, [simple_sale(ledger, contact)], [])


def _no_charge_in_test(ledger: Ledger, contact: Contact) -> Case:
    case = test_mode(ledger, contact)
    ledger.transactions.pop()
    return Case(contact, case.sales, [])


def _no_order(ledger: Ledger, contact: Contact) -> Case:
    case = plain(ledger, contact)
    ledger.orders.pop()
    return case


def _other_currency(ledger: Ledger, contact: Contact) -> Case:
    sale = simple_sale(ledger, contact, currency="USD")
    charge = ledger.charge(sale)
    charge["currency"] = "EUR"
    return Case(contact, [sale], [charge])


def _unknown_currency(ledger: Ledger, contact: Contact) -> Case:
    case = plain(ledger, contact)
    case.sale.doc["currency"] = case.charge["currency"] = UNKNOWN_CURRENCY
    return case


def _too_large(ledger: Ledger, contact: Contact) -> Case:
    case = plain(ledger, contact)
    case.sale.doc["amount"] = 10**16
    return case


def _brand_new(ledger: Ledger, contact: Contact) -> Case:
    sale = ledger.sale(contact, ledger.now - 120 * SECOND, [ledger.item(ledger.catalog.products[0], "USD")])
    return Case(contact, [sale], [ledger.charge(sale)])


def _doomed(ledger: Ledger, contact: Contact) -> Case:
    case = plain(ledger, contact)
    ledger.doomed |= {case.sale.id, str(case.charge["_id"])}
    return case


def _declined(ledger: Ledger, contact: Contact) -> Case:
    sale = simple_sale(ledger, contact, payment_status="unpaid")
    return Case(contact, [sale], [ledger.charge(sale, status="failed")])


def _order_amount(kind: str) -> Callable[[Scene], list[Row]]:
    return lambda scene: [scene.broken(kind, scene.sale.minor)]


def _not_tied(scene: Scene) -> list[Row]:
    return [scene.broken("amount_not_tied", abs((minor_of(scene.case.charge) or 0) - scene.sale.minor))]


def _refunded_but_paid(scene: Scene) -> list[Row]:
    refund = scene.row(
        "invoice_payment", scene.charge_key, "not_representable", minor=scene.sale.minor, currency=scene.sale.currency
    )
    return [scene.broken("payment_status_disagrees", scene.sale.minor), refund]


def _ownerless_charge(scene: Scene) -> list[Row]:
    return [scene.broken("transaction_without_order", scene.sale.minor, transaction=scene.case.charge)]


def _deleted_in_ghl(scene: Scene) -> list[Row]:
    return [
        scene.row(
            record_type, key, "missing_in_source", docs=[scene.doc(record_type, key)], minor=minor, currency=currency
        )
        for record_type, key, minor, currency in scene.records()
        if record_type not in ("client", "user")
    ]


def _failed_charge_booked(scene: Scene) -> list[Row]:
    failed = scene.case.transactions[-1]
    [payment] = scene.write_as_if(scene.sale.doc, [{**failed, "status": "succeeded"}], "invoice_payment")
    return [
        scene.row(
            "invoice_payment",
            payment["intent_id"],
            "missing_in_source",
            docs=[payment],
            minor=scene.sale.minor,
            currency=scene.sale.currency,
        )
    ]


def _unpaid_invoiced(scene: Scene) -> list[Row]:
    [invoice] = scene.write_as_if(scene.sale.doc, [{**scene.case.charge, "status": "succeeded"}], "invoice")
    return [
        scene.row(
            "invoice",
            scene.order_key,
            "missing_in_source",
            docs=[invoice],
            minor=scene.sale.minor,
            currency=scene.sale.currency,
        )
    ]


def _trial_booked(scene: Scene) -> list[Row]:
    price = scene.sale.doc["items"][0]["price"]["amount"]
    [order] = scene.write_as_if({**scene.sale.doc, "amount": price}, [], "sales_order")
    order["lines"], order["total"] = [line for line in order["lines"] if line["price"] > 0][:1], price
    return [
        scene.row(
            "sales_order",
            scene.order_key,
            "missing_in_source",
            docs=[order],
            minor=minor_of({"amount": price, "currency": scene.sale.currency}),
            currency=scene.sale.currency,
        )
    ]


def _test_booked(*record_types: str) -> Callable[[Scene], list[Row]]:
    def plant(scene: Scene) -> list[Row]:
        live = {"liveMode": True, "markAsTest": False}
        order, charge = {**scene.sale.doc, **live}, {**scene.case.charge, **live}
        scene.write_as_if(order, [charge], "client", "user", *record_types)
        return [
            scene.row(
                record_type,
                key,
                "test_record_in_live",
                docs=[scene.doc(record_type, key)],
                minor=minor,
                currency=currency,
            )
            for record_type, key, minor, currency in scene.records()
            if record_type in record_types
        ]

    return plant


def _not_yet_in_halo(scene: Scene) -> list[Row]:
    rows = []
    for record_type, key, minor, currency in scene.records():
        scene.remove(record_type, key)
        rows.append(scene.row(record_type, key, "pending", minor=minor, currency=currency))
    return rows


def _just_changed(scene: Scene) -> list[Row]:
    """The order's status changed a minute ago; Halo still shows the one before."""
    scene.sale.doc["updatedAt"] = stamp(scene.ledger.now - 60 * SECOND)
    custom_field(scene.sales_order, "CFGHLStatus", "pending")
    return [
        scene.row(
            "sales_order",
            scene.order_key,
            "pending",
            docs=[scene.sales_order],
            minor=scene.sale.minor,
            currency=scene.sale.currency,
        )
    ]


def _unreadable_from_the_start(scene: Scene) -> list[Row]:
    return [
        scene.row("sales_order", scene.order_key, "unverifiable"),
        scene.row("invoice_payment", scene.charge_key, "unverifiable"),
    ]


def _unreadable_order_only(scene: Scene) -> list[Row]:
    return [scene.row("sales_order", scene.order_key, "unverifiable")]


def _became_unreadable(scene: Scene) -> list[Row]:
    """Order and charge turn into an unknown currency after Halo got them: nothing may be called missing."""
    rows = [
        scene.row(record_type, key, "unverifiable", docs=[scene.doc(record_type, key)])
        for record_type, key, _, _ in scene.records()
        if record_type not in ("client", "user")
    ]
    scene.sale.doc["currency"] = scene.case.charge["currency"] = UNKNOWN_CURRENCY
    return rows


GHL_DEFECTS: tuple[Defect, ...] = (
    Defect("paid_without_transaction", _no_charge, _order_amount("paid_without_transaction")),
    Defect("charged_short", _paid_in_full("paid", percent=60), _not_tied),
    Defect("deleted_in_ghl", _doomed, _deleted_in_ghl),
    Defect("not_yet_in_halo", _brand_new, _not_yet_in_halo),
    Defect("transaction_without_order", _no_order, _ownerless_charge),
    Defect("test_order_booked", test_mode, _test_booked("sales_order")),
    Defect("unreadable_from_the_start", _unknown_currency, _unreadable_from_the_start),
    Defect("unpaid_but_charged", _paid_in_full("unpaid"), _order_amount("payment_status_disagrees")),
    Defect("failed_charge_booked", failed_then_paid, _failed_charge_booked),
    Defect("charged_over", _paid_in_full("paid", percent=130), _not_tied),
    Defect("charged_in_other_currency", _other_currency, _order_amount("amount_not_tied")),
    Defect("part_paid_but_in_full", _paid_in_full("partially_paid"), _order_amount("payment_status_disagrees")),
    Defect("refunded_but_not_given_back", _paid_in_full("refunded"), _order_amount("payment_status_disagrees")),
    Defect("paid_but_given_back", _paid_in_full("paid", refunded=True), _refunded_but_paid),
    Defect("paid_test_order_without_transaction", _no_charge_in_test, _order_amount("paid_without_transaction")),
    Defect("unpaid_invoiced", _declined, _unpaid_invoiced),
    Defect("trial_booked", trial, _trial_booked),
    Defect("marked_test_booked", marked_test, _test_booked("sales_order", "invoice", "invoice_payment")),
    Defect("just_changed", plain, _just_changed),
    Defect("too_large", _too_large, _unreadable_order_only, least_orders=ORDERS_FOR_SEVERAL),
    Defect("became_unreadable", plain, _became_unreadable, least_orders=ORDERS_FOR_SEVERAL),
)
"""Defects caused in GHL, the most instructive first."""
