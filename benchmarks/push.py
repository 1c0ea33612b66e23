"""Pushing Track-POD orders at the vendor's two limits: how long it takes beside what the limits allow.

Run `python benchmarks/push.py [--orders 400]` from the repository root; it starts its own sandbox on loopback at the
vendors' limits, plans under `preview`, waits until the windows are empty, pushes, and prints time, requests and ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import chdir
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

WINDOWS = ((400, 60.0), (20, 1.0))
"""Track-POD's limits: requests, in any so many seconds."""


def start_sandbox(folder: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A sandbox of its own as a child process, and its ready line."""
    command = [sys.executable, "-m", "ghl_payments.cli", "sandbox", "--port", "0", "--orders", "0"]
    command += ["--limits", "vendor", "--write-env", str(folder / "vendor.env")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    return child, json.loads(child.stdout.readline())


def control(base_url: str, method: str, path: str, document: object = None) -> Any:
    """One call of the sandbox's control API."""
    connection = HTTPConnection(base_url.removeprefix("http://"), timeout=60)
    connection.request(method, f"/_sandbox{path}", None if document is None else json.dumps(document))
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path} answered {answer.status}: {text[:200]!r}")
    return json.loads(text) if text else None


def sold(number: int, at: datetime) -> dict[str, Any]:
    """An unpaid order of GHL that has to be brought to somebody."""
    contact = {
        "id": f"contact{number}", "firstName": "Contact", "lastName": f"{number:04d}",
        "address1": f"{number} Test Street", "city": "Testville", "postalCode": "12345", "country": "DE",
        "email": f"contact{number:04d}@example.com",
    }  # fmt: skip
    price = {"_id": f"price{number}", "name": "Default", "type": "one_time", "currency": "USD", "amount": 10.05}
    product = {"_id": f"product{number}", "name": "Thing", "productType": "PHYSICAL"}
    return {
        "_id": f"{number:024x}", "contactId": contact["id"], "contactSnapshot": contact, "currency": "USD",
        "amount": 20.1, "status": "completed", "paymentStatus": "unpaid", "liveMode": True, "markAsTest": False,
        "createdAt": at.isoformat(), "updatedAt": at.isoformat(), "amountSummary": {"subtotal": 20.1},
        "items": [{"_id": f"item{number}", "name": "Thing", "qty": 2, "price": price, "product": product}],
    }  # fmt: skip


def fill(base_url: str, now: datetime, orders: int) -> None:
    """One location with so many orders; its Track-POD holds one order of somebody else's."""
    state = control(base_url, "GET", "/state")
    place = state["ghl"]["locations"][0]
    place["orders"] = [sold(number, now - timedelta(days=10)) for number in range(1, orders + 1)]
    native = {"TrackId": "00000000-0000-4000-8000-000000000001", "Number": "1007", "Type": 0, "Client": "Native",
              "Address": "2 Other Street", "Date": f"{now:%Y-%m-%d}T00:00:00", "GoodsList": []}  # fmt: skip
    state["ghl"]["locations"], state["trackpod"] = [place], {"Order": [native]}
    control(base_url, "PUT", "/state", state)


def configure(env_file: Path) -> None:
    """Take over the env file, with one location and Track-POD as its only target, under `preview`."""
    for line in env_file.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        os.environ[name] = value
    path = Path(os.environ["GHL_PAYMENTS_CONNECTIONS"])
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["locations"] = [document["locations"][0] | {"targets": ["trackpod"]}]
    document["connections"]["trackpod"]["policy"] = "preview"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def plan() -> str:
    """A turn that writes nothing; the location's id."""
    from ghl_payments.commands.loop import run_loop
    from ghl_payments.settings import load_settings

    location_id = load_settings().locations[0].id
    result = run_loop([location_id])
    if result.failures:
        raise RuntimeError(str(result.failures))
    return location_id


async def push(location_id: str) -> tuple[float, dict[str, int]]:
    """Approve everything and push it as a turn would; seconds, and changes by verdict."""
    from ghl_payments.connectors.push import Push
    from ghl_payments.connectors.registry import access_to, describe_target, target_system
    from ghl_payments.settings import load_settings
    from ghl_payments.warehouse import outbox
    from ghl_payments.warehouse.connection import Warehouse

    settings = load_settings()
    connection, location = settings.connection("trackpod"), settings.location(location_id)
    target = replace(describe_target(settings, connection), policy="auto")
    warehouse = Warehouse(settings.warehouse, as_of=settings.now())
    with warehouse.open() as con:
        outbox.plan(con, target, location_id, as_of=settings.now(), turn_id="benchmark")
    connector = target_system(connection).open(access_to(settings, connection, location))
    started = time.perf_counter()
    try:
        result = await Push(
            connector, target, warehouse, settings.landing, location_id, 0.0, settings.home / "locks"
        ).run()  # fmt: skip
    finally:
        await connector.aclose()
    if result.error is not None:
        raise result.error
    return time.perf_counter() - started, result.verdicts


def allowed_seconds(requests: int) -> float:
    """The soonest moment at which so many requests can have left, from empty windows on."""
    sent: list[float] = []
    for number in range(requests):
        waits = [sent[number - limit] + seconds for limit, seconds in WINDOWS if number >= limit]
        sent.append(max([sent[-1] if sent else 0.0, *waits]))
    return sent[-1] if sent else 0.0


def measure(orders: int) -> None:
    """Plan, wait, push, print."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        child, ready = start_sandbox(home)
        try:
            fill(ready["base_url"], datetime.fromisoformat(ready["now"]), orders)
            configure(home / "vendor.env")
            with chdir(home):
                location_id = plan()
                print(f"{orders} orders planned; waiting for empty windows", flush=True)
                time.sleep(WINDOWS[0][1] + 2)
                before = len(control(ready["base_url"], "GET", "/requests"))
                seconds, verdicts = asyncio.run(push(location_id))
            sent = control(ready["base_url"], "GET", "/requests")[before:]
        finally:
            child.terminate()
            child.wait(timeout=30)
    allowed = allowed_seconds(len(sent))
    refused = sum(row["status"] == 429 for row in sent)
    print(f"{verdicts}; {len(sent)} requests, 429s: {refused}")
    print(f"push {seconds:.1f} s, allowed at the soonest {allowed:.1f} s: ratio {seconds / allowed:.3f}")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=400)
    arguments = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, Track-POD at {WINDOWS}")
    measure(arguments.orders)


if __name__ == "__main__":
    main()
