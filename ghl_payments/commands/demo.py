"""`ghl-payments demo`: the loop twice against a sandbox of its own, and what it found and did, for a manager.

Only the demonstration belongs here; what runs is exactly what `ghl-payments run` runs.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from ghl_payments.commands import published, show
from ghl_payments.commands.loop import LoopResult, open_instance, run_loop
from ghl_payments.commands.own_sandbox import OwnSandbox, on_stop_signals, own_sandbox
from ghl_payments.commands.round_trip import RoundTripError, receiving
from ghl_payments.connections import SettingsError
from ghl_payments.domain.diff_kinds import DIFF_KINDS
from ghl_payments.settings import Settings, load_settings
from ghl_payments.warehouse.queries import dicts

Say = Callable[[str], None]

_IDENTITY = ("location_id", "live", "system", "record_type", "key", "kind", "class")


def run_demo(say: Say, *, seed: int, orders: int, keep: Path | None = None) -> bool:
    """Run the loop twice and tell what happened; True if it converged and a webhook arrived.

    Converged: the second turn wrote nothing and no difference is left that a write could close. With `keep` the
    warehouse, the published copy and the env file stay in that folder.
    """
    with _folder(keep) as folder, on_stop_signals(_interrupt), own_sandbox(folder, seed=seed, orders=orders) as sandbox:
        logging.disable(logging.INFO)
        os.environ.clear()
        os.environ.update(sandbox.environment)
        settings = load_settings()
        say(f"Sandbox at {sandbox.base_url}: {len(settings.locations)} locations, {orders} orders, seed {seed}.\n")
        first, wrote_first = _turn(say, "Turn 1", settings, sandbox)
        if not settings.reports.exists():
            return False
        with published.connect(settings.reports) as con:
            say("")
            for part in _report(con, first, _get(sandbox, "answer-key")):
                say(part + "\n")
        second, wrote_second = _turn(say, "Turn 2", settings, sandbox, before=wrote_first)
        with published.connect(settings.reports) as con:
            left = published.open_pushable(con)
        converged = not first.failures and not second.failures and not wrote_second and not left
        say(_verdict(converged, wrote_second, left))
        arrived = _webhook(say, settings, sandbox)
        if keep is not None:
            say(
                f"Kept: {settings.reports} (published copy), {sandbox.env_file} (env file of the sandbox, now stopped)."
            )
    return converged and arrived


def _webhook(say: Say, settings: Settings, sandbox: OwnSandbox) -> bool:
    """A further order, told by a webhook instead of a sweep; True if it arrived everywhere."""
    with open_instance() as instance, receiving(settings, sandbox.environment, instance, sandbox.base_url) as realtime:
        try:
            trip = realtime.new_order()
        except RoundTripError as error:
            say(f"Webhook: {error}.")
            return False
    say(trip.told())
    return trip.complete


def _interrupt() -> None:
    raise KeyboardInterrupt


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="ghl-payments-demo-", ignore_cleanup_errors=True) as name:
            yield Path(name)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        msg = f"{keep} is not empty; give a new folder, the demo starts from nothing"
        raise SettingsError(msg)
    yield keep.resolve()


def _turn(say: Say, name: str, settings: Settings, sandbox: OwnSandbox, before: int = 0) -> tuple[LoopResult, int]:
    """One turn over all locations, told in one line; with it the number of writes that took effect."""
    result = run_loop([location.id for location in settings.locations])
    wrote = len(_get(sandbox, "effects") or []) - before
    requests = sum(stream.get("requests", 0) for stream in result.streams.values())
    say(f"{name}: {result.seconds:.1f} s, {requests} requests to GHL, {wrote} writes to targets.")
    for location, failures in result.failures.items():
        say(f"FAILED {location}:\n  " + "\n  ".join(failures))
    return result, wrote


def _get(sandbox: OwnSandbox, part: str) -> Any:
    """A part of the sandbox's own account of itself, None where it has none."""
    connection = HTTPConnection(urlsplit(sandbox.base_url).netloc, timeout=30)
    try:
        connection.request("GET", f"/_sandbox/{part}")
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    return json.loads(body) if answer.status == 200 else None


