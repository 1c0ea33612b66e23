"""What a system of the sandbox consists of: HTTP face, records, its part of the seeded world and of the answer key.

A new system is one module in `vendors/` that describes itself with `VendorModule`; extend the protocols when the
sandbox needs a further piece of every system. What one system does belongs to its own modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Protocol

import msgspec

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.clock import SandboxClock
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.limits import Rate
from ghl_payments.sandbox.oracle_ghl import Ledgers
from ghl_payments.sandbox.oracle_rows import Row
from ghl_payments.sandbox.wire import Admission, Answer, Request

People = Mapping[str, tuple[str, str]]
"""Contact id -> (name, e-mail address)."""


class EffectSink(Protocol):
    """Where writes that took effect are reported."""

    def __call__(self, request: Request, record_type: str, key: str | None, native_id: str, body: Any) -> None:
        """Note one write; `body` is what was sent for it, None for a DELETE."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a vendor is made with; `switches` is the live instance of its module's own Struct."""

    identity: SandboxIdentity
    rate: Rate
    switches: Any
    clock: SandboxClock


class Vendor(Protocol):
    """The running system: answers requests and holds records."""

    name: str

    def admit(self, request: Request) -> Admission:
        """Count a request on arrival: headers for its answer, and the refusal if it may not pass."""

    def handle(self, request: Request) -> Answer:
        """Answer one request."""

    def load(self, part: Doc) -> Any:
        """This system's part of a state document as the data that `use` takes; the documents are used up."""

    def use(self, data: Any, history: History, effect: EffectSink) -> None:
        """Serve another world; requests counted before are forgotten, tokens stay good."""

    def dump(self) -> bytes:
        """This system's part of the state document, encoded."""

    def rewind(self, data: Any) -> None:
        """Ids and stamps back to where they were when the data was loaded."""

    def expire_tokens(self) -> None:
        """Every issued access token dies now."""


class SystemWorld(Protocol):
    """One system's part of a seeded world while it is being written; `state` grows."""

    state: Doc

    def agree(self, books: Ledgers, people: People) -> None:
        """Write every record that one location asks for, in full agreement."""

    def natives(self) -> None:
        """Add records that are none of ours."""

    def plant(self) -> None:
        """Break some records, chosen by the world's own random numbers."""


WorldMaker = Callable[[Random, int, Any, SandboxIdentity], SystemWorld]
"""(random numbers of this system's own, now in UTC milliseconds, switches, identity) -> world."""

Judge = Callable[[Doc, Mapping[str, Ledgers], datetime, Any], list[Row]]
"""(state of the system, books by location, now, switches) -> every diff the first turn must report."""


def _nothing(_: SandboxIdentity) -> Doc:
    return {}


@dataclass(frozen=True, slots=True)
class VendorModule:
    """A system as the sandbox finds it.

    `name` is its path prefix and its key in the state document; `rate` the vendor's real window. `secrets` maps a role
    to (environment variable, value); `connection` gives further keys of its entry in connections.yaml. Without `world`
    the system starts empty; without `is_target` it does not stand under a location's targets.
    """

    name: str
    rate: Rate
    switches: type[msgspec.Struct]
    make: Callable[[Setting], Vendor]
    secrets: Callable[[SandboxIdentity], dict[str, tuple[str, str]]]
    connection: Callable[[SandboxIdentity], Doc] = _nothing
    world: WorldMaker | None = None
    judge: Judge | None = None
    is_target: bool = True
