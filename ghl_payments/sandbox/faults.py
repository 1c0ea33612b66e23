"""Programmable trouble: which requests it strikes, how often, and what each kind needs to know.

Add a kind to `FaultKind` and `FaultSpec`, and act it out in `app.py` (or in the vendor's module, through the request).
"""

from __future__ import annotations

import re
from random import Random
from typing import Any, Literal

import msgspec

from ghl_payments.sandbox.wire import Request

FaultKind = Literal[
    "status",
    "status_after_commit",
    "lost_reply",
    "latency",
    "html",
    "truncated_json",
    "empty_list",
    "ignored_filter",
    "stale_reads",
    "page_drift",
    "expire_tokens",
    "no_scope",
    "daily_exhausted",
]
DriftOp = Literal["insert", "delete", "backdated_insert"]
ENDINGS = frozenset({"status", "status_after_commit", "lost_reply", "html", "truncated_json", "daily_exhausted"})
"""Kinds that decide the answer: of those that fit a request, only the oldest strikes."""


class FaultSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a client posts: the kind, the requests it concerns (all that are not excluded), and its parameters.

    `path` is a regular expression for the whole path below the vendor's prefix, in any case. `times` bounds how often
    it strikes, `probability` (seeded) how likely. `seconds` belongs to latency and stale_reads, `params` to
    ignored_filter, `op` and `every` to page_drift.
    """

    fault: FaultKind
    system: str | None = None
    method: str | None = None
    path: str | None = None
    times: int | None = None
    probability: float | None = None
    status: int = 500
    body: Any = None
    headers: dict[str, str] = {}
    seconds: float = 0.0
    when: Literal["before", "after"] = "before"
    params: list[str] = []
    op: DriftOp = "insert"
    every: int = 1
    scope: str | None = None


class Fault:
    """One fault in force."""

    def __init__(self, number: int, spec: FaultSpec, seed: int) -> None:
        self.number = number
        self.spec = spec
        self.struck = 0
        self.seen = 0
        self._random = Random(f"fault/{seed}/{number}")
        self._path = re.compile(spec.path, re.IGNORECASE) if spec.path is not None else None

    def left(self) -> int | None:
        """How often it can still strike; None for ever."""
        return None if self.spec.times is None else max(0, self.spec.times - self.struck)

    def fits(self, request: Request) -> bool:
        """Whether the request is one it is meant for and it is not used up."""
        spec = self.spec
        return (
            self.left() != 0
            and spec.system in (None, request.system)
            and (spec.method is None or spec.method.upper() == request.method)
            and (self._path is None or self._path.fullmatch(request.path) is not None)
        )

    def strikes(self) -> bool:
        """Whether it strikes a fitting request; counts if so."""
        if self.spec.probability is not None and self._random.random() >= self.spec.probability:
            return False
        self.struck += 1
        return True

    def shown(self) -> dict[str, Any]:
        """The row of `GET /_sandbox/faults`."""
        return {"id": self.number, **msgspec.to_builtins(self.spec), "struck": self.struck, "remaining": self.left()}


class FaultBook:
    """The faults in force, oldest first."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._faults: list[Fault] = []
        self._next = 1

    def add(self, spec: FaultSpec) -> Fault:
        """Put a fault in force; re.error for a path that is no regular expression."""
        fault = Fault(self._next, spec, self._seed)
        self._next += 1
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """End all faults; the next ones repeat the same chances."""
        self._faults.clear()
        self._next = 1

    def remove(self, number: int) -> bool:
        """End one fault; False if there is none with this number."""
        before = len(self._faults)
        self._faults = [fault for fault in self._faults if fault.number != number]
        return len(self._faults) < before

    def shown(self) -> list[dict[str, Any]]:
        """All faults with what is left of them."""
        return [fault.shown() for fault in self._faults]

    def strike(self, request: Request, *, pages_on: bool) -> list[Fault]:
        """The faults that strike this request, at most one of them an ending.

        `pages_on` says whether the request reads a further page of a list, which is all that page_drift waits for.
        """
        struck: list[Fault] = []
        ended = False
        for fault in self._faults:
            kind = fault.spec.fault
            if (kind in ENDINGS and ended) or not fault.fits(request):
                continue
            if kind == "page_drift":
                fault.seen += pages_on
                if not pages_on or fault.seen % max(1, fault.spec.every):
                    continue
            if fault.strikes():
                struck.append(fault)
                ended = ended or kind in ENDINGS
        return struck
