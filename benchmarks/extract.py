"""Extraction of GHL orders beside httpx that throws the same pages away, and the share of the rate limit.

Run `python benchmarks/extract.py [--orders 100000] [--pairs 3] [--limit-seconds 60]` from the repository root;
it starts its own sandbox on loopback, measures whole child processes in turn, and prints figures and ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

STREAM = "orders"


def start_sandbox(folder: Path, orders: int, limits: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A sandbox of its own as a child process, and its ready line."""
    command = [sys.executable, "-m", "ghl_payments.cli", "sandbox", "--port", "0", "--orders", str(orders)]
    command += ["--limits", limits, "--write-env", str(folder / f"{limits}.env")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    return child, json.loads(child.stdout.readline())


def stop(child: subprocess.Popen[str]) -> None:
    """End the sandbox that this script started."""
    child.terminate()
    child.wait(timeout=30)


def load_env(path: Path) -> None:
    """Put the env file's lines into this process's environment."""
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        os.environ[name] = value


async def extract(home: Path) -> dict[str, Any]:
    """What the product does for one list stream: all locations into a fresh warehouse, certificates included."""
    from ghl_payments.connectors.ghl.connect import connect_ghl
    from ghl_payments.connectors.ghl.extract import Extraction, extract_list
    from ghl_payments.settings import load_settings
    from ghl_payments.warehouse.connection import Warehouse

    settings = load_settings()
    totals = {"rows": 0, "requests": 0, "incomplete": 0}
    for location in settings.locations:
        client = connect_ghl(settings, location)
        work = Extraction(
            client, Warehouse(home / "w.duckdb", memory_limit="256MB"), home / "landing", location.id, settings.now()
        )
        try:
            metrics = await extract_list(work, STREAM)
        finally:
            await client.aclose()
        totals["rows"] += metrics["rows"]
        totals["requests"] += metrics["requests"]
        totals["incomplete"] += metrics["slices_incomplete"]
    return totals


async def discard(urls: list[str], concurrency: int) -> dict[str, Any]:
    """The same pages through bare httpx, thrown away."""
    import httpx

    from ghl_payments.settings import load_settings

    settings = load_settings()
    tokens = {location.id: settings.secret(location.ghl.token).get_secret_value() for location in settings.locations}
    gate, read = asyncio.Semaphore(concurrency), 0

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=concurrency)) as client:

        async def one(url: str) -> int:
            async with gate:
                token = next(value for place, value in tokens.items() if place in url)
                headers = {"Authorization": f"Bearer {token}", "Version": "2021-07-28", "Accept": "application/json"}
                answer = await client.get(url, headers=headers)
                answer.raise_for_status()
                return len(answer.content)

        for size in await asyncio.gather(*(one(url) for url in urls)):
            read += size
    return {"requests": len(urls), "bytes": read}


def child_report(started: float, result: dict[str, Any]) -> None:
    """Print what a measured child process did and used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    result |= {
        "wall": time.perf_counter() - started,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }
    print(json.dumps(result))


def measure(mode: str, env_file: Path, urls: Path) -> dict[str, Any]:
    """Run one mode as a whole child process; its wall time is taken from outside."""
    started = time.perf_counter()
    command = [sys.executable, str(Path(__file__).resolve()), "--mode", mode, "--env", str(env_file)]
    done = subprocess.run([*command, "--urls", str(urls)], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    report = json.loads(done.stdout.strip().splitlines()[-1])
    return {**report, "wall": time.perf_counter() - started}


def seen_requests(base_url: str) -> list[dict[str, Any]]:
    """The sandbox's log of requests."""
    connection = HTTPConnection(base_url.removeprefix("http://"))
    connection.request("GET", "/_sandbox/requests")
    rows: list[dict[str, Any]] = json.loads(connection.getresponse().read())
    connection.close()
    return rows


def pages_read(base_url: str, since: int) -> list[str]:
    """The list requests that the sandbox saw after request number `since`."""
    rows = seen_requests(base_url)
    wanted = f"/payments/{STREAM}"
    return [
        f"{base_url}/ghl{row['path'].removeprefix('/ghl')}?{row['query']}"
        for row in rows
        if row["seq"] > since and row["path"].endswith(wanted)
    ]


