"""The receiver under a steady load, with copies, events out of order and forged ones; then killed in the middle.

Run `python benchmarks/webhooks.py [--rate 200] [--seconds 60]` from the repository root; it starts receivers of its own
on loopback, in a temporary folder, and prints figures. Exit code 1 if anything was lost or wrongly taken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402

from ghl_payments_tests.receiver.support import (  # noqa: E402
    LOCATION,
    RunningReceiver,
    events_in,
    order_event,
    signed,
)

FORGER = Ed25519PrivateKey.generate()


@dataclass(frozen=True)
class Delivery:
    """One request: its id, whether it is signed by the right key, and its bytes."""

    webhook_id: str
    genuine: bool
    request: bytes


@dataclass
class Outcome:
    """What came of a load: answers by (genuine, status), times in seconds, ids that got a 200."""

    answers: Counter[tuple[bool, int]] = field(default_factory=Counter)
    answered_in: list[float] = field(default_factory=list)
    late_by: list[float] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)
    accepted_forged: set[str] = field(default_factory=set)


def request_of(body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of one delivery on a connection that stays open."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(["POST /webhooks/ghl HTTP/1.1", "Host: receiver", f"Content-Length: {len(body)}", *lines])
    return f"{head}\r\n\r\n".encode() + body


def make_load(count: int, rng: random.Random) -> list[Delivery]:
    """Deliveries of some 3 kB: 5 % copies of an earlier one, 5 % swapped with a later one, 5 % forged."""
    began, load = datetime.now(UTC), []
    filler = {"contactSnapshot": {"id": "c", "customFields": [{"id": f"f{n}", "value": "x" * 40} for n in range(40)]}}
    for number in range(count):
        chance = rng.random()
        if chance < 0.05 and number > 50:
            genuine = [one for one in load[-2000:] if one.genuine]
            load.append(rng.choice(genuine))
            continue
        at = (began + timedelta(seconds=number / 200)).isoformat()
        body = order_event(_id=f"order{number % 500:019d}", locationId=LOCATION, timestamp=at, **filler)
        forged = chance < 0.10
        headers = signed(body, FORGER) if forged else signed(body)
        load.append(Delivery(json.loads(body)["webhookId"], not forged, request_of(body, headers)))
    for number in range(0, count - 40, 1):
        if rng.random() < 0.05:
            other = number + rng.randrange(1, 40)
            load[number], load[other] = load[other], load[number]
    return load


class Caller:
    """Connections to the receiver that are used again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def call(self, request: bytes) -> int:
        """The status of the answer; ConnectionError when there is none."""
        reader, writer = self._free.pop() if self._free else await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            raise ConnectionError from None
        self._free.append((reader, writer))
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        """Close what is open."""
        for _, writer in self._free:
            writer.close()


async def send(port: int, load: list[Delivery], rate: float, outcome: Outcome) -> None:
    """Send at that rate whether answers come or not."""
    caller, tasks, began = Caller(port), set(), time.perf_counter()

    async def one(delivery: Delivery, due: float) -> None:
        sent = time.perf_counter()
        try:
            status = await caller.call(delivery.request)
        except (ConnectionError, OSError):
            outcome.answers[delivery.genuine, 0] += 1
            return
        outcome.answered_in.append(time.perf_counter() - sent)
        outcome.late_by.append(sent - due)
        outcome.answers[delivery.genuine, status] += 1
        if status == 200:
            (outcome.accepted if delivery.genuine else outcome.accepted_forged).add(delivery.webhook_id)

    for number, delivery in enumerate(load):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(delivery, due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    caller.close()


def resident_mb(pid: int) -> float:
    """Memory of that process in MB."""
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """User and system time of that process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    cuts = statistics.quantiles(seconds, n=1000)
    return {
        "p50_ms": round(cuts[499] * 1e3, 2),
        "p99_ms": round(cuts[989] * 1e3, 2),
        "max_ms": round(max(seconds) * 1e3, 2),
    }


async def soak(folder: Path, rate: float, seconds: float, rng: random.Random) -> dict[str, Any]:
    """The steady load; what was lost or wrongly taken must be zero."""
    load = make_load(int(rate * seconds), rng)
    receiver, outcome = RunningReceiver(folder), Outcome()
    await send(receiver.port, make_load(200, rng), rate, Outcome())
    pid, memory = receiver.process.pid, []
    started, cpu = time.perf_counter(), cpu_seconds(pid)

    async def watch() -> None:
        while True:
            memory.append(round(resident_mb(pid), 1))
            await asyncio.sleep(seconds / 6)

    watching = asyncio.create_task(watch())
    await send(receiver.port, load, rate, outcome)
    watching.cancel()
    took, cpu = time.perf_counter() - started, cpu_seconds(pid) - cpu
    memory.append(round(resident_mb(pid), 1))
    receiver.stop()
    lines = Counter(event.delivery_id for event in events_in(receiver.inbox))
    genuine = {one.webhook_id for one in load if one.genuine}
    forged = {one.webhook_id for one in load if not one.genuine}
    copies = sum(one.genuine for one in load) - len(genuine)
    return {
        "sent": len(load), "rate": round(len(load) / took, 1), "copies": copies, "forged": len(forged),
        "answers": {f"{'genuine' if ours else 'forged'} {status}": n for (ours, status), n in outcome.answers.items()},
        "lost": len(genuine - lines.keys()), "twice": sum(lines[one] > 1 for one in genuine),
        "wrongly_taken": len(forged & lines.keys()) + len(outcome.accepted_forged),
        "answer": quantiles(outcome.answered_in), "client_late": quantiles(outcome.late_by),
        "memory_mb": memory, "cpu_share": round(cpu / took, 3),
    }  # fmt: skip


async def kill(folder: Path, rate: float, rng: random.Random) -> dict[str, Any]:
    """SIGKILL after three seconds of the load; all that got a 200 must be there."""
    receiver, outcome = RunningReceiver(folder), Outcome()
    sending = asyncio.create_task(send(receiver.port, make_load(int(rate * 6), rng), rate, outcome))
    await asyncio.sleep(3 + rng.random())
    receiver.process.kill()
    await sending
    receiver.stop()
    kept = {event.delivery_id for event in events_in(receiver.inbox)}
    return {
        "accepted": len(outcome.accepted),
        "unanswered": outcome.answers[True, 0],
        "lost": len(outcome.accepted - kept),
    }


def fsync_ms(folder: Path) -> dict[str, float]:
    """What the disk itself takes for a line of that size: the floor of every answer."""
    descriptor, times = os.open(folder / "probe", os.O_CREAT | os.O_WRONLY | os.O_APPEND), []
    for _ in range(500):
        os.write(descriptor, b"x" * 3000)
        began = time.perf_counter()
        os.fdatasync(descriptor)
        times.append(time.perf_counter() - began)
    os.close(descriptor)
    return quantiles(times)


def main() -> int:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        report: dict[str, Any] = {"load_average": os.getloadavg(), "disk_fdatasync": fsync_ms(Path(folder))}
        report["soak"] = asyncio.run(soak(Path(folder) / "soak", options.rate, options.seconds, rng))
        report["kills"] = [asyncio.run(kill(Path(folder) / f"kill{n}", options.rate, rng)) for n in range(2)]
    print(json.dumps(report, indent=2))
    wrong = [report["soak"][name] for name in ("lost", "twice", "wrongly_taken")]
    return int(any(wrong) or any(one["lost"] for one in report["kills"]))


if __name__ == "__main__":
    sys.exit(main())
