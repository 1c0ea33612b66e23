"""Halo as a target of the loop: full reads with certificates, search by our key, writes.

Requests belong to `client.py`, bodies to `bodies.py`; what differs is decided by SQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ghl_payments.connectors.base import DesiredRecord, Level, Probe, ReadCertificate, WriteAnswer
from ghl_payments.connectors.halo.bodies import create_body, merged_lines, refusal, touches_lines, update_body
from ghl_payments.connectors.halo.client import HaloClient
from ghl_payments.connectors.halo.levels import CAPABILITIES, probe_tenant
from ghl_payments.connectors.halo.lists import MAX_ATTEMPTS, list_once
from ghl_payments.connectors.halo.resources import RESOURCES
from ghl_payments.connectors.halo.search import belongs_to, matching_rows, native_ids_by_key
from ghl_payments.connectors.halo.shapes import ListPage, id_text
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.errors import ApiError, NotFound, SchemaDrift, Transient, Unreachable
from ghl_payments.transport.jsontext import decode
from ghl_payments.transport.landing import LandingWriter
from ghl_payments.transport.outage import OutageGuard


@dataclass(frozen=True, slots=True)
class _Document:
    """One record asked for by id; `status` is 200, 404, another error status, or 0 for no readable answer."""

    native_id: str
    status: int
    body: bytes | None


class HaloConnector:
    """One Halo tenant; `connection` is its name in connections.yaml. See `connectors.base.Connector`."""

    system = "halo"
    record_types: Sequence[str] = ("client", "user", "sales_order", "invoice", "invoice_payment")
    auxiliary_types: Sequence[str] = ("external_link", "currency")
    detail_types: Sequence[str] = ("sales_order",)
    keyed_types: Sequence[str] = ()
    capabilities: Mapping[str, tuple[str, ...]] = CAPABILITIES

    def __init__(self, client: HaloClient, connection: str, *, concurrency: int = 8) -> None:
        self._client = client
        self._connection = connection
        self._concurrency = concurrency
        self._levels: dict[str, str] = {}
        self._currencies: dict[str, int] | None = None
        self._currencies_lock = asyncio.Lock()

    async def probe(self, record_type: str) -> Probe:
        """List one record of a type. Halo answers missing rights with an empty list, so no rows are a warning."""
        resource = RESOURCES[record_type]
        page = await self._client.list_page(resource.path, 1, page_size=1, filters=resource.list_filters)
        rows = len(page.rows) if page.record_count is None else page.record_count
        return Probe(rows, self._client.clock_ahead)

    async def probe_levels(self, *, may_write: bool) -> dict[str, Level]:
        """Which list parameters this tenant honours; see `levels.py`."""
        return await probe_tenant(self._client, may_write=may_write)

    def use_levels(self, levels: Mapping[str, str]) -> None:
        """Search with the filters that are known to work; without, lists are read whole and searched here."""
        self._levels = dict(levels)

    async def read(self, record_type: str, landing: Path) -> ReadCertificate:
        """List a record type completely; only the last attempt's pages stay in the landing file."""
        resource, attempts = RESOURCES[record_type], 0
        while True:
            attempts += 1
            with LandingWriter(landing) as writer:

                def take(page_no: int, page: ListPage, writer: LandingWriter = writer) -> None:
                    envelope = self._envelope("list", record_type, page=page_no, status=200)
                    writer.append(envelope, page.body, checked=True)

                passed = await list_once(
                    self._client,
                    resource.path,
                    take,
                    filters=resource.list_filters,
                    concurrency=self._concurrency // 2 or 1,
                )
            if passed.reason is None or attempts >= MAX_ATTEMPTS:
                return ReadCertificate(
                    record_type=record_type,
                    rows=passed.rows,
                    unique_ids=len(passed.ids),
                    declared=passed.declared,
                    pages=passed.pages,
                    attempts=attempts,
                    complete=passed.reason is None,
                    reason=passed.reason,
                )

    async def read_details(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:
        """Get documents by native id; native id -> 200, 404, or for one that could not be read its status or 0."""
        with LandingWriter(landing) as writer:
            async with aclosing(self._documents(record_type, native_ids, writer, "sweep")) as answers:
                return {answer.native_id: answer.status async for answer in answers}

    async def find(self, record_type: str, key: str, location_id: str, landing: Path) -> list[str]:
        """Search by our key, through cross-references and the record's own key field; native ids, ascending.

        Records that say they belong to another location are left out; payments cannot say, as they have no
        cross-reference. A cross-reference whose record is gone is landed as a 404 and is no hit.
        """
        candidates = await native_ids_by_key(self._client, record_type, key, location_id, self._levels)
        hits = []
        with LandingWriter(landing) as writer:
            async with aclosing(self._documents(record_type, candidates, writer, "verify")) as answers:
                async for answer in answers:
                    if answer.status not in (200, 404):
                        raise Transient(
                            system=self.system,
                            method="GET",
                            path=f"/api/{RESOURCES[record_type].path}/{answer.native_id}",
                            status=answer.status or None,
                            remedy="A record that may carry the key could not be read; trying again later can help.",
                        )
                    if answer.body is not None and belongs_to(decode(answer.body), key, location_id):
                        hits.append(answer.native_id)
        return hits

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """Create one record carrying its key; OutcomeUnknown when the answer is lost, else nothing was created."""
        body = create_body(record, await self._currency_id(record, record.fields))
        if record.record_type == "user":
            body["site_id"] = await self._main_site(record)
        return await self._client.post(RESOURCES[record.record_type].path, body)

    async def update(self, native_id: str, record: DesiredRecord, changed: Sequence[str]) -> WriteAnswer:
        """Write only the `changed` fields; a total or the lines are written through the lines."""
        path = RESOURCES[record.record_type].path
        lines = None
        if touches_lines(record, changed):
            document = decode(await self._client.get(path, native_id, priority="fresh"))
            lines = merged_lines(record, document.get("lines") or [])
        currency_id = await self._currency_id(record, changed)
        body = update_body(native_id, record, changed, currency_id=currency_id, lines=lines)
        return await self._client.post(path, body)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def _documents(
        self, record_type: str, native_ids: Iterable[str], writer: LandingWriter, priority: Priority
    ) -> AsyncGenerator[_Document, None]:
        """Fetch and land documents in the order of their ids; a single unreadable one does not end the series."""
        guard, path = OutageGuard(), RESOURCES[record_type].path

        async def one(native_id: str) -> tuple[_Document, ApiError | None]:
            try:
                return _Document(native_id, 200, await self._client.get(path, native_id, priority=priority)), None
            except NotFound as error:
                return _Document(native_id, 404, None), error
            except Unreachable:
                raise
            except (Transient, SchemaDrift) as error:
                failed = error.status if error.status is not None and error.status >= 400 else 0
                return _Document(native_id, failed, None), error

        async with aclosing(in_order(native_ids, one, self._concurrency)) as answers:
            async for document, error in answers:
                guard.note(error)
                envelope = self._envelope("detail", record_type, native_id=document.native_id, status=document.status)
                writer.append(envelope, document.body or b"null", checked=True)
                yield document

    async def _currency_id(self, record: DesiredRecord, names: Collection[str]) -> int | None:
        """Halo's id of the record's currency when that is to be written; Rejected when Halo does not know it."""
        if "currency" not in names or not RESOURCES[record.record_type].has_currency:
            return None
        async with self._currencies_lock:
            if self._currencies is None:
                self._currencies = await self._read_currencies()
        code = record.fields.get("currency") or ""
        if code.upper() not in self._currencies:
            raise refusal(record, f"Halo has no currency {code!r}; add it under Configuration > Billing > Currencies.")
        return self._currencies[code.upper()]

    async def _read_currencies(self) -> dict[str, int]:
        rows = await matching_rows(
            self._client, RESOURCES["currency"].path, {}, lambda row: isinstance(row.get("code"), str)
        )
        ids: dict[str, int] = {}
        for row in sorted(rows, key=lambda row: int(row["id"])):
            ids.setdefault(row["code"].upper(), int(row["id"]))
        return ids

    async def _main_site(self, record: DesiredRecord) -> int:
        """The site a new user belongs to: its client's main site."""
        client_id = record.parents.get("client")
        if client_id is None:
            raise refusal(record, "a user needs a client.")
        document = decode(await self._client.get(RESOURCES["client"].path, client_id, priority="fresh"))
        site = id_text(document.get("main_site_id"))
        if site is None:
            raise refusal(record, f"the client {client_id} has no main site in Halo.")
        return int(site)

    def _envelope(self, kind: str, record_type: str, **more: object) -> dict[str, object]:
        return {
            "kind": kind,
            "system": self.system,
            "record_type": record_type,
            "connection": self._connection,
            **more,
            "fetched_at": datetime.now(UTC).isoformat(),
        }
