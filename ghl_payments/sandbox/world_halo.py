"""Halo in full agreement with GHL: every desired record as Halo's API shows it, with its cross-reference.

Add a field here when the mapping writes one more; making Halo disagree belongs to `world_defects_halo`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from ghl_payments.domain.money import parse_major
from ghl_payments.sandbox.oracle_desired import Desired, Wanted
from ghl_payments.sandbox.world_natives import NATIVES, add_natives, currencies
from ghl_payments.sandbox.world_values import Document, number, stamp_of

TABLES = {"client": 2, "user": 4, "invoice": 995, "sales_order": 996}
"""Halo's `table_id` of a cross-reference, by record type; payments have none."""

RESOURCES = {
    "client": "Client",
    "user": "Users",
    "sales_order": "SalesOrder",
    "invoice": "Invoice",
    "invoice_payment": "InvoicePayment",
}
_DESCRIPTIONS = {kind: f"GoHighLevel {kind}" for kind in ("contact", "order", "invoice", "txn")}
_PUSH_TIME = timedelta(seconds=90)
_ORDER = tuple(RESOURCES)
_People = Mapping[str, tuple[str, str]]
_Maker = Callable[[str, Desired, _People], Document]


class Halo:
    """The Halo part of a world being written.

    `state` holds the documents, `ours` each of our records by (location id, record type, key), `links` each
    cross-reference by (record type, Halo id).
    """

    def __init__(self, rng: Random, now: int) -> None:
        self.state: dict[str, list[Document]] = {
            name: [] for name in (*RESOURCES.values(), "RecurringInvoice", "ExternalLink")
        }
        self.state["Currency"] = currencies()
        self.currency_ids: dict[str, int] = {row["code"]: row["id"] for row in self.state["Currency"]}
        self.ours: dict[tuple[str, str, str], Document] = {}
        self._removed: set[tuple[str, int]] = set()
        self.links: dict[tuple[str, int], Document] = {}
        self._make: dict[str, _Maker] = {
            "client": self._client,
            "user": self._user,
            "sales_order": self._sales_order,
            "invoice": self._invoice,
            "invoice_payment": self._payment,
        }
        add_natives(self.state, rng, now)
        self._next = dict.fromkeys((*RESOURCES.values(), "ExternalLink", "line"), NATIVES * 100)

    def next_id(self, name: str) -> int:
        """A fresh id for a resource, or for a `line`."""
        self._next[name] += 1
        return self._next[name]

    def add(self, location_id: str, record_type: str, key: str, doc: Document, *, link: bool = True) -> Document:
        """Store a document, index it and, where Halo has one, write its cross-reference."""
        self.state[RESOURCES[record_type]].append(doc)
        self.ours[location_id, record_type, key] = doc
        if link and record_type in TABLES:
            self.add_link(location_id, record_type, key, doc["id"])
        return doc

    def add_link(self, location_id: str, record_type: str, key: str, halo_id: int) -> None:
        """One row of Halo's cross-reference table."""
        kind = key.split(":")[1]
        link = {
            "id": self.next_id("ExternalLink"),
            "table_id": TABLES[record_type],
            "halo_id": halo_id,
            "third_party_id": key,
            "third_party_secondary_id": location_id,
            "third_party_type": kind,
            "third_party_desc": _DESCRIPTIONS[kind],
        }
        self.links[record_type, halo_id] = link
        self.state["ExternalLink"].append(link)

    def remove(self, record_type: str, halo_id: int, *, link: bool = True) -> None:
        """Take a record out, and its cross-reference unless told otherwise; `settle_removals` carries it out."""
        self._removed.add((RESOURCES[record_type], halo_id))
        if link and record_type in TABLES:
            self.unlink(record_type, halo_id)

    def unlink(self, record_type: str, halo_id: int) -> None:
        """Take a record's cross-reference out."""
        self._removed.add(("ExternalLink", self.links[record_type, halo_id]["id"]))

    def settle_removals(self) -> None:
        """Drop everything removed, in one pass over each collection."""
        for name, docs in self.state.items():
            docs[:] = [doc for doc in docs if (name, doc["id"]) not in self._removed]

    def agree(self, location_id: str, wanted: Wanted, people: _People) -> None:
        """Write every desired record of a location; `people` gives (name, e-mail) by contact id."""
        for desired in sorted(wanted.records.values(), key=lambda desired: _ORDER.index(desired.record_type)):
            self.write(location_id, desired, people)

    def write(self, location_id: str, desired: Desired, people: _People) -> Document:
        """Write one desired record; its parents must stand already."""
        doc = self._make[desired.record_type](location_id, desired, people)
        return self.add(location_id, desired.record_type, desired.key, doc)

    def _client(self, location_id: str, desired: Desired, people: _People) -> Document:
        client_id = self.next_id("Client")
        name, _ = people[desired.key.rpartition(":")[2]]
        return {"id": client_id, "name": name, "inactive": False, "main_site_id": client_id + 5000}

    def _user(self, location_id: str, desired: Desired, people: _People) -> Document:
        name, email = people[desired.key.rpartition(":")[2]]
        first, _, last = name.partition(" ")
        client = self.ours[location_id, "client", desired.key]
        return {
            "id": self.next_id("Users"),
            "name": name,
            "firstname": first,
            "surname": last,
            "emailaddress": email,
            "client_id": client["id"],
            "site_id": client["main_site_id"],
            "inactive": False,
        }

    def _sales_order(self, location_id: str, desired: Desired, people: _People) -> Document:
        order, fields = desired.parts, desired.fields
        client = self.ours[location_id, "client", desired.contact_key]
        doc = {
            "id": self.next_id("SalesOrder"),
            "client_id": client["id"],
            "client_name": client["name"],
            "site_id": client["main_site_id"],
            "user_id": self.ours[location_id, "user", desired.contact_key]["id"],
            "title": f"GHL order {order.id}",
            "po_number": desired.key,
            "date": order.doc["createdAt"],
            "status": 1,
            "currency_code": self.currency_ids[order.currency],
            "total": number(order.minor, order.currency),
            "lines": [{"id": self.next_id("line"), **line} for line in order_lines(order.doc, order.minor)],
            "customfields": _custom_fields(order.doc, fields),
            "last_update_time": _after(order.updated),
        }
        if fields["ship_status"]:
            doc["ship_status"] = fields["ship_status"]
        if fields["ship_date"]:
            doc["ship_date"] = stamp_of(fields["ship_date"])
        return doc

    def _invoice(self, location_id: str, desired: Desired, people: _People) -> Document:
        first, order = desired.parts
        client = self.ours[location_id, "client", desired.contact_key]
        total = number(int(desired.minor or 0), str(desired.currency))
        when = stamp_of(first.created)
        doc = {
            "id": self.next_id("Invoice"),
            "client_id": client["id"],
            "client_name": client["name"],
            "thirdpartyinvoicenumber": desired.key,
            "reference": first.reference,
            "invoice_date": when,
            "duedate": when,
            "currency_code": self.currency_ids[str(desired.currency)],
            "total": total,
            "amountpaid": 0,
            "amountdue": total,
            "paymentstatus": 0,
            "lines": [
                {
                    "id": self.next_id("line"),
                    "item_shortdescription": _invoice_line(desired.key),
                    "qty_order": 1,
                    "unit_price": total,
                }
            ],
            "customfields": [],
            "last_modified": _after(desired.updated),
        }
        sales_order = self.ours.get((location_id, "sales_order", f"ghl:order:{order.id}")) if order else None
        return {**doc, "salesorder_id": sales_order["id"]} if sales_order else doc

    def _payment(self, location_id: str, desired: Desired, people: _People) -> Document:
        invoice = self.ours[location_id, "invoice", desired.parts]
        amount = number(int(desired.minor or 0), str(desired.currency))
        settle(invoice, amount)
        return {
            "id": self.next_id("InvoicePayment"),
            "invoice_id": invoice["id"],
            "client_id": invoice["client_id"],
            "date": stamp_of(desired.fields["date"]),
            "amount": amount,
            "intent_id": desired.key,
            "thirdpartyid": desired.key,
        }


