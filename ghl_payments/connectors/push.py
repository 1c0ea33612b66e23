"""The push: claim, send, read back, verify, in waves until nothing moves; for any target system.

Extend it when sending itself changes; which change may leave is decided by `sql/outbox/claim.sql`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ghl_payments.connectors.base import Connector, DesiredRecord, RepeatSafe
from ghl_payments.connectors.levels import use_stored_levels
from ghl_payments.connectors.outcomes import failed, failed_repeatably
from ghl_payments.transport.errors import ApiError, EndpointGone, NotFound, OutcomeUnknown, SchemaDrift
from ghl_payments.warehouse import outbox
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.landing_load import load_documents
from ghl_payments.warehouse.outbox import ClaimedChange, SendResult
from ghl_payments.warehouse.reconcile import Target, derive_actual

logger = logging.getLogger(__name__)

MAX_SENDS = 3
"""Requests for one change in one push; a target that loses every answer is left for the next turn."""

MAX_FAILURES = 5
"""Changes in a row that a receiver did not take; it is down then, and the others need not be tried."""

LOCK_SECONDS = 3600.0
"""A push at a vendor's limit takes long, and another location's turn to push is no failure."""


class ConnectionBusyError(RuntimeError):
    """Another push holds the connection."""


@dataclass(slots=True)
class PushResult:
    """How many changes ended this push in which state, and the error that cut it short, if any."""

    sent: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    error: ApiError | None = None

    def count(self, verdicts: dict[str, int]) -> None:
        """Add verdicts of a read-back."""
        for verdict, number in verdicts.items():
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + number


@dataclass(slots=True)
class Push:
    """One push of one location's changes to one connection."""

    connector: Connector
    target: Target
    warehouse: Warehouse
    landing: Path
    location_id: str
    settle_seconds: float
    lock_folder: Path
    lock_timeout_seconds: float = LOCK_SECONDS
    forced_levels: Mapping[str, str] = field(default_factory=dict)
    result: PushResult = field(default_factory=PushResult)
    _sends: dict[str, int] = field(default_factory=dict)
    _looked: dict[str, int] = field(default_factory=dict)
    _in_vain: int = 0

    async def run(self) -> PushResult:
        """Push until nothing moves. An API error that stops everything is returned, after all that is known is stored.

        ConnectionBusyError when another push holds the connection for too long.
        """
        self.lock_folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.lock_folder / f"push-{self.target.connection.replace('/', '-')}.lock")
        try:
            lock.acquire(timeout=self.lock_timeout_seconds)
        except Timeout:
            msg = f"another push to {self.target.connection} is running; try again when it has ended"
            raise ConnectionBusyError(msg) from None
        try:
            use_stored_levels(self.connector, self.warehouse, self.target.connection, self.forced_levels)
            await self._resolve_unknown()
            while self.result.error is None and await self._wave():
                pass
        except ApiError as error:
            self.result.error = error
        finally:
            lock.release()
        return self.result

    async def _wave(self) -> bool:
        """Claim a batch, send it with the file closed, read back, judge; False when nothing could leave."""
        with self.warehouse.open() as con:
            claimed = outbox.claim(con, self.target, self.location_id, as_of=datetime.now(UTC))
        claimed = await self._leave_exhausted(claimed)
        if not claimed:
            return False
        results = [await self._send(change) for change in claimed]
        with self.warehouse.open() as con:
            outbox.record(con, results, as_of=datetime.now(UTC))
        path = self._file("read-back")
        sent = [(c, r) for c, r in zip(claimed, results, strict=True) if r.outcome == "sent" and r.native_id]
        await self._read_back([(c.record_type, str(r.native_id)) for c, r in sent], path)
        await self._judge([c for c, _ in sent], path, settled=self._settle_seconds == 0)
        if self._settle_seconds > 0:
            await self._second_look(sent)
        if any(result.outcome == "unknown" for result in results):
            await self._resolve_unknown()
        self.result.sent += len(sent)
        logger.info("%s: %d of %d changes sent", self.target.connection, len(sent), len(claimed))
        return True

    async def _leave_exhausted(self, claimed: list[ClaimedChange]) -> list[ClaimedChange]:
        tired = [c for c in claimed if self._sends.get(c.change_id, 0) >= MAX_SENDS]
        if tired:
            with self.warehouse.open() as con:
                outbox.record(
                    con,
                    [SendResult(c.change_id, "unknown", detail="the target lost every answer") for c in tired],
                    as_of=datetime.now(UTC),
                )
        return [c for c in claimed if c not in tired]

    async def _send(self, change: ClaimedChange) -> SendResult:
        """One request for one change; what it means for the change is decided here and nowhere else."""
        if self.result.error is not None:
            return SendResult(change.change_id, "approved", detail="not sent: the push was cut short")
        self._sends[change.change_id] = self._sends.get(change.change_id, 0) + 1
        record = DesiredRecord(
            change.record_type, change.key, self.location_id, change.fields, change.parents, change.revision
        )
        try:
            if change.operation == "create":
                answer = await self.connector.create(record)
            else:
                answer = await self.connector.update(str(change.native_id), record, change.changed)
        except ApiError as error:
            return self._failed(change, error)
        self._in_vain = 0
        return SendResult(change.change_id, "sent", answer.native_id, answer.status)

    def _failed(self, change: ClaimedChange, error: ApiError) -> SendResult:
        if isinstance(self.connector, RepeatSafe):
            now = datetime.now(UTC)
            outcome = failed_repeatably(change, error, self.connector, self.target.connection, now)
            self._in_vain += outcome is not None and outcome.not_before is not None and error.status != 429
            if self._in_vain >= MAX_FAILURES:
                self.result.error = error
        else:
            outcome = failed(change, error)
        if outcome is not None:
            return outcome
        self.result.error = error
        if isinstance(error, EndpointGone):
            with self.warehouse.open() as con:
                outbox.endpoint_gone(con, self.target.connection, error.remedy, as_of=datetime.now(UTC))
        return SendResult(change.change_id, "approved", change.native_id, error.status, str(error))

    @property
    def _settle_seconds(self) -> float:
        """What cannot be read needs no time to settle."""
        return self.settle_seconds if self._reads_back else 0.0

    @property
    def _reads_back(self) -> bool:
        return self.connector.reads_back if isinstance(self.connector, RepeatSafe) else True

    async def _read_back(self, records: Iterable[tuple[str, str]], path: Path) -> None:
        by_type: dict[str, list[str]] = {}
        for record_type, native_id in records:
            by_type.setdefault(record_type, []).append(native_id)
        for number, (record_type, ids) in enumerate(sorted(by_type.items())):
            await self.connector.read_details(record_type, ids, path.with_name(f"{number}-{path.name}"))

    async def _judge(self, changes: list[ClaimedChange], path: Path, *, settled: bool) -> None:
        if not changes:
            return
        with self.warehouse.open() as con:
            for file in sorted(path.parent.glob(f"*-{path.name}")):
                load_documents(con, file, self.target.connection, datetime.now(UTC))
            derive_actual(con, self.target, {change.record_type for change in changes})
            ids = [change.change_id for change in changes]
            told = self.connector.told if isinstance(self.connector, RepeatSafe) else None
            verdicts = outbox.verify(
                con, ids, as_of=datetime.now(UTC), settled=settled, told=told, sent_now=self._sends
            )
        if not settled:
            verdicts.pop("unequal", None)
        self.result.count(verdicts)

    async def _second_look(self, sent: list[tuple[ClaimedChange, SendResult]]) -> None:
        """What was unequal is read again once the target has had time to settle."""
        with self.warehouse.open() as con:
            open_ids = {
                row[0] for row in con.execute("select change_id from outbox.changes where state = 'sent'").fetchall()
            }
        waiting = [(c, r) for c, r in sent if c.change_id in open_ids]
        if not waiting:
            return
        logger.info("%s: waiting %.0f s for the target to settle", self.target.connection, self.settle_seconds)
        await asyncio.sleep(self._settle_seconds)
        path = self._file("second-look")
        await self._read_back([(c.record_type, str(r.native_id)) for c, r in waiting], path)
        await self._judge([c for c, _ in waiting], path, settled=True)

    async def _resolve_unknown(self) -> None:
        """Find out by reading back what became of changes whose answer was lost or never recorded.

        What is irreversible and not there stays unknown until a later push; it is not looked for again in this one.
        """
        with self.warehouse.open() as con:
            unknown = outbox.leftovers(con, self.target, self.location_id, as_of=datetime.now(UTC))
        unknown = [c for c in unknown if self._is_open(c.change_id)]
        if not unknown:
            return
        logger.info("%s: reading back %d changes of unknown outcome", self.target.connection, len(unknown))
        await asyncio.sleep(self._settle_seconds)
        path = self._file("unknown")
        known: list[ClaimedChange] = []
        for number, change in enumerate(unknown):
            file = path.with_name(f"{number}-{path.name}")
            try:
                if change.operation == "create":
                    await self.connector.find(change.record_type, change.key, self.location_id, file)
                else:
                    await self.connector.read_details(change.record_type, [str(change.native_id)], file)
            except (NotFound, SchemaDrift, OutcomeUnknown) as error:
                logger.warning("%s stays unknown: %s", change.change_id, error)
                continue
            known.append(change)
            self._looked[change.change_id] = self._sends.get(change.change_id, 0)
        await self._judge(known, path, settled=True)

    def _is_open(self, change_id: str) -> bool:
        sends = self._sends.get(change_id, 0)
        return sends < MAX_SENDS and self._looked.get(change_id) != sends

    def _file(self, name: str) -> Path:
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        return self.landing / self.target.system / self.target.connection / f"{name}-{stamp}.ndjson.zst"
