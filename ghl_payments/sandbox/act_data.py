"""All records of one sandboxed Act! database: loading from a state, what is shown of them, and the state back again.

Requests belong to `act`, changes to `act_write`.
"""

from __future__ import annotations

import hashlib
import html
import uuid
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.act_odata import (
    Ordered,
    Properties,
    check_options,
    order_terms,
    ordered,
    page,
    read_filter,
    start_of,
)
from ghl_payments.sandbox.act_schema import (
    API_USER,
    BUILT_IN,
    COLLECTIONS,
    DATE_TYPES,
    DATES,
    ROW_MEMBERS,
    STATUS_NAMES,
    default_columns,
)
from ghl_payments.sandbox.act_switches import ActSwitches
from ghl_payments.sandbox.codec import Doc, encode, join_array


class ActTable:
    """Documents by id in the order of their making; they are replaced as wholes and never changed."""

    def __init__(self) -> None:
        self.docs: dict[str, Doc] = {}
        self._orders: dict[str, Ordered] = {}

    def replace(self, key: str, value: Doc | None) -> Doc | None:
        """Put or remove one document; returns the one before."""
        old = self.docs.pop(key, None)
        if value is not None:
            self.docs[key] = value
        self._orders.clear()
        return old

    def order(self, text: str, properties: Properties, dates: Iterable[str]) -> Ordered:
        """All visible documents in an order, kept until something changes."""
        terms = order_terms(text, properties) if text else []
        if text not in self._orders:
            visible = [doc for doc in self.docs.values() if is_visible(doc)]
            self._orders[text] = ordered(visible, terms, frozenset(dates))
        return self._orders[text]


def is_visible(doc: Doc) -> bool:
    """Whether the API's user sees a record: others' private ones do not exist for it."""
    return not doc.get("isPrivate") or doc.get("recordManagerID") == API_USER


class ActData:
    """A database's records; `columns` are custom fields and table columns, `entities` custom tables."""

    def __init__(self) -> None:
        self.tables = {name: ActTable() for name in COLLECTIONS}
        self.rows: dict[str, ActTable] = {}
        self.columns = ActTable()
        self.entities = ActTable()
        self.currency = "USD"
        self.made = 0

    def new_id(self) -> str:
        """A GUID that the same requests always get."""
        self.made += 1
        return str(uuid.UUID(bytes=hashlib.sha256(f"act/{self.made}".encode()).digest()[:16], version=4))

    def table(self, entity: str) -> ActTable:
        """The rows of a custom table."""
        return self.rows.setdefault(entity.upper(), ActTable())

    def entity(self, name: str) -> Doc | None:
        """A custom table by its name, in any case."""
        return self.entities.docs.get(name.upper())

    def columns_of(self, record_type: str) -> list[Doc]:
        """Custom fields of a record type, or columns of a table."""
        wanted = record_type.casefold()
        return [column for column in self.columns.docs.values() if column["recordType"].casefold() == wanted]

    def names_of(self, record_type: str) -> dict[str, Doc]:
        """JSON name -> column."""
        return {str(column["columnName"]).lower(): column for column in self.columns_of(record_type)}

    def products_of(self, opportunity_id: str) -> list[Doc]:
        """The products of one opportunity."""
        return [doc for doc in self.tables["products"].docs.values() if doc.get("opportunityID") == opportunity_id]

    def dump(self) -> bytes:
        """The `act` part of a state, encoded."""
        parts = {name: _array(table) for name, table in self.tables.items()}
        parts |= {"fields": _array(self.columns), "entities": _array(self.entities), "currency": encode(self.currency)}
        rows = (encode(name) + b":" + _array(table) for name, table in self.rows.items())
        parts["custom"] = b"{" + b",".join(rows) + b"}"
        return b"{" + b",".join(encode(name) + b":" + part for name, part in parts.items()) + b"}"


def load_act(part: Doc, now: str) -> ActData:
    """Take over the `act` part of a state; missing ids, stamps and totals are filled in."""
    data = ActData()
    data.currency = part.get("currency") or "USD"
    for number, column in enumerate(part.get("fields") or default_columns()):
        data.columns.docs[str(column.setdefault("id", f"field-{number}"))] = column
    for entity in part.get("entities") or ():
        data.entities.docs[entity["name"].upper()] = entity
    tables = [(data.tables[name], part.get(name) or ()) for name in COLLECTIONS]
    tables += [(data.table(name), rows) for name, rows in (part.get("custom") or {}).items()]
    for table, docs in tables:
        for doc in docs:
            doc.setdefault("id", data.new_id())
            doc.setdefault("created", now)
            doc.setdefault("edited", doc["created"])
            table.docs[doc["id"]] = doc
    totals: dict[str, list[Doc]] = {}
    for product in data.tables["products"].docs.values():
        totals.setdefault(str(product.get("opportunityID")), []).append(product)
    for opportunity in data.tables["opportunities"].docs.values():
        opportunity.setdefault("productTotal", product_total(totals.get(opportunity["id"], ())))
        opportunity.setdefault("status", 0)
    data.made = 0
    return data