def settle(invoice: Document, amount: int | Decimal) -> None:
    """Count a payment (or, negative, its removal) in an invoice's own sums, as Halo does."""
    invoice["amountpaid"] += amount
    invoice["amountdue"] = invoice["total"] - invoice["amountpaid"]
    invoice["paymentstatus"] = 0 if invoice["amountpaid"] <= 0 else 2 if invoice["amountdue"] <= 0 else 1


def order_lines(doc: Document, minor: int) -> Iterable[Document]:
    """The lines of a sales order: the items, then discount, tax, shipping, and the rest up to the order's amount."""
    currency, summary = doc["currency"], doc.get("amountSummary") or {}
    lines = [(item["name"], item["qty"], item["price"]["amount"], str(n)) for n, item in enumerate(doc["items"], 1)]
    for name, sign in (("discount", -1), ("tax", 1), ("shipping", 1)):
        if amount := summary.get(name) or 0:
            lines.append((name.capitalize(), 1, sign * amount, name))
    rest = minor - sum(qty * parse_major(str(price), currency).minor for _, qty, price, _ in lines)
    if rest:
        lines.append(("Adjustment", 1, number(rest, currency), "adjustment"))
    for name, qty, price, note in lines:
        yield {"name": name, "quantity": qty, "price": price, "note": f"ghl:line:{note}"}


def _custom_fields(doc: Document, fields: Mapping[str, Any]) -> list[Document]:
    values = {
        "CFGHLOrderId": doc["_id"],
        "CFGHLStatus": fields["status"],
        "CFGHLAmount": fields["amount_text"],
        "CFGHLCurrency": fields["currency_text"],
        "CFGHLUpdatedAt": doc["updatedAt"],
        "CFGHLTracking": fields["tracking"],
        "CFGHLFulfillments": fields["fulfillments"],
        "CFGHLSubscriptionStatus": fields["subscription_status"],
    }
    return [{"name": name, "value": value} for name, value in values.items() if value]


def _invoice_line(key: str) -> str:
    _, kind, record_id = key.split(":")
    return f"GHL {'transaction' if kind == 'txn' else kind} {record_id}"


def _after(moment: datetime) -> str:
    return stamp_of(moment + _PUSH_TIME)
