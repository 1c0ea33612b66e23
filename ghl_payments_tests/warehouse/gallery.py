"""Many small purchases in one warehouse, each in full agreement with Halo until its case spoils it.

Judging costs the same for one purchase as for thirty, so cases share a warehouse; what each does stands in its test.
"""

from __future__ import annotations

from typing import Any

from ghl_payments_tests.sandbox.oracle_states import agreed_halo, link, order, txn
from ghl_payments_tests.warehouse.desk import Desk

Document = dict[str, Any]


class Purchase:
    """One order, its charge and the five Halo records they ask for; documents may be changed, added or removed.

    Ids are `o1`, `t1`, `c1` in GHL and 11 (client), 12 (user), 13 (order), 14 (invoice), 15 (payment) in Halo, where
    the leading digits are the purchase's number.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        who = {"contactId": f"c{number}"}
        self.order = order(f"o{number}", **who)
        self.txn = txn(f"t{number}", entityId=f"o{number}", **who)
        self.orders, self.transactions = [self.order], [self.txn]
        self.fulfillments: dict[str, list[Document]] = {}
        own = agreed_halo()
        self.client, self.user, self.sales_order, self.invoice, self.payment = (
            own[name][0] for name in ("Client", "Users", "SalesOrder", "Invoice", "InvoicePayment")
        )
        for place, document in enumerate(
            (self.client, self.user, self.sales_order, self.invoice, self.payment), start=1
        ):
            document["id"] = self.halo_id(place)
        for document in (self.user, self.sales_order, self.invoice, self.payment):
            document["client_id"] = self.halo_id(1)
        self.sales_order |= {"user_id": self.halo_id(2), "po_number": self.key("order")}
        self.sales_order["customfields"][0]["value"] = f"o{number}"
        self.invoice |= {"salesorder_id": self.halo_id(3), "thirdpartyinvoicenumber": self.key("order")}
        self.payment |= {"invoice_id": self.halo_id(4), "intent_id": self.key("txn"), "thirdpartyid": self.key("txn")}
        self.halo: dict[str, list[Document]] = {
            "Client": [self.client], "Users": [self.user], "SalesOrder": [self.sales_order], "Invoice": [self.invoice],
            "InvoicePayment": [self.payment],
            "ExternalLink": [
                link("client", self.halo_id(1), self.key("contact")), link("user", self.halo_id(2), self.key("contact")),
                link("sales_order", self.halo_id(3), self.key("order")), link("invoice", self.halo_id(4), self.key("order")),
            ],
        }  # fmt: skip

    def halo_id(self, place: int) -> int:
        """The Halo id of the purchase's nth record; places from 6 on are free."""
        return 10 * self.number + place

    def key(self, kind: str) -> str:
        """The purchase's own order, txn or contact key."""
        return f"ghl:{kind}:{ {'order': 'o', 'txn': 't', 'contact': 'c'}[kind] }{self.number}"

    def without(self, *resources: str) -> None:
        """Take records out of Halo, with the cross-references to them."""
        for resource in resources:
            gone = {document["id"] for document in self.halo[resource]}
            self.halo[resource] = []
            links = self.halo["ExternalLink"]
            self.halo["ExternalLink"] = [document for document in links if document["halo_id"] not in gone]

    def custom(self, name: str, value: str) -> None:
        """Set a custom field of the sales order."""
        fields = [field for field in self.sales_order["customfields"] if field["name"] != f"CFGHL{name}"]
        self.sales_order["customfields"] = [*fields, {"name": f"CFGHL{name}", "value": value}]


NATIVES: dict[str, list[Document]] = {
    "Client": [{"id": 9001, "name": "Native Client"}], "Users": [{"id": 9001, "client_id": 9001}],
    "SalesOrder": [{"id": 9001, "client_id": 9001, "po_number": "PO-1", "total": 5}],
    "Invoice": [{"id": 9001, "client_id": 9001, "thirdpartyinvoicenumber": "QB-1", "total": 5}],
    "InvoicePayment": [{"id": 9001, "invoice_id": 9001, "amount": 5, "intent_id": "pi_native"}],
}  # fmt: skip
"""Halo records that are none of ours; a Halo without any looks like one whose rights are missing."""


def hang(desk: Desk, purchases: list[Purchase], *, natives: dict[str, list[Document]] | None = None) -> None:
    """Bring purchases and Halo into a warehouse."""
    fulfillments = {key: documents for purchase in purchases for key, documents in purchase.fulfillments.items()}
    desk.purchases(
        [document for purchase in purchases for document in purchase.orders],
        [document for purchase in purchases for document in purchase.transactions],
        fulfillments=fulfillments,
    )  # fmt: skip
    desk.halo_holds(halo_of(purchases, natives))


def halo_of(purchases: list[Purchase], natives: dict[str, list[Document]] | None = None) -> dict[str, list[Document]]:
    """Halo with all the purchases' records, and dollars, euros and yen."""
    state: dict[str, list[Document]] = {"Currency": [*agreed_halo()["Currency"], {"id": 9, "code": "JPY"}]}
    for part in (natives or {}, *(purchase.halo for purchase in purchases)):
        for resource, documents in part.items():
            state.setdefault(resource, []).extend(documents)
    return state


def lacking(desk: Desk, purchases: int = 1) -> None:
    """Purchases of which Halo holds nothing yet, and their diffs."""
    stock = [Purchase(number) for number in range(1, purchases + 1)]
    for purchase in stock:
        purchase.without("Client", "Users", "SalesOrder", "Invoice", "InvoicePayment")
    hang(desk, stock, natives=NATIVES)
    desk.judge()


def planned(desk: Desk) -> None:
    """One purchase that Halo lacks, and its five approved changes."""
    lacking(desk)
    desk.plan()


def three_planned(desk: Desk) -> None:
    """Three purchases that Halo lacks, and their changes."""
    lacking(desk, 3)
    desk.plan()


def people_there(desk: Desk) -> None:
    """Client and user stand in Halo; the sales order, the invoice and the payment are approved."""
    purchase = Purchase(1)
    purchase.without("SalesOrder", "Invoice", "InvoicePayment")
    hang(desk, [purchase], natives=NATIVES)
    desk.judge()
    desk.plan()


def order_claimed(desk: Desk) -> None:
    """The create of the sales order is claimed."""
    people_there(desk)
    assert [change.record_type for change in desk.claim()] == ["sales_order"]


def status_update_claimed(desk: Desk) -> None:
    """An update of the sales order's status, from pending to completed, is claimed."""
    purchase = Purchase(1)
    purchase.custom("Status", "pending")
    hang(desk, [purchase], natives=NATIVES)
    desk.judge()
    desk.plan()
    [change] = desk.claim()
    assert (change.operation, change.native_id, change.changed) == ("update", "13", ("status",))
