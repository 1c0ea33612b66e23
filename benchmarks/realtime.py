"""From a webhook to a verified write: paid orders happen in a sandbox one after the other, each is timed to its proof.

Run `python benchmarks/realtime.py [--orders 20] [--world 60] [--target halo …]` from the repository root; it starts a
sandbox and a receiver of its own in a temporary folder. Dagster's daemon is not in the figures: to them come the wait
for its next tick (at most five seconds) and the start of a run's process. Exit code 1 if a change was not verified.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import dagster as dg  # noqa: E402
import yaml  # noqa: E402

from ghl_payments.commands.loop import run_loop  # noqa: E402
from ghl_payments.commands.own_sandbox import own_sandbox  # noqa: E402
from ghl_payments.commands.round_trip import RoundTrip, receiving  # noqa: E402
from ghl_payments.settings import load_settings  # noqa: E402


def only_targets(path: Path, targets: list[str]) -> None:
    """Leave one location with these targets in connections.yaml."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["locations"] = [document["locations"][0] | {"targets": targets}]
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def measure(orders: int, world: int, targets: list[str]) -> list[RoundTrip]:
    """One turn of the loop, then one round trip an order."""
    with tempfile.TemporaryDirectory() as folder, own_sandbox(Path(folder), seed=7, orders=world) as sandbox:
        logging.disable(logging.INFO)
        os.environ.update(sandbox.environment)
        only_targets(Path(sandbox.environment["GHL_PAYMENTS_CONNECTIONS"]), targets)
        settings, started = load_settings(), time.monotonic()
        failures = run_loop([settings.locations[0].id]).failures
        print(f"first turn of {world} orders: {time.monotonic() - started:.1f} s {failures or ''}", flush=True)
        trips = []
        with (
            dg.DagsterInstance.ephemeral() as instance,
            receiving(settings, sandbox.environment, instance, sandbox.base_url) as realtime,
        ):
            for _ in range(orders):
                worked = time.process_time()
                trips.append(realtime.new_order())
                print(f"{trips[-1].told()} CPU {time.process_time() - worked:.1f} s", flush=True)
    return trips


def main() -> int:
    """Measure and print; 0 if every change reached its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--world", type=int, default=60)
    parser.add_argument("--target", action="append", default=[])
    options = parser.parse_args()
    trips = measure(options.orders, options.world, options.target or ["ghl", "halo"])
    for name, values in (
        ("webhook received", [trip.received_seconds for trip in trips]),
        ("all verified", [trip.seconds for trip in trips]),
    ):
        ranked = sorted(values)
        p99 = ranked[min(len(ranked) - 1, round(0.99 * len(ranked)))]
        print(f"{name}: p50 {statistics.median(ranked):.2f} s, p99 {p99:.2f} s, worst {ranked[-1]:.2f} s")
    incomplete = [trip.order_id for trip in trips if not trip.complete]
    print(f"{len(trips) - len(incomplete)} of {len(trips)} orders verified everywhere")
    return 1 if incomplete else 0


if __name__ == "__main__":
    sys.exit(main())
