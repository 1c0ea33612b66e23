"""What a batch of events asks for: the same in any order and however often they come, and nothing for what is unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghl_payments.defs.automation.inbox import LOCATION_TAG, REFRESH, evaluate, refresh_config
from ghl_payments.defs.named import Wanted, plan_refresh
from ghl_payments.domain.inbox import InboxEvent, RecordRef, encode, file_name
from ghl_payments.receiver.payloads import read_payload
from ghl_payments.settings import Settings, load_settings
from ghl_payments_tests.running_sandbox import ROOT

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SETTINGS = load_settings({})
ONE, TWO = (place.id for place in SETTINGS.locations)


def event(delivery_id: str, order_id: str = "o1", **changes: object) -> InboxEvent:
    fields = {"location_id": ONE, "event": "OrderCreate", "records": (RecordRef("order", order_id),), "system": "ghl"}
    return InboxEvent(received_at=NOW, delivery_id=delivery_id, verified="ed25519", body=b"{}", **fields | changes)  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return SETTINGS.model_copy(update={"inbox": tmp_path / "inbox"})


def write(settings: Settings, *events: InboxEvent) -> None:
    settings.inbox.mkdir(exist_ok=True)
    with (settings.inbox / file_name(NOW, 1, 1)).open("ab") as file:
        file.writelines(map(encode, events))


BATCH = [
    event("a"), event("b", "o2"), event("c", "o1", event="OrderStatusUpdate"), event("d", location_id=TWO),
    event("e", location_id="elsewhere"), event("f", records=(RecordRef("contact", "x"),), event="ContactUpdate"),
    event("g", records=(RecordRef("invoice", "i1"),)), event("h", location_id=None),
    event("i", system="halo", connection="halo", location_id=None, records=(RecordRef("invoice", "7"),)),
]  # fmt: skip


@given(st.permutations(BATCH), st.lists(st.sampled_from(BATCH), max_size=5))
def test_order_and_copies_make_no_difference(shuffled: list[InboxEvent], copies: list[InboxEvent]) -> None:
    plain, disturbed = plan_refresh(BATCH, SETTINGS), plan_refresh([*shuffled, *copies], SETTINGS)
    assert disturbed.wanted == plain.wanted
    assert {place: wanted.run_key(place) for place, wanted in disturbed.wanted.items()} == {
        place: wanted.run_key(place) for place, wanted in plain.wanted.items()
    }


def test_each_location_is_asked_for_exactly_the_records_that_are_named() -> None:
    plan = plan_refresh(BATCH, SETTINGS)
    hint = ("halo", "invoice", "7")
    assert plan.wanted[ONE].records == {("", "order", "o1"), ("", "order", "o2"), ("", "invoice", "i1"), hint}
    assert plan.wanted[TWO].records == {("", "order", "o1"), hint}
    assert plan.kept == {"unknown location": 2, "nothing to read for ContactUpdate": 1}


@given(st.sets(st.sampled_from("abcdefgh"), min_size=1), st.sets(st.sampled_from("abcdefgh"), min_size=1))
def test_run_keys_are_equal_only_for_the_same_deliveries(some: set[str], others: set[str]) -> None:
    keys = [plan_refresh(map(event, ids), SETTINGS).wanted[ONE].run_key(ONE) for ids in (some, others)]
    assert (keys[0] == keys[1]) == (some == others)


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def ticked(
    instance: dg.DagsterInstance, settings: Settings, cursor: str | None, max_bytes: int = 10**6
) -> dg.SensorResult:
    with dg.build_sensor_context(instance, cursor) as context:
        said = evaluate(context, settings, max_bytes)
    assert isinstance(said, dg.SensorResult)
    return said


def test_a_replayed_tick_asks_for_the_same_runs(instance: dg.DagsterInstance, settings: Settings) -> None:
    write(settings, *BATCH)
    first, again = ticked(instance, settings, None), ticked(instance, settings, None)
    assert first.run_requests is not None
    assert [(r.run_key, r.partition_key, r.run_config) for r in first.run_requests] == [
        (r.run_key, r.partition_key, r.run_config) for r in again.run_requests or []
    ]
    assert not ticked(instance, settings, first.cursor).run_requests
    assert {request.partition_key for request in first.run_requests} == {ONE, TWO}


def test_ticks_of_bounded_size_come_to_the_end_and_no_two_ask_for_the_same(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    write(settings, *(event(f"w{n}", f"o{n}") for n in range(10)))
    cursor, keys = None, []
    for _ in range(8):
        said = ticked(instance, settings, cursor, 900)
        cursor = said.cursor
        keys += [request.run_key for request in said.run_requests or []]
    assert len(keys) == len(set(keys)) > 1
    assert cursor == ticked(instance, settings, None).cursor


def test_without_an_inbox_a_tick_says_so(instance: dg.DagsterInstance, settings: Settings) -> None:
    with dg.build_sensor_context(instance) as context:
        said = evaluate(context, settings)
    assert isinstance(said, dg.SkipReason)
    assert str(settings.inbox) in str(said.skip_message)


def wait(instance: dg.DagsterInstance, location_id: str, **options: Any) -> None:
    """A refresh of this location stands in the queue."""
    tags = {LOCATION_TAG: location_id}
    instance.add_run(dg.DagsterRun(job_name=REFRESH, status=dg.DagsterRunStatus.NOT_STARTED, tags=tags, **options))


def asked(said: dg.SensorResult) -> list[str | None]:
    return [request.partition_key for request in said.run_requests or []]


def test_a_location_whose_refresh_waits_holds_no_other_up_and_gets_no_second_one(settings: Settings) -> None:
    write(settings, event("a"), event("b", location_id=TWO))
    with dg.DagsterInstance.ephemeral() as busy:
        for _ in range(9):
            wait(busy, ONE)
        said = ticked(busy, settings, None)
        assert asked(said) == [TWO]
        wait(busy, TWO)
        write(settings, event("c"), event("d", location_id=TWO))
        later = ticked(busy, settings, said.cursor)
    assert asked(later) == []
    assert later.cursor != said.cursor
    assert "2 refreshes that wait already" in str(later.skip_reason)


@pytest.mark.parametrize(
    "only",
    [{"asset_selection": frozenset({dg.AssetKey(["push", "halo"])})}, {"step_keys_to_execute": ["push__halo"]}],
)
def test_a_run_of_some_steps_only_is_not_trusted_to_take_up_what_is_new(
    settings: Settings, only: dict[str, Any]
) -> None:
    """As when a person has a failed run done again from its failure."""
    write(settings, event("a"))
    with dg.DagsterInstance.ephemeral() as busy:
        wait(busy, ONE, **only)
        assert asked(ticked(busy, settings, None)) == [ONE]


def test_the_configuration_takes_deliveries_up_and_spares_targets_read_lately() -> None:
    ops = refresh_config()["ops"]
    assert ops["raw__webhook_events"]["config"] == {"take_up": True}
    assert ops["actual_halo"]["config"] == {"only_if_stale": True}


@pytest.mark.parametrize("changed", [{"connection": "halo2"}, {"system": "act"}])
def test_the_same_hook_of_another_account_asks_for_a_run_of_its_own(changed: dict[str, str]) -> None:
    hint = event("a", system="halo", connection="halo", location_id=ONE, records=(RecordRef("invoice", "7"),))
    keys = {Wanted(deliveries={(e.system, e.connection or "", e.delivery_id)}).run_key(ONE)
            for e in (hint, replace(hint, **changed))}  # type: ignore[arg-type]  # fmt: skip
    assert len(keys) == 2


@pytest.mark.parametrize(("number", "asked"), [("GHL-o7", {("halo", "order", "ghl:order:o7")}), ("PO-7", None)])
def test_a_number_that_carries_our_key_is_searched_for_and_another_one_is_not_ours(
    number: str, asked: set[tuple[str, str, str]] | None
) -> None:
    hint = event("a", system="halo", connection="halo", location_id=ONE, records=(RecordRef("order_number", number),))
    wanted = plan_refresh([hint], SETTINGS).wanted
    assert (wanted[ONE].records if wanted else None) == asked


def test_the_guide_promises_speed_for_exactly_the_events_that_something_is_read_again_for() -> None:
    guide = (ROOT / "docs/webhooks.md").read_text("utf-8")
    rows = re.findall(r"^ +\| (`[A-Z].+?) \| (.+?) \| .+ \|$", guide, re.MULTILINE)
    promised = {name: not told.startswith("nothing") for cell, told in rows for name in re.findall(r"`(\w+)`", cell)}
    assert {"OrderCreate", "InvoicePaid", "ContactUpdate"} <= set(promised)
    for name, is_promised in promised.items():
        facts = read_payload("ghl", json.dumps({"_id": "x1", "id": "x1", "locationId": ONE}).encode(), name)
        plan = plan_refresh([event("a", event=name, records=facts.records)], SETTINGS)
        assert bool(plan.wanted) is is_promised, name
