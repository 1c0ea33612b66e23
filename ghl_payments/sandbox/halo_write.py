"""Creating, updating and deleting Halo records: validation first, then one change a table, totals computed anew.

What may be written is said in `halo_schema`; HTTP and rights belong to `halo`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.clock import SandboxClock, epoch_ms
from ghl_payments.sandbox.codec import Doc, encode
from ghl_payments.sandbox.halo_schema import (
    CUSTOM_FIELDS,
    DATE_PROPERTIES,
    INT_PROPERTIES,
    INVOICE_LINE,
    NUMBER_PROPERTIES,
    ORDER_LINE,
    REFERENCES,
    RESOURCES,
    Resource,
)
from ghl_payments.sandbox.halo_store import HaloData, name_client, number_lines
from ghl_payments.sandbox.halo_totals import as_amount, recompute_total, settle_invoice
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.switches import Switches
from ghl_payments.sandbox.wire import Refused, bare_answer, json_answer

_LINK = RESOURCES["externallink"]
_INVOICE = RESOURCES["invoice"]


class HaloWriter:
    """Changes one tenant's records; every refusal leaves everything as it was."""

    def __init__(self, data: HaloData, history: History, clock: SandboxClock, switches: Switches) -> None:
        self._data = data
        self._history = history
        self._clock = clock
        self._switches = switches

    def save(self, resource: Resource, element: Doc) -> Doc:
        """Create (no id, or 0) or update one record; only the given properties change. Returns what is stored."""
        table = self._data.table(resource)
        record_id = element.get("id") or 0
        old = table.doc(record_id) if isinstance(record_id, int) else None
        if record_id and old is None:
            raise Refused(bare_answer(404))
        _check_types(resource, element)
        if old is None:
            _check_required(resource, element)
        self._check_references(resource, element)
        doc = self._merged(resource, element, old or {"id": table.next_id})
        if old is None:
            table.next_id += 1
        self._history.write(table, doc["id"], encode(doc))
        if isinstance(link := element.get("new_external_link"), dict) and resource.table_id is not None:
            self._add_link(resource, doc["id"], link)
        self._settle(resource, old, doc)
        return doc

    def delete(self, resource: Resource, record_id: int) -> Doc:
        """Remove one record and return it; its ExternalLinks stay, as stale cross-references do."""
        table = self._data.table(resource)
        doc = table.doc(record_id)
        if doc is None:
            raise Refused(bare_answer(404))
        self._history.write(table, record_id, None)
        self._settle(resource, doc, None)
        return doc

    def _merged(self, resource: Resource, element: Doc, old: Doc) -> Doc:
        doc = old | {name: value for name, value in element.items() if name in resource.writable}
        if "customfields" in resource.writable:
            doc["customfields"] = _merged_fields(old.get("customfields"), element.get("customfields"))
        if resource.lines:
            self._merge_lines(resource, element, old, doc)
        if resource.name == "Client":
            doc.setdefault("inactive", False)
            doc.setdefault("main_site_id", doc["id"])
        if resource.name == "Users":
            self._complete_user(doc)
        if resource.stamp:
            doc[resource.stamp] = self._clock.stamp()
            name_client(self._data, doc)
        if resource.name == "Invoice":
            settle_invoice(doc, self._data.payments(doc["id"]))
        return doc

    def _complete_user(self, doc: Doc) -> None:
        client = self._data.tables["Client"].doc(doc.get("client_id") or 0)
        doc.setdefault("inactive", False)
        if client is not None:
            doc.setdefault("site_id", client.get("main_site_id"))

    def _merge_lines(self, resource: Resource, element: Doc, old: Doc, doc: Doc) -> None:
        if old.get("lines") is not None and "lines" not in element and "add_lines" not in element:
            return
        known = ORDER_LINE if resource.lines == "order" else INVOICE_LINE
        sent = [_known(line, known) for line in element.get("lines") or []]
        added = [_known(line, known) for line in element.get("add_lines") or []]
        lines = old.get("lines") or []
        if "lines" in element:
            lines = self._updated_lines(lines, sent)
        doc["lines"] = [*lines, *({**line, "id": None} for line in added)]
        number_lines(self._data.table(resource), resource, doc, doc["lines"])
        recompute_total(resource, doc)

    def _updated_lines(self, old: list[Doc], sent: list[Doc]) -> list[Doc]:
        """Whether sent lines replace, merge by id or append is not established for the real API: a switch."""
        mode = self._switches.halo_lines_on_update
        by_id = {line["id"]: line for line in old if line.get("id")}
        if mode == "append":
            return old + [line | {"id": None} for line in sent]
        updated = [by_id.get(line.get("id"), {"id": None}) | _without_foreign_id(line, by_id) for line in sent]
        if mode == "replace":
            return updated
        changed = {line["id"]: line for line in updated if line["id"]}
        return [changed.get(line["id"], line) for line in old] + [line for line in updated if not line["id"]]

    def _add_link(self, resource: Resource, record_id: int, link: Doc) -> None:
        table = self._data.table(_LINK)
        stamp = self._clock.stamp()
        doc = _known(link, _LINK.writable) | {"id": table.next_id, "table_id": resource.table_id, "halo_id": record_id}
        table.next_id += 1
        self._history.write(table, doc["id"], encode(doc | {"date_created": stamp, "date_updated": stamp}))

    def _settle(self, resource: Resource, old: Doc | None, new: Doc | None) -> None:
        """A payment changes what is paid of its invoice, and of the one it belonged to before."""
        if resource.name != "InvoicePayment":
            return
        table = self._data.table(_INVOICE)
        for invoice_id in {doc["invoice_id"] for doc in (old, new) if doc and doc.get("invoice_id")}:
            invoice = table.doc(invoice_id)
            if invoice is not None:
                settle_invoice(invoice, self._data.payments(invoice_id))
                invoice["last_modified"] = self._clock.stamp()
                self._history.write(table, invoice_id, encode(invoice))

    def _check_references(self, resource: Resource, element: Doc) -> None:
        for name, target in REFERENCES.items():
            if name in resource.writable and element.get(name) and element[name] not in self._data.tables[target]:
                raise _invalid(f"{target} {element[name]} was not found ({name})")


