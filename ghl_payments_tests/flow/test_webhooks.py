"""From a webhook to a verified write: inbox, sensor, refresh and push; what comes twice, late, in disorder or in vain."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import pytest

from ghl_payments.commands.realtime import Ticked, execute, tick
from ghl_payments.defs.automation.inbox import LOCATION_TAG, REFRESH, evaluate
from ghl_payments.domain.inbox import InboxEvent, RecordRef, encode, file_name
from ghl_payments.settings import load_settings
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import Loop, one_effect_each
from ghl_payments_tests.flow.shop import books, shop


class Desk:
    """An installation with an inbox that the test writes, and the sensor that reads it."""

    def __init__(self, loop: Loop, instance: dg.DagsterInstance) -> None:
        self.loop = loop
        self.instance = instance
        self.cursor: str | None = None
        self.inbox = Path(loop.env["GHL_PAYMENTS_INBOX"])
        self._files = 0

    def happen(self, happens: str, **more: Any) -> dict[str, Any]:
        """Something happens in GHL, of which nobody is told yet."""
        done: dict[str, Any] = self.loop.sandbox.control("POST", "/happenings", {"happens": happens, **more})
        return done

    def receive(self, *happenings: dict[str, Any], times: int = 1, **changes: Any) -> None:
        """The webhooks of these happenings are in the inbox."""
        events = [event_of(done, **changes) for done in happenings for _ in range(times)]
        self.write(*(encode(event) for event in events))

    def write(self, *lines: bytes) -> None:
        self.inbox.mkdir(exist_ok=True, parents=True)
        self._files += 1
        (self.inbox / file_name(datetime.now(UTC), os.getpid(), self._files)).write_bytes(b"".join(lines))

    def tick(self, *, fails: bool = False, **options: Any) -> Ticked:
        """One evaluation of the sensor from its cursor, with its runs."""
        with inside(self.loop):
            done = tick(self.instance, self.cursor, **options)
        assert bool(done.failures) is fails, done.failures
        self.cursor = done.cursor
        return done

    def asked(self, **options: Any) -> list[dg.RunRequest]:
        """What one evaluation from the cursor asks for; nothing runs."""
        with inside(self.loop), dg.build_sensor_context(self.instance, self.cursor) as context:
            said = evaluate(context, load_settings(), **options)
        assert isinstance(said, dg.SensorResult)
        self.cursor = said.cursor
        return list(said.run_requests or [])

    def run(self, asked: list[dg.RunRequest]) -> Ticked:
        """The runs that were asked for, now."""
        with inside(self.loop):
            return execute(self.instance, asked)


def event_of(done: dict[str, Any], **changes: Any) -> InboxEvent:
    fields = {
        "received_at": datetime.now(UTC), "system": "ghl", "delivery_id": done["delivery_id"], "verified": "ed25519",
        "body": b"{}", "location_id": done["location_id"], "event": done["event"],
        "records": (RecordRef("order", done["order_id"]),),
    }  # fmt: skip
    return InboxEvent(**{**fields, **changes})


def hint(*records: RecordRef) -> InboxEvent:
    """A hook of Halo."""
    return InboxEvent(datetime.now(UTC), "halo", "h1", "secret", b"{}", connection="halo", records=records)


@contextmanager
def inside(loop: Loop) -> Iterator[None]:
    with patch.dict(os.environ, loop.env, clear=True), chdir(loop.folder):
        yield


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def desk(loop: LoopFactory, instance: dg.DagsterInstance) -> Desk:
    """A shop that agrees with Halo: two purchases, after one turn of the loop."""
    made = loop(state=shop())
    made.sandbox.put_state(shop(known=[1, 2], location_id=made.locations[0]))
    made.good_turn()
    assert made.sandbox.effects() == []
    return Desk(made, instance)


def requests(desk: Desk) -> list[tuple[str, str, str]]:
    return [(row["system"], row["path"], row["query"]) for row in desk.loop.sandbox.requests()]


def test_a_new_order_is_written_and_verified_without_a_sweep(desk: Desk) -> None:
    done = desk.happen("create", order_id="order1")
    before, started = len(requests(desk)), time.monotonic()
    desk.receive(done)
    ticked = desk.tick()
    seconds = time.monotonic() - started
    assert list(ticked.runs) == [done["location_id"]]
    key = f"ghl:order:{done['order_id']}"
    assert {row["record_type"] for row in desk.loop.changes(state="verified", key=key)} == {"sales_order", "invoice"}
    paid = {k for table, k in books(desk.loop.sandbox.state()) if table == "InvoicePayment"}
    assert len(paid - {"ghl:txn:txn1", "ghl:txn:txn2"}) == 1
    one_effect_each(desk.loop)
    assert desk.loop.open_pushable() == 0
    asked = requests(desk)[before:]
    ghl = [(path, query) for system, path, query in asked if system == "ghl"]
    assert not [query for path, query in ghl if path == "/payments/orders" and "contactId=" not in query]
    assert not [query for path, query in ghl if path == "/payments/transactions" and "entityId=" not in query]
    assert len(ghl) <= 7
    lists = {path for system, path, query in asked if system == "halo" and "page_no" in query}
    assert not {"/api/SalesOrder", "/api/Invoice", "/api/InvoicePayment", "/api/Client", "/api/Users"} & lists
    assert seconds < 30


def certificates(desk: Desk) -> list[Any]:
    """Everything that says how completely something was read, and what is taken for gone."""
    return [
        desk.loop.sql("from raw.slices order by all"),
        desk.loop.sql("from raw.sweeps order by all"),
        desk.loop.sql("from actual.reads order by all"),
        desk.loop.sql("select id from raw.orders where absent_at is not null"),
        desk.loop.sql("select record_type, native_id from actual.documents where absent_confirmed or not present"),
    ]


def test_copies_disorder_and_replays_change_nothing_and_touch_no_certificate(desk: Desk) -> None:
    created = desk.happen("create", order_id="order1")
    happened = [
        created,
        desk.happen("refund", order_id=created["order_id"]),
        desk.happen("announce", order_id="order2"),
    ]
    before = certificates(desk)
    desk.receive(*reversed(happened), times=3)
    start = desk.cursor
    assert len(desk.tick().runs) == 1
    one_effect_each(desk.loop)
    wrote, state = desk.loop.sandbox.effects(), books(desk.loop.sandbox.state())
    assert wrote
    assert certificates(desk) == before

    desk.cursor = start
    replayed = desk.tick()
    assert (replayed.runs, len(replayed.repeated)) == ({}, 1)
    desk.receive(*happened)
    late = desk.tick()
    assert (late.runs, len(late.repeated)) == ({}, 1)
    assert desk.instance.get_runs_count() == 1
    desk.receive(happened[1])
    assert len(desk.tick().runs) == 1
    assert desk.loop.sandbox.effects() == wrote
    assert books(desk.loop.sandbox.state()) == state
    (copies,) = desk.loop.sql("select sum(copies)::int as n, count(*) as events from raw.webhook_events")
    assert copies == {"n": 13, "events": 3}


def test_what_cannot_be_read_again_is_kept_and_counted_and_stops_nothing(desk: Desk) -> None:
    """An unknown location, an unknown type, a contact, a bad line, an order that GHL does not have, and a good one."""
    good = desk.happen("create", order_id="order1")
    lost = good | {"order_id": "0" * 24, "delivery_id": "lost"}
    foreign = good | {"location_id": "elsewhere", "delivery_id": "foreign"}
    new = event_of(good, delivery_id="new", event="BrandNewEvent", records=())
    contact = event_of(good, delivery_id="contact", event="ContactUpdate", records=(RecordRef("contact", "contact1"),))
    desk.receive(foreign)
    desk.write(encode(new), b"garbage\n", encode(contact))
    ticked = desk.tick()
    assert not ticked.runs
    assert ticked.reason is not None
    for told in ("1 x unknown location", "nothing to read for BrandNewEvent", "nothing to read for ContactUpdate"):
        assert told in ticked.reason
    before = certificates(desk)
    desk.receive(lost, good)
    assert len(desk.tick().runs) == 1
    assert certificates(desk) == before
    events = {row["delivery_id"] for row in desk.loop.sql("select delivery_id from raw.webhook_events")}
    assert events == {"foreign", "new", "contact", "lost", good["delivery_id"]}
    assert len(desk.loop.sql("from staging.quarantine where rule = 'not_an_event'")) == 1
    assert desk.loop.changes(state="verified", key=f"ghl:order:{good['order_id']}")
    assert desk.loop.diffs(key=f"ghl:order:{lost['order_id']}") == []
    one_effect_each(desk.loop)


def test_an_inbox_larger_than_a_tick_is_read_in_several(desk: Desk) -> None:
    first, second = (desk.happen("create", order_id=f"order{n}") for n in (1, 2))
    desk.receive(first, second)
    size = len(encode(event_of(first)))
    ran = [len(desk.tick(max_bytes=size + 10).runs) for _ in range(3)]
    assert ran == [1, 1, 0]
    for done in (first, second):
        assert desk.loop.changes(state="verified", key=f"ghl:order:{done['order_id']}", record_type="invoice")
    one_effect_each(desk.loop)


def test_what_comes_while_a_refresh_waits_is_taken_up_by_it(desk: Desk) -> None:
    """And a tick that is played again, from before the refresh waited, makes one that finds nothing left to read."""
    first, second = (desk.happen("create", order_id=f"order{n}") for n in (1, 2))
    place = first["location_id"]
    desk.receive(first)
    waiting = desk.asked()
    assert [request.partition_key for request in waiting] == [place]
    queued = dg.DagsterRun(job_name=REFRESH, tags={LOCATION_TAG: place})
    desk.instance.add_run(queued)
    before = desk.cursor
    desk.receive(second)
    assert not desk.tick().runs
    assert desk.cursor != before
    desk.instance.delete_run(queued.run_id)
    desk.run(waiting)
    for done in (first, second):
        assert desk.loop.changes(state="verified", key=f"ghl:order:{done['order_id']}", record_type="invoice")
    one_effect_each(desk.loop)
    desk.cursor, asked = before, len(requests(desk))
    assert len(desk.tick().runs) == 1
    assert not [path for system, path, _ in requests(desk)[asked:] if system == "ghl"]


def test_a_target_that_was_read_too_long_ago_is_read_before_anything_is_written(desk: Desk) -> None:
    with Warehouse(Path(desk.loop.env["GHL_PAYMENTS_WAREHOUSE"]), 10).open() as con:
        con.execute("update actual.reads set read_at = read_at - interval 13 hours")
    done = desk.happen("create", order_id="order1")
    desk.receive(done)
    before = len(requests(desk))
    desk.tick()
    assert "/api/SalesOrder" in {path for system, path, query in requests(desk)[before:] if "page_no" in query}
    assert desk.loop.changes(state="verified", key=f"ghl:order:{done['order_id']}", record_type="invoice")
    one_effect_each(desk.loop)


def test_a_hint_of_a_target_has_its_record_read_again_and_repaired(desk: Desk) -> None:
    """Somebody changes an order in Halo and its hook tells so: nothing of it is believed, the record is asked for."""
    state = desk.loop.sandbox.state()
    place = desk.loop.locations[0]
    held = next(doc for doc in state["halo"]["SalesOrder"] if doc["id"] == 101)
    next(field for field in held["customfields"] if field["name"] == "CFGHLStatus")["value"] = "by hand"
    desk.loop.sandbox.put_state(state)
    desk.write(encode(hint(RecordRef("sales_order", "101"), RecordRef("spaceship", "1"))))
    before = len(requests(desk))
    assert list(desk.tick().runs) == [place]
    assert desk.loop.changes(state="verified", key="ghl:order:order1", record_type="sales_order", operation="update")
    assert not [system for system, path, query in requests(desk)[before:] if system == "ghl"]
    one_effect_each(desk.loop)


def left(desk: Desk) -> list[str]:
    """Deliveries that were taken down, and whose records nobody has read yet."""
    rows = desk.loop.sql(
        "select delivery_id from raw.webhook_events anti join raw.webhooks_taken_up using (system, connection, delivery_id)"
    )
    return [row["delivery_id"] for row in rows]


@pytest.mark.parametrize("again", ["refresh", "hot"])
def test_what_a_refresh_failed_at_is_taken_up_by_the_next_refresh_or_hot_scan(desk: Desk, again: str) -> None:
    done = desk.happen("create", order_id="order1")
    key = f"ghl:order:{done['order_id']}"
    desk.receive(done)
    desk.loop.sandbox.fault("status", status=401, system="ghl", path="/payments/.*")
    assert "Unauthorised" in str(desk.tick(fails=True).failures)
    desk.loop.sandbox.clear_faults()
    assert desk.loop.changes(key=key) == []
    if again == "refresh":
        desk.receive(desk.happen("announce", order_id="order2"))
        assert len(desk.tick().runs) == 1
    else:
        desk.loop.good_turn(scan="hot")
    assert left(desk) == []
    assert desk.loop.changes(state="verified", key=key, record_type="invoice")
    one_effect_each(desk.loop)


@pytest.mark.parametrize("status", [401, 500])
def test_a_target_that_cannot_be_read_keeps_nothing_else_waiting_and_is_read_later(desk: Desk, status: int) -> None:
    """Halo refuses one record, or all that is asked for by id: what GHL told is written all the same."""
    done = desk.happen("create", order_id="order1")
    desk.loop.sandbox.fault("status", status=status, system="halo", method="GET", path="/api/SalesOrder/101")
    desk.receive(done)
    desk.write(encode(hint(RecordRef("sales_order", "101"))))
    (run,) = desk.tick().runs.values()
    assert desk.loop.changes(state="verified", key=f"ghl:order:{done['order_id']}", record_type="invoice")
    assert left(desk) == ["h1"]
    checks = [
        event.asset_check_evaluation_data
        for event in (entry.dagster_event for entry in desk.instance.all_logs(run))
        if event is not None and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    (answered,) = [check for check in checks if check.check_name == "records_answered"]
    assert not answered.passed
    assert "halo" in str(answered.metadata["unread"])
    desk.loop.sandbox.clear_faults()
    desk.receive(desk.happen("announce", order_id="order2"))
    desk.tick()
    assert left(desk) == []
    one_effect_each(desk.loop)
