"""Everything one sandbox holds between requests, and the world it was started with.

Loading, dumping and resetting of the state are here; HTTP belongs to `app.py` and `control.py`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.clock import SandboxClock
from ghl_payments.sandbox.codec import Doc, encode
from ghl_payments.sandbox.faults import FaultBook
from ghl_payments.sandbox.ghl import GhlSandbox
from ghl_payments.sandbox.ghl_data import GhlData, load_ghl
from ghl_payments.sandbox.halo import HaloSandbox
from ghl_payments.sandbox.halo_store import HaloData, load_halo
from ghl_payments.sandbox.journal import Effect, History, RequestLog
from ghl_payments.sandbox.limits import LimitsMode, rate_of
from ghl_payments.sandbox.switches import Switches
from ghl_payments.sandbox.wire import Request

_SERVED = ("ghl", "halo")


@contextmanager
def collector_paused() -> Iterator[None]:
    """Loading makes objects by the million and no garbage, so that walking them would only cost time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Stores:
    """The vendors, their records, faults, switches and logs."""

    def __init__(self, identity: SandboxIdentity, clock: SandboxClock, limits: LimitsMode, seed: int) -> None:
        self.identity = identity
        self.clock = clock
        self.limits = limits
        self.switches = Switches()
        self.faults = FaultBook(seed)
        self.requests = RequestLog()
        self.effects: list[Effect] = []
        self.history = History()
        self.answer_key: bytes | None = None
        self.ghl = GhlSandbox(identity, rate_of("ghl", limits), self.switches, clock)
        self.halo = HaloSandbox(identity, rate_of("halo", limits), self.switches, clock)
        self._others: Doc = {}
        self._seeded: tuple[GhlData, HaloData, Doc, bytes | None] | None = None

    def seed(self, state: Doc, answer_key: Sequence[Mapping[str, Any]]) -> None:
        """Load the world that `reset` comes back to; the state's documents are used up."""
        self.load(state)
        self.answer_key = encode(answer_key)
        self._seeded = (self.ghl.data, self.halo.data, self._others, self.answer_key)

    def load(self, state: Doc) -> None:
        """Serve another state; effects, requests and faults are forgotten, the answer key is none."""
        with collector_paused():
            ghl = load_ghl(state.get("ghl") or {}, self.identity)
            halo = load_halo(state.get("halo") or {}, self.clock.text())
        self.history.undo_all()
        self._others = {name: part for name, part in state.items() if name not in _SERVED}
        self.answer_key = None
        self._serve(ghl, halo)

    def reset(self) -> None:
        """Back to the world of the start, with its answer key, stamps, ids and switches."""
        self.history.undo_all()
        self.clock.rewind()
        self.switches.update({name: getattr(Switches(), name) for name in Switches.__struct_fields__})
        ghl, halo, self._others, self.answer_key = self._seeded or (GhlData(), HaloData(), {}, None)
        for table in halo.tables.values():
            table.rewind()
        self._serve(ghl, halo)

    def dump(self) -> bytes:
        """The whole state, encoded."""
        others = b"".join(b"," + encode(name) + b":" + encode(part) for name, part in self._others.items())
        return b'{"ghl":' + self.ghl.data.dump() + b',"halo":' + self.halo.data.dump() + others + b"}"

    def effect(self, request: Request, record_type: str, key: str | None, native_id: int, body: Any) -> None:
        """Note a write that took effect."""
        seq = len(self.effects) + 1
        self.effects.append(
            Effect(seq, request.system, request.method, request.path, record_type, key, str(native_id), body)
        )

    def effect_rows(self) -> list[Doc]:
        """All effects in their order."""
        return [asdict(effect) for effect in self.effects]

    def expire_tokens(self, system: str | None) -> None:
        """Issued access tokens die now, in one system or in all."""
        for vendor in (self.ghl, self.halo):
            if system in (None, vendor.name):
                vendor.auth.expire()

    def _serve(self, ghl: GhlData, halo: HaloData) -> None:
        self.history = History()
        self.effects = []
        self.requests.clear()
        self.faults.clear()
        self.ghl.use(ghl, self.history, self.effect)
        self.halo.use(halo, self.history, self.effect)
