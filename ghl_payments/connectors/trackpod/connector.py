"""Track-POD as a target of the loop: orders by day with a certificate, status changes since an instant, writes.

Requests belong to `client.py`, day scans to `scan.py`, writes to `writing.py`; what differs is decided by SQL.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from ghl_payments.connectors.base import DesiredRecord, Level, Probe, ReadCertificate, WriteAnswer
from ghl_payments.connectors.trackpod.bodies import WRITABLE, is_elsewhere, is_ours, number_of, order_id_of
from ghl_payments.connectors.trackpod.client import SYSTEM, TrackPodClient
from ghl_payments.connectors.trackpod.options import TrackPodOptions
from ghl_payments.connectors.trackpod.scan import scan_days, window_of
from ghl_payments.connectors.trackpod.shapes import OrderRow
from ghl_payments.connectors.trackpod.writing import OrderDesk
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.errors import (
    ApiError,
    Forbidden,
    NotFound,
    Rejected,
    SchemaDrift,
    Transient,
    Unreachable,
)
from ghl_payments.transport.jsontext import decode
from ghl_payments.transport.landing import LandingWriter
from ghl_payments.transport.outage import OutageGuard

ORDER = "order"
PAGE = 200
"""Orders a landing line."""

FEED_REACH = timedelta(hours=24)
FEED_OVERLAP = timedelta(minutes=15)

FEED_LIMITS = "status changes only: orders that were added, edited or removed show in the next full reading"


@dataclass(frozen=True, slots=True)
class _Document:
    """One order asked for by TrackId; `status` is 200, 404, another error status, or 0 for no readable answer."""

    native_id: str
    status: int
    row: OrderRow | None


class TrackPodConnector:
    """One Track-POD account; `connection` is its name in connections.yaml. See `connectors.base.Connector`.

    `now` is the clock that decides which days are read.
    """

    system = SYSTEM
    record_types: Sequence[str] = (ORDER,)
    auxiliary_types: Sequence[str] = ()
    detail_types: Sequence[str] = ()
    keyed_types: Sequence[str] = ()
    changes_types: Sequence[str] = (ORDER,)
    removal_types: Sequence[str] = (ORDER,)
    capabilities: Mapping[str, tuple[str, ...]] = {"change_feed": ("status", "none")}
    writable_fields: Mapping[str, frozenset[str]] = {ORDER: WRITABLE}

    def __init__(
        self,
        client: TrackPodClient,
        connection: str,
        options: TrackPodOptions | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        concurrency: int = 8,
    ) -> None:
        self._client = client
        self._connection = connection
        self._options = options or TrackPodOptions()
        self._now = now
        self._concurrency = concurrency
        self._feed = "none"
        self._desk = OrderDesk(client, self._options, self._today)

    async def probe_levels(self, *, may_write: bool) -> dict[str, Level]:  # noqa: ARG002 - reading tells
        """Whether the list of status changes is answered at all; nothing is ever written to find out."""
        try:
            await self._client.changed(self._now() - timedelta(hours=1), priority="fresh")
        except (Rejected, NotFound, Forbidden, SchemaDrift) as error:
            return {"change_feed": Level("none", f"the list of status changes is refused ({error.status})")}
        return {"change_feed": Level("status", "the list of status changes of the last hour is answered")}

    def use_levels(self, levels: Mapping[str, str]) -> None:
        """Work at these levels from now on."""
        self._feed = levels.get("change_feed", "none")

    async def probe(self, record_type: str) -> Probe:  # noqa: ARG002 - there is one
        """The API itself and today's orders; how many there are in all is never said."""
        await self._client.test()
        await self._client.dated(self._today(), priority="fresh")
        return Probe(None, self._client.clock_ahead)

    async def read(self, record_type: str, landing: Path) -> ReadCertificate:
        """All orders of the days in the options' window, each once."""
        window = window_of(self._options, self._now())
        scan = await scan_days(self._client, window, self._concurrency)
        with LandingWriter(landing) as writer:
            self._land(list(scan.orders.values()), writer)
        return ReadCertificate(
            record_type=record_type,
            rows=len(scan.orders),
            unique_ids=len(scan.orders),
            declared=None,
            pages=scan.requests,
            attempts=1,
            complete=scan.drift is None,
            reason=scan.drift,
            limits=f"orders dated or routed from {window.first} to {window.last}, as far as the key's shipper and depot"
            " reach; older ones stand as they were read last, and lists have no total",
            windowed=True,
        )

    async def read_changes(self, record_type: str, since: datetime, landing: Path) -> ReadCertificate | None:
        """Orders whose status changed since then (15 minutes earlier, to be sure); None where that cannot be asked."""
        age = datetime.now(UTC) - since + FEED_OVERLAP
        if self._feed != "status" or age >= FEED_REACH - FEED_OVERLAP:
            return None
        try:
            rows = await self._client.changed(self._now() - age)
        except Rejected:
            return None
        orders = {row.track_id: row for row in rows}
        with LandingWriter(landing) as writer:
            self._land(list(orders.values()), writer)
        return ReadCertificate(
            record_type=record_type, rows=len(orders), unique_ids=len(orders), declared=None, pages=1, attempts=1,
            complete=True, limits=FEED_LIMITS, windowed=True,
        )  # fmt: skip

    async def read_details(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:  # noqa: ARG002
        """Get orders by TrackId; TrackId -> 200, 404, or for one that could not be read its status or 0."""
        with LandingWriter(landing) as writer:
            async with aclosing(self._documents(native_ids, writer)) as answers:
                return {answer.native_id: answer.status async for answer in answers}

    async def find(self, record_type: str, key: str, location_id: str, landing: Path) -> list[str]:  # noqa: ARG002
        """TrackIds of all orders that carry the key in Number or Id, ascending; removed ones are none."""
        found: dict[str, OrderRow] = {}
        with suppress(NotFound):
            found |= {row.track_id: row for row in await self._client.numbered(number_of(key))}
        with suppress(NotFound):
            row = await self._client.by_id(order_id_of(key))
            found[row.track_id] = row
        hits = [row for row in found.values() if _belongs(row, key, location_id)]
        with LandingWriter(landing) as writer:
            self._land(hits, writer)
        return sorted(row.track_id for row in hits)

    async def removed(self, record_type: str, keys: Iterable[str], landing: Path) -> int:  # noqa: ARG002
        """Ask for keys by Id: an order that is there lands, one that a person removed lands as a 404 of its key."""

        async def one(key: str) -> tuple[str, OrderRow | None, int]:
            try:
                return key, await self._client.by_id(order_id_of(key)), 200
            except NotFound as error:
                return key, None, error.status or 404

        gone = 0
        with LandingWriter(landing) as writer:
            async with aclosing(in_order(keys, one, self._concurrency)) as answers:
                async for key, row, status in answers:
                    if row is not None:
                        self._land([row], writer)
                    elif status == 410:
                        gone += 1
                        envelope = self._envelope("detail", native_id=f"removed/{key}", status=404)
                        writer.append(envelope, b"null", checked=True)
        return gone

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """Create an order, or take over the one that has its Id already; one that a person removed is left removed.

        OutcomeUnknown when an answer is lost, also that of the look afterwards which tells the order's TrackId.
        """
        return await self._desk.create(record)

    async def update(self, native_id: str, record: DesiredRecord, changed: Sequence[str]) -> WriteAnswer:
        """Write the `changed` fields into the order as it is now; Rejected when the driver has processed it."""
        return await self._desk.update(native_id, record, changed)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    def _today(self) -> date:
        return self._now().astimezone(ZoneInfo(self._options.timezone)).date()

    async def _documents(self, native_ids: Iterable[str], writer: LandingWriter) -> AsyncGenerator[_Document, None]:
        """Fetch and land orders in the order of their ids; a single unreadable one does not end the series."""
        guard = OutageGuard()

        async def one(native_id: str) -> tuple[_Document, ApiError | None]:
            if (known := self._desk.just_read.pop(native_id, None)) is not None:
                return _Document(native_id, 200, known), None
            try:
                row = await self._client.by_track_id(native_id, priority="verify")
                return _Document(native_id, 200, row), None
            except NotFound as error:
                return _Document(native_id, 404, None), error
            except Unreachable:
                raise
            except (Transient, SchemaDrift, Rejected) as error:
                told = error.status if error.status is not None and error.status >= 400 else 0
                return _Document(native_id, 0 if told == 404 else told, None), error

        async with aclosing(in_order(native_ids, one, self._concurrency)) as answers:
            async for document, error in answers:
                guard.note(error)
                if document.row is not None:
                    self._land([document.row], writer)
                else:
                    envelope = self._envelope("detail", native_id=document.native_id, status=document.status)
                    writer.append(envelope, b"null", checked=True)
                yield document

    def _land(self, rows: Sequence[OrderRow], writer: LandingWriter) -> None:
        """Single orders land like lists: they hold the same, and the newer one counts."""
        for start in range(0, len(rows), PAGE):
            body = b"[" + b",".join(bytes(row.raw) for row in rows[start : start + PAGE]) + b"]"
            writer.append(self._envelope("list", status=200, id_name="TrackId"), body, checked=True)

    def _envelope(self, kind: str, **more: object) -> dict[str, object]:
        return {
            "kind": kind,
            "system": SYSTEM,
            "record_type": ORDER,
            "connection": self._connection,
            **more,
            "fetched_at": datetime.now(UTC).isoformat(),
        }


def _belongs(row: OrderRow, key: str, location_id: str) -> bool:
    order = decode(row.raw)
    return is_ours(order, key) and not is_elsewhere(order, location_id)
