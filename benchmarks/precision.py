"""Precision and recall of the first turn against the sandbox's answer key, and whether the second turn finds work.

Run `python benchmarks/precision.py [--seeds 1 2 3 4 5] [--orders 1000] [--lowest]` from the repository root; each seed
gets its own sandbox on loopback and its own warehouse. With `--lowest` every capability is forced down to its fallback,
in a world that is kept in that form. Exits 1 unless every seed is exact and converged.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
IDENTITY = ("location_id", "live", "system", "record_type", "key", "kind", "class")
HEAD = ("seed", "planted", "found", "precision", "recall", "details", "changes", "second", "first s", "second s")

LOWEST = {
    "halo": dict.fromkeys(
        ("external_link_filter", "invoice_filter", "payment_filter", "order_search", "invoice_changes"), "scan"
    ),
    "act": {
        "custom_tables": "unavailable", "opportunity_put": "replaces", "order_search": "scan", "contact_search": "scan",
        "payment_search": "scan",
    },
    "activetrail": {
        "commerce": "unavailable", "unknown_order": "empty", "external_pair": "none", "page_base": "zero",
        "contact_search": "none", "contact_update": "whole",
    },
}  # fmt: skip
"""The fallback of every capability that may be forced down without the account being useless."""

SWITCHES = ("act_custom_tables=false", "activetrail_commerce=missing", "activetrail_page_base=0")
"""How accounts of that form behave, so that their part of the seeded world stands in it."""

Row = dict[str, Any]
Keyed = dict[tuple[Any, ...], tuple[Any, ...]]


@dataclass(frozen=True)
class Score:
    """What one seed's two turns gave; `details` are common rows that also agree in fields, records and money."""

    seed: int
    planted: int
    found: int
    common: int
    details: int
    changes: int
    second_effects: int
    still_open: int
    seconds: tuple[float, float]

    @property
    def exact(self) -> bool:
        """Nothing missing, nothing invented, nothing different, and nothing to do in the second turn."""
        same = self.planted == self.found == self.common == self.details
        return same and self.second_effects == 0 and self.still_open == 0

    def cells(self) -> tuple[str, ...]:
        """The row of the printed table."""
        precision = self.common / self.found if self.found else 0.0
        recall = self.common / self.planted if self.planted else 0.0
        second = "no work" if not (self.second_effects or self.still_open) else (
            f"{self.second_effects} effects, {self.still_open} open"
        )  # fmt: skip
        return (
            str(self.seed), str(self.planted), str(self.found), f"{precision:.6f}", f"{recall:.6f}",
            f"{self.details}/{self.common}", str(self.changes), second, *(f"{value:.1f}" for value in self.seconds),
        )  # fmt: skip


def start_sandbox(env_file: Path, seed: int, orders: int, switches: tuple[str, ...]) -> subprocess.Popen[str]:
    """A sandbox of its own as a child process, ready to answer."""
    options = ["--port", "0", "--seed", str(seed), "--orders", str(orders), "--write-env", str(env_file)]
    options += [word for switch in switches for word in ("--switch", switch)]
    child = subprocess.Popen(
        [sys.executable, "-m", "ghl_payments.cli", "sandbox", *options], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout is not None
    json.loads(child.stdout.readline())
    return child


def command(env_file: Path, folder: Path, *words: str) -> Any:
    """A command's JSON document; RuntimeError with what it said when it could not tell."""
    code = "from ghl_payments.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--env-file", str(env_file), *words, "--json"],
        capture_output=True, text=True, cwd=folder, check=False, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    if done.returncode not in (0, 1):
        msg = f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-2000:]}"
        raise RuntimeError(msg)
    return json.loads(done.stdout)


def ask(base_url: str, name: str) -> Any:
    """One answer of the sandbox's control API."""
    with urllib.request.urlopen(f"{base_url}/_sandbox/{name}") as answer:  # noqa: S310 - loopback only
        return json.load(answer)


def keyed(rows: list[Row]) -> Keyed:
    """Identity -> fields, records, money; RuntimeError when an identity is there twice."""
    found: Keyed = {}
    for row in rows:
        identity = tuple(row[name] for name in IDENTITY)
        if identity in found:
            msg = f"reported twice: {identity}"
            raise RuntimeError(msg)
        fields = sorted(field["field"] if isinstance(field, dict) else field for field in row["fields"])
        found[identity] = (tuple(fields), tuple(sorted(row["native_ids"])), row["amount_minor"], row["currency"])
    return found


def force_down(path: Path) -> None:
    """Write the fallback levels into a connections.yaml."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, levels in LOWEST.items():
        document["connections"][name]["capabilities"] = levels
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def measure(seed: int, orders: int, *, lowest: bool) -> Score:
    """Two turns against one seed's world."""
    with tempfile.TemporaryDirectory(prefix="ghl-precision-") as name:
        folder = Path(name)
        env_file = folder / "sandbox.env"
        child = start_sandbox(env_file, seed, orders, SWITCHES if lowest else ())
        try:
            env = dict(line.split("=", 1) for line in env_file.read_text(encoding="utf-8").splitlines())
            if lowest:
                force_down(Path(env["GHL_PAYMENTS_CONNECTIONS"]))
            base_url = env["GHL_PAYMENTS_SANDBOX_URL"]
            planted = keyed(ask(base_url, "answer-key"))
            started = time.monotonic()
            command(env_file, folder, "run")
            between = time.monotonic()
            found = keyed(command(env_file, folder, "diffs"))
            effects = len(ask(base_url, "effects"))
            again = time.monotonic()
            command(env_file, folder, "run")
            ended = time.monotonic()
            left = [row for row in command(env_file, folder, "diffs") if row["state"] == "open" and row["pushable"]]
            common = planted.keys() & found.keys()
            return Score(
                seed, len(planted), len(found), len(common), sum(planted[key] == found[key] for key in common),
                effects, len(ask(base_url, "effects")) - effects, len(left), (between - started, ended - again),
            )  # fmt: skip
        finally:
            child.terminate()
            child.wait(timeout=30)


def main() -> int:
    """Print one row a seed; 1 when any is not exact."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--lowest", action="store_true")
    options = parser.parse_args()
    print(f"{options.orders} orders a seed, over HTTP and DuckDB, two turns each")
    print("  ".join(f"{cell:>9}" for cell in HEAD))
    exact = True
    for seed in options.seeds:
        score = measure(seed, options.orders, lowest=options.lowest)
        print("  ".join(f"{cell:>9}" for cell in score.cells()), flush=True)
        exact = exact and score.exact
    print("exact" if exact else "NOT exact")
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
