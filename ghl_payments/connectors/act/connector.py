"""Act! as a target of the loop: full reads with certificates, search by our key at several levels, writes.

Levels are found out in `levels.py`, writes made in `writing.py`; what differs is decided by SQL.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ghl_payments.connectors.act import writing
from ghl_payments.connectors.act.account import ActAccount
from ghl_payments.connectors.act.bodies import Form
from ghl_payments.connectors.act.client import ActClient
from ghl_payments.connectors.act.levels import find_levels
from ghl_payments.connectors.act.lists import ListPass, list_all
from ghl_payments.connectors.act.odata import Query, starts_with
from ghl_payments.connectors.act.options import ActOptions
from ghl_payments.connectors.act.probes import CAPABILITIES
from ghl_payments.connectors.act.search import scan_rows, search_rows
from ghl_payments.connectors.act.shapes import ListPage, ListRow
from ghl_payments.connectors.base import DesiredRecord, Level, Probe, ReadCertificate, WriteAnswer
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.errors import ApiError, NotFound, SchemaDrift, Transient, Unreachable
from ghl_payments.transport.jsontext import encode
from ghl_payments.transport.landing import LandingWriter
from ghl_payments.transport.outage import OutageGuard

LIMITS = "private records of other Act! users are never shown, and lists have no total: deletions show as absence only"
"""What a complete list of this API cannot show."""

_OUR_KINDS = {"payment": b"ghl:txn:", "subscription": b"ghl:sub:"}


@dataclass(frozen=True, slots=True)
class _Document:
    """One record asked for by id; `status` is 200, 404, another error status, or 0 for no readable answer."""

    native_id: str
    status: int
    body: bytes | None


class ActConnector:
    """One Act! database; `connection` is its name in connections.yaml. See `connectors.base.Connector`."""

    system = "act"
    record_types: Sequence[str] = ("contact", "opportunity", "subscription", "payment")
    auxiliary_types: Sequence[str] = ("field",)
    detail_types: Sequence[str] = ()
    keyed_types: Sequence[str] = ()
    capabilities: Mapping[str, tuple[str, ...]] = CAPABILITIES

    def __init__(self, client: ActClient, connection: str, options: ActOptions, *, concurrency: int = 4) -> None:
        self._client = client
        self._connection = connection
        self._account = ActAccount(client, connection, options)
        self._concurrency = concurrency

    async def probe_levels(self, *, may_write: bool) -> dict[str, Level]:
        """Find out the level of each capability; with `may_write` missing fields and tables are created on the way."""
        return await find_levels(self._account, may_write=may_write)

    def use_levels(self, levels: Mapping[str, str]) -> None:
        """Work at these levels from now on; a capability that is not named is at its safest."""
        self._account.use_levels(levels)

    async def probe(self, record_type: str) -> Probe:
        """List one record. Act! never says how many there are, so only emptiness is known."""
        if record_type == "field":
            return Probe(len((await self._account.form()).directory.rows()), self._client.clock_ahead)
        page = await self._client.page(self._account.path(record_type), Query(top=1))
        return Probe(None if page.rows else 0, self._client.clock_ahead)

    async def read(self, record_type: str, landing: Path) -> ReadCertificate:
        """List a record type completely; records that are not ours are left out where our kind shares a collection."""
        if record_type == "field":
            return await self._read_fields(landing)
        form = await self._account.form()
        needle = _OUR_KINDS.get(record_type) if not form.is_table(record_type) else None
        kept = 0
        with LandingWriter(landing) as writer:

            def take(rows: Sequence[ListRow], again: bool) -> None:
                nonlocal kept
                rows = [row for row in rows if needle is None or needle in row.raw]
                if again:
                    for row in rows:
                        envelope = self._envelope("detail", record_type, native_id=row.id, status=200)
                        writer.append(envelope, row.raw, checked=True)
                elif rows:
                    kept += len(rows)
                    body = b"[" + b",".join(row.raw for row in rows) + b"]"
                    writer.append(self._envelope("list", record_type, status=200), body, checked=True)

            passed = await self._list(record_type, form, take)
        return ReadCertificate(
            record_type=record_type, rows=kept, unique_ids=kept, declared=None, pages=passed.pages, attempts=1,
            complete=passed.reason is None, reason=passed.reason, limits=LIMITS,
        )  # fmt: skip

    async def read_details(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:
        """Get documents by native id; native id -> 200, 404, or for one that could not be read its status or 0."""
        with LandingWriter(landing) as writer:
            async with aclosing(self._documents(record_type, native_ids, writer, "sweep")) as answers:
                return {answer.native_id: answer.status async for answer in answers}

    async def find(self, record_type: str, key: str, location_id: str, landing: Path) -> list[str]:
        """Search by our key at the level in force, else by reading everything; native ids, ascending.

        Records that say they belong to another location are left out.
        """
        form = await self._account.form()
        keys, level = self._account.keys(record_type, form), self._account.level(record_type)
        rows = await search_rows(self._client, keys, key, location_id, level)
        if rows is None:
            rows = await scan_rows(self._client, keys, key, location_id)
        hits = []
        with LandingWriter(landing) as writer:
            ids = sorted(str(row["id"]) for row in rows)
            async with aclosing(self._documents(record_type, ids, writer, "verify")) as answers:
                async for answer in answers:
                    if answer.status not in (200, 404):
                        raise Transient(
                            system=self.system, method="GET", path=f"/api/{keys.path}/{answer.native_id}",
                            status=answer.status or None,
                            remedy="A record that carries the key could not be read; trying again later can help.",
                        )  # fmt: skip
                    if answer.body is not None:
                        hits.append(answer.native_id)
        return hits

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """Create one record carrying its key, or adopt the one that carries it; a contact also by its e-mail address.

        OutcomeUnknown when the answer is lost. The products of an opportunity follow: what becomes of them shows when
        the record is read back.
        """
        return await writing.create(self._account, record)

    async def update(self, native_id: str, record: DesiredRecord, changed: Sequence[str]) -> WriteAnswer:
        """Write only the `changed` fields into the entity as it is now; a total is written through the products."""
        return await writing.update(self._account, native_id, record, changed)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def _list(self, record_type: str, form: Form, take: Callable[[Sequence[ListRow], bool], None]) -> ListPass:
        path = self._account.path(record_type, form)

        async def fetch(query: Query) -> ListPage:
            return await self._client.page(path, query)

        where = None
        if form.is_history(record_type) and self._account.levels["payment_search"] == "column":
            where = starts_with("regarding", "ghl:txn:")
        elif record_type == "subscription" and not form.tables and self._account.levels["order_search"] == "source_id":
            where = starts_with("sourceId", "ghl:sub:")
        passed = await list_all(fetch, take, where=where)
        if where is not None and passed.rows == 0 and (passed.reason or "").startswith("refused"):
            passed = await list_all(fetch, take)
        return passed

    async def _read_fields(self, landing: Path) -> ReadCertificate:
        """What the database calls our fields: `documents.sql` needs to know."""
        rows = (await self._account.form()).directory.rows()
        with LandingWriter(landing) as writer:
            writer.append(self._envelope("list", "field", status=200), encode(rows), checked=True)
        return ReadCertificate(
            record_type="field", rows=len(rows), unique_ids=len(rows), declared=None, pages=1, attempts=1, complete=True
        )

    async def _documents(
        self, record_type: str, native_ids: Iterable[str], writer: LandingWriter, priority: Priority
    ) -> AsyncGenerator[_Document, None]:
        """Fetch and land documents in the order of their ids; a single unreadable one does not end the series."""
        guard, path = OutageGuard(), self._account.path(record_type)

        async def one(native_id: str) -> tuple[_Document, ApiError | None]:
            try:
                return _Document(native_id, 200, await self._client.get(path, native_id, priority=priority)), None
            except NotFound as error:
                return _Document(native_id, 404, None), error
            except Unreachable:
                raise
            except (Transient, SchemaDrift) as error:
                # A 404 of some other page is no proof of absence, so it must not be noted as one.
                told = error.status if error.status is not None and error.status >= 400 else 0
                return _Document(native_id, 0 if told == 404 else told, None), error

        async with aclosing(in_order(native_ids, one, self._concurrency)) as answers:
            async for document, error in answers:
                guard.note(error)
                envelope = self._envelope("detail", record_type, native_id=document.native_id, status=document.status)
                writer.append(envelope, document.body or b"null", checked=True)
                yield document

    def _envelope(self, kind: str, record_type: str, **more: object) -> dict[str, object]:
        return {
            "kind": kind,
            "system": self.system,
            "record_type": record_type,
            "connection": self._connection,
            **more,
            "fetched_at": datetime.now(UTC).isoformat(),
        }
