"""What `test_kills.py` shows for Halo: a run to Act! or ActiveTrail is killed at the worst moments, and the next goes on.

Add a moment here when a push can stop in a further state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import IDENTITY, Loop, as_key
from ghl_payments_tests.flow.test_every_write_path import once_each, small_world
from ghl_payments_tests.running_sandbox import RunningSandbox

Moment = Callable[[], bool]

LOOKED_AT = {
    "act": "/api/(contacts|opportunities|custom/entities/[^/]+)/[^/]+",
    "activetrail": "/api/account/contactFields",
    "trackpod": "/Order/TrackId/[^/]+",
}
"""What only a push reads, and does so before its first write in these worlds."""

WRITTEN = {
    "act": "/api/(contacts|opportunities|custom/entities).*",
    "activetrail": r"/api/(groups/\d+/members|contacts/\d+|commerce/Order.*)",
    "trackpod": "/Order.*",
}

WORLDS = {"act": (2, 60), "activetrail": (2, 60), "trackpod": (7, 250)}
"""Seed and orders, so that there are several records to write."""


def _claimed_only(sandbox: RunningSandbox, system: str) -> Moment:
    """The request that is held up is a look, as a write that the sandbox has taken would be done after the kill."""
    sandbox.fault("latency", seconds=20, system=system, method="GET", path=LOOKED_AT[system], times=1)
    return lambda: _struck(sandbox) == 1


def _sent_without_an_answer(sandbox: RunningSandbox, system: str) -> Moment:
    _slow_answers(sandbox, system, 20)
    return lambda: len(sandbox.effects()) == 1


def _answered_and_not_recorded(sandbox: RunningSandbox, system: str) -> Moment:
    """While the first write waits for its answer, the look before the second one is held up; they are recorded after."""
    _slow_answers(sandbox, system, 5)
    held: list[int] = []

    def when() -> bool:
        if not held and sandbox.effects():
            held.append(sandbox.fault("latency", seconds=20, system=system, method="GET", times=1)["id"])
        return any(fault["id"] in held and fault["struck"] for fault in sandbox.control("GET", "/faults"))

    return when


def _slow_answers(sandbox: RunningSandbox, system: str, seconds: float) -> None:
    for method in ("POST", "PUT"):
        path = WRITTEN[system]
        sandbox.fault("latency", seconds=seconds, when="after", system=system, method=method, path=path, times=1)


def _struck(sandbox: RunningSandbox) -> int:
    return sum(fault["struck"] for fault in sandbox.control("GET", "/faults"))


def _told(world: Loop) -> set[tuple[Any, ...]]:
    """Identities of the diffs that are in the warehouse, published or not."""
    rows = world.sql(f"select {', '.join(IDENTITY)} from reconciliation.diffs")
    return {tuple(row[name] for name in IDENTITY) for row in rows}


def _untold_changes(world: Loop) -> list[dict[str, Any]]:
    """Changes that were planned from a diff which is not in the warehouse."""
    return world.sql(
        "select c.change_id from outbox.changes as c "
        "where json_array_length(c.diff_ids) = 0 or exists ("
        "select 1 from (select unnest(from_json(c.diff_ids, '[\"VARCHAR\"]')) as diff_id) as p "
        "left join reconciliation.diffs as d on d.diff_id = p.diff_id where d.diff_id is null)"
    )


def _one_effect_each(world: Loop) -> None:
    """Every record, and every product of one, was written once, and each record for one change that is verified."""
    effects = world.sandbox.effects()
    assert set(Counter((effect["record_type"], effect["native_id"]) for effect in effects).values()) == {1}
    verified = [(change["record_type"], change["native_id"]) for change in world.changes(state="verified")]
    assert sorted(set(map(_record, effects))) == sorted(verified)


def _record(effect: dict[str, Any]) -> tuple[str, str]:
    """A product is part of its opportunity, and all there is to write where only a total differs."""
    if effect["record_type"] == "product":
        return "opportunity", effect["path"].split("/")[3]
    return effect["record_type"], effect["native_id"]


@pytest.mark.parametrize("system", ["act", "activetrail", "trackpod"])
@pytest.mark.parametrize(
    ("moment", "written"), [(_claimed_only, 0), (_sent_without_an_answer, 1), (_answered_and_not_recorded, 1)]
)
def test_a_run_after_a_kill_leaves_one_effect_a_change_and_has_told_of_every_diff(
    loop: LoopFactory, system: str, moment: Callable[[RunningSandbox, str], Moment], written: int
) -> None:
    world = small_world(loop, system, *WORLDS[system])
    world.killed_run(moment(world.sandbox, system))
    claimed = {row["key"] for row in world.sql("select key from outbox.changes where state = 'claimed'")}
    assert len(claimed) > 1, "the kill came before anything was claimed, or after it was recorded"
    assert not world.sql("select 1 from outbox.changes where state not in ('claimed', 'approved')")
    assert len([effect for effect in world.sandbox.effects() if effect["key"] in claimed]) == written
    assert len(world.sandbox.effects()) == written
    assert _told(world) == set(as_key(world.answer_key()))
    assert not _untold_changes(world)
    world.sandbox.clear_faults()

    world.good_turn()

    _one_effect_each(world)
    once_each(world)
    assert not _untold_changes(world)


@pytest.mark.parametrize("written", [0, 1])
def test_events_claimed_by_a_run_that_was_killed_have_one_effect_each(loop: LoopFactory, written: int) -> None:
    """A receiver is asked nothing before an event is sent; one it takes late it knows again by its id."""
    world = loop(seed=7, orders=250, targets=("rankr",))
    world.only_first_location()
    sandbox = world.sandbox
    slow: list[int] = []

    def when() -> bool:
        if not slow and len(sandbox.effects()) >= written:
            slow.append(sandbox.fault("latency", seconds=20, system="rankr", method="POST", path=".*", times=1)["id"])
        return any(fault["id"] in slow and fault["struck"] for fault in sandbox.control("GET", "/faults"))

    if written:
        sandbox.fault("latency", seconds=3, when="after", system="rankr", method="POST", path=".*", times=1)
    world.killed_run(when)
    assert len(world.sql("select 1 from outbox.changes where state = 'claimed'")) > 1
    assert len(sandbox.effects()) == written
    sandbox.clear_faults()
    world.good_turn()
    assert set(Counter((e["record_type"], e["native_id"]) for e in sandbox.effects()).values()) == {1}
    once_each(world)
