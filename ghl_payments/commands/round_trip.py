"""One webhook through everything: an order happens in the sandbox, is received, read, written and verified.

The demo tells of it and a benchmark repeats it; what runs is what `ghl-payments webhooks` and the sensor run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import dagster as dg

from ghl_payments.commands import published
from ghl_payments.commands.own_sandbox import stop
from ghl_payments.commands.realtime import prepare, tick
from ghl_payments.settings import Settings

WAIT_SECONDS = 30.0
DONE = ("verified", "delivered_unverified")
"""States of a change that has reached its target."""


class RoundTripError(RuntimeError):
    """The round trip stopped half-way; the text says where."""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What became of one order: seconds until its webhook was in the inbox and until all was verified, its changes."""

    order_id: str
    received_seconds: float
    seconds: float
    changes: dict[str, int]
    systems: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether something was written, and everything that was planned has reached its target."""
        return bool(self.changes) and set(self.changes) <= {*DONE, "superseded"}

    def told(self) -> str:
        """One line for a person."""
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.changes.items())) or "nothing planned"
        return (
            f"Webhook: a new order in GHL was received after {self.received_seconds:.2f} s; {self.seconds:.1f} s after "
            f"it happened its changes stood so: {states} ({', '.join(self.systems)})."
        )


class Realtime:
    """A running receiver and the sensor beside it; the sandbox sends its events there."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, sandbox_url: str) -> None:
        self._settings = settings
        self._instance = instance
        self._sandbox_url = sandbox_url
        self._cursor: str | None = None

    def new_order(self, **happening: Any) -> RoundTrip:
        """A paid order happens in the sandbox's first location; RoundTripError when it does not arrive."""
        started = time.monotonic()
        done = control(self._sandbox_url, "POST", "happenings", {"happens": "create", **happening})
        self._await_delivery(done["delivery_id"])
        received = time.monotonic() - started
        ticked = tick(self._instance, self._cursor)
        self._cursor = ticked.cursor
        seconds = time.monotonic() - started
        if ticked.failures or not ticked.runs:
            raise RoundTripError(f"the refresh failed: {ticked.failures or ticked.reason}")
        keys = self._keys(done["order_id"])
        with published.connect(self._settings.reports) as con:
            rows = con.execute(
                "select system, state, count(*) from outbox.changes where list_contains(?, key) group by all", [keys]
            ).fetchall()
        changes: dict[str, int] = {}
        for _, state, count in rows:
            changes[state] = changes.get(state, 0) + count
        systems = tuple(sorted({row[0] for row in rows}))
        return RoundTrip(done["order_id"], received, seconds, changes, systems)

    def _keys(self, order_id: str) -> list[str]:
        with published.connect(self._settings.reports) as con:
            rows = con.execute(
                "select transaction_id from staging.transactions where entity_id = ?", [order_id]
            ).fetchall()
        return [f"ghl:order:{order_id}", *(f"ghl:txn:{row[0]}" for row in rows)]

    def _await_delivery(self, delivery_id: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            sent = control(self._sandbox_url, "GET", "webhooks")["sent"]
            if any(row["delivery_id"] == delivery_id and row["outcome"] == "delivered" for row in sent):
                return
            time.sleep(0.01)
        raise RoundTripError(f"the receiver did not take the webhook within {WAIT_SECONDS:.0f} s")


@contextmanager
def receiving(
    settings: Settings, environment: Mapping[str, str], instance: dg.DagsterInstance, sandbox_url: str
) -> Iterator[Realtime]:
    """`ghl-payments webhooks` on a free loopback port, to which the sandbox sends; gone when the block ends."""
    prepare()
    command = [sys.executable, "-c", "from ghl_payments.cli import main; main()", "webhooks", "--port", "0"]
    process = subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RoundTripError(f"the receiver did not start (exit code {process.wait()})")
        url = f"{json.loads(line)['base_url']}/webhooks/ghl"
        control(sandbox_url, "PUT", "webhooks", {"system": "ghl", "url": url})
        yield Realtime(settings, instance, sandbox_url)
    finally:
        stop(process)


def control(sandbox_url: str, method: str, path: str, body: Any = None) -> Any:
    """One call of the sandbox's control API; RoundTripError unless it answers 200."""
    connection = HTTPConnection(urlsplit(sandbox_url).netloc, timeout=30)
    try:
        connection.request(method, f"/_sandbox/{path}", None if body is None else json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RoundTripError(f"the sandbox answered {answer.status} to {method} {path}: {text[:200].decode()}")
    return json.loads(text)
