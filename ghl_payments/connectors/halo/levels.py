"""What a Halo tenant's lists can be asked for: probes that a tenant which ignores a parameter cannot pass.

Add a probe here when a further parameter is not sure to be honoured; what follows from a level belongs to `search.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

import msgspec

from ghl_payments.connectors.base import Level
from ghl_payments.connectors.halo.client import HaloClient
from ghl_payments.transport.errors import (
    ApiError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    Rejected,
    SchemaDrift,
    Transient,
)
from ghl_payments.transport.jsontext import decode

CAPABILITIES: Mapping[str, tuple[str, ...]] = {
    "external_link_filter": ("filter", "scan"),
    "invoice_filter": ("filter", "scan"),
    "payment_filter": ("filter", "scan"),
    "order_search": ("filter", "scan"),
    "invoice_changes": ("startdate", "start_date", "scan"),
}
"""`filter`: the parameter finds what it should, and a nonsense value finds nothing. `scan`: the whole list is read and
searched here. `invoice_changes` is which spelling bounds a search by date of change."""

_SAMPLE_ROWS = 50
_LONG_AGO, _FAR_FUTURE = "1970-01-01", "2199-01-01"
_CLIENT_TABLE = 2
_NO_SAMPLE = "no record to try it with"


@dataclass(frozen=True, slots=True)
class FilterProbe:
    """One list parameter, and the property that it should compare."""

    path: str
    parameter: str
    compared: str


FILTERS: Mapping[str, FilterProbe] = {
    "external_link_filter": FilterProbe("ExternalLink", "third_party_id", "third_party_id"),
    "invoice_filter": FilterProbe("Invoice", "third_party_id", "thirdpartyinvoicenumber"),
    "payment_filter": FilterProbe("InvoicePayment", "intent_id", "intent_id"),
    "order_search": FilterProbe("SalesOrder", "search", "po_number"),
}


async def probe_tenant(client: HaloClient, *, may_write: bool) -> dict[str, Level]:
    """The level of each capability; one that could not be probed for now is left out, and so probed again later.

    With `may_write`, a tenant without any cross-reference is given one for a moment, to see that it is found again.
    """
    found: dict[str, Level] = {}
    for name, probe in FILTERS.items():
        try:
            found[name] = await _filter_level(client, probe)
            if may_write and name == "external_link_filter" and found[name].evidence == _NO_SAMPLE:
                found[name] = await _link_level(client, probe)
        except Rejected as error:
            found[name] = Level("scan", f"{probe.path} refuses {probe.parameter} ({error.status})")
        except (Transient, SchemaDrift):
            continue
    try:
        found["invoice_changes"] = await _changes_level(client)
    except Rejected as error:
        found["invoice_changes"] = Level("scan", f"Invoice refuses datesearch ({error.status})")
    except (Transient, SchemaDrift):
        pass
    return found


async def _filter_level(client: HaloClient, probe: FilterProbe) -> Level:
    if await _count(client, probe.path, {probe.parameter: _nonsense()}):
        return Level("scan", f"{probe.path} ignores {probe.parameter}: a nonsense value was answered with records")
    value = await _sample(client, probe)
    if value is None:
        return Level("scan", _NO_SAMPLE)
    if not await _finds(client, probe, value):
        return Level("scan", f"{probe.path} did not find a record that it has by {probe.parameter}")
    return Level("filter", f"{probe.path} found a record by {probe.parameter}, and none for a nonsense value")


async def _link_level(client: HaloClient, probe: FilterProbe) -> Level:
    """Make a cross-reference to any client, find it, delete it."""
    clients = (await client.list_page("Client", 1, page_size=1)).rows
    if not clients or clients[0].id is None:
        return Level("scan", _NO_SAMPLE)
    value = _nonsense()
    link = {
        "table_id": _CLIENT_TABLE,
        "halo_id": int(clients[0].id),
        "third_party_id": value,
        "third_party_type": "probe",
    }
    try:
        made = await client.post(probe.path, link)
    except (Rejected, Forbidden, NotFound) as error:
        return Level("scan", f"a cross-reference could not be made ({error.status}), so records cannot carry our key")
    except (OutcomeUnknown, SchemaDrift):
        return Level("scan", f"the answer to a trial cross-reference was lost; {value} may have been left behind")
    found = await _finds(client, probe, value)
    try:
        await client.delete(probe.path, made.native_id)
        left = ""
    except ApiError:
        left = f"; {value} could not be deleted again"
    if not found:
        return Level("scan", f"a cross-reference just made was not found by {probe.parameter}{left}")
    return Level("filter", f"a cross-reference was made and found by {probe.parameter}{left}")


async def _changes_level(client: HaloClient) -> Level:
    for spelling in ("startdate", "start_date"):
        asked = {"datesearch": "last_modified", spelling: _FAR_FUTURE}
        if await _count(client, "Invoice", asked):
            continue
        if not await _count(client, "Invoice", asked | {spelling: _LONG_AGO}):
            return Level("scan", _NO_SAMPLE)
        return Level(spelling, f"Invoice answered nothing for changes after {_FAR_FUTURE[:4]}, and all since 1970")
    return Level("scan", "Invoice ignores datesearch: changes of the future were answered with records")


async def _sample(client: HaloClient, probe: FilterProbe) -> str | None:
    """A value that a record has: of the newest records, where ours are, else of the oldest."""
    for order in ("true", "false"):
        page = await client.list_page(probe.path, 1, page_size=_SAMPLE_ROWS, filters={"orderdesc": order})
        for row in page.rows:
            value = _compared(row.raw, probe)
            if isinstance(value, str) and value.strip():
                return value
    return None


async def _finds(client: HaloClient, probe: FilterProbe, value: str) -> bool:
    page = await client.list_page(probe.path, 1, filters={probe.parameter: value})
    return any(_compared(row.raw, probe) == value for row in page.rows)


async def _count(client: HaloClient, path: str, filters: Mapping[str, str | int]) -> int:
    page = await client.list_page(path, 1, page_size=1, filters=filters)
    return max(len(page.rows), page.record_count or 0)


def _compared(raw: msgspec.Raw, probe: FilterProbe) -> object:
    return decode(raw).get(probe.compared)


def _nonsense() -> str:
    return f"ghl_payments-probe-{uuid4().hex}"
