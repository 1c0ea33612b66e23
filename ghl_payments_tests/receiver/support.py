"""A real receiver for tests: keys made here, a process of its own on loopback, and what its inbox holds."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ghl_payments.domain.inbox import InboxEvent, decode_lines
from ghl_payments_tests.running_sandbox import ROOT, loopback_client

KEY = Ed25519PrivateKey.generate()
LEGACY_KEY = generate_private_key(65537, 2048)
LOCATION = "LOCATION1"
HOOK_SECRET = "hook-secret-that-nobody-may-ever-see"
SIGNING_KEY = "signing-key-that-nobody-may-ever-see"
HMAC_HEADER = "X-Example-Signature"
CONNECTIONS = f"""\
version: 1
connections:
  ghl: {{system: ghl, base_url: https://ghl.example.com, credentials: {{webhook_secret: GHL_HOOK_SECRET}}}}
  parcels: {{system: trackpod, base_url: https://trackpod.example.com, credentials: {{webhook_secret: PARCELS_SECRET}}}}
  signed:
    system: trackpod
    base_url: https://trackpod.example.com
    credentials: {{webhook_secret: PARCELS_SECRET, webhook_signing_key: PARCELS_SIGNING_KEY}}
  mails: {{system: activetrail, base_url: https://mails.example.com, credentials: {{webhook_secret: MAILS_SECRET}}}}
locations:
  - {{id: {LOCATION}, timezone: Europe/Berlin, ghl: {{connection: ghl, token: GHL_TOKEN_1}}}}
"""


def public_pem(key: Any) -> str:
    """The public half as PEM text with escaped line ends, as it stands in an env file."""
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode().replace("\n", "\\n")


def environment(folder: Path, **values: str) -> dict[str, str]:
    """The variables of a receiver whose home is in that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    connections = folder / "connections.yaml"
    connections.write_text(CONNECTIONS, encoding="utf-8")
    own = {
        "GHL_PAYMENTS_CONNECTIONS": str(connections),
        "GHL_PAYMENTS_HOME": str(folder / "home"),
        "GHL_PAYMENTS_WEBHOOK_PUBLIC_KEY": public_pem(KEY),
        "GHL_PAYMENTS_WEBHOOK_LEGACY_KEY": public_pem(LEGACY_KEY),
        "GHL_PAYMENTS_WEBHOOK_HMAC_HEADER": HMAC_HEADER,
        "PARCELS_SIGNING_KEY": SIGNING_KEY,
    }
    return own | dict.fromkeys(("GHL_HOOK_SECRET", "PARCELS_SECRET", "MAILS_SECRET"), HOOK_SECRET) | values


def order_event(event: str = "OrderStatusUpdate", **values: Any) -> bytes:
    """A signed event's body: flat, with the fields that GHL adds at delivery."""
    document = {
        "type": event,
        "locationId": LOCATION,
        "_id": "order0000000000000000001",
        "status": "completed",
        "amount": 150.1,
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "webhookId": str(uuid.uuid4()),
        **values,
    }
    return json.dumps({name: value for name, value in document.items() if value is not None}).encode()


def signed(body: bytes, key: Ed25519PrivateKey = KEY) -> dict[str, str]:
    """The current header."""
    return {"X-GHL-Signature": base64.b64encode(key.sign(body)).decode()}


def legacy_signed(body: bytes) -> dict[str, str]:
    """The legacy header."""
    return {"X-WH-Signature": base64.b64encode(LEGACY_KEY.sign(body, PKCS1v15(), SHA256())).decode()}


def events_in(inbox: Path) -> list[InboxEvent]:
    """All complete lines, in the order of files and lines; a line that is no event is an error."""
    events: list[InboxEvent] = []
    for path in sorted(inbox.glob("*.ndjson")):
        decoded = decode_lines(path.read_bytes(), 0)
        assert not decoded.poison
        events += [event for _, event in decoded.events]
    return events


class NotStartedError(Exception):
    """The process ended without listening; the text is what it said."""


class RunningReceiver:
    """One `ghl-payments webhooks` process; `http` keeps its connections, `output` is all that it has printed."""

    def __init__(self, folder: Path, **values: str) -> None:
        env = environment(folder, **values)
        self.inbox = folder / "home" / "inbox"
        self._out = (folder / f"out-{uuid.uuid4()}").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ghl_payments.cli", "--verbose", "webhooks", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=self._out,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        )
        assert self.process.stdout is not None
        self.printed = self.process.stdout.readline()
        if not self.printed:
            said = self.output
            self._end()
            raise NotStartedError(said)
        self.ready: dict[str, Any] = json.loads(self.printed)
        self.base_url: str = self.ready["base_url"]
        self.port = int(self.base_url.rpartition(":")[2])
        self.http = loopback_client(self.base_url)

    @property
    def output(self) -> str:
        """Both streams so far."""
        return getattr(self, "printed", "") + Path(self._out.name).read_text(encoding="utf-8")

    def post(self, body: bytes, headers: dict[str, str] | None = None, path: str = "/webhooks/ghl") -> httpx.Response:
        """One delivery."""
        return self.http.post(path, content=body, headers=headers)

    def deliver(self, body: bytes, path: str = "/webhooks/ghl") -> httpx.Response:
        """One event signed as GHL does now."""
        return self.post(body, signed(body), path)

    def events(self) -> list[InboxEvent]:
        """What the inbox holds."""
        return events_in(self.inbox)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal the process and wait; its exit code."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.printed += self.process.stdout.read()
        self.process.stdout.close()
        self._out.close()
        return code
