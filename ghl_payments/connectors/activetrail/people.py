"""Which contact of the account a GHL contact is: looked for before it is created, so that nobody is doubled or renamed.

What is written stands in `bodies.py`; this module decides where.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from ghl_payments.connectors.activetrail.bodies import Body, refusal
from ghl_payments.connectors.activetrail.client import ActiveTrailClient
from ghl_payments.connectors.activetrail.members import MemberList, first_page, search
from ghl_payments.connectors.activetrail.options import Options
from ghl_payments.connectors.activetrail.shapes import Doc, Page, id_text, slot_text
from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.transport.errors import Transient

Levels = Mapping[str, str]


@dataclass(slots=True)
class _Index:
    """Contacts of our group by what identifies a person."""

    by_email: dict[str, Doc] = field(default_factory=dict)
    by_sms: dict[str, Doc] = field(default_factory=dict)

    def add(self, contact: Doc) -> None:
        email, sms = _email(contact.get("email")), _digits(contact.get("sms"))
        if email:
            self.by_email.setdefault(email, contact)
        if sms:
            self.by_sms.setdefault(sms, contact)

    def get(self, who: Body) -> Doc | None:
        return self.by_email.get(_email(who.get("email"))) or self.by_sms.get(_digits(who.get("sms")))


class People:
    """Finds the contact that a GHL contact already has; one for a connector's life, as it remembers the group."""

    def __init__(self, client: ActiveTrailClient, options: Options, levels: Levels) -> None:
        self._client = client
        self._options = options
        self._levels = levels
        self._index: _Index | None = None
        self._lock = asyncio.Lock()

    async def existing(self, record: DesiredRecord, who: Body, group_id: str) -> Doc | None:
        """The contact to take over, None to create one. Rejected when the person's contact belongs to another key."""
        contact = await self._by_pair(record)
        if contact is None:
            contact = (await self._members(group_id)).get(who)
        if contact is None and self._levels["contact_search"] == "exact":
            contact = await self._by_search(who)
        if contact is not None:
            self._check_owner(contact, record)
        return contact

    def remember(self, contact: Doc) -> None:
        """A contact was written, so that a second one of the same person is noticed."""
        if self._index is not None:
            self._index.add(contact)

    def forget(self) -> None:
        """What a write did is not known: the group is read again before anybody is taken to be missing from it."""
        self._index = None

    async def _by_pair(self, record: DesiredRecord) -> Doc | None:
        if self._levels["external_pair"] != "find":
            return None
        contact_id = record.key.rpartition(":")[2]
        found = await self._client.contact_by_pair(contact_id, self._options.external_name)
        return (await self._client.contact(found, priority="fresh"))[0] if found else None

    async def _members(self, group_id: str) -> _Index:
        async with self._lock:
            if self._index is None:
                index = _Index()

                def take(_: int, page: Page) -> None:
                    for row in page.rows:
                        index.add(row)

                passed = await MemberList(self._client, group_id, first_page(self._levels), priority="fresh").read(take)
                if passed.reason is not None:
                    raise Transient(
                        system="activetrail", method="GET", path=f"/api/groups/{group_id}/members",
                        remedy=f"The group could not be read completely ({passed.reason}), so that nobody can be "
                        "created without the risk of a second contact. Trying again later can help.",
                    )  # fmt: skip
                self._index = index
            return self._index

    async def _by_search(self, who: Body) -> Doc | None:
        """The search is free text: only a row with exactly this address counts, the oldest of several."""
        for name, same in (("email", _email), ("sms", _digits)):
            wanted = same(who.get(name))
            if not wanted:
                continue
            rows = await search(self._client, str(who[name]), first_page(self._levels))
            hits = [row for row in rows if same(row.get(name)) == wanted and id_text(row.get("id"))]
            if hits:
                first = min(hits, key=lambda row: int(row["id"]))
                return (await self._client.contact(str(first["id"]), priority="fresh"))[0]
        return None

    def _check_owner(self, contact: Doc, record: DesiredRecord) -> None:
        key = slot_text(contact, self._options.slot_contact_key)
        place = slot_text(contact, self._options.slot_location)
        if key is None or (key == record.key and place in (record.location_id, None)):
            return
        if key == record.key:
            why = f"ActiveTrail's contact {contact['id']} carries this key for location {place}."
        elif key.startswith("ghl:contact:"):
            why = (
                f"ActiveTrail's contact {contact['id']} has the same e-mail address or mobile number and is already "
                f"{key} (location {place}). Merge the two contacts in GHL, or give them different addresses."
            )
        else:
            why = (
                f"slot {self._options.slot_contact_key} of ActiveTrail's contact {contact['id']} holds something that "
                "is not ours. Choose a free slot in the connection's options."
            )
        raise refusal(record, why)


def _email(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _digits(value: object) -> str:
    """A phone number as its digits, without the zeros that stand for an international prefix."""
    return "".join(sign for sign in value if sign.isdigit()).lstrip("0") if isinstance(value, str) else ""
