"""What a receiver holds as landed rows: by list, one by one, or as it was delivered where nothing can be read.

Extend it when records are found in a further way; templates and pages belong to `reading.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.connectors.webhook.events import HASH, Event, decimal_text, version_of
from ghl_payments.connectors.webhook.reading import Listing, Reader, Row
from ghl_payments.domain.keys import KeyKind, parse_key
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.errors import ApiError, Rejected, SchemaDrift, Transient, Unreachable
from ghl_payments.transport.jsontext import encode
from ghl_payments.transport.landing import LandingWriter
from ghl_payments.transport.outage import OutageGuard

DELIVERED = "delivered:"
"""Begins the native id of what was accepted and cannot be read."""

MAX_PASSES = 3


class Holdings:
    """The records of one receiver; `kinds` maps record types to the kinds of their keys."""

    def __init__(
        self, system: str, connection: str, reader: Reader | None, kinds: Mapping[str, KeyKind], concurrency: int
    ) -> None:
        self.reader = reader
        self._system = system
        self._connection = connection
        self._kinds = kinds
        self._concurrency = concurrency
        self._listing: Listing | None = None
        self._delivered: dict[str, Row] = {}

    async def listed(self, record_type: str, landing: Path) -> tuple[Listing, list[Row], int]:
        """A record type as it is listed, landed: the whole pass, the type's rows, attempts. A list is read once."""
        attempts = 0
        while True:
            attempts += 1
            found = await self._list(record_type, anew=attempts > 1)
            if found.reason is None or attempts >= MAX_PASSES:
                break
        rows = [row for row in found.rows if self._is_of(record_type, row)]
        with LandingWriter(landing) as writer:
            self._append(writer, record_type, rows)
        return found, rows, attempts

    async def details(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:
        """Records by native id, landed; native id -> 200, 404, or for one that could not be read its status or 0."""
        with LandingWriter(landing) as writer:
            async with aclosing(self._documents(record_type, native_ids)) as answers:
                return {native: self._land(record_type, native, row, status, writer)
                        async for native, row, status in answers}  # fmt: skip

    def delivered(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:
        """What was accepted, landed as it was sent."""
        rows = [self._delivered[native] for native in native_ids if native in self._delivered]
        with LandingWriter(landing) as writer:
            self._append(writer, record_type, rows)
        return {row["id"]: 200 for row in rows}

    async def find(self, record_type: str, key: str, location_id: str, landing: Path) -> list[str]:
        """The records of a key, of this location where the receiver tells locations, landed; native ids."""
        assert self.reader is not None
        if self.reader.reads_singly:
            one = await self.reader.one(key, record_type, "verify")
            found = [one] if one is not None else []
        else:
            found = [row for row in (await self._whole(record_type)).rows if row["key"] == key]
        hits = [row for row in found if row["location_id"] in (None, location_id)]
        with LandingWriter(landing) as writer:
            self._append(writer, record_type, hits)
        return sorted(row["id"] for row in hits)

    def remember(self, record: DesiredRecord, event: Event) -> str:
        """Keep what was accepted until it is landed; its native id."""
        native_id, fields = DELIVERED + record.key, record.fields
        self._delivered[native_id] = {
            "id": native_id,
            "key": record.key,
            "location_id": record.location_id,
            "amount": decimal_text(fields.get("amount"), fields.get("currency")),
            "currency": fields.get("currency"),
            "status": fields.get("status"),
            "updated_at": version_of(record),
            "hash": fields.get(HASH),
            "record": event.data,
        }
        return native_id

    def _land(self, record_type: str, native: str, row: Row | None, status: int, writer: LandingWriter) -> int:
        """A record is landed under its own id: by its key another may have been found."""
        if row is not None:
            self._append(writer, record_type, [row])
        if status == 404 or (row is not None and "#" in native and row["id"] != native):
            writer.append(self._envelope("detail", record_type, native_id=native, status=404), b"null", checked=True)
        return status

    async def _documents(
        self, record_type: str, native_ids: Iterable[str]
    ) -> AsyncGenerator[tuple[str, Row | None, int], None]:
        asked = [native for native in native_ids if not native.startswith(DELIVERED)]
        assert self.reader is not None
        if not self.reader.reads_singly:
            rows = {row["id"]: row for row in (await self._whole(record_type)).rows} if asked else {}
            by_key = {row["key"]: row for row in rows.values()}
            for native in asked:
                row = rows.get(native) or (by_key.get(native) if "#" not in native else None)
                yield native, row, 404 if row is None else 200
            return
        guard, reader, place = OutageGuard(), self.reader, 0

        async def one(native: str) -> tuple[Row | None, int, ApiError | None]:
            try:
                row = await reader.one(native.partition("#")[0], record_type)
            except Unreachable:
                raise
            except (Transient, SchemaDrift, Rejected) as error:
                return None, error.status if error.status is not None and error.status >= 400 else 0, error
            return row, 404 if row is None else 200, None

        async with aclosing(in_order(asked, one, self._concurrency)) as answers:
            async for row, status, error in answers:
                guard.note(error)
                yield asked[place], row, status
                place += 1

    async def _list(self, record_type: str, *, anew: bool) -> Listing:
        assert self.reader is not None
        if self.reader.by_entity:
            return await self.reader.all(record_type)
        if self._listing is None or anew:
            self._listing = await self.reader.all(record_type)
        return self._listing

    async def _whole(self, record_type: str) -> Listing:
        """The list as it is now; Transient when it proves nothing."""
        for _ in range(MAX_PASSES):
            found = await self._list(record_type, anew=True)
            if found.reason is None:
                return found
        raise Transient(
            system=self._system, method="GET", path="(list)",
            remedy=f"The list could not be read completely ({found.reason}); trying again later can help.",
        )  # fmt: skip

    def _is_of(self, record_type: str, row: Row) -> bool:
        """By the kind of its key; what is none of ours counts as the first record type's, unless lists are apart."""
        if self.reader is not None and self.reader.by_entity:
            return True
        parsed = parse_key(row["key"] or "")
        kind = parsed[0] if parsed else None
        if kind in self._kinds.values():
            return self._kinds[record_type] == kind
        return record_type == next(iter(self._kinds))

    def _append(self, writer: LandingWriter, record_type: str, rows: Sequence[Row]) -> None:
        writer.append(self._envelope("list", record_type, status=200), encode(rows), checked=True)

    def _envelope(self, kind: str, record_type: str, **more: object) -> dict[str, object]:
        return {
            "kind": kind,
            "system": self._system,
            "record_type": record_type,
            "connection": self._connection,
            **more,
            "fetched_at": datetime.now(UTC).isoformat(),
        }