def _report(con: duckdb.DuckDBPyConnection, first: LoopResult, key: list[dict[str, Any]] | None) -> Iterator[str]:
    rows = published.diffs(con)
    yield "WHAT WAS COMPARED\n" + _compared(con, first)
    yield "WHAT WAS FOUND\n" + _found(rows) + (f"\n{_against_key(rows, key)}" if key is not None else "")
    yield "WHAT WAS PLANNED AND REPAIRED, each verified write proven by reading it back\n" + _repaired(con)
    yield "WHAT NEEDS A PERSON, never written by the machine\n" + _left(rows)


def _compared(con: duckdb.DuckDBPyConnection, first: LoopResult) -> str:
    slices = sum(stream.get("slices_complete", 0) for stream in first.streams.values())
    broken = sum(stream.get("slices_incomplete", 0) for stream in first.streams.values())
    lines = dicts(
        con,
        "select system, record_type, sum(wanted)::int as wanted, sum(held)::int as held, sum(matched)::int as matched "
        "from reports.reconciliation_summary group by all order by all",
    )
    table = [
        [f"{r['system']} {r['record_type']}", r["wanted"], r["held"], r["matched"], f"{r['matched'] / r['wanted']:.1%}"]
        for r in lines
    ]
    counts = ", ".join(f"{first.streams.get(n, {}).get('rows', 0):,} {n}" for n in ("orders", "transactions"))
    return f"GHL: {counts}, read in {slices} slices with a certificate, {broken} without.\n" + show.table(
        table, ["record", "GHL wants", "target holds", "agree now", "share"]
    )


def _found(rows: list[dict[str, Any]]) -> str:
    table = []
    systems = sorted({row["system"] for row in rows}, key=lambda system: (system == "ghl", system))
    for system, kind in product(systems, DIFF_KINDS):
        found = [row for row in rows if row["kind"] == kind.name and row["system"] == system]
        left = sum(row["state"] == "open" for row in found)
        if found:
            table.append([system, kind.name, len(found), len(found) - left, left, _money(found)])
    table.append(["", "all", len(rows), sum(r[3] for r in table), sum(r[4] for r in table), ""])
    return show.table(table, ["where", "difference", "found", "repaired", "left", "money (each sale once)"])


def _money(rows: list[dict[str, Any]]) -> str:
    sums: dict[str, Counter[str]] = {}
    for row in rows:
        if row["amount_minor"] and row["currency"]:
            sums.setdefault(row["record_type"], Counter())[row["currency"]] += row["amount_minor"]
    return show.money(published.each_sale_once(sums))


def _against_key(rows: list[dict[str, Any]], key: list[dict[str, Any]]) -> str:
    found = {tuple(row[name] for name in _IDENTITY) for row in rows}
    planted = {tuple(row[name] for name in _IDENTITY) for row in key}
    return (
        f"The sandbox's answer key has {len(planted)}: {len(found & planted)} of them found, "
        f"{len(found - planted)} reported that are not in it."
    )


def _repaired(con: duckdb.DuckDBPyConnection) -> str:
    lines = con.execute(
        "select system || ' ' || record_type, operation, count(*), state, if(irreversible, 'yes', ''), "
        "if(starts_with(reason, 'off by default'), reason, '') from outbox.changes group by all order by all"
    ).fetchall()
    rows = [[*line[:5], _wrapped(line[5])] for line in lines]
    return show.table(rows, ["record", "operation", "changes", "state", "irreversible", "why not written"])


def _left(rows: list[dict[str, Any]]) -> str:
    left = Counter(row["kind"] for row in rows if row["state"] == "open")
    table = [
        [kind.name, left[kind.name], _wrapped(kind.meaning), _wrapped(kind.remedy)]
        for kind in DIFF_KINDS
        if left[kind.name]
    ]
    return show.table(table, ["difference", "left", "what it means", "what to do"])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 52)


def _verdict(converged: bool, wrote: int, left: int) -> str:
    if converged:
        return "\nConverged: the second turn had nothing to write, and no difference is left that a write could close."
    return (
        f"\nNOT converged: the second turn wrote {wrote} times; {left} differences are left that a write could close."
    )
