"""Finding records in Halo by our key, without trusting a tenant to honour a filter.

What a hit means for a change is decided by SQL; fetching its document belongs to `connector.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ghl_payments.connectors.halo.client import HaloClient
from ghl_payments.connectors.halo.lists import MAX_ATTEMPTS, list_once
from ghl_payments.connectors.halo.resources import RESOURCES
from ghl_payments.connectors.halo.shapes import ListPage, id_text
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.errors import Transient
from ghl_payments.transport.jsontext import decode

Row = Mapping[str, Any]


SEARCH_CAPABILITY = {"sales_order": "order_search", "invoice": "invoice_filter", "invoice_payment": "payment_filter"}
"""Record type -> the capability that its search by key rests on."""


async def native_ids_by_key(
    client: HaloClient, record_type: str, key: str, location_id: str, levels: Mapping[str, str]
) -> list[str]:
    """Ids of the records that a cross-reference or their own key field ties to our key, ascending.

    Cross-references of other locations do not count; records found by their key field may still belong to one. A filter
    is sent only at the level `filter` of its capability, because one that misses a record would have it made twice.
    """
    resource = RESOURCES[record_type]
    found: set[str | None] = set()
    if resource.link_table is not None:
        table = str(resource.link_table)

        def is_ours(row: Row) -> bool:
            return id_text(row.get("table_id")) == table and _names_location([row], key, location_id)

        trusted = levels.get("external_link_filter") == "filter"
        filters: dict[str, str | int] = {"third_party_id": key} if trusted else {}
        links = await matching_rows(client, RESOURCES["external_link"].path, filters, is_ours)
        found |= {id_text(link.get("halo_id")) for link in links}
    if resource.search is not None:
        name = resource.key_properties[0]
        trusted = levels.get(SEARCH_CAPABILITY[record_type]) == "filter"
        asked: dict[str, str | int] = {resource.search: key} if trusted else {}
        rows = await matching_rows(client, resource.path, asked, lambda row: row.get(name) == key)
        found |= {id_text(row.get("id")) for row in rows}
    return sorted((native_id for native_id in found if native_id), key=lambda text: (len(text), text))


async def matching_rows(
    client: HaloClient,
    path: str,
    filters: Mapping[str, str | int],
    matches: Callable[[Row], bool],
    *,
    priority: Priority = "fresh",
) -> list[Row]:
    """All rows of a list that match, whether the tenant honours the filters or answers everything.

    Raises Transient when the list could not be read completely: no conclusion may be drawn from a part of it.
    """
    reason: str | None = None
    for _ in range(MAX_ATTEMPTS):
        kept: list[Row] = []

        def take(_: int, page: ListPage, kept: list[Row] = kept) -> None:
            kept.extend(row for row in (decode(item.raw) for item in page.rows) if matches(row))

        reason = (await list_once(client, path, take, filters=filters, priority=priority)).reason
        if reason is None:
            return kept
    remedy = f"The list could not be read completely ({reason}); trying again later can help."
    raise Transient(system="halo", method="GET", path=f"/api/{path}", remedy=remedy)


def belongs_to(document: Row, key: str, location_id: str) -> bool:
    """Whether a record found by our key is this location's, as far as its own cross-references tell."""
    links = [link for link in document.get("external_links") or [] if isinstance(link, dict)]
    ours = [link for link in links if link.get("third_party_id") == key]
    return not ours or _names_location(ours, key, location_id)


def _names_location(links: Iterable[Row], key: str, location_id: str) -> bool:
    return any(
        link.get("third_party_id") == key and link.get("third_party_secondary_id") in (location_id, None, "")
        for link in links
    )
