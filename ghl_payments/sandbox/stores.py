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
from ghl_payments.sandbox.ghl_events import GhlEvents, Happening
from ghl_payments.sandbox.journal import Effect, History, RequestLog
from ghl_payments.sandbox.limits import LimitsMode, scaled
from ghl_payments.sandbox.switches import SwitchBoard
from ghl_payments.sandbox.vendor import Setting, Vendor
from ghl_payments.sandbox.vendors import vendor_modules
from ghl_payments.sandbox.webhooks import WebhookSender
from ghl_payments.sandbox.wire import Request


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
    """The vendors, their records, faults, switches and logs; `worlds` counts the states served so far."""

    def __init__(
        self,
        identity: SandboxIdentity,
        clock: SandboxClock,
        limits: LimitsMode,
        seed: int,
        switches: Mapping[str, Any] | None = None,
    ) -> None:
        self.identity = identity
        self.clock = clock
        self.limits = limits
        modules = vendor_modules()
        self.switches = SwitchBoard({name: module.switches for name, module in modules.items()}, switches)
        self.faults = FaultBook(seed)
        self.requests = RequestLog()
        self.effects: list[Effect] = []
        self.history = History()
        self.answer_key: bytes | None = None
        self.vendors: dict[str, Vendor] = {
            name: module.make(Setting(identity, scaled(module.rate, limits), self.switches.parts[name], clock))
            for name, module in modules.items()
        }
        self.webhooks = WebhookSender()
        for vendor in self.vendors.values():
            if announce := getattr(vendor, "announce_to", None):
                announce(self.webhooks)
        ghl = self.vendors["ghl"]
        assert isinstance(ghl, GhlSandbox)
        self._events = GhlEvents(ghl, identity, clock, self.webhooks)
        self.worlds = 0
        self._data: dict[str, Any] = {}
        self._others: Doc = {}
        self._seeded: tuple[dict[str, Any], Doc, bytes | None] | None = None

    def seed(self, state: Doc, answer_key: Sequence[Mapping[str, Any]]) -> None:
        """Load the world that `reset` comes back to; the state's documents are used up."""
        self.load(state)
        self.answer_key = encode(answer_key)
        self._seeded = (self._data, self._others, self.answer_key)

    def load(self, state: Doc) -> None:
        """Serve another state; effects, requests and faults are forgotten, the answer key is none."""
        with collector_paused():
            data = {name: vendor.load(state.get(name) or {}) for name, vendor in self.vendors.items()}
        self.history.undo_all()
        self._others = {name: part for name, part in state.items() if name not in self.vendors}
        self.answer_key = None
        self._serve(data)

    def reset(self) -> None:
        """Back to the world of the start, with its answer key, stamps, ids and switches."""
        self.history.undo_all()
        self.webhooks.clear()
        self.clock.rewind()
        self.switches.reset()
        data, self._others, self.answer_key = self._seeded or (
            {name: vendor.load({}) for name, vendor in self.vendors.items()},
            {},
            None,
        )
        for name, vendor in self.vendors.items():
            vendor.rewind(data[name])
        self._serve(data)

    def dump(self) -> bytes:
        """The whole state, encoded."""
        parts = [encode(name) + b":" + vendor.dump() for name, vendor in self.vendors.items()]
        parts += [encode(name) + b":" + encode(part) for name, part in self._others.items()]
        return b"{" + b",".join(parts) + b"}"

    def effect(self, request: Request, record_type: str, key: str | None, native_id: str, body: Any) -> None:
        """Note a write that took effect."""
        seq = len(self.effects) + 1
        self.effects.append(
            Effect(seq, request.system, request.method, request.path, record_type, key, native_id, body)
        )
        if (request.system, record_type) == ("ghl", "order_payment"):
            self._events.paid_through_api(request.path)

    def happen(self, happening: Happening) -> Doc:
        """Something happens in GHL itself, and its event is sent."""
        return self._events.act(happening, self.history)

    def effect_rows(self) -> list[Doc]:
        """All effects in their order."""
        return [asdict(effect) for effect in self.effects]

    def expire_tokens(self, system: str | None) -> None:
        """Issued access tokens die now, in one system or in all."""
        for name, vendor in self.vendors.items():
            if system in (None, name):
                vendor.expire_tokens()

    def _serve(self, data: dict[str, Any]) -> None:
        self._data = data
        self.worlds += 1
        self.history = History()
        self.effects = []
        self.requests.clear()
        self.faults.clear()
        for name, vendor in self.vendors.items():
            vendor.use(data[name], self.history, self.effect)
