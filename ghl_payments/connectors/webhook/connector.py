"""A receiver of signed events as a target of the loop; a preset names its system and its record types.

What an event says belongs to `events.py`, reading back to `reading.py`; a preset is a folder of its own.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from ghl_payments.connectors.base import DesiredRecord, Level, Probe, ReadCertificate, WriteAnswer
from ghl_payments.connectors.webhook.events import HASH, VERSION, Event, Shape, decimal_text, event_of
from ghl_payments.connectors.webhook.options import LEVELS, Options
from ghl_payments.connectors.webhook.reading import Listing, Reader, Row
from ghl_payments.connectors.webhook.signing import signatures
from ghl_payments.connectors.webhook.templates import fill
from ghl_payments.domain.delivery_schedule import DELAYS
from ghl_payments.domain.keys import KeyKind, parse_key
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.errors import ApiError, Rejected, SchemaDrift, Transient, Unreachable
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.jsontext import encode
from ghl_payments.transport.landing import LandingWriter
from ghl_payments.transport.outage import OutageGuard

ENDPOINT = "(endpoint)"
"""Stands for the address in messages: with some receivers its path is a secret."""

DELIVERED = "delivered:"
"""Begins the native id of what was accepted and cannot be read."""

MAX_PASSES = 3
NOBODY = "ghl:order:no-such-record"

_UNREAD = (
    "nothing can be read back from this receiver: what counts as held is what it accepted (2xx). Whether it kept that, "
    "changed it since, or holds records that GHL does not have is not known"
)
_SINGLE = "this receiver has no list: only the records that GHL has are asked for one by one, orphans are not found"


class WebhookConnector:
    """One receiver; `connection` is its name in connections.yaml. See `connectors.base.Connector` and `RepeatSafe`.

    A preset sets `system`, `record_types` with `kinds` (record type -> kind of its keys), `keyed_types` (the same
    record types, for receivers without a list) and `shape`.
    """

    system = "webhook"
    record_types: Sequence[str] = ()
    auxiliary_types: Sequence[str] = ()
    detail_types: Sequence[str] = ()
    keyed_types: Sequence[str] = ()
    capabilities: Mapping[str, tuple[str, ...]] = {"read_back": LEVELS}
    volatile_capabilities = frozenset({"read_back"})
    """Follows from the options, so that what was stored yesterday says nothing."""
    delays: Sequence[float] = DELAYS
    kinds: ClassVar[Mapping[str, KeyKind]] = {}
    shape: ClassVar[Shape] = Shape()

    def __init__(
        self,
        http: HttpClient,
        reader: Reader | None,
        keys: Sequence[bytes],
        connection: str,
        options: Options,
        *,
        concurrency: int = 8,
    ) -> None:
        self._http = http
        self._reader = reader
        self._keys = keys
        self._connection = connection
        self._options = options
        self._concurrency = concurrency
        self._listing: Listing | None = None
        self._delivered: dict[str, Row] = {}
        self.use_levels({"read_back": options.level})

    @property
    def reads_back(self) -> bool:
        """Whether the receiver can be read at all."""
        return self._level != "none"

    @property
    def keyed_limits(self) -> str:
        """What a reading without a list does not show, in words."""
        return _UNREAD if self._level == "none" else "; ".join([_SINGLE, *self._untold()])

    async def probe_levels(self, *, may_write: bool) -> dict[str, Level]:  # noqa: ARG002 - reading is enough
        """The level follows from the options; what they describe is tried once. SchemaDrift names what is wrong."""
        if self._reader is None or self._options.read_back is None:
            return {"read_back": Level("none", "options.read_back is not set")}
        if self._options.level == "get":
            return {"read_back": await self._probe_get(self._reader)}
        found = await self._reader.all(self.record_types[0], limit=1, pages=1)
        counted = f"{found.declared:,} rows" if found.declared is not None else "a page"
        return {"read_back": Level("list", f"options.read_back.list answers {counted}")}

    async def _probe_get(self, reader: Reader) -> Level:
        if await reader.one(NOBODY, self.record_types[0]) is not None:
            raise SchemaDrift(
                system=self.system, method="GET", path=NOBODY,
                remedy="The receiver answers a record for a key that cannot exist; put {key} or {id} into "
                "options.read_back.get.url, or its answer for none into options.read_back.get.missing.",
            )  # fmt: skip
        return Level("get", "options.read_back.get says that a key which cannot exist is missing")

    def use_levels(self, levels: Mapping[str, str]) -> None:
        """Work at this level from now on, or at the best that the options permit if that is less."""
        wanted, possible = levels.get("read_back", LEVELS[-1]), self._options.level
        self._level = max(wanted, possible, key=LEVELS.index)
        if self._level == "get" and (self._options.read_back is None or self._options.read_back.get is None):
            self._level = "none"
        self.keyed_types = () if self._level == "list" else tuple(self.record_types)

    async def probe(self, record_type: str) -> Probe:
        """Read one page of the list; without a list there is nothing cheap to read."""
        if self._reader is None or self._level != "list":
            return Probe(None, None)
        found = await self._reader.all(record_type, limit=1, pages=1)
        return Probe(None, self._reader.clock_ahead if found else None)

    async def read(self, record_type: str, landing: Path) -> ReadCertificate:
        """List a record type completely; a list of all types is read once for all of them."""
        attempts = 0
        while True:
            attempts += 1
            found = await self._list(record_type, anew=attempts > 1)
            if found.reason is None or attempts >= MAX_PASSES:
                break
        rows = [row for row in found.rows if self._is_of(record_type, row)]
        with LandingWriter(landing) as writer:
            writer.append(self._envelope("list", record_type, status=200), encode(rows), checked=True)
        return ReadCertificate(
            record_type=record_type,
            rows=len(rows),
            unique_ids=len({row["id"] for row in rows}),
            declared=found.declared if len(rows) == len(found.rows) else None,
            pages=found.pages,
            attempts=attempts,
            complete=found.reason is None,
            reason=found.reason,
            limits="; ".join(self._untold()) or None,
        )

    async def read_details(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:
        """Get records by native id; native id -> 200, 404, or for one that could not be read its status or 0.

        What cannot be read at all is landed as it was sent.
        """
        with LandingWriter(landing) as writer:
            if self._level == "none":
                return self._land_delivered(record_type, native_ids, writer)
            async with aclosing(self._documents(record_type, native_ids)) as answers:
                return {native: self._land(record_type, native, row, status, writer)
                        async for native, row, status in answers}  # fmt: skip

    async def find(self, record_type: str, key: str, location_id: str, landing: Path) -> list[str]:
        """The records of a key, of this location where the receiver tells locations; native ids."""
        if self._level == "none":
            return []
        if self._options.read_back is not None and self._options.read_back.get is not None:
            assert self._reader is not None
            one = await self._reader.one(key, record_type, "verify")
            found = [one] if one is not None else []
        else:
            found = [row for row in (await self._whole(record_type)).rows if row["key"] == key]
        hits = [row for row in found if row["location_id"] in (None, location_id)]
        with LandingWriter(landing) as writer:
            writer.append(self._envelope("list", record_type, status=200), encode(hits), checked=True)
        return sorted(row["id"] for row in hits)

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """Tell of a record that the receiver does not have yet."""
        return await self._tell(record, "created", record.key)

    async def update(self, native_id: str, record: DesiredRecord, changed: Sequence[str]) -> WriteAnswer:  # noqa: ARG002
        """Tell of a record's new state, always the whole of it."""
        return await self._tell(record, "updated", native_id)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()
        if self._reader is not None:
            await self._reader.aclose()

    async def _tell(self, record: DesiredRecord, verb: str, native_id: str) -> WriteAnswer:
        event = event_of(self.system, record, verb, self._options, self.shape)

        def stamp() -> dict[str, str]:
            now = int(time.time())
            headers = {"webhook-id": event.event_id, "webhook-timestamp": str(now), **event.headers}
            if self._keys:
                headers["webhook-signature"] = signatures(self._keys, event.event_id, now, event.body)
            return headers

        status = await self._http.send(
            fill(self._options.endpoint, self._http.base_url), event.body, lambda response: response.status,
            content_type=event.content_type, stamp=stamp, shown=ENDPOINT,
        )  # fmt: skip
        if self._level == "none":
            native_id = DELIVERED + record.key
            self._delivered[native_id] = _delivered_row(native_id, record, event)
        return WriteAnswer(native_id, status)

    def _land_delivered(self, record_type: str, native_ids: Iterable[str], writer: LandingWriter) -> dict[str, int]:
        rows = [self._delivered[native] for native in native_ids if native in self._delivered]
        writer.append(self._envelope("list", record_type, status=200), encode(rows), checked=True)
        return {row["id"]: 200 for row in rows}

    def _land(self, record_type: str, native: str, row: Row | None, status: int, writer: LandingWriter) -> int:
        """A record is landed as a list of one, under its own id: by its key another may have been found."""
        if row is not None:
            writer.append(self._envelope("list", record_type, status=200), encode([row]), checked=True)
        if status == 404 or (row is not None and "#" in native and row["id"] != native):
            writer.append(self._envelope("detail", record_type, native_id=native, status=404), b"null", checked=True)
        return status

    async def _documents(
        self, record_type: str, native_ids: Iterable[str]
    ) -> AsyncGenerator[tuple[str, Row | None, int], None]:
        assert self._reader is not None
        assert self._options.read_back is not None
        asked = [native for native in native_ids if not native.startswith(DELIVERED)]
        if self._options.read_back.get is None:
            rows = {row["id"]: row for row in (await self._whole(record_type)).rows} if asked else {}
            by_key = {row["key"]: row for row in rows.values()}
            for native in asked:
                row = rows.get(native) or (by_key.get(native) if "#" not in native else None)
                yield native, row, 404 if row is None else 200
            return
        guard, reader = OutageGuard(), self._reader

        async def one(native: str) -> tuple[Row | None, int, ApiError | None]:
            try:
                row = await reader.one(native.partition("#")[0], record_type)
            except Unreachable:
                raise
            except (Transient, SchemaDrift, Rejected) as error:
                return None, error.status if error.status is not None and error.status >= 400 else 0, error
            return row, 404 if row is None else 200, None

        async with aclosing(in_order(asked, one, self._concurrency)) as answers:
            place = 0
            async for row, status, error in answers:
                guard.note(error)
                yield asked[place], row, status
                place += 1

    async def _list(self, record_type: str, *, anew: bool) -> Listing:
        assert self._reader is not None
        if self._reader.by_entity:
            return await self._reader.all(record_type)
        if self._listing is None or anew:
            self._listing = await self._reader.all(record_type)
        return self._listing

    async def _whole(self, record_type: str) -> Listing:
        """The list as it is now; Transient when it proves nothing."""
        for _ in range(MAX_PASSES):
            found = await self._list(record_type, anew=True)
            if found.reason is None:
                return found
        raise Transient(
            system=self.system, method="GET", path="(list)",
            remedy=f"The list could not be read completely ({found.reason}); trying again later can help.",
        )  # fmt: skip

    def _is_of(self, record_type: str, row: Row) -> bool:
        """By the kind of its key; what is none of ours counts as the first record type's, unless lists are apart."""
        if self._reader is not None and self._reader.by_entity:
            return True
        parsed = parse_key(row["key"] or "")
        kind = parsed[0] if parsed else None
        if kind in self.kinds.values():
            return self.kinds[record_type] == kind
        return record_type == self.record_types[0]

    def _untold(self) -> list[str]:
        read_back = self._options.read_back
        if read_back is None or "hash" in read_back.map.told:
            return []
        told = ", ".join(read_back.map.told) or "nothing but the key"
        return [f"the receiver tells {told}: of all else the last event it accepted counts"]

    def _envelope(self, kind: str, record_type: str, **more: object) -> dict[str, object]:
        return {
            "kind": kind,
            "system": self.system,
            "record_type": record_type,
            "connection": self._connection,
            **more,
            "fetched_at": datetime.now(UTC).isoformat(),
        }


def _delivered_row(native_id: str, record: DesiredRecord, event: Event) -> Row:
    fields = record.fields
    return {
        "id": native_id,
        "key": record.key,
        "location_id": record.location_id,
        "amount": decimal_text(fields.get("amount"), fields.get("currency")),
        "currency": fields.get("currency"),
        "status": fields.get("status"),
        "updated_at": fields.get(VERSION),
        "hash": fields.get(HASH),
        "record": event.data,
    }
