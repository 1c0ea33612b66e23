"""The product pointed at one running sandbox, in a folder of the test's own: turns, commands, and what they left.

Add what several flow tests need to do or to look at; expectations belong to the tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

import yaml

from ghl_payments.commands import published
from ghl_payments.commands.loop import LoopResult, run_loop
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.queries import dicts
from ghl_payments_tests.running_sandbox import ROOT, RunningSandbox

Row = dict[str, Any]

IDENTITY = ("location_id", "live", "system", "record_type", "key", "kind", "class")
DETAIL = ("amount_minor", "currency", "fields", "native_ids")


FOLLOWING = {"tracking", "fulfillments", "ship_status", "ship_date", "ghl_tracking", "ghl_fulfillments",
             "ghl_fulfillment_status", "ghl_shipped_at", "fulfillment_status"}  # fmt: skip
"""Fields that change with a fulfillment."""


class Loop:
    """One installation; `sandbox` is the world it works on, `env` its settings, `folder` its working directory."""

    def __init__(self, sandbox: RunningSandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        foreign = ("GHL_", "HALO_", "ACT_", "ACTIVETRAIL_", "TRACKPOD_", "RANKR_", "DAGSTER_")
        own = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
        self.env = own | sandbox.env | {"PYTHONPATH": str(ROOT)}

    @property
    def connections(self) -> Path:
        """The connections file in use."""
        return Path(self.env["GHL_PAYMENTS_CONNECTIONS"])

    @property
    def locations(self) -> list[str]:
        """Ids of the locations in connections.yaml."""
        return [place["id"] for place in yaml.safe_load(self.connections.read_text(encoding="utf-8"))["locations"]]

    @property
    def targets(self) -> list[str]:
        """Targets of the first location."""
        document = yaml.safe_load(self.connections.read_text(encoding="utf-8"))
        targets: list[str] = document["locations"][0]["targets"]
        return targets

    def answer_key(self) -> list[Row]:
        """The sandbox's rows about the locations and systems at hand; GHL is always judged against itself."""
        systems, locations = set(self.targets), set(self.locations)
        back = ("fulfillment", "provider", "order_payment")
        key = self.sandbox.answer_key()
        # A delivery is given to GHL only where both are at hand, and only then something else follows from it.
        lost = {order for delivery, order in self._delivered(key) if not {"ghl", delivery.partition(":")[0]} <= systems}
        return [
            row
            for row in key
            if row["location_id"] in locations
            and (row["system"] in systems or (row["system"] == "ghl" and row["record_type"] not in back))
            and (
                row["system"] != "ghl"
                or row["record_type"] not in ("fulfillment", "order_payment")
                or row["key"].partition(":")[0] in systems
            )
            # A parcel that is new in this very turn is one that GHL was just given.
            and (
                {"ghl", "halo", "trackpod"} <= systems
                or (row["record_type"], row["kind"]) != ("fulfillment", "pending")
            )
            and (row["key"] not in lost or not FOLLOWING & set(row["fields"]))
        ]

    def _delivered(self, key: list[Row]) -> Iterator[tuple[str, str]]:
        """(key of a delivery, key of its order)."""
        told = {row["key"].rpartition(":")[2]: row["key"] for row in key if row["record_type"] == "fulfillment"}
        for row in key:
            if row["record_type"] == "sales_order":
                yield from ((told[native_id], row["key"]) for native_id in row["native_ids"] if native_id in told)
        for doc in self.sandbox.state().get("trackpod", {}).get("Order", ()):
            if doc["StatusId"] in (3, 4) and doc["Id"]:
                yield f"trackpod:order:{doc['TrackId']}", f"ghl:order:{doc['Id']}"

    def edit_connections(self, edit: Callable[[Row], None]) -> None:
        """Change connections.yaml as a person would."""
        document = yaml.safe_load(self.connections.read_text(encoding="utf-8"))
        edit(document)
        self.connections.write_text(yaml.safe_dump(document), encoding="utf-8")

    def policy(self, policy: str) -> None:
        """Set Halo's policy."""
        self.edit_connections(lambda document: document["connections"]["halo"].update(policy=policy))

    def only_targets(self, *targets: str) -> None:
        """Leave these targets to every location."""
        self.edit_connections(
            lambda document: document.update(locations=[x | {"targets": list(targets)} for x in document["locations"]])
        )

    def only_first_location(self) -> None:
        """Leave one location in connections.yaml, as half the runs take half the time."""
        self.edit_connections(lambda document: document.update(locations=document["locations"][:1]))

    @contextmanager
    def _inside(self) -> Iterator[None]:
        # Without a dagster.yaml in the working directory, Dagster keeps its own records in memory.
        with patch.dict(os.environ, self.env, clear=True), chdir(self.folder):
            yield

    def turn(self, *locations: str, **options: Any) -> LoopResult:
        """The loop once, in this process, for all locations unless some are named."""
        with self._inside():
            return run_loop(locations or self.locations, **options)

    def good_turn(self, *locations: str, **options: Any) -> LoopResult:
        """A turn in which nothing may fail."""
        result = self.turn(*locations, **options)
        assert not result.failures, result.failures
        return result

    def failed_turn(self) -> str:
        """A turn that must fail; the messages of all failures."""
        result = self.turn()
        assert result.failures
        return "\n".join(text for texts in result.failures.values() for text in texts)

    @contextmanager
    def process(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """The command line in a process of its own, which ends with the block at the latest."""
        command = [sys.executable, "-c", "from ghl_payments.cli import main; main()", *words]
        with subprocess.Popen(
            command, env=self.env, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command line to its end."""
        with self.process(*words) as process:
            out, err = process.communicate(timeout=120)
            return subprocess.CompletedProcess(words, process.returncode, out, err)

    def killed_run(self, when: Callable[[], bool]) -> None:
        """`ghl-payments run`, ended by SIGKILL at the moment when `when` is true."""
        with self.process("run", "--json") as process:
            wait_until(lambda: process.poll() is not None or when(), 180)
            assert process.poll() is None, f"the run ended before it could be killed: {process.communicate()}"

    def diffs(self, **values: Any) -> list[Row]:
        """Published diffs, those that have all the given values."""
        return _with(self._published(published.diffs), values)

    def changes(self, **values: Any) -> list[Row]:
        """Published changes, those that have all the given values."""
        return _with(self._published(published.changes), values)

    def states(self) -> dict[str, int]:
        """Changes by state."""
        states: dict[str, int] = self._published(published.change_summary)
        return states

    def open_pushable(self) -> int:
        """Open diffs that a change could close."""
        count: int = self._published(published.open_pushable)
        return count

    def _published(self, read: Callable[..., Any]) -> Any:
        with published.connect(Path(self.env["GHL_PAYMENTS_REPORTS"])) as con:
            return read(con)

    def sql(self, query: str) -> list[Row]:
        """Rows of a query on the warehouse itself."""
        with Warehouse(Path(self.env["GHL_PAYMENTS_WAREHOUSE"]), 10).open() as con:
            return dicts(con, query)


def _with(rows: list[Row], values: Row) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in values.items())]


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Look twenty times a second; an assertion fails when it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@contextmanager
def meanwhile(condition: Callable[[], bool], do: Callable[[], None]) -> Iterator[None]:
    """While the block runs, `do` something once `condition` is true; the block must last until then."""
    done: list[bool] = []

    def work() -> None:
        wait_until(condition)
        do()
        done.append(True)

    thread = Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join(1)
    assert done, "the moment never came"


def as_key(rows: list[Row]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Rows of the answer key or of diffs as identity -> detail; an identity may be there only once."""
    found = {}
    for row in rows:
        identity = tuple(row[name] for name in IDENTITY)
        assert identity not in found, identity
        names = [field["field"] if isinstance(field, dict) else field for field in row["fields"]]
        plain = row | {"fields": names}
        found[identity] = tuple(
            tuple(sorted(plain[name])) if isinstance(plain[name], list) else plain[name] for name in DETAIL
        )
    return found


def one_effect_each(loop: Loop) -> None:
    """Every verified change has exactly one effect with its key, and there is no other effect.

    GHL knows nothing of a delivery's key, so there the native id stands for it.
    """
    done = Counter(map(_written, loop.changes(state="verified")))
    assert Counter(map(_written, loop.sandbox.effects())) == done


def _written(row: Row) -> tuple[Any, ...]:
    return row["system"], row["record_type"], row["key"] if row["system"] != "ghl" else None, row["native_id"]


def settled(loop: Loop) -> None:
    """One effect a verified change, nothing in flight, nothing left to push."""
    one_effect_each(loop)
    assert not {"claimed", "sent", "unknown", "approved"} & loop.states().keys()
    assert loop.open_pushable() == 0


def converged(loop: Loop) -> None:
    """Settled, and a further turn changes nothing and finds no work."""
    settled(loop)
    before = loop.sandbox.effects()
    loop.good_turn()
    assert loop.sandbox.effects() == before
    assert loop.open_pushable() == 0