def product_total(products: Iterable[Doc]) -> Decimal:
    """The sum of an opportunity's products in doubles, noise and all."""
    total = 0.0
    for product in products:
        total += float(product.get("price") or 0) * float(product.get("quantity") or 0)
    return Decimal(repr(total))


class View:
    """What the database shows of its records under the switches of the moment."""

    def __init__(self, data: ActData, switches: ActSwitches) -> None:
        self._data = data
        self._switches = switches

    def properties(self, name: str, columns: dict[str, Doc]) -> Properties:
        """What a collection or (`name` empty) a custom table can be asked about."""
        switches = self._switches
        if not name:
            names = {*ROW_MEMBERS, *(columns if switches.act_column_filter else ())}
            return Properties(names, exact_case=switches.act_case_sensitive)
        names = set(COLLECTIONS[name].properties)
        if switches.act_source_id != "filterable":
            names.discard("sourceId")
        if not switches.act_filter_edited:
            names.discard("edited")
        custom = columns if switches.act_custom_field_filter else ()
        return Properties(names, custom, exact_case=switches.act_case_sensitive)

    def listed(self, table: ActTable, name: str, record_type: str | None, query: dict[str, str]) -> list[Doc]:
        """One page. Raises BadQuery."""
        columns = self._data.names_of(record_type) if record_type else {}
        properties = self.properties(name, columns)
        check_options(query)
        filter_text = query.get("$filter", "")
        test = read_filter(filter_text, properties) if filter_text else None
        dates = DATES | {n for n, column in columns.items() if column["type"] in DATE_TYPES}
        order = query.get("$orderby", "")
        rows = table.order(order, properties, dates)
        start = start_of(rows, filter_text) if order.startswith("edited") else 0
        found = (doc for doc in _from(rows, start) if test is None or test(doc))
        shown = [self.shown(doc, name, columns) for doc in page(found, query, self._switches.act_top_cap)]
        wanted = [properties.check(part.strip()) for part in query.get("$select", "").split(",") if part.strip()]
        return [{part: doc.get(part) for part in wanted} for doc in shown] if wanted else shown

    def shown(self, doc: Doc, name: str, columns: dict[str, Doc]) -> Doc:
        """One record as it is answered."""
        if not name:
            blank = dict.fromkeys(columns)
            return blank | self._stamped(doc)
        if name == "opportunities":
            return self._opportunity(doc, columns)
        if name == "history" and self._switches.act_history_html and isinstance(doc.get("details"), str):
            doc = doc | {"details": f"<html><body><p>{html.escape(doc['details'])}</p></body></html>"}
        if COLLECTIONS[name].record_type is not None:
            doc = doc | {"customFields": dict.fromkeys(columns) | (doc.get("customFields") or {})}
        if name == "contacts":
            doc = {"emailAddress": None, **doc}
        return self._stamped(doc)

    def _opportunity(self, doc: Doc, columns: dict[str, Doc]) -> Doc:
        status = doc.get("status") or 0
        name = STATUS_NAMES[status]
        custom = dict.fromkeys(columns) | (doc.get("customFields") or {})
        names = ", ".join(str(contact.get("displayName") or "") for contact in doc.get("contacts") or ())
        shown = doc | {"statusName": name, "contactNames": names, "customFields": custom}
        return self._stamped(shown | ({"status": name} if self._switches.act_status_names else {}))

    def _stamped(self, doc: Doc) -> Doc:
        if self._switches.act_edited_digits == 6:
            return doc
        return doc | {name: _cut(doc[name]) for name in ("created", "edited") if doc.get(name)}


def _cut(stamp: str) -> str:
    """A stamp of whole seconds with an offset, as databases are seen to show it."""
    return stamp[:19] + "+00:00"


def _from(rows: Ordered, start: int) -> Iterator[Doc]:
    for at in range(start, len(rows[1])):
        yield rows[1][at]


def _array(table: ActTable) -> bytes:
    return join_array([encode(doc) for doc in table.docs.values()])


def entities_shown(data: ActData, *, custom: bool) -> list[dict[str, Any]]:
    """The record types of the database as metadata show them."""
    built_in: list[dict[str, Any]] = [{"id": name.lower(), "name": name, "isCustom": False} for name in BUILT_IN]
    return built_in + (list(data.entities.docs.values()) if custom else [])
