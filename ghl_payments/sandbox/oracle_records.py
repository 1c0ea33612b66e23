"""The rules of agreement for any target: what is wanted, what is held, and every diff that follows, in one precedence.

A rule that holds for every system belongs here; which records a system wants and holds is its own oracle's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ghl_payments.sandbox.oracle_rows import LAG, Row, make_row

Spot = tuple[str, str]
"""(record type, key)."""


@dataclass(frozen=True, slots=True)
class WantedRecord:
    """A record that the system should hold; `fields` are the compared ones, amounts in minor units."""

    minor: int | None
    currency: str | None
    updated: datetime
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A record that carries one of our keys; `fields` as in `WantedRecord`."""

    native_id: str
    minor: int | None
    currency: str | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    readable: bool = True


@dataclass(slots=True)
class Account:
    """One location's side of one system.

    `classes` maps a compared field to the class of its difference, `minor_fields` names those that are amounts in minor
    units. `test_keys` are keys of GHL records in test mode; `unreadable` spots whose GHL record is in quarantine.
    Orphans are reported for the record types in `orphans`, whose keys GHL does not want, but for those in `spared`.
    """

    system: str
    location_id: str
    wanted: Mapping[Spot, WantedRecord]
    held: Mapping[Spot, Sequence[HeldRecord]]
    classes: Mapping[str, str]
    minor_fields: frozenset[str] = frozenset()
    unrepresentable: Mapping[Spot, tuple[int | None, str | None]] = field(default_factory=dict)
    gone: frozenset[Spot] = frozenset()
    unreadable: frozenset[Spot] = frozenset()
    test_keys: frozenset[str] = frozenset()
    orphans: frozenset[str] = frozenset()
    spared: frozenset[Spot] = frozenset()


def judge_account(account: Account, now: datetime, lag: timedelta = LAG) -> Iterator[Row]:
    """Every diff of one location in one system at `now`."""
    judge = _Judge(account, now, lag)
    for spot, (minor, currency) in account.unrepresentable.items():
        yield judge.row(spot, "not_representable", minor=minor, currency=currency)
    for spot in {*account.wanted, *account.held, *account.unreadable}:
        yield from judge.spot(spot)


def id_order(native_id: str) -> tuple[int, str]:
    """Numbers by value, other ids as text after them."""
    return (len(native_id), native_id) if native_id.isdigit() else (1000, native_id)


class _Judge:
    def __init__(self, account: Account, now: datetime, lag: timedelta) -> None:
        self._account = account
        self._now = now
        self._lag = lag

    def row(self, spot: Spot, kind: str, **rest: Any) -> Row:
        return make_row(self._account.location_id, *spot, kind, system=self._account.system, **rest)

    def spot(self, spot: Spot) -> Iterator[Row]:
        account, want = self._account, self._account.wanted.get(spot)
        held = sorted(account.held.get(spot, ()), key=lambda record: id_order(record.native_id))
        ids = [record.native_id for record in held]
        if spot in account.unreadable or any(not record.readable for record in held):
            yield self.row(spot, "unverifiable", native_ids=ids)
        elif len(held) > 1:
            yield self._about(spot, "duplicate_in_target", held, held[1:])
        elif held and spot[1] in account.test_keys:
            yield self._about(spot, "test_record_in_live", held, held)
        elif want is not None:
            yield from self._compare(spot, want, held[0]) if held else [self._absent(spot, want)]
        elif held and spot[0] in account.orphans and spot not in account.unrepresentable and spot not in account.spared:
            yield self._about(spot, "missing_in_source", held, held)

    def _about(self, spot: Spot, kind: str, held: Sequence[HeldRecord], counted: Iterable[HeldRecord]) -> Row:
        """A row about records as they stand in the target: the sum of `counted` in the currency of the first."""
        minors = [record.minor for record in counted]
        minor = None if any(value is None for value in minors) else sum(value or 0 for value in minors)
        first = held[0]
        return self.row(
            spot, kind, native_ids=[record.native_id for record in held],
            minor=minor if first.currency else None, currency=first.currency,
        )  # fmt: skip

    def _settled(self, want: WantedRecord) -> bool:
        return self._now - want.updated >= self._lag

    def _absent(self, spot: Spot, want: WantedRecord) -> Row:
        if spot in self._account.gone:
            kind = "deleted_in_target"
        else:
            kind = "missing_in_target" if self._settled(want) else "pending"
        return self.row(spot, kind, minor=want.minor, currency=want.currency)

    def _compare(self, spot: Spot, want: WantedRecord, held: HeldRecord) -> Iterator[Row]:
        differing = [name for name, value in want.fields.items() if _plain(value) != _plain(held.fields.get(name))]
        common = {"native_ids": [held.native_id], "currency": want.currency}
        if differing and not self._settled(want):
            yield self.row(spot, "pending", minor=want.minor, **common)
            return
        by_class: dict[str, list[str]] = {}
        for name in differing:
            by_class.setdefault(self._account.classes[name], []).append(name)
        for class_, names in sorted(by_class.items()):
            minor = self._stake(want, held, class_, names, currency_differs="currency" in by_class)
            yield self.row(spot, "field_differs", class_=class_, fields=names, minor=minor, **common)

    def _stake(
        self, want: WantedRecord, held: HeldRecord, class_: str, names: Sequence[str], *, currency_differs: bool
    ) -> int | None:
        if class_ == "currency":
            return want.minor
        if class_ != "amount":
            return None
        minors = [name for name in names if name in self._account.minor_fields]
        if currency_differs and minors:
            return want.minor
        gaps = [
            abs(want.fields[name] - held.fields[name])
            for name in minors
            if isinstance(want.fields[name], int) and isinstance(held.fields.get(name), int)
        ]
        return max(gaps, default=0)


def _plain(value: Any) -> Any:
    return None if value == "" else value
