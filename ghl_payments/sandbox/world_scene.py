"""The hands that plant defects: one purchase of the agreed world, its Halo records, and the rows it must cause.

Add a helper when two defects need the same move; the defects themselves stand in `world_defects_*` and `world_edits`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ghl_payments.sandbox.oracle_desired import derive
from ghl_payments.sandbox.oracle_ghl import exact_minor, read_location
from ghl_payments.sandbox.oracle_rows import Row, make_row
from ghl_payments.sandbox.world_case import Case
from ghl_payments.sandbox.world_catalog import Contact
from ghl_payments.sandbox.world_halo import RESOURCES, Halo
from ghl_payments.sandbox.world_ledger import Ledger, Sale
from ghl_payments.sandbox.world_values import Document


class Defect(NamedTuple):
    """One kind of planted defect: `build` makes the purchase, `plant` breaks it and declares the rows it must cause.

    Halo is put in agreement with all of GHL between the two, so what `build` makes wrong is wrong inside GHL only.
    """

    name: str
    build: Callable[[Ledger, Contact], Case]
    plant: Callable[[Scene], list[Row]]
    least_orders: int = 0
    """Not planted in smaller worlds: two unreadable rows of a hundred are a share at which a run rightly stops."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One case of one location, with Halo standing in agreement with it."""

    ledger: Ledger
    halo: Halo
    case: Case

    @property
    def contact_key(self) -> str:
        """The key of the case's client and user."""
        return f"ghl:contact:{self.case.contact.id if self.case.contact else ''}"

    @property
    def order_key(self) -> str:
        """The key of the case's first order."""
        return f"ghl:order:{self.case.sale.id}"

    @property
    def charge_key(self) -> str:
        """The key of the case's first transaction."""
        return f"ghl:txn:{self.case.charge['_id']}"

    @property
    def sale(self) -> Sale:
        """The case's first order."""
        return self.case.sale

    def doc(self, record_type: str, key: str) -> Document:
        """The Halo record of a key."""
        return self.halo.ours[self.ledger.location.id, record_type, key]

    @property
    def sales_order(self) -> Document:
        """The Halo sales order of the case's first order."""
        return self.doc("sales_order", self.order_key)

    @property
    def invoice(self) -> Document:
        """The Halo invoice of the case's first order."""
        return self.doc("invoice", self.order_key)

    @property
    def payment(self) -> Document:
        """The Halo payment of the case's first transaction."""
        return self.doc("invoice_payment", self.charge_key)

    def records(self) -> list[tuple[str, str, int | None, str | None]]:
        """(record type, key, minor, currency) of every Halo record the case has, parents first."""
        rows: list[tuple[str, str, int | None, str | None]] = [
            ("client", self.contact_key, None, None),
            ("user", self.contact_key, None, None),
        ]
        for sale in self.case.sales:
            key = f"ghl:order:{sale.id}"
            rows += [("sales_order", key, sale.minor, sale.currency), ("invoice", key, sale.minor, sale.currency)]
        rows += [
            ("invoice_payment", f"ghl:txn:{doc['_id']}", minor_of(doc), doc["currency"])
            for doc in self.case.transactions
        ]
        return [row for row in rows if (self.ledger.location.id, row[0], row[1]) in self.halo.ours]

    def remove(self, record_type: str, key: str, *, link: bool = True) -> None:
        """Take a record and its cross-reference out of Halo."""
        self.halo.remove(record_type, self.doc(record_type, key)["id"], link=link)

    def twin(self, record_type: str, key: str, *, link: bool = True) -> Document:
        """A second Halo record with the same content and, unless told otherwise, a cross-reference of its own."""
        original = self.doc(record_type, key)
        twin = {**copy.deepcopy(original), "id": self.halo.next_id(RESOURCES[record_type])}
        for line in twin.get("lines", ()):
            line["id"] = self.halo.next_id("line")
        self.halo.add(self.ledger.location.id, record_type, key, twin, link=link)
        self.halo.ours[self.ledger.location.id, record_type, key] = original
        return twin

    def write_as_if(self, order: Document, transactions: Iterable[Document], *record_types: str) -> list[Document]:
        """Write the Halo records these GHL documents would ask for, parents first; what is there already stays.

        Returns the fresh ones that hold money.
        """
        location_id = self.ledger.location.id
        contact = order["contactSnapshot"]
        people = {contact["id"]: (f"{contact['firstName']} {contact['lastName']}", contact["email"])}
        wanted = derive(read_location({"id": location_id, "orders": [order], "transactions": list(transactions)}))
        chosen = [
            desired
            for record_type in record_types
            for desired in wanted.records.values()
            if desired.record_type == record_type
        ]
        fresh = [desired for desired in chosen if (location_id, desired.record_type, desired.key) not in self.halo.ours]
        docs = [self.halo.write(location_id, desired, people) for desired in fresh]
        return [doc for doc, desired in zip(docs, fresh, strict=True) if desired.minor is not None]

    def row(
        self,
        record_type: str,
        key: str,
        kind: str,
        *,
        class_: str | None = None,
        fields: Iterable[str] = (),
        docs: Iterable[Document] = (),
        minor: int | None = None,
        currency: str | None = None,
    ) -> Row:
        """A row this defect must cause in Halo."""
        return make_row(
            self.ledger.location.id,
            record_type,
            key,
            kind,
            class_=class_,
            fields=fields,
            native_ids=[doc["id"] for doc in docs],
            minor=minor,
            currency=currency,
        )

    def broken(self, kind: str, minor: int | None, *, transaction: Document | None = None) -> Row:
        """A row this defect must cause inside GHL: about its first order, or about a transaction."""
        record_type, key = (
            ("transaction", f"ghl:txn:{transaction['_id']}") if transaction else ("order", self.order_key)
        )
        live = (transaction or self.sale.doc)["liveMode"]
        return make_row(
            self.ledger.location.id,
            record_type,
            key,
            kind,
            system="ghl",
            live=live,
            minor=minor,
            currency=(transaction or self.sale.doc)["currency"],
        )


def minor_of(doc: Document) -> int | None:
    """The exact minor units of a document's amount."""
    return exact_minor(doc["amount"], doc["currency"])


def custom_field(doc: Document, name: str, value: str | None) -> None:
    """Set (or, with None, take away) a custom field of a Halo record."""
    doc["customfields"] = [row for row in doc["customfields"] if row["name"] != name]
    if value is not None:
        doc["customfields"].append({"name": name, "value": value})
