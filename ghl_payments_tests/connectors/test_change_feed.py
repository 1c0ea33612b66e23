"""Reading a system that lists days and tells changes: what a hot reading asks for, and what only a full one can tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ghl_payments.connectors.readback import FULL_EVERY, ReadBack, read_connection
from ghl_payments.connectors.registry import target_systems
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.queries import dicts
from ghl_payments.warehouse.reconcile import Target
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.support import as_of
from ghl_payments_tests.connectors.trackpod_support import ORDER_ID, PLACE, by_hand, entered, with_trackpod
from ghl_payments_tests.running_sandbox import RunningSandbox

SYSTEM = target_systems()["trackpod"]
OPTIONS = {"timezone": "Europe/Berlin", "scan_days": 10, "days_ahead": 2}
OTHER = "65f0000000000000000000b2"
LISTS = 26
"""Requests of a full reading: two for each of 13 days."""


class Desk:
    """One account, read into one warehouse turn by turn."""

    def __init__(self, account: RunningSandbox, folder: Path) -> None:
        self.account = account
        self.warehouse = Warehouse(folder / "w.duckdb", 10, as_of=as_of(account))
        self.folder = folder
        self._turns = 0
        self.enter(ORDER_ID)
        self.enter(OTHER)

    def enter(self, order_id: str, *, age: int = 1) -> None:
        day = (as_of(self.account) - timedelta(days=age)).date().isoformat()
        entered(self.account, Id=order_id, Number=f"GHL-{order_id}", CustomerReferenceId=PLACE, Date=day)

    def read(self, *, hot: bool) -> tuple[dict[str, Any], int]:
        """One reading: metrics of the orders, and how many requests it took."""
        self._turns += 1
        target = Target(
            "trackpod", "trackpod", True, "auto", 0.8, SYSTEM.mapping, SYSTEM.documents_sql, PLACE, OPTIONS, (PLACE,)
        )
        before = len(self.account.requests())

        async def use(connector: Any) -> dict[str, Any]:
            turn = f"turn{self._turns}"
            return await read_connection(
                ReadBack(
                    connector,
                    target,
                    self.warehouse,
                    self.folder,
                    turn,
                    forced_levels={"change_feed": "status"},
                    hot=hot,
                )
            )

        metrics = with_trackpod(self.account, use, **OPTIONS)
        return metrics["order"], len(self.account.requests()) - before

    def held(self) -> dict[str, tuple[Any, bool]]:
        """Id -> (StatusId, whether it is there) of everything that is known."""
        with self.warehouse.open() as con:
            rows = dicts(con, "select list_doc ->> '$.Id' as id, list_doc ->> '$.StatusId' as status, present "
                              "from actual.documents where list_doc is not null")  # fmt: skip
        return {row["id"]: (row["status"], row["present"]) for row in rows}

    def age(self, by: timedelta) -> None:
        """Let the last full reading be so long ago."""
        with self.warehouse.open() as con:
            con.execute("update actual.reads set read_at = ?", [naive(datetime.now(UTC) - by)])
            con.execute("delete from actual.change_cursors")


@pytest.fixture
def desk(sandbox: SandboxFactory, tmp_path: Path) -> Desk:
    running = sandbox()
    state = running.state()
    state["trackpod"] = {}
    running.put_state(state)
    return Desk(running, tmp_path)


def test_a_hot_reading_asks_for_status_changes_once_everything_was_read(desk: Desk) -> None:
    metrics, asked = desk.read(hot=True)
    assert (asked, metrics["rows"], metrics.get("changes_only")) == (LISTS, 2, None)
    by_hand(desk.account, "deliver", id=ORDER_ID)
    desk.enter("65f0000000000000000000c3")
    metrics, asked = desk.read(hot=True)
    assert (asked, metrics["rows"], metrics["changes_only"]) == (1, 1, True)
    assert "status changes only" in metrics["limits"]
    assert desk.held() == {ORDER_ID: ("3", True), OTHER: (None, True)}


def test_a_full_reading_is_always_possible_and_sees_what_the_feed_does_not(desk: Desk) -> None:
    desk.read(hot=False)
    desk.enter("65f0000000000000000000c3")
    by_hand(desk.account, "remove", id=OTHER)
    desk.read(hot=True)
    assert desk.held() == {ORDER_ID: (None, True), OTHER: (None, True)}
    metrics, asked = desk.read(hot=False)
    assert (metrics["rows"], asked) == (2, LISTS + 1)  # the one that was not listed is asked for
    assert desk.held()[OTHER] == (None, False)
    assert len(desk.held()) == 3


def test_changes_do_not_stand_for_a_full_reading_that_is_too_old(desk: Desk) -> None:
    desk.read(hot=False)
    desk.age(FULL_EVERY - timedelta(minutes=5))
    assert desk.read(hot=True)[1] == 1
    desk.age(FULL_EVERY + timedelta(minutes=1))
    assert desk.read(hot=True)[1] == LISTS


def test_each_hot_reading_goes_on_where_the_last_one_ended_with_some_overlap(desk: Desk) -> None:
    desk.read(hot=False)
    desk.age(timedelta(hours=5))
    desk.read(hot=True)
    desk.read(hot=True)
    asked = [row["path"].rpartition("/")[2] for row in desk.account.requests() if "/Status/Date/" in row["path"]]
    since = [as_of(desk.account) - datetime.fromisoformat(text).replace(tzinfo=UTC) for text in asked]
    assert timedelta(hours=5, minutes=15) <= since[0] < timedelta(hours=5, minutes=16)
    assert timedelta(minutes=15) <= since[1] < timedelta(minutes=16)


def test_an_incomplete_reading_is_not_gone_on_from(desk: Desk) -> None:
    desk.read(hot=False)
    with desk.warehouse.open() as con:
        con.execute("update actual.reads set complete = false")
    assert desk.read(hot=True)[1] == LISTS


def test_a_feed_that_refuses_leads_to_a_full_reading(desk: Desk) -> None:
    desk.read(hot=False)
    desk.account.fault("status", system="trackpod", path=".*/Order/Status/Date/.*", status=400, times=1)
    metrics, asked = desk.read(hot=True)
    assert (asked, metrics["rows"]) == (LISTS + 1, 2)


def test_an_order_that_left_the_days_that_are_read_is_still_there(desk: Desk) -> None:
    desk.read(hot=False)
    far = (as_of(desk.account) + timedelta(days=30)).date().isoformat()
    by_hand(desk.account, "edit", id=OTHER, set={"Date": f"{far}T00:00:00"})
    metrics, asked = desk.read(hot=False)
    assert (metrics["rows"], asked) == (1, LISTS + 1)
    assert desk.held()[OTHER] == (None, True)
    assert desk.read(hot=False)[1] == LISTS  # it is known where it is, and not asked for again
