"""Changing records of the sandboxed Act! database: validation first, then one change a table, totals computed anew.

What may be written is said in `act_schema`; HTTP and sign-in belong to `act`.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.act_auth import failure
from ghl_payments.sandbox.act_data import ActData, ActTable, is_visible, product_total
from ghl_payments.sandbox.act_odata import moment
from ghl_payments.sandbox.act_schema import (
    API_USER,
    COLLECTIONS,
    DATE_TYPES,
    DATES,
    NUMBER_TYPES,
    NUMBERS,
    STATUS_NAMES,
    TEXT_TYPES,
    TYPES,
    Collection,
    column,
)
from ghl_payments.sandbox.act_switches import ActSwitches
from ghl_payments.sandbox.clock import SandboxClock
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.wire import Refused, bare_answer

_LINKS = {"contacts": "contacts", "opportunities": "opportunities"}
_LICENCE = 4031


class ActWriter:
    """Changes one database; every refusal leaves everything as it was."""

    def __init__(self, data: ActData, history: History, clock: SandboxClock, switches: ActSwitches) -> None:
        self._data = data
        self._history = history
        self._clock = clock
        self._switches = switches

    def create(self, name: str, sent: Doc) -> Doc:
        """A new record of a collection."""
        collection = COLLECTIONS[name]
        for needed in collection.required:
            if not sent.get(needed):
                raise failure(400, f"{needed} is required")
        stamp = self._clock.stamp()
        doc: Doc = {"id": self._data.new_id(), "created": stamp, "recordManagerID": API_USER}
        if name == "opportunities":
            doc |= {"productTotal": Decimal("0.0"), "weightedTotal": Decimal("0.0"), "status": 0, "contacts": []}
        if name == "history":
            doc |= {"historyTypeID": 0, "contacts": [], "opportunities": []}
        return self._put(name, doc | self._taken(collection, sent), stamp)

    def update(self, name: str, record_id: str, sent: Doc, *, partial: bool) -> Doc:
        """PUT or PATCH; what becomes of members that PUT leaves out is a switch."""
        collection = COLLECTIONS[name]
        old = self.found(self._data.tables[name], record_id)
        taken = self._taken(collection, sent)
        if partial:
            ignored = self._switches.act_patch_ignores
            taken = {member: value for member, value in taken.items() if member not in ignored}
        if partial or self._switches.act_put == "merges":
            custom = {**(old.get("customFields") or {}), **(taken.get("customFields") or {})}
            doc = old | taken | ({"customFields": custom} if collection.record_type else {})
        else:
            kept = (*collection.own, "opportunityID", "recordManagerID")
            doc = {member: value for member, value in old.items() if member in kept} | taken
            if name == "opportunities":
                doc = {"status": 0, "contacts": [], "name": ""} | doc
        return self._put(name, doc, self._clock.stamp())

    def delete(self, table: ActTable, record_id: str) -> Doc:
        """Remove one record and return it."""
        doc = self.found(table, record_id)
        self._history.write(table, doc["id"], None)
        return doc

    def found(self, table: ActTable, record_id: str) -> Doc:
        """A record that the API's user sees; 404 for any other."""
        doc = table.docs.get(record_id.casefold()) or table.docs.get(record_id)
        if doc is None or not is_visible(doc):
            raise Refused(bare_answer(404))
        return doc

    def save_product(self, opportunity_id: str, product_id: str | None, sent: Doc) -> Doc:
        """Create or change a product; its opportunity's total follows."""
        self.found(self._data.tables["opportunities"], opportunity_id)
        if product_id is None:
            product = self.create("products", sent)
        else:
            product = self.update("products", product_id, sent, partial=False)
        total = product_total([product])
        product = self._store("products", product | {"opportunityID": opportunity_id, "total": total})
        self._retotal(opportunity_id)
        return product

    def delete_product(self, opportunity_id: str, product_id: str) -> Doc:
        """Remove a product; its opportunity's total follows."""
        product = self.found(self._data.tables["products"], product_id)
        if product.get("opportunityID") != opportunity_id:
            raise Refused(bare_answer(404))
        self.delete(self._data.tables["products"], product_id)
        self._retotal(opportunity_id)
        return product

    def save_row(self, entity: str, record_id: str | None, sent: Doc) -> Doc:
        """Create or replace a row of a custom table; a member that is no column is dropped."""
        table, stamp = self._data.table(entity), self._clock.stamp()
        columns = self._data.names_of(entity)
        doc: Doc = {"id": self._data.new_id(), "created": stamp, "companies": [], "contacts": [], "groups": [],
                    "opportunity": None, "recordOwner": "Sandbox"}  # fmt: skip
        if record_id is not None:
            old = self.found(table, record_id)
            doc = old if self._switches.act_put == "merges" else doc | {"id": old["id"], "created": old["created"]}
        lower = {name.casefold(): value for name, value in sent.items()}
        doc = doc | {name: self._cell(made, lower[name]) for name, made in columns.items() if name in lower}
        if "contacts" in lower:
            doc = doc | {"contacts": self._linked("contacts", lower["contacts"])}
        if lower.get("opportunity"):
            doc = doc | {"opportunity": self._linked("opportunities", [lower["opportunity"]])[0]}
        doc = doc | {"edited": stamp, "editedBy": "Sandbox API"}
        self._history.write(table, doc["id"], doc)
        return doc

    def define_table(self, sent: Doc) -> Doc:
        """A new custom table; 409 when there is one of this name."""
        if not self._switches.act_custom_tables:
            raise failure(403, f"The licence does not include custom tables ({_LICENCE}).", subCode=_LICENCE)
        name = sent.get("name")
        if not isinstance(name, str) or not name.isidentifier() or len(name) > 27 or not sent.get("displayName"):
            raise failure(400, "The table's name or display name is not valid.")
        if self._data.entity(name) is not None:
            raise failure(409, "A table of this name exists.")
        entity: Doc = {
            "id": self._data.new_id(), "name": name.upper(), "displayName": sent["displayName"], "isCustom": True,
            "recordType": name.upper(), "parents": sent.get("parentEntities") or [],
        }  # fmt: skip
        self._history.write(self._data.entities, name.upper(), entity)
        return entity

    def define_field(self, record_type: str, sent: Doc) -> Doc:
        """A new custom field or column; 409 when there is one of this name."""
        if not self._switches.act_define_fields:
            raise failure(403, "Only administrators and managers define fields.")
        name, kind = sent.get("name"), sent.get("type")
        if not isinstance(name, str) or not name or kind not in TYPES:
            raise failure(400, "A field needs a name and a known type.")
        more = {part: sent[part] for part in ("length", "precision", "scale") if part in sent}
        made = column(record_type, name, str(kind), **more)
        if str(made["columnName"]).lower() in self._data.names_of(record_type):
            raise failure(409, "A field of this name exists.")
        self._history.write(self._data.columns, made["id"], made)
        return made

    def _taken(self, collection: Collection, sent: Doc) -> Doc:
        """What is taken over of a request, checked; members that nobody knows are dropped without a word."""
        taken = {name: self._checked(name, sent[name]) for name in collection.writable if name in sent}
        if self._switches.act_source_id == "dropped":
            taken.pop("sourceId", None)
        if "status" in taken:
            taken["status"] = _status(taken["status"])
        if collection.record_type and isinstance(sent.get("customFields"), dict):
            columns = self._data.names_of(collection.record_type)
            given = {name.casefold(): value for name, value in sent["customFields"].items()}
            taken["customFields"] = {n: self._cell(made, given[n]) for n, made in columns.items() if n in given}
        for member, target in _LINKS.items():
            if collection.name in ("opportunities", "history") and isinstance(sent.get(member), list):
                taken[member] = self._linked(target, sent[member])
        return taken

    def _checked(self, name: str, value: Any) -> Any:
        if value is None:
            return None
        if name in DATES and moment(value) is None:
            raise failure(400, f"'{name}' is not a date.")
        if name in NUMBERS and (isinstance(value, bool) or not isinstance(value, int | Decimal)):
            raise failure(400, f"'{name}' is not a number.")
        return value

    def _cell(self, made: Doc, value: Any) -> Any:
        """A custom value as its column keeps it."""
        name = made["columnName"]
        if value is None:
            return None
        if made["type"] in NUMBER_TYPES:
            if isinstance(value, bool) or not isinstance(value, int | Decimal):
                raise failure(400, f"{name} needs a number.")
            scale = int(made.get("scale") or 2)
            return Decimal(repr(float(round(Decimal(value), scale))))
        if made["type"] in DATE_TYPES and moment(value) is None:
            raise failure(400, f"{name} needs a date.")
        if made["type"] in TEXT_TYPES:
            if not isinstance(value, str):
                raise failure(400, f"{name} needs a text.")
            if made["type"] != "Memo" and len(value) > int(made.get("length") or 64):
                raise failure(400, f"{name} is too long.")
        return value

    def _linked(self, target: str, links: Iterable[Any]) -> list[Doc]:
        table = self._data.tables[target]
        linked = []
        for link in links:
            record_id = link.get("id") if isinstance(link, dict) else None
            doc = table.docs.get(str(record_id))
            if doc is None:
                raise failure(400, f"A record of {target} was not found.")
            linked.append(link_of(target, doc))
        return linked

    def _put(self, name: str, doc: Doc, stamp: str) -> Doc:
        return self._store(name, doc | {"edited": stamp, "editedBy": "Sandbox API"})

    def _store(self, name: str, doc: Doc) -> Doc:
        self._history.write(self._data.tables[name], doc["id"], doc)
        return doc

    def _retotal(self, opportunity_id: str) -> None:
        """A product's change shows in the total; whether it counts as an edit of the opportunity is a switch."""
        old = self._data.tables["opportunities"].docs[opportunity_id]
        products = self._data.products_of(opportunity_id)
        doc = old | {
            "productTotal": product_total(products),
            "product": ",".join(str(product.get("name")) for product in products),
        }
        if self._switches.act_product_bumps_edited:
            doc["edited"] = self._clock.stamp()
        self._store("opportunities", doc)


def link_of(target: str, doc: Doc) -> Doc:
    """How a record is named inside another."""
    if target == "opportunities":
        return {"id": doc["id"], "name": doc.get("name")}
    return {
        "id": doc["id"], "displayName": doc.get("fullName"), "company": doc.get("company"),
        "emailAddress": doc.get("emailAddress"), "isInvited": True,
    }  # fmt: skip


def _status(value: Any) -> int:
    if isinstance(value, str) and value in STATUS_NAMES:
        return STATUS_NAMES.index(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(STATUS_NAMES):
        return value
    raise failure(400, "The status is none of Open, Won, Lost, Inactive.")
