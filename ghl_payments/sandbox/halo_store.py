"""All tables of one Halo tenant: loading from a state, detail documents, and the state back again.

Requests belong to `halo`, changes to `halo_write`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ghl_payments.sandbox.codec import Doc, join_array
from ghl_payments.sandbox.halo_schema import CUSTOM_FIELDS, RESOURCES, Resource
from ghl_payments.sandbox.halo_table import Table, filter_text
from ghl_payments.sandbox.halo_totals import price_lines, settle_invoice

_TABLES = {resource.name: resource for resource in RESOURCES.values()}
_INLINE = ("external_links", "new_external_link", "payments")


class HaloData:
    """A tenant's records."""

    def __init__(self) -> None:
        self.tables = {name: Table(resource) for name, resource in _TABLES.items()}

    def table(self, resource: Resource) -> Table:
        """The table of a resource."""
        return self.tables[resource.name]

    def dump(self) -> bytes:
        """The `halo` part of the sandbox state, encoded."""
        parts = (f'"{name}":'.encode() + join_array(table.raw()) for name, table in self.tables.items())
        return b"{" + b",".join(parts) + b"}"

    def links(self, resource: Resource, record_id: int) -> list[Doc]:
        """The ExternalLinks of one record, oldest first."""
        if resource.table_id is None:
            return []
        table = self.tables["ExternalLink"]
        docs = (table.doc(link_id) for link_id in table.find("halo_id", record_id))
        return [doc for doc in docs if doc is not None and doc.get("table_id") == resource.table_id]

    def payments(self, invoice_id: Any) -> list[Doc]:
        """The payments of one invoice, oldest first."""
        table = self.tables["InvoicePayment"]
        return [doc for doc in map(table.doc, table.find("invoice_id", invoice_id)) if doc is not None]

    def key_of(self, resource: Resource, doc: Doc) -> str | None:
        """The `ghl:` key that a record carries, in an ExternalLink or in its own field."""
        candidates = [link.get("third_party_id") for link in self.links(resource, doc["id"])]
        candidates += [doc.get("third_party_id"), doc.get(resource.key_field or "")]
        return next((text for text in candidates if isinstance(text, str) and text.startswith("ghl:")), None)

    def detail(self, resource: Resource, record_id: int) -> Doc | None:
        """One record with lines, custom fields, links and payments, as `GET /X/{id}?includedetails=true` shows it."""
        doc = self.table(resource).doc(record_id)
        if doc is None:
            return None
        if resource.table_id is not None or resource.lines:
            doc["customfields"] = [_shown(field) for field in doc.get("customfields") or []]
        if resource.table_id is not None:
            doc["external_links"] = self.links(resource, record_id)
        if resource.name == "Invoice":
            doc["payments"] = self.payments(record_id)
        return doc


def load_halo(part: Doc, now: str) -> HaloData:
    """Take over the `halo` part of a state and use it up; missing ids, totals, stamps and site ids are filled in."""
    data = HaloData()
    inline: dict[str, list[Doc]] = {"ExternalLink": [], "InvoicePayment": []}
    for name, resource in _TABLES.items():
        docs = part.get(name) or []
        _add_inline(docs, inline.get(name, []))
        _assign_ids(data.tables[name], docs)
        docs.reverse()
        while docs:
            # Taken out one by one, so that a large world is not held twice.
            doc = docs.pop()
            _absorb(resource, doc, inline)
            _complete(data, resource, doc, now)
            data.tables[name].add(doc)
        data.tables[name].ready()
    _settle(data)
    return data


def _assign_ids(table: Table, docs: list[Doc]) -> None:
    for doc in docs:
        if doc.get("id"):
            doc["id"] = int(doc["id"])
            table.next_id = max(table.next_id, doc["id"] + 1)
        for line in doc.get("lines") or []:
            table.next_line_id = max(table.next_line_id, int(line.get("id") or 0) + 1)
    for doc in docs:
        if not doc.get("id"):
            doc["id"] = table.next_id
            table.next_id += 1


def _absorb(resource: Resource, doc: Doc, inline: dict[str, list[Doc]]) -> None:
    """Move links and payments that stand inside a document to the tables they belong to."""
    if doc.keys().isdisjoint(_INLINE):
        return
    links = doc.pop("external_links", None) or []
    if new_link := doc.pop("new_external_link", None):
        links = [*links, new_link]
    inline["ExternalLink"] += [link | {"table_id": resource.table_id, "halo_id": doc["id"]} for link in links]
    payments = doc.pop("payments", None) or []
    inline["InvoicePayment"] += [payment | {"invoice_id": doc["id"]} for payment in payments]


def _add_inline(docs: list[Doc], inline: list[Doc]) -> None:
    """Add documents that stood inside others to a table's own, unless it holds them already."""
    if inline:
        ids = {doc.get("id") for doc in docs if doc.get("id")}
        natural = {_natural(doc) for doc in docs}
        docs += [doc for doc in inline if doc.get("id") not in ids and _natural(doc) not in natural]


def _natural(doc: Doc) -> tuple[str, ...]:
    names = ("table_id", "halo_id", "third_party_id", "third_party_secondary_id", "invoice_id", "intent_id", "amount")
    return tuple(filter_text(doc.get(name)) for name in names)


def _complete(data: HaloData, resource: Resource, doc: Doc, now: str) -> None:
    if resource.lines:
        # Copies, because documents of a state may share their lines.
        doc["lines"] = [dict(line) for line in doc.get("lines") or []]
        number_lines(data.table(resource), resource, doc, doc["lines"])
        total = price_lines(resource, doc)
        doc.setdefault("total", 0 if total is None else total)
    if resource.name == "Client":
        doc.setdefault("inactive", False)
        doc.setdefault("main_site_id", doc["id"])
    if resource.stamp:
        doc.setdefault(resource.stamp, now)
        name_client(data, doc)


def number_lines(table: Table, resource: Resource, doc: Doc, lines: Iterable[Doc]) -> None:
    """Give every line an id and its parent's."""
    parent = "salesorder_id" if resource.lines == "order" else "ihid"
    for line in lines:
        if not line.get("id"):
            line["id"] = table.next_line_id
            table.next_line_id += 1
        line[parent] = doc["id"]


def name_client(data: HaloData, doc: Doc) -> None:
    """Show the client's name on a document, if the client is known."""
    client = data.tables["Client"].doc(doc.get("client_id") or 0)
    if client is not None:
        doc["client_name"] = client.get("name")


def _settle(data: HaloData) -> None:
    table = data.tables["Invoice"]
    for record_id in table.ids:
        doc = table.doc(record_id)
        if doc is not None and not {"amountpaid", "amountdue", "paymentstatus"} <= doc.keys():
            given = dict(doc)
            settle_invoice(doc, data.payments(record_id))
            table.amend(doc | given)


def _shown(field: Doc) -> Doc:
    name = field.get("name")
    number = CUSTOM_FIELDS.index(name) + 1 if name in CUSTOM_FIELDS else 0
    value = field.get("value")
    label = str(name).removeprefix("CF")
    return {"id": number, "name": name, "label": label, "type": 0, "value": value, "display": value}
