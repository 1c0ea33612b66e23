"""A receiver of events in a seeded world: in full agreement with GHL first, then with rows that went astray.

Add a way to go astray as one more function of `_DEFECTS`; what must be reported of it is said by `oracle_rankr`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from ghl_payments.domain.keys import parse_key
from ghl_payments.domain.money import exponent, major_text
from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.clock import epoch_ms, iso_ms
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.oracle_ghl import Ledgers
from ghl_payments.sandbox.oracle_rankr import content_hash, wanted_of
from ghl_payments.sandbox.oracle_records import WantedRecord
from ghl_payments.sandbox.rankr_data import record_id
from ghl_payments.sandbox.vendor import People
from ghl_payments.sandbox.world_values import DAY

NATIVES = 5
EACH = 500
"""So many rows of ours for each further row of a sort that goes astray."""


class RankrWorld:
    """One receiver shared by all locations; `state` is its part of the state document."""

    def __init__(self, rng: Random, now_ms: int, switches: Any, identity: SandboxIdentity) -> None:
        self._rng = rng
        self._now_ms = now_ms
        self._ours: list[Doc] = []
        self._tests: list[Doc] = []
        self.state: Doc = {"records": [], "events": []}

    def agree(self, books: Ledgers, people: People) -> None:
        """Every row of one location as its events would have made it."""
        wanted, _ = wanted_of(books)
        for (record_type, key), want in wanted.items():
            self._ours.append(self._row(books.location_id, record_type, key, want))
        for order in books.orders.values():
            if not order.live and order.minor:
                text = major_text(order.minor, order.currency)
                self._tests.append({
                    "externalId": f"ghl:order:{order.id}", "locationId": books.location_id, "entity": "order",
                    "amount": text, "currency": order.currency, "status": "completed",
                    "updatedAt": iso_ms(self._now_ms - DAY),
                })  # fmt: skip

    def natives(self) -> None:
        """Rows of other senders."""
        for n in range(1, NATIVES + 1):
            self._add({
                "externalId": f"shop-{n}", "entity": "order", "amount": "19.50", "currency": "USD", "status": "open",
                "updatedAt": iso_ms(self._now_ms - n * DAY),
            })  # fmt: skip

    def plant(self) -> None:
        """Each way to go astray once for so many rows, always on another row."""
        rounds = 1 + len(self._ours) // EACH
        # A small world keeps most of its rows in order; parcels have no amount to go wrong.
        priced = [row for row in self._ours if row["amount"] is not None]
        chosen = self._rng.sample(priced, min(len(priced) // 4, rounds * len(_DEFECTS)))
        for n, row in enumerate(chosen):
            _DEFECTS[n % len(_DEFECTS)](self.state, row)
        parcels = [row for row in self._ours if row["entity"] == "fulfillment"]
        if len(parcels) >= 4:
            lost, orphan = self._rng.sample(parcels, 2)
            self.state["records"].remove(lost)
            self._add(_renamed(orphan))
        for row in self._tests[: len(self._ours) // EACH]:
            self._add(row)

    def _row(self, location_id: str, record_type: str, key: str, want: WantedRecord) -> Doc:
        text = None if want.minor is None or want.currency is None else major_text(want.minor, want.currency)
        row = {
            "externalId": key,
            "locationId": location_id,
            "entity": record_type,
            "amount": text,
            "currency": want.currency,
            "status": want.fields.get("status"),
            "updatedAt": _version(want),
            "contentHash": want.fields["content_hash"],
        }
        return self._add(row)

    def _add(self, row: Doc) -> Doc:
        return _added(self.state, row)


def _added(state: Doc, row: Doc) -> Doc:
    last = max((int(old["id"].rpartition("-")[2]) for old in state["records"][-50:]), default=0)
    new = {"id": record_id(last + 1), **{name: value for name, value in row.items() if name != "id"}}
    state["records"].append(new)
    return new


def _version(want: WantedRecord) -> str:
    milliseconds = epoch_ms(want.updated.isoformat())
    return iso_ms(milliseconds or 0)


def _lost(state: Doc, row: Doc) -> None:
    state["records"].remove(row)


def _dearer(state: Doc, row: Doc) -> None:
    row["amount"] = str(Decimal(row["amount"]) + Decimal(1).scaleb(-exponent(row["currency"])))


def _stale(state: Doc, row: Doc) -> None:
    """An event of later never arrived: all of it is as it was before."""
    row["status"] = "pending"
    row["contentHash"] = content_hash([row["externalId"], "as it was before"])
    row["updatedAt"] = iso_ms((epoch_ms(row["updatedAt"]) or 0) - int(timedelta(hours=1).total_seconds() * 1000))


def _other_currency(state: Doc, row: Doc) -> None:
    row["currency"] = "CHF" if row["currency"] != "CHF" else "EUR"


def _orphaned(state: Doc, row: Doc) -> None:
    _added(state, _renamed(row))


def _renamed(row: Mapping[str, Any]) -> Doc:
    """The same under the key of a record that GHL does not have."""
    kind, record = parse_key(row["externalId"]) or ("", "")
    return {**row, "externalId": f"ghl:{kind}:{record[::-1]}"}


def _doubled(state: Doc, row: Doc) -> None:
    _added(state, row)


def _unreadable(state: Doc, row: Doc) -> None:
    row["amount"] = "n/a"


_DEFECTS: tuple[Callable[[Doc, Doc], None], ...] = (
    _lost, _dearer, _stale, _orphaned, _doubled, _other_currency, _unreadable,
)  # fmt: skip
