"""ActiveTrail as a target of the loop: our group's contacts, commerce orders by id, writes.

Requests belong to `client.py`, bodies to `bodies.py`, who a contact is to `people.py`, probes to `probes.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ghl_payments.connectors.activetrail import bodies, probes
from ghl_payments.connectors.activetrail.client import SYSTEM, ActiveTrailClient
from ghl_payments.connectors.activetrail.contacts import ContactWriter
from ghl_payments.connectors.activetrail.group import OwnGroup
from ghl_payments.connectors.activetrail.members import MAX_ATTEMPTS, ListPass, MemberList, first_page
from ghl_payments.connectors.activetrail.options import SLOT_OF_FIELD, Options
from ghl_payments.connectors.activetrail.orders import OrderDesk, order_fields
from ghl_payments.connectors.activetrail.shapes import Doc, Page, id_text, read_contact, slot_text
from ghl_payments.connectors.base import DesiredRecord, Level, Probe, ReadCertificate, WriteAnswer
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.errors import ApiError, NotFound, Rejected, SchemaDrift, Transient, Unreachable
from ghl_payments.transport.jsontext import opening
from ghl_payments.transport.landing import LandingWriter
from ghl_payments.transport.outage import OutageGuard

CONTACT, ORDER = "contact", "commerce_order"

UNCOUNTED = "; the account does not count them, so that a limit on its pages would not show"


@dataclass(frozen=True, slots=True)
class _Document:
    """One record asked for by id; `status` is 200, 404, another error status, or 0 for no readable answer."""

    native_id: str
    status: int
    body: bytes | None


class ActiveTrailConnector:
    """One ActiveTrail account; `connection` is its name in connections.yaml. See `connectors.base.Connector`."""

    system = SYSTEM
    record_types: Sequence[str] = (CONTACT, ORDER)
    auxiliary_types: Sequence[str] = ()
    detail_types: Sequence[str] = ()
    keyed_types: Sequence[str] = (ORDER,)
    capabilities: Mapping[str, tuple[str, ...]] = probes.CAPABILITIES
    writable_fields: Mapping[str, frozenset[str]] = {
        CONTACT: frozenset({*SLOT_OF_FIELD, *bodies.PERSON}),
        ORDER: frozenset({
            *bodies.ORDER_TEXTS, *bodies.ORDER_AMOUNTS, *bodies.ORDER_NUMBERS, *bodies.ORDER_DAYS, "quantity",
        }),
    }  # fmt: skip

    def __init__(
        self, client: ActiveTrailClient, connection: str, options: Options | None = None, *, concurrency: int = 8
    ) -> None:
        self._client = client
        self._connection = connection
        self._options = options or Options()
        self._concurrency = concurrency
        self._levels = {name: levels[-1] for name, levels in self.capabilities.items()}
        self._group = OwnGroup(client, self._options.group)
        self._contacts = ContactWriter(client, self._options, self._group, self._levels)
        self._orders = OrderDesk(client, self._options, self._levels)
        # Our group as searches read it last; not to be trusted after a write.
        self._members: dict[tuple[str | None, str | None], set[str]] | None = None

    async def probe_levels(self, *, may_write: bool) -> dict[str, Level]:
        """Find out what the account can do. Only the one write to a contact of ours needs `may_write`.

        What an account without contacts of ours leaves open is not named: it is found out as soon as there are some.
        """
        found = await probes.probe_commerce(self._client)
        slots = await probes.probe_slots(self._client, self._options)
        found["slots"] = Level("own" if slots.told and not slots.foreign else "in_doubt", slots.evidence)
        group_id = await self._group.find()
        told, members = await probes.probe_members(self._client, group_id) if group_id else ({}, ())
        found |= told
        own = probes.own_contact(self._options, members)
        pair = await probes.probe_pair(self._client, self._options, own)
        if own is not None or pair.level == "none":
            found["external_pair"] = pair
        if not may_write:
            found["contact_update"] = Level("whole", "not tried, as nothing may be written")
        elif (level := await probes.probe_update(self._client, self._options, members)) is not None:
            found["contact_update"] = level
        return found

    def use_levels(self, levels: Mapping[str, str]) -> None:
        """Work at these levels from now on."""
        self._levels.update({name: level for name, level in levels.items() if name in self._levels})

    async def probe(self, record_type: str) -> Probe:
        """Count our group's contacts, or ask for an order that cannot exist."""
        if record_type == CONTACT:
            group_id = await self._group.find()
            page = await self._client.members(group_id, 1, size=1) if group_id else None
            rows = 0 if page is None else len(page.rows) if page.count is None else page.count
            return Probe(rows, self._client.clock_ahead)
        await probes.probe_commerce(self._client)
        return Probe(None, self._client.clock_ahead)

    async def read(self, record_type: str, landing: Path) -> ReadCertificate:
        """List our group's contacts completely; only the last attempt's pages stay in the landing file."""
        group_id, attempts = await self._group.find(), 0
        while True:
            attempts += 1
            with LandingWriter(landing) as writer:
                passed = await self._read_once(group_id, writer) if group_id else ListPass(declared=0)
            if passed.reason is None or attempts >= MAX_ATTEMPTS:
                return ReadCertificate(
                    record_type=record_type,
                    rows=len(passed.ids),
                    unique_ids=len(passed.ids),
                    declared=passed.declared,
                    pages=passed.pages,
                    attempts=attempts,
                    complete=passed.reason is None,
                    reason=passed.reason,
                    limits=f"only contacts of the group {self._options.group!r} are listed; others are not looked at"
                    + ("" if passed.declared is not None else UNCOUNTED),
                )

    async def read_details(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:
        """Get documents by native id; native id -> 200, 404, or for one that could not be read its status or 0."""
        if record_type == ORDER:
            await self._orders.check()
        with LandingWriter(landing) as writer:
            async with aclosing(self._documents(record_type, native_ids, writer, "sweep")) as answers:
                return {answer.native_id: answer.status async for answer in answers}

    async def find(self, record_type: str, key: str, location_id: str, landing: Path) -> list[str]:
        """Orders by their id, contacts by their key in our group; native ids.

        A contact that carries the key and has left the group is yet to be put back: its external id is not asked for.
        """
        if record_type == ORDER:
            await self._orders.check()
            candidates = [key.rpartition(":")[2]]
        else:
            candidates = await self._contacts_with(key, location_id)
        hits = []
        with LandingWriter(landing) as writer:
            async with aclosing(self._documents(record_type, candidates, writer, "verify")) as answers:
                async for answer in answers:
                    if answer.status not in (200, 404):
                        raise Transient(
                            system=SYSTEM, method="GET", path=f"/api/{record_type}/{answer.native_id}",
                            status=answer.status or None,
                            remedy="A record that may carry the key could not be read; trying again later can help.",
                        )  # fmt: skip
                    if answer.body is not None and self._is_ours(record_type, answer.body, key, location_id):
                        hits.append(answer.native_id)
        return hits

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """Create one record carrying its key, or take over the one that is the same person or order already.

        OutcomeUnknown when an answer is lost; Rejected when what is there belongs to somebody else.
        """
        self._members = None
        return await (self._orders.create(record) if record.record_type == ORDER else self._contacts.create(record))

    async def update(self, native_id: str, record: DesiredRecord, changed: Sequence[str]) -> WriteAnswer:
        """Write the `changed` fields of a contact, or all fields of an order, whose PUT may replace the whole."""
        self._members = None
        if record.record_type == ORDER:
            return await self._orders.update(native_id, record)
        return await self._contacts.update(native_id, record, changed)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def _read_once(self, group_id: str, writer: LandingWriter) -> ListPass:
        rows, with_slot = 0, 0

        def take(page_no: int, page: Page) -> None:
            nonlocal rows, with_slot
            rows += len(page.rows)
            with_slot += sum(self._options.slot_contact_key in row for row in page.rows)
            writer.append(self._envelope("list", CONTACT, page=page_no, status=200), page.body, checked=True)

        passed = await MemberList(self._client, group_id, first_page(self._levels), self._concurrency // 2 or 1).read(
            take
        )
        if rows and not with_slot and passed.reason is None:
            passed.reason = f"schema_drift: no contact of the list has the field {self._options.slot_contact_key}"
        return passed

    async def _documents(
        self, record_type: str, native_ids: Iterable[str], writer: LandingWriter, priority: Priority
    ) -> AsyncGenerator[_Document, None]:
        """Fetch and land documents in the order of their ids; a single unreadable one does not end the series."""
        guard = OutageGuard()

        async def one(native_id: str) -> tuple[_Document, ApiError | None]:
            try:
                body = await self._document(record_type, native_id, priority)
            except NotFound as error:
                return _Document(native_id, 404, None), error
            except Unreachable:
                raise
            except (Transient, SchemaDrift, Rejected) as error:
                failed = error.status if error.status is not None and error.status >= 400 else 0
                return _Document(native_id, failed, None), error
            return _Document(native_id, 404 if body is None else 200, body), None

        async with aclosing(in_order(native_ids, one, self._concurrency)) as answers:
            async for document, error in answers:
                guard.note(error)
                self._land(record_type, document, writer)
                yield document

    def _land(self, record_type: str, document: _Document, writer: LandingWriter) -> None:
        """A contact answered singly is landed as a list of one: it holds what a list row holds; the newer counts."""
        body = document.body or b"null"
        if record_type == CONTACT and document.body is not None:
            kind, body = "list", body if opening(body) == b"[" else b"[" + body + b"]"
        else:
            kind = "detail"
        envelope = self._envelope(kind, record_type, native_id=document.native_id, status=document.status)
        writer.append(envelope, body, checked=True)

    async def _document(self, record_type: str, native_id: str, priority: Priority) -> bytes | None:
        if record_type == CONTACT:
            return (await self._client.contact(native_id, priority=priority))[1]
        return await self._orders.document(native_id, priority)

    async def _contacts_with(self, key: str, location_id: str) -> list[str]:
        if self._members is None:
            self._members = await self._read_members()
        hits = self._members.get((key, location_id), set())
        return sorted(hits, key=lambda text: (len(text), text))

    async def _read_members(self) -> dict[tuple[str | None, str | None], set[str]]:
        """Ids of the contacts of our group by the key and the location that they carry."""
        found: dict[tuple[str | None, str | None], set[str]] = {}
        group_id = await self._group.find()
        if group_id is None:
            return found

        def take(_: int, page: Page) -> None:
            for row in page.rows:
                found.setdefault(self._carried(row), set()).add(str(id_text(row.get("id"))))

        passed = await MemberList(self._client, group_id, first_page(self._levels), priority="verify").read(take)
        if passed.reason is not None:
            raise Transient(
                system=SYSTEM, method="GET", path=f"/api/groups/{group_id}/members",
                remedy=f"The group could not be read completely ({passed.reason}); trying again later can help.",
            )  # fmt: skip
        return found

    def _is_ours(self, record_type: str, body: bytes, key: str, location_id: str) -> bool:
        if record_type == CONTACT:
            return self._carried(read_contact(body)) == (key, location_id)
        return slot_text(order_fields(body), bodies.LOCATION_SLOT) == location_id

    def _carried(self, contact: Doc) -> tuple[str | None, str | None]:
        return (
            slot_text(contact, self._options.slot_contact_key),
            slot_text(contact, self._options.slot_location),
        )

    def _envelope(self, kind: str, record_type: str, **more: object) -> dict[str, object]:
        return {
            "kind": kind,
            "system": SYSTEM,
            "record_type": record_type,
            "connection": self._connection,
            **more,
            "fetched_at": datetime.now(UTC).isoformat(),
        }
