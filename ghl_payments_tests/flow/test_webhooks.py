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

from ghl_payments.commands.realtime import Ticked, tick
from ghl_payments.domain.inbox import InboxEvent, RecordRef, encode, file_name
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

    def tick(self, **options: Any) -> Ticked:
        """One evaluation of the sensor from its cursor, with its runs."""
        with inside(self.loop):
            done = tick(self.instance, self.cursor, **options)
        assert not done.failures, done.failures
        self.cursor = done.cursor
        return done


def event_of(done: dict[str, Any], **changes: Any) -> InboxEvent:
    fields = {
        "received_at": datetime.now(UTC), "system": "ghl", "delivery_id": done["delivery_id"], "verified": "ed25519",
        "body": b"{}", "location_id": done["location_id"], "event": done["event"],
        "records": (RecordRef("order", done["order_id"]),),
    }  # fmt: skip
    return InboxEvent(**{**fields, **changes})


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
