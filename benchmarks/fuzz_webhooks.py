"""Requests that no sender should send, many of them: the receiver must answer, go on, and take nothing that is forged.

Run `python benchmarks/fuzz_webhooks.py [--requests 50000] [--seed 7]` from the repository root; it starts a receiver of
its own on loopback, in a temporary folder. Exit code 1 after a crash, a 5xx, or a line that should not be there.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.webhooks import FORGER, request_of, resident_mb  # noqa: E402
from ghl_payments_tests.receiver.support import (  # noqa: E402
    HOOK_SECRET,
    RunningReceiver,
    events_in,
    legacy_signed,
    order_event,
    signed,
)

AT_ONCE = 48
PATIENCE = 0.25
"""Seconds that an answer is waited for; a request that is not whole gets none."""

Made = tuple[bytes, str | None]
"""The bytes to send, and the id of the delivery if the receiver must take it."""


def genuine(rng: random.Random) -> Made:
    """An event as GHL sends it, by either header."""
    body = order_event(note="x" * rng.randrange(2000))
    return request_of(body, signed(body) if rng.random() < 0.8 else legacy_signed(body)), json.loads(body)["webhookId"]


def forged(rng: random.Random) -> Made:
    """An event with a signature that is wrong in some way."""
    body = order_event()
    right = signed(body)["X-GHL-Signature"]
    value = rng.choice([
        signed(body, FORGER)["X-GHL-Signature"], right[:-4], right.swapcase(), "N/A", "", "A" * rng.randrange(5000),
        base64.b64encode(rng.randbytes(64)).decode(), right.replace(right[0], "-"), f"{right},{right}", "\x80" * 9,
    ])  # fmt: skip
    return request_of(body, {rng.choice(["X-GHL-Signature", "X-WH-Signature", "X-Webhook-Secret"]): value}), None


def flipped(rng: random.Random) -> Made:
    """A genuine body with bits turned after it was signed."""
    body = order_event()
    headers, bad = signed(body), bytearray(body)
    for _ in range(rng.randrange(1, 5)):
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
    if bytes(bad) == body:
        bad += b" "
    return request_of(bytes(bad), headers), None


def mangled(rng: random.Random) -> Made:
    """A forged request cut, doubled or scribbled upon anywhere, its head too."""
    sent = bytearray(forged(rng)[0])
    for _ in range(rng.randrange(1, 8)):
        at = rng.randrange(len(sent))
        action = rng.randrange(4)
        if action == 0:
            sent[at] = rng.randrange(256)
        elif action == 1:
            del sent[at : at + rng.randrange(1, 30)]
        elif action == 2:
            sent[at:at] = rng.randbytes(rng.randrange(1, 30))
        else:
            sent[at:at] = sent[at : at + 200]
        sent = sent or bytearray(b"x")
    return bytes(sent), None


def noise(rng: random.Random) -> Made:
    """Bytes that are no HTTP."""
    start = rng.choice([b"", b"POST ", b"POST /webhooks/ghl HTTP/1.1\r\n", b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\n"])
    return start + rng.randbytes(rng.randrange(400)), None


def odd_heads(rng: random.Random) -> Made:
    """Heads with lengths, encodings and methods that contradict each other."""
    lines = [rng.choice([
        "Content-Length: 5", "Content-Length: -1", "Content-Length: 99999999999999999999", "Content-Length: 5, 5",
        "Content-Length: 7", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Expect: 100-continue",
        "Connection: close", "Connection: upgrade", "Upgrade: websocket", "Host: other", "Content-Encoding: gzip",
        f"X-Webhook-Secret: {'s' * rng.randrange(3000)}", f"X-{'y' * rng.randrange(3000)}: z", ": empty", "no colon",
    ]) for _ in range(rng.randrange(8))]  # fmt: skip
    method = rng.choice(["POST", "GET", "HEAD", "PUT", "TRACE", "CONNECT", "post", "P\u00d6ST", ""])
    path = rng.choice([
        "/webhooks/ghl", "/webhooks/ghl/", "/healthz", "*", "/webhooks/parcels/" + HOOK_SECRET[:-1], "/%2e%2e/etc",
        "http://other/webhooks/ghl", "/webhooks/%ff%fe/%00", "/" * 2000, "/webhooks/ghl?x=" + "q" * 3000, "",
    ])  # fmt: skip
    body = rng.choice(
        [b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFF\r\n", b"zz\r\n", b"", b"0\r\n" + b"T: r\r\n" * 300]
    )
    version = rng.choice(["1.1", "1.1", "1.0", "2.0", "9"])
    return "\r\n".join([f"{method} {path} HTTP/{version}", *lines, "", ""]).encode() + body, None


def odd_documents(rng: random.Random) -> Made:
    """Signed bodies that are no event as documented; all of them are kept."""

    def value(depth: int = 0) -> Any:
        kinds: list[Callable[[], Any]] = [
            lambda: None, lambda: rng.random() * 1e300, lambda: rng.getrandbits(rng.randrange(1, 200)), lambda: "",
            lambda: "".join(map(chr, rng.choices(range(1, 0xD7FF), k=9))), lambda: "2026-99-99T00:00:00Z", lambda: True,
        ]  # fmt: skip
        if depth < 4:
            kinds += [lambda: [value(depth + 1) for _ in range(3)], lambda: {"id": value(depth + 1), "Event": value(4)}]
        return rng.choice(kinds)()

    names = ["type", "timestamp", "locationId", "altId", "altType", "location", "_id", "id", "Metadata", "Data"]
    unique = f"fuzz-{rng.getrandbits(64):x}"
    document = {name: value() for name in rng.sample(names, rng.randrange(len(names)))} | {"webhookId": unique}
    body = json.dumps(document, ensure_ascii=rng.random() < 0.5).encode()
    return request_of(body, signed(body)), unique


def too_large(rng: random.Random) -> Made:
    """Bodies beyond the limit."""
    body = rng.randbytes(1) * rng.randrange(1_048_577, 1_400_000)
    return request_of(body, signed(b"") if rng.random() < 0.5 else {}), None


KINDS: list[tuple[int, Callable[[random.Random], Made]]] = [
    (10, genuine), (20, forged), (15, flipped), (20, mangled), (10, noise), (15, odd_heads), (10, odd_documents),
]  # fmt: skip
RARE = 0.002


async def answer_of(port: int, sent: bytes) -> int:
    """The first status that comes back: 0 for a closed connection, -1 for silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        head = await asyncio.wait_for(reader.readline(), PATIENCE if len(sent) < 100_000 else 5)
        return int(head.split(b" ", 2)[1]) if head else 0
    except TimeoutError:
        return -1
    except ConnectionError:
        return 0
    finally:
        writer.close()


