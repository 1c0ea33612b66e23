"""Finding out what an ActiveTrail account can do, where the vendor's documentation is silent or contradicts itself.

Add a probe for each new capability; a nonsense value must find nothing before a filter is believed.
"""

from __future__ import annotations

from ghl_payments.connectors.activetrail.bodies import DATES, whole_contact
from ghl_payments.connectors.activetrail.client import ActiveTrailClient
from ghl_payments.connectors.activetrail.members import is_one_based, search
from ghl_payments.connectors.activetrail.options import Options
from ghl_payments.connectors.activetrail.shapes import Doc, slot_text
from ghl_payments.connectors.activetrail.slots import SlotCheck, check_labels
from ghl_payments.connectors.base import Level
from ghl_payments.transport.errors import Forbidden, NotFound, Rejected, SchemaDrift, Unreadable

CAPABILITIES: dict[str, tuple[str, ...]] = {
    "commerce": ("available", "unavailable"),
    "unknown_order": ("not_found", "empty"),
    "external_pair": ("find", "attach", "none"),
    "page_base": ("one", "zero"),
    "contact_search": ("exact", "none"),
    "contact_update": ("partial", "whole"),
    "slots": ("own", "in_doubt"),
}
"""What accounts (or what is known of them) differ in. The last level of each works everywhere."""

NONSENSE = "ghl-payments-probe-7f3a9c"
"""No order, contact or external id is called this."""

_NO = (NotFound, Forbidden, Rejected)
"""Answers that say: not here."""


async def probe_commerce(client: ActiveTrailClient) -> dict[str, Level]:
    """Whether there are commerce orders, and how the account answers for one that does not exist."""
    schema = "its schema is answered"
    try:
        await client.commerce_schema()
        has_schema = True
    except _NO as error:
        schema, has_schema = f"its schema is refused ({error.status})", False
    unknown, evidence = None, ""
    try:
        answer = await client.order(NONSENSE, empty_is_none=True)
        unknown, evidence = (
            ("empty", "an order that does not exist is an empty answer") if answer is None else (None, "")
        )
    except NotFound:
        unknown, evidence = "not_found", "an order that does not exist is a 404"
    except (Forbidden, Rejected) as error:
        schema, has_schema = f"{schema}; orders are refused ({error.status})", False
    except SchemaDrift:
        schema, has_schema = f"{schema}; an order is answered for an id that cannot exist", False
    except Unreadable:
        schema = f"{schema}; an order that does not exist is no readable answer"
    # Without the schema a 404 says nothing: the whole area may be what is not found.
    available = has_schema or unknown == "empty"
    found = {"commerce": Level("available" if available else "unavailable", schema)}
    if available and unknown is not None:
        found["unknown_order"] = Level(unknown, evidence)
    return found


async def probe_slots(client: ActiveTrailClient, options: Options) -> SlotCheck:
    """Whose labels our slots carry."""
    try:
        return check_labels(options, await client.labels())
    except (*_NO, SchemaDrift):
        return check_labels(options, None)


async def probe_members(client: ActiveTrailClient, group_id: str) -> tuple[dict[str, Level], tuple[Doc, ...]]:
    """What can only be told by contacts of our group, and the first of them; an empty group leaves it open."""
    based = await is_one_based(client, group_id)
    if based is None:
        return {}, ()
    first = 1 if based[0] else 0
    found = {"page_base": Level("one" if based[0] else "zero", based[1])}
    rows = (await client.members(group_id, first)).rows
    if rows:
        found["contact_search"] = await _search(client, rows[0], first)
    return found, rows


def own_contact(options: Options, rows: tuple[Doc, ...]) -> Doc | None:
    """A contact that carries a key of ours."""
    slot = options.slot_contact_key
    return next((row for row in rows if (slot_text(row, slot) or "").startswith("ghl:contact:")), None)


async def _search(client: ActiveTrailClient, known: Doc, first: int) -> Level:
    try:
        if await search(client, NONSENSE, first):
            return Level("none", "a search for nonsense finds contacts, so that it is no search")
        term = known.get("email") or known.get("sms")
        if not term:
            return Level("none", "no contact with an address to search for")
        hits = await search(client, str(term), first)
    except _NO as error:
        return Level("none", f"the search is refused ({error.status})")
    if any(hit.get("id") == known.get("id") for hit in hits):
        return Level("exact", "a search for nonsense finds nothing, one for a known address finds its contact")
    return Level("none", "a search for a known address does not find its contact")


async def probe_pair(client: ActiveTrailClient, options: Options, own: Doc | None) -> Level:
    """Whether contacts can carry an external id, and be found by it. Only a hit proves the latter."""
    try:
        await client.unmapped()
    except (*_NO, SchemaDrift) as error:
        return Level("none", f"external ids are refused ({error.status})")
    try:
        if await client.contact_by_pair(NONSENSE, options.external_name) is not None:
            return Level("attach", "a nonsense external id finds a contact, so that finding by it cannot be trusted")
        if own is None:
            return Level("attach", "no contact of ours yet to try finding one by its external id")
        contact_id = (slot_text(own, options.slot_contact_key) or "").rpartition(":")[2]
        found = await client.contact_by_pair(contact_id, options.external_name)
    except (Forbidden, Rejected, SchemaDrift, Unreadable) as error:
        return Level("attach", f"finding by an external id is refused ({error.status})")
    if found == str(own.get("id")):
        return Level("find", "a nonsense external id finds nothing, a known one finds its contact")
    return Level("attach", "a known external id does not find its contact")


async def probe_update(client: ActiveTrailClient, options: Options, rows: tuple[Doc, ...]) -> Level | None:
    """Write a contact over itself without its billing status, which is ours: whether that survives tells.

    If it does not, it is put back. Only a contact without dates of other people is tried, as dates have no zone and may
    come back shifted; None when there is none.
    """
    slot, own_dates = options.slot_billing_status, set(options.slots.values())
    foreign = [name for name in DATES if name not in own_dates]
    ours = (row for row in rows if own_contact(options, (row,)) and slot_text(row, slot))
    native_id = next((str(row["id"]) for row in ours if not any(row.get(name) for name in foreign)), None)
    if native_id is None:
        return None
    before, _ = await client.contact(native_id, priority="fresh")
    whole = whole_contact(before, {})
    try:
        await client.put_contact(native_id, {name: value for name, value in whole.items() if name != slot})
        after, _ = await client.contact(native_id, priority="fresh")
        if after.get(slot) == before.get(slot):
            return Level("partial", "a field that is not sent stays as it was")
        await client.put_contact(native_id, whole)
    except _NO as error:
        return Level("whole", f"contact {native_id} could not be written over itself ({error.status}), all are sent")
    return Level("whole", "a field that is not sent is emptied, so that all are sent")


async def still_there(client: ActiveTrailClient) -> bool:
    """Whether the commerce area still answers, so that a 404 is about an order and not about the account's plan.

    Raises what says nothing about the plan: a refused token, an outage, a limit.
    """
    return (await probe_commerce(client))["commerce"].level == "available"