def _known(values: Doc, names: frozenset[str]) -> Doc:
    return {name: value for name, value in values.items() if name in names}


def _without_foreign_id(line: Doc, by_id: dict[int, Doc]) -> Doc:
    return line if line.get("id") in by_id else {**line, "id": None}


def _merged_fields(old: Any, sent: Any) -> list[Doc]:
    values = {field["name"]: field for field in old or []}
    for field in sent or []:
        # A field that is not defined in the tenant is dropped without a word, so a client has to read back.
        if field.get("name") in CUSTOM_FIELDS:
            values[field["name"]] = {"name": field["name"], "value": field.get("value")}
    return list(values.values())


def _check_types(resource: Resource, element: Doc) -> None:
    problems: dict[str, list[str]] = {}
    _check_values({name: element[name] for name in element if name in resource.writable}, "[0]", problems)
    if resource.lines:
        for kind in ("lines", "add_lines"):
            for n, line in enumerate(_objects(element, kind, problems)):
                _check_values(line, f"[0].{kind}[{n}]", problems)
    if "customfields" in resource.writable:
        _objects(element, "customfields", problems)
    if problems:
        raise Refused(json_answer(400, problems))


def _objects(element: Doc, name: str, problems: dict[str, list[str]]) -> list[Doc]:
    values = element.get(name)
    if values is None:
        return []
    if isinstance(values, list) and all(isinstance(value, dict) for value in values):
        return values
    problems[f"[0].{name}"] = ["An array of objects is required."]
    return []


def _check_values(values: Doc, where: str, problems: dict[str, list[str]]) -> None:
    for name, value in values.items():
        if value is None or _has_type(name, value):
            continue
        problems[f"{where}.{name}"] = [f"Could not convert the value to the type of '{name}'."]


def _has_type(name: str, value: Any) -> bool:
    if name in INT_PROPERTIES:
        whole = isinstance(value, Decimal) and value == value.to_integral_value()
        return whole or (isinstance(value, int) and not isinstance(value, bool))
    if name in NUMBER_PROPERTIES:
        return as_amount(value) is not None
    if name in DATE_PROPERTIES:
        return epoch_ms(value) is not None
    return True


def _check_required(resource: Resource, element: Doc) -> None:
    for name in resource.required:
        if element.get(name) in (None, "") or (element[name] == 0 and name in INT_PROPERTIES):
            if (resource.name, name) == ("SalesOrder", "user_id"):
                raise _invalid("A user ID must be provided when creating a sales order")
            raise _invalid(f"{name} must be provided")


def _invalid(message: str) -> Refused:
    return Refused(json_answer(400, {"ClassName": "System.Exception", "Message": message}))
