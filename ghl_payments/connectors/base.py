"""What every target system's connector offers to the loop, as plain types.

Extend the protocol when the loop needs a new ability from every system.
HTTP, vendors' names and Dagster do not belong here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class DesiredRecord:
    """One record as the mapping wants it: canonical field texts (amounts in minor units, instants ISO UTC).

    `parents` maps a parent's record type to its native id in the target; `fields` values are text or None. `revision`
    numbers the states of the record that were ever to be written, from 1.
    """

    record_type: str
    key: str
    location_id: str
    fields: Mapping[str, str | None]
    parents: Mapping[str, str] = field(default_factory=dict)
    revision: int = 1


@dataclass(frozen=True, slots=True)
class ReadCertificate:
    """Proof, as far as the API allows, that a record type was listed completely.

    `declared` is the system's own count; `complete` is False with a `reason` when pages could not be made to agree.
    """

    record_type: str
    rows: int
    unique_ids: int
    declared: int | None
    pages: int
    attempts: int
    complete: bool
    reason: str | None = None
    limits: str | None = None
    """What even a complete reading of this type cannot show, in words for a report."""
    windowed: bool = False
    """Only some of the records were looked at, for instance those of some days: what is not listed need not be gone."""


@dataclass(frozen=True, slots=True)
class Level:
    """What an account was found to be able to do: the `level` of a capability, and the `evidence` for it in words."""

    level: str
    evidence: str


@dataclass(frozen=True, slots=True)
class WriteAnswer:
    """What a 2xx answer to a write said: the record's native id as text, and the HTTP status."""

    native_id: str
    status: int


@dataclass(frozen=True, slots=True)
class Probe:
    """What the cheapest read of a record type showed: how many records there are, None where the system does not say.

    `clock_ahead` is by how many seconds the system's clock is ahead of ours, None where it does not tell the time.
    """

    rows: int | None
    clock_ahead: float | None


class Connector(Protocol):
    """One account of one target system.

    Reads append raw documents to landing files (`envelope` has `record_type` and `kind` list|detail|find) and return
    certificates or counts; writes raise `transport.errors` classes, above all `OutcomeUnknown` when the answer is lost.
    `keyed_types` are those that the system cannot list: their ids come from the folder's `keys.sql` and are asked for
    one by one. `capabilities` maps what accounts differ in to its levels, best first, the last one always to be had.
    """

    system: str
    record_types: Sequence[str]
    auxiliary_types: Sequence[str]
    detail_types: Sequence[str]
    keyed_types: Sequence[str]
    capabilities: Mapping[str, tuple[str, ...]]

    async def probe_levels(self, *, may_write: bool) -> dict[str, Level]:
        """Find out the level of each capability; without `may_write` nothing is written, and what that leaves open is
        reported at its safest level."""
        ...

    def use_levels(self, levels: Mapping[str, str]) -> None:
        """Work at these levels from now on; a capability that is not named stays at its safest level."""
        ...

    async def probe(self, record_type: str) -> Probe:
        """List one record: whether the system can be reached and the credential may read this type."""
        ...

    async def read(self, record_type: str, landing: Path) -> ReadCertificate:
        """List a record type completely into the landing file."""
        ...

    async def read_details(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:
        """Get documents by native id into the landing file; native id -> HTTP status (200 or 404)."""
        ...

    async def find(self, record_type: str, key: str, location_id: str, landing: Path) -> list[str]:
        """Search the system by our key; every hit's full document goes to the landing file; native ids, ascending."""
        ...

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        """Create one record carrying its key."""
        ...

    async def update(self, native_id: str, record: DesiredRecord, changed: Sequence[str]) -> WriteAnswer:
        """Write only the `changed` fields of one record."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


@runtime_checkable
class RepeatSafe(Protocol):
    """What a connector has beyond `Connector` when its receiver knows a repeated request by an id of the event.

    A request whose answer was lost may then be sent again as it was. `delays` are the seconds between the attempts of
    one change over later pushes; after the last a person is asked.
    """

    delays: Sequence[float]

    @property
    def reads_back(self) -> bool:
        """Whether what was sent can be read at all; without, a 2xx proves that it was accepted and no more."""
        ...

    @property
    def told(self) -> Collection[str] | None:
        """The mapping's fields that a record as read back tells; None where it tells all, or a hash of all."""
        ...

    @property
    def keyed_limits(self) -> str:
        """What a reading by id, or none at all, does not show, in words for a report."""
        ...


@runtime_checkable
class TellsChanges(Protocol):
    """What a connector has beside `Connector` when its system lists what changed since an instant."""

    changes_types: Sequence[str]

    async def read_changes(self, record_type: str, since: datetime, landing: Path) -> ReadCertificate | None:
        """Records that changed since then into the landing file; None when only a full reading can tell.

        The certificate's `limits` say which changes the list does not show.
        """
        ...


@runtime_checkable
class TellsRemovals(Protocol):
    """What a connector has beside `Connector` when its system says of a key that its record was removed by a person."""

    removal_types: Sequence[str]

    async def removed(self, record_type: str, keys: Iterable[str], landing: Path) -> int:
        """Ask for keys that no list showed; each removed one lands as a 404 under `removed/KEY`. How many they are."""
        ...
