"""Backfills: cut short at any moment and gone on with, and never in the way of what is more urgent."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

from ghl_payments.connectors.ghl.connect import connect_ghl, ghl_budget
from ghl_payments.settings import Settings, load_settings
from ghl_payments.transport.budget_report import read_budget
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, wait_until

WINDOW = ("--from", "2026-09", "--to", "2026-11")
SLICES = 9
"""Three months of three streams."""


def slices_asked(loop: Loop) -> Counter[tuple[str, str]]:
    """How often which slice's first page was answered: (path, startAt)."""
    queries = [(r["path"], parse_qs(r["query"])) for r in loop.sandbox.requests() if r["system"] == "ghl"]
    return Counter((path, q["startAt"][0]) for path, q in queries if "startAt" in q and q["offset"] == ["0"])


def complete_slices(loop: Loop) -> int:
    """Slices that the warehouse holds with a certificate."""
    return int(loop.sql("select count(*) as n from raw.slices where complete")[0]["n"])


def backfill(loop: Loop, *words: str) -> tuple[int, dict[str, Any], str]:
    """`backfill` to its end: exit code, what it says of the first location, progress lines."""
    done = loop.command("backfill", *WINDOW, "--json", *words)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["locations"][loop.locations[0]], done.stderr


def kill_after(loop: Loop, slices: int) -> None:
    """A backfill that is killed once it has said that so many slices are done."""
    loop.sandbox.fault("latency", seconds=0.3, system="ghl", path="/payments/.*")
    with loop.process("backfill", *WINDOW) as process:
        assert process.stderr is not None
        said = next((line for line in process.stderr if f"; {slices} of " in line), None)
        assert said, "the backfill ended before it could be killed"
    loop.sandbox.clear_faults()


def test_a_backfill_killed_in_the_middle_goes_on_without_scanning_complete_slices_again(loop: LoopFactory) -> None:
    shop = loop(seed=11, orders=25)
    shop.only_first_location()
    kill_after(shop, 3)
    assert 3 <= complete_slices(shop) <= 4
    kill_after(shop, 2)
    before = complete_slices(shop)
    assert 5 <= before <= 6

    code, said, progress = backfill(shop)

    assert (said["resumed"], said["skipped"], said["slices"], said["ended"]) == (True, before, SLICES - before, True)
    assert f"{before} of {SLICES} slices are done already" in progress
    asked = slices_asked(shop)
    assert len(asked) == SLICES
    assert sum(asked.values()) <= SLICES + 2  # at most the slice that each kill cut short
    assert code == 1
    assert shop.diffs(state="open")
    assert shop.sandbox.effects() == []  # nobody asked it to push


def test_a_backfill_that_ended_begins_anew_and_pushes_when_asked_to(loop: LoopFactory) -> None:
    shop = loop(seed=11, orders=25)
    shop.only_first_location()
    first, again = backfill(shop)[1], backfill(shop, "--push")[1]
    assert (first["skipped"], again["skipped"], again["slices"]) == (0, 0, SLICES)
    assert shop.sandbox.effects()
    assert shop.open_pushable() == 0


def test_a_slice_that_stays_incomplete_is_told_and_read_again_by_the_same_command(loop: LoopFactory) -> None:
    shop = loop(seed=11, orders=25)
    shop.only_first_location()
    # Three times no list at all, which is as often as a slice is tried.
    shop.sandbox.fault("status", status=200, body={"no": "list"}, system="ghl", path="/payments/subscriptions", times=3)
    code, said, progress = backfill(shop)
    assert code == 1
    assert said["incomplete"]
    assert "subscriptions" in said["incomplete"][0]
    assert not said["ended"]
    assert "incomplete: " in progress
    shop.sandbox.clear_faults()
    code, said, _ = backfill(shop)
    assert (said["resumed"], said["incomplete"], said["ended"]) == (True, [], True)
    assert 0 < said["slices"] < SLICES


def test_a_second_backfill_of_a_location_at_the_same_time_is_refused_until_the_first_is_stopped(
    loop: LoopFactory,
) -> None:
    shop = loop(seed=11, orders=25)
    shop.only_first_location()
    shop.sandbox.fault("latency", seconds=0.5, system="ghl", path="/payments/.*")
    with shop.process("backfill", *WINDOW) as process:
        assert process.stderr is not None
        assert next(line for line in process.stderr if "1 of " in line)
        done = shop.command("backfill", *WINDOW)
        process.send_signal(signal.SIGINT)
        assert "Stopped. The same command goes on from here." in process.communicate(timeout=60)[1]
        assert process.returncode == 2
    assert done.returncode == 2
    assert f"Another backfill of {shop.locations[0]} is running" in done.stdout


def test_a_fresh_request_does_not_wait_for_a_backfill_that_has_used_up_its_share(
    loop: LoopFactory, sandbox: SandboxFactory
) -> None:
    shop = Loop(sandbox(seed=12, orders=120, limits="vendor"), loop(seed=11).folder)
    shop.only_targets("halo")
    shop.only_first_location()
    settings = load_settings(shop.env)
    # Others have 85 of the window's 100 requests in flight, so that the backfill soon has its share of the rest.
    asyncio.run(in_flight(settings, 85))
    with shop.process("backfill", "--from", "2025-11") as process:
        wait_until(lambda: backfill_must_wait(settings) or process.poll() is not None)
        waits = asyncio.run(fresh_waits(settings))
        assert process.poll() is None, "the backfill ended too early to compete"
    assert len(waits) == 6
    assert max(waits) < 3, waits  # the window is ten seconds long
    assert not [row for row in shop.sandbox.requests() if row["status"] == 429]


async def in_flight(settings: Settings, requests: int) -> None:
    """Places in the location's budget that are taken and not given back."""
    place = settings.locations[0]
    token = settings.secret(place.ghl.token or "").get_secret_value()
    budget = ghl_budget(settings, place)(f"{place.id}/{token}")
    for _ in range(requests):
        assert await budget.acquire("fresh")


def backfill_must_wait(settings: Settings) -> bool:
    """Whether the location's limit leaves nothing to backfills at this moment."""
    states = read_budget(settings.home / "budget.sqlite3", int(time.time() * 1000))
    return any(state.left_for("backfill") == 0 for state in states if state.host.startswith("127.0.0.1"))


async def fresh_waits(settings: Settings) -> list[float]:
    """Seconds that each of some urgent requests took."""
    client = connect_ghl(settings, settings.locations[0])
    waits = []
    try:
        for _ in range(6):
            began = time.monotonic()
            await client.probe("orders")
            waits.append(time.monotonic() - began)
    finally:
        await client.aclose()
    return waits
