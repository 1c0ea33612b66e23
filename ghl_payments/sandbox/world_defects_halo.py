"""Defects in Halo: records missing, doubled, deleted, unreadable or left over, while GHL is as it should be.

Add one as a `Defect` in `HALO_DEFECTS`: how its purchase is made, what is done to Halo, and the rows that must follow;
edited fields belong to `world_edits`, defects inside GHL to `world_defects_ghl`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ghl_payments.sandbox.oracle_rows import Row
from ghl_payments.sandbox.world_case import Case
from ghl_payments.sandbox.world_catalog import Contact
from ghl_payments.sandbox.world_halo import settle
from ghl_payments.sandbox.world_ledger import Ledger
from ghl_payments.sandbox.world_orders import merged_contact, part_payments, plain
from ghl_payments.sandbox.world_scene import Defect, Scene
from ghl_payments.sandbox.world_values import Document


def twice(ledger: Ledger, contact: Contact) -> Case:
    """Two plain purchases of one contact."""
    cases = [plain(ledger, contact), plain(ledger, contact)]
    return Case(contact, [case.sale for case in cases], [case.charge for case in cases])


def missing(record_types: Iterable[str]) -> Callable[[Scene], list[Row]]:
    """Halo never got the case's records of these types."""
    chosen = frozenset(record_types)

    def plant(scene: Scene) -> list[Row]:
        rows = []
        for record_type, key, minor, currency in scene.records():
            if record_type in chosen:
                scene.remove(record_type, key)
                rows.append(scene.row(record_type, key, "missing_in_target", minor=minor, currency=currency))
        _repair_references(scene, chosen)
        return rows

    return plant


def _repair_references(scene: Scene, removed: frozenset[str]) -> None:
    if "sales_order" in removed and "invoice" not in removed:
        scene.invoice.pop("salesorder_id")
    if "invoice_payment" in removed and "invoice" not in removed:
        settle(scene.invoice, -scene.payment["amount"])


def _duplicate(scene: Scene, record_type: str, key: str, twin: Document) -> list[Row]:
    minor = None if record_type == "client" else scene.sale.minor
    return [
        scene.row(
            record_type,
            key,
            "duplicate_in_target",
            docs=[scene.doc(record_type, key), twin],
            minor=minor,
            currency=scene.sale.currency,
        )
    ]


def order_doubled(scene: Scene) -> list[Row]:
    """Two sales orders, each with a cross-reference to the same order."""
    return _duplicate(scene, "sales_order", scene.order_key, scene.twin("sales_order", scene.order_key))


def order_doubled_by_number(scene: Scene) -> list[Row]:
    """A copy made by hand: no cross-reference, but the same key in `po_number`."""
    return _duplicate(scene, "sales_order", scene.order_key, scene.twin("sales_order", scene.order_key, link=False))


def payment_doubled(scene: Scene) -> list[Row]:
    """One charge booked twice on its invoice."""
    twin = scene.twin("invoice_payment", scene.charge_key)
    settle(scene.invoice, twin["amount"])
    return _duplicate(scene, "invoice_payment", scene.charge_key, twin)


def client_doubled(scene: Scene) -> list[Row]:
    """Two clients for one contact; only one has orders."""
    return _duplicate(scene, "client", scene.contact_key, scene.twin("client", scene.contact_key))


def order_deleted(scene: Scene) -> list[Row]:
    """Someone deleted the sales order; its cross-reference is still there."""
    scene.remove("sales_order", scene.order_key, link=False)
    scene.invoice.pop("salesorder_id")
    return [
        scene.row(
            "sales_order", scene.order_key, "deleted_in_target", minor=scene.sale.minor, currency=scene.sale.currency
        )
    ]


def order_unreadable(scene: Scene) -> list[Row]:
    """The sales order's total is no number."""
    scene.sales_order["total"] = "n/a"
    return [scene.row("sales_order", scene.order_key, "unverifiable", docs=[scene.sales_order])]


def invoice_unreadable(scene: Scene) -> list[Row]:
    """The invoice's total is no number."""
    scene.invoice.update(total="n/a", amountdue=None)
    return [scene.row("invoice", scene.order_key, "unverifiable", docs=[scene.invoice])]


def keyed_by_merged_contact(scene: Scene) -> list[Row]:
    """No defect: client and user still carry the key of the contact that was merged into theirs."""
    old = scene.case.charge["mergedFromContactId"]
    for record_type in ("client", "user"):
        link = scene.halo.links[record_type, scene.doc(record_type, scene.contact_key)["id"]]
        link["third_party_id"] = f"ghl:contact:{old}"
    return []


def order_without_link(scene: Scene) -> list[Row]:
    """No defect: the sales order lost its cross-reference, but its own number carries the key."""
    scene.halo.unlink("sales_order", scene.sales_order["id"])
    return []


HALO_DEFECTS: tuple[Defect, ...] = (
    Defect("missing_sales_order", plain, missing(["sales_order"])),
    Defect("missing_invoice", part_payments, missing(["invoice", "invoice_payment"])),
    Defect("missing_payment", plain, missing(["invoice_payment"])),
    Defect("payment_doubled", plain, payment_doubled),
    Defect("missing_contact", twice, missing(["client", "user", "sales_order", "invoice", "invoice_payment"])),
    Defect("order_doubled", plain, order_doubled),
    Defect("order_deleted", plain, order_deleted),
    Defect("client_doubled", plain, client_doubled),
    Defect("order_doubled_by_number", plain, order_doubled_by_number),
    Defect("order_unreadable", plain, order_unreadable),
    Defect("invoice_unreadable", plain, invoice_unreadable),
    Defect("keyed_by_merged_contact", merged_contact, keyed_by_merged_contact),
    Defect("order_without_link", plain, order_without_link),
)
"""Defects of whole records, the most instructive first; the last two are traps that must not be reported."""
