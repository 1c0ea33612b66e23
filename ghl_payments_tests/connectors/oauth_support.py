"""Locations that sign in with a marketplace app: settings, first tokens, processes of their own, a proxy with gates."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ghl_payments.commands.consent import Report, run_connect
from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.connect import connect_ghl, ghl_sign_in
from ghl_payments.connectors.ghl.oauth import STORE
from ghl_payments.settings import Settings, load_settings
from ghl_payments.transport.errors import ApiError
from ghl_payments.transport.token_store import StoredToken, TokenStore
from ghl_payments_tests.loopback import Loopback, Reply, Request, loopback
from ghl_payments_tests.running_sandbox import ROOT, RunningSandbox

Result = TypeVar("Result")
SCOPES = "payments/orders.readonly payments/transactions.readonly payments/subscriptions.readonly payments/integration.readonly"


@dataclass
class Shop:
    """One installation that reads the sandbox's locations with its app, through `base_url`."""

    sandbox: RunningSandbox
    env: dict[str, str]

    @property
    def settings(self) -> Settings:
        return load_settings(self.env)

    @property
    def location_id(self) -> str:
        return self.sandbox.location_id()

    @property
    def path(self) -> Path:
        return self.settings.home / STORE

    @property
    def store(self) -> TokenStore:
        return TokenStore(self.path)

    @property
    def key(self) -> str:
        """Of the tokens that rotate."""
        settings = self.settings
        return ghl_sign_in(settings, settings.locations[0]).pair_key

    @property
    def token(self) -> StoredToken:
        token = self.store.get(self.key)
        assert token is not None
        return token

    def connect(self, location: int = 0) -> Report:
        """Connect with a code as the consent page gives it."""
        settings = self.settings
        app = settings.locations[location].ghl.oauth
        assert app is not None
        agency = app.user_type == "Company"
        place = self.sandbox.location_id(location)
        code = self.sandbox.oauth_code("agency" if agency else place, f"{SCOPES} oauth.write")
        return run_connect(settings, place, answer=code, listen=None, wait=1, tell=lambda _: None, prompt=None)

    def age(self, seconds: float, key: str | None = None) -> StoredToken:
        """Let the stored token end in so many seconds."""
        token = self.store.get(key or self.key)
        assert token is not None
        now = time.time()
        aged = msgspec.structs.replace(token, obtained_at=now + seconds - 86_400, expires_at=now + seconds)
        self.store.put(key or self.key, aged)
        return aged

    def use(self, work: Callable[[GhlClient], Awaitable[Result]], location: int = 0) -> Result:
        """Run `work` with a client that signs in as a run would."""
        return asyncio.run(self.with_client(work, location))

    async def with_client(self, work: Callable[[GhlClient], Awaitable[Result]], location: int = 0) -> Result:
        settings = self.settings
        client = connect_ghl(settings, settings.locations[location])
        try:
            return await work(client)
        finally:
            await client.aclose()

    def rows(self, location: int = 0) -> int | None:
        """How many orders the location has, read with its app."""
        return self.use(count, location)

    def refreshes(self) -> int:
        """How many requests for tokens the sandbox has seen."""
        return len([row for row in self.sandbox.requests() if row["path"] == "/oauth/token"])


async def count(client: GhlClient) -> int | None:
    """The number of orders."""
    return (await client.probe("orders")).rows


def shop(
    sandbox: RunningSandbox, folder: Path, *, base_url: str = "", user_type: str = "Location", **changed: str
) -> Shop:
    """An installation in `folder`; `changed` replaces variables."""
    base = base_url or f"{sandbox.base_url}/ghl"
    oauth = f"{{client_id: GHL_CLIENT_ID, client_secret: GHL_CLIENT_SECRET, user_type: {user_type}}}"
    places = "".join(
        f"  - {{id: {place['id']}, timezone: UTC, ghl: {{connection: ghl, oauth: {oauth}}}}}\n"
        for place in sandbox.ready["systems"]["ghl"]["locations"]
    )
    path = folder / "connections.yaml"
    path.write_text(
        f"version: 1\nconnections:\n  ghl: {{system: ghl, base_url: {base}}}\nlocations:\n{places}", encoding="utf-8"
    )
    app = sandbox.ready["systems"]["ghl"]["oauth"]
    env = {
        "GHL_PAYMENTS_CONNECTIONS": str(path), "GHL_PAYMENTS_HOME": str(folder / "home"),
        "GHL_CLIENT_ID": app["client_id"], "GHL_CLIENT_SECRET": app["client_secret"],
    }  # fmt: skip
    return Shop(sandbox, env | changed)


async def reader(installed: Shop) -> asyncio.subprocess.Process:
    """A process that reads the first location once and prints what came of it."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("GHL_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, env=own | installed.env | {"PYTHONPATH": str(ROOT)}, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def told(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """What a reader printed, once it has ended."""
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    answer: dict[str, Any] = json.loads(out)
    return answer


@dataclass
class Gate:
    """Holds the requests of one path: before they reach the sandbox, or its answers on their way back."""

    path: str
    answers: bool
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    passed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Proxy:
    """Between an installation and the sandbox."""

    sandbox: RunningSandbox
    base_url: str = ""
    gate: Gate | None = None
    gates: list[Gate] = field(default_factory=list)
    server: Loopback | None = None

    def shut(self, path: str, *, answers: bool) -> Gate:
        """Hold what follows."""
        self.gate = Gate(path, answers)
        self.gates.append(self.gate)
        return self.gate

    async def handle(self, request: Request) -> Reply:
        gate = self.gate if self.gate is not None and request.path.endswith(self.gate.path) else None
        if gate is not None and not gate.answers:
            gate.reached.set()
            await gate.opened.wait()
        reply = await asyncio.to_thread(self._pass, request)
        if gate is not None:
            if gate.answers:
                gate.reached.set()
                await gate.opened.wait()
            gate.passed.set()
        return reply

    def _pass(self, request: Request) -> Reply:
        headers = {n: v for n, v in request.headers.items() if n in {"authorization", "version", "content-type"}}
        answer = self.sandbox.http.request(
            request.method, f"/ghl{request.path}", params=dict(request.query), headers=headers, content=request.body
        )
        return Reply(answer.content, answer.status_code)


@asynccontextmanager
async def proxy(sandbox: RunningSandbox) -> AsyncIterator[Proxy]:
    """A proxy that lets everything pass until it is given a gate."""
    between = Proxy(sandbox)
    async with loopback(between.handle) as server:
        between.server, between.base_url = server, server.base_url
        try:
            yield between
        finally:
            for gate in between.gates:  # of processes that are gone
                gate.opened.set()


def _main() -> None:
    settings = load_settings()

    async def read() -> int | None:
        client = connect_ghl(settings, settings.locations[0])
        try:
            return await count(client)
        finally:
            await client.aclose()

    try:
        print(json.dumps({"rows": asyncio.run(read())}))
    except ApiError as error:
        print(json.dumps({"error": type(error).__name__, "text": str(error)}))


if __name__ == "__main__":
    _main()
