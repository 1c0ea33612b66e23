"""Capability levels: probed when unknown or old, stored, forced by configuration, and the safest until then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from ghl_payments.connectors.base import DesiredRecord, Level, Probe, ReadCertificate, WriteAnswer
from ghl_payments.connectors.levels import GOOD_FOR, PROBE_TRIES, settle_levels, use_stored_levels
from ghl_payments.transport.errors import OutcomeUnknown
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.queries import dicts


class Choosy:
    """A system that differs between accounts in two ways, and counts how often it is asked."""

    system = "choosy"
    record_types: Sequence[str] = ()
    auxiliary_types: Sequence[str] = ()
    detail_types: Sequence[str] = ()
    keyed_types: Sequence[str] = ()
    capabilities: Mapping[str, tuple[str, ...]] = {"search": ("filter", "scan"), "tables": ("available", "unavailable")}

    def __init__(self, **found: str) -> None:
        self.found = {"search": "filter", "tables": "available"} | found
        self.probes: list[bool] = []
        self.levels: dict[str, str] = {}
        self.lost = 0

    async def probe_levels(self, *, may_write: bool) -> dict[str, Level]:
        self.probes.append(may_write)
        if len(self.probes) <= self.lost:
            raise OutcomeUnknown(system="choosy", method="POST", path="/", remedy="Read back.")
        return {name: Level(level, "seen") for name, level in self.found.items()}

    def use_levels(self, levels: Mapping[str, str]) -> None:
        self.levels = dict(levels)

    async def probe(self, record_type: str) -> Probe:
        raise NotImplementedError

    async def read(self, record_type: str, landing: Path) -> ReadCertificate:
        raise NotImplementedError

    async def read_details(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:
        raise NotImplementedError

    async def find(self, record_type: str, key: str, location_id: str, landing: Path) -> list[str]:
        raise NotImplementedError

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        raise NotImplementedError

    async def update(self, native_id: str, record: DesiredRecord, changed: Sequence[str]) -> WriteAnswer:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "w.duckdb", 5)


def settle(connector: Choosy, warehouse: Warehouse, forced: Mapping[str, str] | None = None) -> dict[str, str]:
    return asyncio.run(settle_levels(connector, warehouse, "c", forced or {}, may_write=True))


def stored(warehouse: Warehouse) -> dict[str, tuple[str, bool]]:
    with warehouse.open() as con:
        return {row["capability"]: (row["level"], row["forced"]) for row in dicts(con, "from ops.capabilities")}


def test_levels_are_found_out_once_and_kept_for_a_day(warehouse: Warehouse) -> None:
    first, second = Choosy(), Choosy(search="scan")
    assert settle(first, warehouse) == first.levels == {"search": "filter", "tables": "available"}
    assert settle(second, warehouse) == second.levels == first.levels
    assert (first.probes, second.probes) == ([True], [])


def test_levels_that_are_too_old_are_found_out_again(warehouse: Warehouse) -> None:
    settle(Choosy(), warehouse)
    with warehouse.open() as con:
        con.execute(
            "update ops.capabilities set probed_at = probed_at - ?::interval", [GOOD_FOR + timedelta(minutes=1)]
        )
    later = Choosy(search="scan")
    assert settle(later, warehouse)["search"] == "scan"
    assert stored(warehouse)["search"] == ("scan", False)


def test_a_forced_level_wins_and_is_not_taken_for_a_finding_later(warehouse: Warehouse) -> None:
    settle(Choosy(), warehouse)
    forced = Choosy()
    assert settle(forced, warehouse, {"search": "scan"})["search"] == "scan"
    assert stored(warehouse) == {"search": ("scan", True), "tables": ("available", False)}
    freed = Choosy()
    assert settle(freed, warehouse)["search"] == "filter"
    assert freed.probes == [True]


def test_when_every_level_is_forced_nothing_is_probed(warehouse: Warehouse) -> None:
    connector = Choosy()
    settle(connector, warehouse, {"search": "scan", "tables": "unavailable"})
    assert connector.probes == []
    assert connector.levels == {"search": "scan", "tables": "unavailable"}


def test_what_a_probe_says_nothing_of_is_at_its_safest_level(warehouse: Warehouse) -> None:
    connector = Choosy()
    del connector.found["search"]
    assert settle(connector, warehouse)["search"] == "scan"


def test_what_a_later_probe_leaves_open_stays_as_it_was_in_the_connector_and_in_sql_alike(warehouse: Warehouse) -> None:
    settle(Choosy(), warehouse)
    with warehouse.open() as con:
        con.execute("update ops.capabilities set probed_at = probed_at - ?::interval", [GOOD_FOR * 2])
    silent = Choosy()
    del silent.found["search"]
    assert settle(silent, warehouse)["search"] == silent.levels["search"] == "filter"
    assert stored(warehouse)["search"] == ("filter", False)
    again = Choosy(search="scan")
    assert settle(again, warehouse)["search"] == "scan"


def test_a_level_that_is_forced_no_more_and_not_found_out_is_stored_at_its_safest(warehouse: Warehouse) -> None:
    settle(Choosy(), warehouse, {"search": "filter"})
    silent = Choosy()
    del silent.found["search"]
    assert settle(silent, warehouse)["search"] == "scan"
    assert stored(warehouse)["search"] == ("scan", False)
    assert settle(Choosy(), warehouse)["search"] == "filter"


def test_a_push_works_at_the_levels_of_the_last_reading_and_asks_nothing(warehouse: Warehouse) -> None:
    settle(Choosy(search="scan"), warehouse)
    pushing = Choosy()
    use_stored_levels(pushing, warehouse, "c", {"tables": "unavailable"})
    assert pushing.levels == {"search": "scan", "tables": "unavailable"}
    assert pushing.probes == []


def test_a_probe_whose_answer_is_lost_is_begun_anew_and_never_guessed(warehouse: Warehouse) -> None:
    unlucky, hopeless = Choosy(), Choosy()
    unlucky.lost, hopeless.lost = PROBE_TRIES - 1, PROBE_TRIES
    with pytest.raises(OutcomeUnknown):
        settle(hopeless, warehouse)
    assert stored(warehouse) == {}
    assert settle(unlucky, warehouse) == {"search": "filter", "tables": "available"}
    assert (len(hopeless.probes), len(unlucky.probes)) == (PROBE_TRIES, PROBE_TRIES)
