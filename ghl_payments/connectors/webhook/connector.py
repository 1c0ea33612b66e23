"""A receiver of signed events as a target of the loop; a preset names its system and its record types.

What an event says belongs to `events.py`, what a receiver holds to `holdings.py`; a preset is a folder of its own.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from ghl_payments.connectors.base import DesiredRecord, Level, Probe, ReadCertificate, WriteAnswer
from ghl_payments.connectors.webhook.events import Shape, event_of
from ghl_payments.connectors.webhook.holdings import Holdings
from ghl_payments.connectors.webhook.options import LEVELS, Options
from ghl_payments.connectors.webhook.reading import Reader
from ghl_payments.connectors.webhook.signing import signatures
from ghl_payments.connectors.webhook.templates import fill
from ghl_payments.domain.delivery_schedule import DELAYS
from ghl_payments.domain.keys import KeyKind
from ghl_payments.transport.errors import SchemaDrift
from ghl_payments.transport.http import HttpClient

ENDPOINT = "(endpoint)"
"""Stands for the address in messages: with some receivers its path is a secret."""

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
        self._options = options
        self._holdings = Holdings(self.system, connection, reader, self.kinds, concurrency)
        self.use_levels({"read_back": options.level})

    @property
    def reads_back(self) -> bool:
        """Whether the receiver can be read at all."""
        return self._level != "none"

    @property
    def told(self) -> Collection[str] | None:
        """What of a record can be compared with what was sent; None where its hash can."""
        read_back = self._options.read_back
        if self._level == "none" or read_back is None:
            return ()
        return None if "hash" in read_back.map.told else read_back.map.told

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
        found, rows, attempts = await self._holdings.listed(record_type, landing)
        return ReadCertificate(
            record_type=record_type,
            rows=len(rows),
            unique_ids=len({row["id"] for row in rows}),
            declared=found.declared if len(rows) == len(found.rows) else None,
            pages=found.pages,
            attempts=attempts,
            complete=found.reason is None,
            reason=found.reason,
            limits="; ".join([*([found.limits] if found.limits else []), *self._untold()]) or None,
        )

    async def read_details(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:
        """Get records by native id; what cannot be read at all is landed as it was sent. See `Holdings.details`."""
        if self._level == "none":
            return self._holdings.delivered(record_type, native_ids, landing)
        return await self._holdings.details(record_type, native_ids, landing)

    async def find(self, record_type: str, key: str, location_id: str, landing: Path) -> list[str]:
        """The records of a key, of this location where the receiver tells locations; native ids."""
        if self._level == "none":
            return []
        return await self._holdings.find(record_type, key, location_id, landing)

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
            native_id = self._holdings.remember(record, event)
        return WriteAnswer(native_id, status)

    def _untold(self) -> list[str]:
        if self.told is None:
            return []
        told = ", ".join(self.told) or "nothing but the key"
        last = f"the receiver tells {told}: of all else the last event it accepted counts"
        return [f"{last}, and a change of it ends as delivered_unverified"]