def compare(orders: int, pairs: int) -> None:
    """The two modes in turn, pair by pair."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        child, ready = start_sandbox(home, orders, "scaled")
        try:
            env_file, urls = home / "scaled.env", home / "urls.json"
            urls.write_text("[]")
            measure("extract", env_file, urls)
            urls.write_text(json.dumps(pages_read(ready["base_url"], 0)))
            rows = [(measure("extract", env_file, urls), measure("discard", env_file, urls)) for _ in range(pairs)]
        finally:
            stop(child)
    for name, index in (("extract", 0), ("httpx, discarded", 1)):
        for figure in ("wall", "cpu", "peak_mb"):
            values = sorted(row[index][figure] for row in rows)
            middle = statistics.median(values)
            print(f"{name:18} {figure:8} min {values[0]:8.2f}  median {middle:8.2f}  max {values[-1]:8.2f}")
    first, other = rows[0]
    print(
        f"rows {first['rows']}, requests {first['requests']}, slices incomplete {first['incomplete']}; "
        f"httpx read {other['requests']} pages, {other['bytes'] / 1e6:.0f} MB"
    )
    print(f"rows/s {statistics.median(row[0]['rows'] / row[0]['wall'] for row in rows):,.0f} (whole process)")
    print(f"wall ratio extract/httpx: median {statistics.median(a['wall'] / b['wall'] for a, b in rows):.2f}")


async def at_limit(seconds: float) -> dict[str, Any]:
    """One location's lists read again and again under the vendor's limit."""
    from ghl_payments.connectors.ghl.connect import connect_ghl
    from ghl_payments.settings import load_settings

    settings = load_settings()
    client = connect_ghl(settings, settings.locations[0])
    ends, answered = time.monotonic() + seconds, 0

    async def reader() -> None:
        nonlocal answered
        while time.monotonic() < ends:
            await client.list_page(STREAM, offset=0, limit=100)
            if time.monotonic() < ends:
                answered += 1

    try:
        await asyncio.gather(*(reader() for _ in range(8)))
    finally:
        await client.aclose()
    return {"answered": answered}


def under_limit(seconds: float) -> None:
    """How much of the vendor's limit is used, and how often the server refused."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        child, ready = start_sandbox(home, 400, "vendor")
        try:
            load_env(home / "vendor.env")
            answered = asyncio.run(at_limit(seconds))["answered"]
            refused = sum(row["status"] == 429 for row in seen_requests(ready["base_url"]))
        finally:
            stop(child)
    rate = ready["systems"]["ghl"]["rate"]
    # A window that starts empty lets one whole burst through at once, so the ceiling counts it.
    ceiling = rate["requests"] * (int(seconds // rate["seconds"]) + (1 if seconds % rate["seconds"] else 0))
    print(
        f"limit {rate['requests']}/{rate['seconds']} s for {seconds:.0f} s: {answered} answered of at most {ceiling} "
        f"= {answered / ceiling:.1%}; 429s: {refused}"
    )


def main() -> None:
    """Parse the command line; `--mode` is for the child processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--limit-seconds", type=float, default=60.0)
    parser.add_argument("--mode", choices=["extract", "discard"])
    parser.add_argument("--env", type=Path)
    parser.add_argument("--urls", type=Path)
    arguments = parser.parse_args()
    if arguments.mode is None:
        print(f"{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {arguments.orders} orders, limiter off")
        compare(arguments.orders, arguments.pairs)
        under_limit(arguments.limit_seconds)
        return
    started = time.perf_counter()
    load_env(arguments.env)
    os.environ["GHL_PAYMENTS_LIMITER"] = "off"
    if arguments.mode == "extract":
        with tempfile.TemporaryDirectory() as folder:
            child_report(started, asyncio.run(extract(Path(folder))))
    else:
        child_report(started, asyncio.run(discard(json.loads(arguments.urls.read_text()), 4)))


if __name__ == "__main__":
    main()