async def fuzz(
    port: int, requests: int, rng: random.Random
) -> tuple[dict[str, Counter[int]], set[str], set[str], float]:
    """Send them; statuses by kind, ids that may and that must be in the inbox, the slowest answer of the health."""
    seen: dict[str, Counter[int]] = {make.__name__: Counter() for _, make in KINDS} | {"too_large": Counter()}
    genuine_ids: set[str] = set()
    wanted: set[str] = set()
    gate = asyncio.Semaphore(AT_ONCE)
    slowest = 0.0

    async def one(make: Callable[[random.Random], Made]) -> None:
        nonlocal genuine_ids
        try:
            sent, taken = make(rng)
            genuine_ids |= {taken} if taken else set()
            status = await answer_of(port, sent)
            seen[make.__name__][status] += 1
            if taken and status == 200:
                wanted.add(taken)
        finally:
            gate.release()

    async with asyncio.TaskGroup() as group:
        for number in range(requests):
            await gate.acquire()
            make = too_large if rng.random() < RARE else rng.choices([m for _, m in KINDS], [w for w, _ in KINDS])[0]
            group.create_task(one(make))
            if number % 500 == 0:
                began = time.perf_counter()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.1 200")
                writer.close()
                slowest = max(slowest, time.perf_counter() - began)
    return seen, genuine_ids, wanted, slowest


def main() -> int:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        receiver = RunningReceiver(Path(folder))
        before, began = resident_mb(receiver.process.pid), time.perf_counter()
        seen, genuine_ids, wanted, slowest = asyncio.run(
            fuzz(receiver.port, options.requests, random.Random(options.seed))
        )
        took, alive = time.perf_counter() - began, receiver.process.poll() is None
        after = resident_mb(receiver.process.pid) if alive else 0.0
        ended = receiver.stop()
        output = receiver.output
        kept = [event.delivery_id for event in events_in(receiver.inbox)]
    statuses = sum(seen.values(), Counter[int]())
    # From a first traceback on everything is shown; the receiver's own lines about itself, otherwise.
    errors = output[output.find("Traceback") :].splitlines() if "Traceback" in output else []
    errors += [line for line in output.splitlines() if "error of the receiver" in line or "without an answer" in line]
    answered = sum(seen[name][200] for name in ("forged", "flipped", "noise", "mangled", "too_large"))
    refused = sum(n for name in ("genuine", "odd_documents") for status, n in seen[name].items() if status > 200)
    report = {
        "requests": sum(statuses.values()), "seconds": round(took, 1), "alive": alive, "exit_code": ended,
        "server_errors": sum(n for status, n in statuses.items() if status >= 500),
        "own_errors_logged": errors[:40],
        "secrets_logged": output.count(HOOK_SECRET[:-1]),
        "lost": len(wanted - set(kept)), "twice": len(kept) - len(set(kept)),
        "wrongly_taken": answered + len(set(kept) - genuine_ids), "wrongly_refused": refused,
        "lines": len(kept), "slowest_health_ms": round(slowest * 1e3, 1),
        "memory_mb": [round(before, 1), round(after, 1)],
        "answers": {name: {str(s): n for s, n in sorted(counts.items())} for name, counts in seen.items()},
    }  # fmt: skip
    print(json.dumps(report, indent=2))
    bad = ("server_errors", "own_errors_logged", "secrets_logged", "lost", "twice", "wrongly_taken", "wrongly_refused")
    return int(not alive or ended != 0 or any(report[name] for name in bad))


if __name__ == "__main__":
    sys.exit(main())
