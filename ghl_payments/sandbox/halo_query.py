"""Lists of Halo: filters, search, order, pages and the envelope around their rows.

Which parameters filter which property is said in `halo_schema`; parameters that nobody knows are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.clock import day_end_ms, epoch_ms, is_bare_date
from ghl_payments.sandbox.codec import Doc, encode, join_array
from ghl_payments.sandbox.halo_table import Table, filter_text
from ghl_payments.sandbox.switches import Switches
from ghl_payments.sandbox.wire import Answer

DEFAULT_PAGE, MAX_PAGE = 50, 100
_DATE_FIELDS = {
    "invoice_date": "invoice_date",
    "last_modified": "last_modified",
    "duedate": "duedate",
    "due_date": "duedate",
    "posted_date": "dateposted",
}
_PAGING = ("pageinate", "page_size", "page_no", "count", "idonly", "includelines", "includedetails")


def truthy(text: str | None) -> bool:
    """Clients send `true` and `True`."""
    return text is not None and text.casefold() in ("true", "1")


def list_answer(table: Table, query: dict[str, str], switches: Switches, *, empty: bool) -> Answer:
    """One page, or everything (at most `count` rows) without `pageinate`."""
    resource = table.resource
    query = {name.casefold(): value for name, value in query.items()}
    ids = [] if empty else selected(table, query)
    page_no, size = _number(query, "page_no", 1), min(_number(query, "page_size", DEFAULT_PAGE), MAX_PAGE)
    if resource.name == "Currency":
        # The endpoint has no parameters; it answers everything at once.
        page = ids
    elif truthy(query.get("pageinate")):
        page = ids[(page_no - 1) * size : page_no * size]
    else:
        page = ids[: _number(query, "count", len(ids))]
    rows = join_array(_rows(table, page, query))
    if switches.halo_bare_arrays:
        return Answer(200, rows)
    plural = switches.halo_sales_order_key if resource.name == "SalesOrder" else resource.plural
    head = {"page_no": page_no, "page_size": size, "record_count": len(ids)}
    return Answer(200, encode(head)[:-1] + b',"%b":%b}' % (plural.encode(), rows))


def selected(table: Table, query: dict[str, str]) -> list[int]:
    """Ids of all matching records in the order asked for (by id when none is)."""
    relevant = tuple(sorted((name, value) for name, value in query.items() if value and name not in _PAGING))
    ids = table.cached(relevant)
    if ids is None:
        ids = _ordered(table, _filtered(table, dict(relevant)), query)
        table.cache(relevant, ids)
    return ids


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and int(text) else default


def _rows(table: Table, ids: list[int], query: dict[str, str]) -> list[bytes]:
    if truthy(query.get("idonly")):
        return [b'{"id":%d}' % record_id for record_id in ids]
    if table.resource.lines and truthy(query.get("includelines")):
        names = (*(table.resource.list_fields or ()), "lines")
        return [encode({name: doc.get(name) for name in names}) for doc in _docs(table, ids)]
    return [table.row(record_id) for record_id in ids]


def _docs(table: Table, ids: Iterable[int]) -> Iterable[Doc]:
    return (doc for doc in map(table.doc, ids) if doc is not None)


def _filtered(table: Table, query: dict[str, str]) -> list[int]:
    resource = table.resource
    ids = table.ids
    scanned: dict[str, set[str]] = {}
    for name, property_name in resource.filters.items():
        if name not in query:
            continue
        values = set(query[name].split(",")) if name.endswith("s") else {query[name]}
        if table.is_indexed(property_name) and ids is table.ids:
            ids = sorted(record_id for value in values for record_id in table.find(property_name, value))
        else:
            scanned[property_name] = values
    if scanned:
        ids = [doc["id"] for doc in _docs(table, ids) if _has(doc, scanned)]
    ids = _dated(table, ids, query)
    if resource.name == "Client" and not truthy(query.get("includeinactive")):
        ids = [doc["id"] for doc in _docs(table, ids) if not doc.get("inactive")]
    if text := query.get("search"):
        ids = [record_id for record_id in ids if text.casefold() in table.searched(record_id)]
    return ids


def _has(doc: Doc, wanted: dict[str, set[str]]) -> bool:
    return all(filter_text(doc.get(name)) in values for name, values in wanted.items())


def _dated(table: Table, ids: list[int], query: dict[str, str]) -> list[int]:
    """`datesearch` names the property; tenants spell the bounds `startdate` or `start_date`, so both are known."""
    name = _DATE_FIELDS.get(query.get("datesearch", ""))
    if name is None or table.resource.name != "Invoice":
        return ids
    start = epoch_ms(query.get("startdate") or query.get("start_date"))
    end_text = query.get("enddate") or query.get("end_date") or ""
    end = epoch_ms(end_text)
    if end is not None and is_bare_date(end_text):
        end = day_end_ms(end)
    return [doc["id"] for doc in _docs(table, ids) if _between(epoch_ms(doc.get(name)), start, end)]


def _between(value: int | None, start: int | None, end: int | None) -> bool:
    return value is not None and (start is None or value >= start) and (end is None or value <= end)


def _ordered(table: Table, ids: list[int], query: dict[str, str]) -> list[int]:
    for suffix in ("5", "4", "3", "2", ""):
        name = query.get(f"order{suffix}")
        if not name:
            continue
        reverse = truthy(query.get(f"orderdesc{suffix}"))
        if name == "id":
            ids = sorted(ids, reverse=reverse)
        else:
            keys = {doc["id"]: _sort_key(doc.get(name)) for doc in _docs(table, ids)}
            ids = sorted(ids, key=keys.__getitem__, reverse=reverse)
    return ids


def _sort_key(value: Any) -> tuple[int, Any]:
    if isinstance(value, int | Decimal):
        return 1, value
    return (0, "") if value is None else (2, str(value).casefold())
