"""Sends webhooks as a vendor does: to whoever subscribed, with retries, and on demand doubled, late, unsigned or not.

The signing key and the sender of all systems stand here; what an event says belongs to its vendor's modules.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ghl_payments.domain.sandbox_identity import SandboxIdentity

logger = logging.getLogger(__name__)

TRIES = 13
"""The first one, and the twelve retries that GHL's guide speaks of."""

_TRIES_OF = {"trackpod": 6}
"""Systems that give up sooner: Track-POD retries five times."""

_FIRST_PAUSE, _LONGEST_PAUSE, _ANSWER_SECONDS = 0.05, 2.0, 10.0
_GATHERING_SECONDS = 0.1

Sign = Callable[[bytes], Mapping[str, str]]
"""Body -> the headers that prove it."""


def signing_key(identity: SandboxIdentity) -> Ed25519PrivateKey:
    """The Ed25519 key of one sandbox, the same for the same seed."""
    return Ed25519PrivateKey.from_private_bytes(
        hashlib.sha256(identity.secret("ghl", "webhook-key", 64).encode()).digest()
    )


def public_pem(identity: SandboxIdentity) -> str:
    """The public half as PEM text, lines ended by newlines."""
    return signing_key(identity).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signature(key: Ed25519PrivateKey, body: bytes) -> str:
    """The value of `X-GHL-Signature`: base64 over the raw bytes."""
    return base64.b64encode(key.sign(body)).decode()


class Subscription(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where a system's events go, and what trouble they meet on the way.

    `copies` is how often each is sent; `reverse` gathers what happens at once and sends the newest first;
    `drop_every` n loses each nth; `signature` replaces the true one, by `N/A` or by anything else ("" for no header);
    `seconds` is how long each waits before it is sent for the first time.
    """

    system: str
    url: str
    copies: int = 1
    reverse: bool = False
    drop_every: int = 0
    signature: str | None = None
    seconds: float = 0.0


class Sent(msgspec.Struct):
    """One event on its way to one subscriber; `status` is that of the last try, 0 for no answer."""

    seq: int
    system: str
    event: str
    delivery_id: str
    url: str
    tries: int = 0
    status: int = 0
    outcome: str = "waiting"


class WebhookSender:
    """All subscriptions and what was sent to them, newest last; works on the running event loop."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.log: list[Sent] = []
        self._seen: dict[str, int] = {}
        self._gathered: dict[str, list[Callable[[], None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def subscribe(self, subscription: Subscription) -> None:
        """Send a system's events there from now on, and nowhere else."""
        parts = urlsplit(subscription.url)
        if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost"):
            msg = "the sandbox sends to plain http on loopback only"
            raise ValueError(msg)
        self.subscriptions[subscription.system] = subscription

    def clear(self) -> None:
        """No subscriptions, nothing under way, an empty log."""
        for task in self._tasks:
            task.cancel()
        self.subscriptions.clear()
        self._gathered.clear()
        self._seen.clear()
        self.log = []

    def send(self, system: str, event: str, delivery_id: str, body: bytes, sign: Sign | None = None) -> None:
        """Send one event to the system's subscriber, if there is one; returns at once."""
        target = self.subscriptions.get(system)
        if target is None:
            return
        count = self._seen[system] = self._seen.get(system, 0) + 1
        headers = _headers(target, body, sign)
        for copy in range(max(1, target.copies)):
            row = Sent(len(self.log) + 1, system, event, delivery_id, target.url)
            self.log.append(row)
            if target.drop_every and count % target.drop_every == 0:
                row.outcome = "dropped"
                continue
            self._start(target, row, body, headers, gather=target.reverse and copy == 0)

    def _start(self, target: Subscription, row: Sent, body: bytes, headers: dict[str, str], *, gather: bool) -> None:
        def begin() -> None:
            self._keep(asyncio.get_running_loop().create_task(self._deliver(target, row, body, headers)))

        if not gather:
            begin()
            return
        waiting = self._gathered.setdefault(target.system, [])
        waiting.append(begin)
        if len(waiting) == 1:
            self._keep(asyncio.get_running_loop().create_task(self._release(target.system)))

    async def _release(self, system: str) -> None:
        await asyncio.sleep(_GATHERING_SECONDS)
        for begin in reversed(self._gathered.pop(system, [])):
            begin()
            await asyncio.sleep(0.02)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, target: Subscription, row: Sent, body: bytes, headers: dict[str, str]) -> None:
        await asyncio.sleep(target.seconds)
        pause = _FIRST_PAUSE
        while row.tries < _TRIES_OF.get(row.system, TRIES):
            row.tries += 1
            row.status = await asyncio.to_thread(_post, target.url, body, headers)
            if 200 <= row.status < 300:
                row.outcome = "delivered"
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        row.outcome = "given_up"


def _headers(target: Subscription, body: bytes, sign: Sign | None) -> dict[str, str]:
    proof = dict(sign(body)) if sign is not None else {}
    if target.signature is not None:
        proof = dict.fromkeys(proof, target.signature) if target.signature else {}
    return {"Content-Type": "application/json", **proof}


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=_ANSWER_SECONDS)
    try:
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def shown(sender: WebhookSender) -> dict[str, Any]:
    """What `GET /_sandbox/webhooks` answers."""
    return {
        "subscriptions": [msgspec.to_builtins(subscription) for subscription in sender.subscriptions.values()],
        "sent": [msgspec.to_builtins(row) for row in sender.log],
    }
