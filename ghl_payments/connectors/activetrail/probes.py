"""Finding out what an ActiveTrail account can do, where the vendor's documentation is silent or contradicts itself.

Add a probe for each new capability; a nonsense value must find nothing before a filter is believed.
"""

from __future__ import annotations

from ghl_payments.connectors.activetrail.bodies import OWN_FIELDS, whole_contact
from ghl_payments.connectors.activetrail.client import ActiveTrailClient
from ghl_payments.connectors.activetrail.members import is_one_based
from ghl_payments.connectors.activetrail.options import Options
from ghl_payments.connectors.activetrail.shapes import Doc, slot_text
from ghl_payments.connectors.activetrail.slots import SlotCheck, check_labels
from ghl_payments.connectors.base import Level
from ghl_payments.transport.errors import ApiError, Forbidden, NotFound, Rejected, SchemaDrift, Unreadable

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


async def probe_members(client: ActiveTrailClient, group_id: str) -> dict[str, Level]:
    """What can only be told by contacts of our group; what an empty group leaves open is left out."""
    based = await is_one_based(client, group_id)
    if based is None:
        return {}
    found = {"page_base": Level("one" if based[0] else "zero", based[1])}
    known = (await client.members(group_id, 1 if based[0] else 0, size=1)).rows
    if known:
        found["contact_search"] = await _search(client, known[0])
    return found


async def own_contact(client: ActiveTrailClient, options: Options, group_id: str) -> Doc | None:
    """A contact of our group that carries a key of ours, from the first page."""
    rows = (await client.members(group_id, 1)).rows
    return next(
        (row for row in rows if (slot_text(row, options.slot_contact_key) or "").startswith("ghl:contact:")), None
    )


async def _search(client: ActiveTrailClient, known: Doc) -> Level:
    try:
        if (await client.search(NONSENSE)).rows:
            return Level("none", "a search for nonsense finds contacts, so that it is no search")
        term = known.get("email") or known.get("sms")
        if not term:
            return Level("none", "no contact with an address to search for")
        hits = (await client.search(str(term))).rows
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


async def probe_update(client: ActiveTrailClient, options: Options, own: Doc) -> Level:
    """Write one contact's key over itself and see whether the rest of it survives; if not, put it back."""
    native_id = str(own["id"])
    before, _ = await client.contact(native_id, priority="fresh")
    slot = options.slot_contact_key
    await client.put_contact(native_id, {slot: before.get(slot)})
    after, _ = await client.contact(native_id, priority="fresh")
    lost = [name for name in OWN_FIELDS if before.get(name) not in (None, "") and after.get(name) != before.get(name)]
    if not lost:
        return Level("partial", "a change of one field leaves the others as they were")
    await client.put_contact(native_id, whole_contact(before, {}))
    return Level("whole", f"a change of one field changes others ({', '.join(sorted(lost))}); they were put back")


async def still_there(client: ActiveTrailClient) -> bool:
    """Whether the commerce area still answers, so that a 404 is about an order and not about the account's plan."""
    try:
        return (await probe_commerce(client))["commerce"].level == "available"
    except ApiError:
        return False
