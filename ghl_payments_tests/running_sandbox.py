"""Real sandboxes for tests: separate processes on loopback, used again after a reset because starting costs time.

Tests get them through the `sandbox` fixture; what a sandbox can do is in its own documentation.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from ghl_payments.domain.sandbox_identity import sandbox_identity
from ghl_payments.sandbox.codec import decode, encode
from ghl_payments.sandbox.env_file import write_env

ROOT = Path(__file__).parents[1]

Options = tuple[int, int, str, tuple[str, ...]]
"""Seed, orders, limits and switches that a sandbox was started with."""


def start_process(*options: object) -> subprocess.Popen[str]:
    """`python -m ghl_payments.sandbox.server` with these options; its ready line is on stdout."""
    command = [sys.executable, "-m", "ghl_payments.sandbox.server", *map(str, options)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)


def loopback_client(base_url: str, headers: dict[str, str] | None = None) -> httpx.Client:
    """A client for plain HTTP on loopback; TLS certificates, which it never needs, would cost more than the test."""
    return httpx.Client(base_url=base_url, headers=headers, timeout=30, verify=False, trust_env=False)


class RunningSandbox:
    """One sandbox process and its control API.

    `ready` is the ready line, `base_url` its address, `http` a client without any credentials; `env` holds the
    variables of an env file of this test's own.
    """

    def __init__(self, seed: int, orders: int, limits: str, switches: tuple[str, ...] = ()) -> None:
        self.seed = seed
        words = [word for switch in switches for word in ("--switch", switch)]
        self.process = start_process("--port", 0, "--seed", seed, "--orders", orders, "--limits", limits, *words)
        assert self.process.stdout is not None
        self.ready: dict[str, Any] = msgspec.json.decode(self.process.stdout.readline())
        self.base_url: str = self.ready["base_url"]
        self.env: dict[str, str] = {}
        self.http = loopback_client(self.base_url)

    def write_env(self, folder: Path) -> None:
        """Fill `env` from an env file in this folder, so that no two tests share a warehouse."""
        path = folder / "sandbox.env"
        write_env(path, self.base_url, sandbox_identity(self.seed), self.ready["now"], self.ready["limits"])
        self.env = dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())

    def control(self, method: str, path: str, value: Any = None) -> Any:
        """One call of the control API; httpx.HTTPStatusError unless it answers 2xx."""
        answer = self.http.request(method, f"/_sandbox{path}", content=None if value is None else encode(value))
        answer.raise_for_status()
        return decode(answer.content)

    def state(self) -> dict[str, Any]:
        """The whole state; numbers with decimals are Decimal."""
        state: dict[str, Any] = self.control("GET", "/state")
        return state

    def put_state(self, state: dict[str, Any]) -> None:
        """Load another state; Decimal is fine."""
        self.control("PUT", "/state", state)

    def fault(self, kind: str, **parameters: Any) -> dict[str, Any]:
        """Put a fault in force, e.g. `fault("status", status=503, system="halo", times=2)`."""
        fault: dict[str, Any] = self.control("POST", "/faults", {"fault": kind, **parameters})
        return fault

    def clear_faults(self) -> None:
        """End all faults."""
        self.control("DELETE", "/faults")

    def switches(self, **values: Any) -> dict[str, Any]:
        """Set the given switches; answers all."""
        switches: dict[str, Any] = self.control("PUT", "/switches", values)
        return switches

    def effects(self) -> list[dict[str, Any]]:
        """Writes that took effect."""
        effects: list[dict[str, Any]] = self.control("GET", "/effects")
        return effects

    def requests(self) -> list[dict[str, Any]]:
        """Requests to the vendors."""
        requests: list[dict[str, Any]] = self.control("GET", "/requests")
        return requests

    def answer_key(self) -> list[dict[str, Any]]:
        """The diffs that a first turn must report."""
        key: list[dict[str, Any]] = self.control("GET", "/answer-key")
        return key

    def reset(self) -> None:
        """Back to the seeded world."""
        self.control("POST", "/reset")

    def ghl(self, n: int = 0) -> httpx.Client:
        """A client with the token of the nth location; the caller closes it, or leaves that to the process's end."""
        token = self.ready["systems"]["ghl"]["locations"][n]["token"]
        headers = {"Authorization": f"Bearer {token}", "Version": "2021-07-28"}
        return loopback_client(f"{self.base_url}/ghl", headers)

    def halo(self, scope: str = "all") -> httpx.Client:
        """A client that is signed in to Halo."""
        halo = self.ready["systems"]["halo"]
        form = {
            "grant_type": "client_credentials",
            "client_id": halo["client_id"],
            "client_secret": halo["client_secret"],
            "scope": scope,
        }
        answer = self.http.post("/halo/auth/token", params={"tenant": halo["tenant"]}, data=form)
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return loopback_client(f"{self.base_url}/halo", headers)

    def oauth_code(self, choice: str, scopes: str) -> str:
        """An authorisation code as the consent page gives it for a location's id or `agency`; it works once."""
        asked = {
            "response_type": "code",
            "client_id": self.ready["systems"]["ghl"]["oauth"]["client_id"],
            "redirect_uri": "https://shop.example.com/callback",
            "scope": scopes,
            "choice": choice,
        }
        answer = self.http.get("/ghl/v2/oauth/chooselocation", params=asked)
        return str(httpx.URL(answer.headers["location"]).params["code"])

    def location_id(self, n: int = 0) -> str:
        """The id of the nth location."""
        location_id: str = self.ready["systems"]["ghl"]["locations"][n]["id"]
        return location_id

    def running(self) -> bool:
        """Whether the process is still there."""
        return self.process.poll() is None

    def stop(self) -> None:
        """End the process and wait for it."""
        self.http.close()
        if self.running():
            self.process.terminate()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


class SandboxPool:
    """Sandboxes by what they were started with; a free one is reset and used again."""

    def __init__(self) -> None:
        self._free: dict[Options, list[RunningSandbox]] = {}

    def take(self, seed: int, orders: int, limits: str, switches: tuple[str, ...] = ()) -> RunningSandbox:
        """A sandbox in the state of its seed that nobody else uses."""
        free = self._free.get((seed, orders, limits, switches))
        return free.pop() if free else RunningSandbox(seed, orders, limits, switches)

    def give_back(self, taken: Sequence[tuple[Options, RunningSandbox]]) -> None:
        """Reset sandboxes for the next test; stopped ones are forgotten."""
        for options, sandbox in taken:
            if sandbox.running():
                sandbox.reset()
                self._free.setdefault(options, []).append(sandbox)

    def stop(self) -> None:
        """End all processes."""
        for sandboxes in self._free.values():
            for sandbox in sandboxes:
                sandbox.stop()
