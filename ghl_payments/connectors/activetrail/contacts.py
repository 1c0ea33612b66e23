"""Writing contacts: created in our group, or taken over with nothing changed but our slots.

Who a person already is belongs to `people.py`, what is written to `bodies.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from ghl_payments.connectors.activetrail import bodies, probes
from ghl_payments.connectors.activetrail.client import SYSTEM, ActiveTrailClient
from ghl_payments.connectors.activetrail.group import OwnGroup
from ghl_payments.connectors.activetrail.options import Options
from ghl_payments.connectors.activetrail.people import Levels, People
from ghl_payments.connectors.activetrail.shapes import Doc
from ghl_payments.connectors.activetrail.slots import SlotCheck, slot_refusal
from ghl_payments.connectors.base import DesiredRecord, WriteAnswer
from ghl_payments.transport.errors import ApiError, OutcomeUnknown

logger = logging.getLogger(__name__)

IDENTITY = ("email", "sms")


class ContactWriter:
    """Creates and changes contacts at the levels in force; one for a connector's life."""

    def __init__(self, client: ActiveTrailClient, options: Options, group: OwnGroup, levels: Levels) -> None:
        self._client = client
        self._options = options
        self._group = group
        self._levels = levels
        self._people = People(client, options, levels)
        self._slots: SlotCheck | None = None
        self._lock = asyncio.Lock()

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """The record's contact with its key in the same request; Rejected when it belongs to another key already."""
        await self._check_slots(record)
        who = bodies.person(record, self._options)
        group_id = await self._group.ensure()
        existing = await self._people.existing(record, who, group_id)
        slots = bodies.own_slots(record, self._options)
        try:
            if existing is None:
                contact, status = await self._create(group_id, who, slots, record)
            else:
                contact, status = await self._adopt(group_id, existing, slots, record)
        except OutcomeUnknown:
            self._people.forget()
            raise
        self._people.remember({**contact, **slots})
        native_id = str(contact["id"])
        await self._attach_pair(native_id, record)
        return WriteAnswer(native_id, status)

    async def update(self, native_id: str, record: DesiredRecord, changed: Sequence[str]) -> WriteAnswer:
        """Write only the slots of the `changed` fields."""
        await self._check_slots(record)
        values = bodies.slot_values(record, self._options, changed)
        if not values:
            raise bodies.refusal(record, f"none of the fields {', '.join(changed) or '(none)'} can be written.")
        return WriteAnswer(native_id, await self._put(native_id, values))

    async def _check_slots(self, record: DesiredRecord) -> None:
        """Labels are looked at once in a connector's life, before its first write to a contact."""
        async with self._lock:
            if self._slots is None:
                self._slots = await probes.probe_slots(self._client, self._options)
        # Where labels are not told, a person who forces the level has looked.
        if self._slots.foreign or (not self._slots.told and self._levels["slots"] != "own"):
            raise slot_refusal(self._slots, self._options, record.key)

    async def _create(
        self, group_id: str, who: bodies.Body, slots: Mapping[str, object], record: DesiredRecord
    ) -> tuple[Doc, int]:
        """Without a search that can be trusted the person may be there already, under names of their own."""
        if self._levels["contact_search"] == "exact":
            return await self._add(group_id, {**who, **slots}, record)
        named = {name: value for name, value in who.items() if name not in IDENTITY}
        known = {name: value for name, value in who.items() if name in IDENTITY}
        contact, status = await self._add(group_id, {**known, **slots}, record)
        if named and not any(contact.get(name) for name in named):
            await self._put(str(contact["id"]), named)
        return contact, status

    async def _adopt(
        self, group_id: str, existing: Doc, slots: Mapping[str, object], record: DesiredRecord
    ) -> tuple[Doc, int]:
        """Put our slots on a contact that was there before, into our group; nothing else of it changes."""
        known = {name: existing[name] for name in IDENTITY if existing.get(name)}
        if not known:
            return existing, await self._put(str(existing["id"]), slots)
        if self._levels["contact_update"] == "whole":
            known = bodies.whole_contact(existing, {})
        contact, status = await self._add(group_id, {**known, **slots}, record)
        if contact["id"] != existing["id"]:
            raise OutcomeUnknown(
                system=SYSTEM, method="POST", path=f"/api/groups/{group_id}/members", status=status,
                remedy=f"{record.key}: another contact was written than the one found; it is looked for by its key.",
            )  # fmt: skip
        return contact, status

    async def _add(self, group_id: str, values: Mapping[str, object], record: DesiredRecord) -> tuple[Doc, int]:
        contact, status = await self._client.add_member(group_id, bodies.member_body(values))
        if contact is None:
            raise OutcomeUnknown(
                system=SYSTEM, method="POST", path=f"/api/groups/{group_id}/members", status=status,
                remedy=f"{record.key}: the answer was empty; the contact is looked for by its key.",
            )  # fmt: skip
        return contact, status

    async def _put(self, native_id: str, values: Mapping[str, object]) -> int:
        if self._levels["contact_update"] == "whole":
            existing, _ = await self._client.contact(native_id, priority="fresh")
            values = bodies.whole_contact(existing, values)
        return await self._client.put_contact(native_id, values)

    async def _attach_pair(self, native_id: str, record: DesiredRecord) -> None:
        """An external id ties orders to the contact. The contact stands without it, so a failure is only noted."""
        if self._levels["external_pair"] == "none":
            return
        try:
            await self._client.attach_pair(native_id, bodies.ghl_id(record), self._options.external_name)
        except ApiError as error:
            logger.info("contact %s has no external id of ours: %s", native_id, error)
