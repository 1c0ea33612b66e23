"""Runs a sandbox: world, listening socket, ready line, and a stop within a second of SIGINT or SIGTERM.

Command line options belong to `ghl_payments.cli`; this module's own `main` is for use without it.
"""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from ghl_payments.domain.sandbox_identity import (
    DEFAULT_NOW,
    DEFAULT_ORDERS,
    DEFAULT_PORT,
    DEFAULT_SEED,
    sandbox_identity,
)
from ghl_payments.sandbox.app import SandboxApp
from ghl_payments.sandbox.clock import SandboxClock
from ghl_payments.sandbox.codec import Doc, encode
from ghl_payments.sandbox.env_file import write_env as write_env_file
from ghl_payments.sandbox.ghl_auth import oauth_code
from ghl_payments.sandbox.limits import LimitsMode, scaled
from ghl_payments.sandbox.stores import Stores
from ghl_payments.sandbox.switches import SwitchError, read_switch
from ghl_payments.sandbox.vendors import vendor_modules
from ghl_payments.sandbox.world import generate


def serve(
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    seed: int = DEFAULT_SEED,
    orders: int = DEFAULT_ORDERS,
    limits: LimitsMode = "scaled",
    now: datetime = DEFAULT_NOW,
    write_env: Path | None = None,
    *,
    switches: Mapping[str, Any] | None = None,
) -> None:
    """Serve until stopped. Prints the ready line once the port is listened on.

    OSError if the port is taken, SwitchError for a switch that is unknown or cannot have that value.
    """
    stores = build_stores(seed, orders, limits, now, switches)
    listener = socket.create_server((host, port), backlog=512)
    base_url = f"http://{host}:{listener.getsockname()[1]}"
    if write_env is not None:
        write_env_file(write_env, base_url, stores.identity, stores.clock.text(), limits)
    # The world lives as long as the process: without it the collector would walk it again and again.
    gc.collect()
    gc.freeze()
    _run(stores, listener, lambda: print(encode(ready_line(stores, base_url)).decode(), flush=True))


def build_stores(
    seed: int, orders: int, limits: LimitsMode, now: datetime, switches: Mapping[str, Any] | None = None
) -> Stores:
    """A sandbox with the world of this seed, not yet listening; no orders make it empty but for its locations.

    SwitchError names a switch that is unknown or cannot have that value.
    """
    stores = Stores(sandbox_identity(seed), SandboxClock(now), limits, seed, switches)
    if orders:
        world = generate(seed, orders, now, switches=stores.switches.parts)
        stores.seed(world.state, world.answer_key)
    else:
        stores.seed({"ghl": {"locations": [{} for _ in stores.identity.locations]}}, [])
    return stores


def ready_line(stores: Stores, base_url: str) -> Doc:
    """What a client has to know: addresses, credentials, limits, the frozen time."""
    systems: Doc = {}
    for name, module in vendor_modules().items():
        secrets = {role: value for role, (_, value) in module.secrets(stores.identity).items()}
        rate = scaled(module.rate, stores.limits).announced()
        systems[name] = {"base_url": f"{base_url}/{name}", **secrets, "rate": rate}
    systems["ghl"] |= _ghl_access(stores)
    return {
        "ready": True,
        "base_url": base_url,
        "now": stores.clock.text(),
        "limits": stores.limits,
        "systems": systems,
    }


def _ghl_access(stores: Stores) -> Doc:
    identity = stores.identity
    return {
        "locations": [
            {
                "id": location.id,
                "timezone": location.timezone,
                "token": location.token,
                "oauth_code": oauth_code(location.id),
            }
            for location in identity.locations
        ],
        "oauth": {"client_id": identity.oauth_client_id, "client_secret": identity.oauth_client_secret},
    }


class _Server(uvicorn.Server):
    """Announces itself when it listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def _run(stores: Stores, listener: socket.socket, announce: Callable[[], None]) -> None:
    # A cancelled latency fault is no error worth a traceback, hence no logging at all.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
    config = uvicorn.Config(
        SandboxApp(stores),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=0,
        timeout_keep_alive=60,
    )
    server = _Server(config, announce)

    def stop(*_: object) -> None:
        # uvicorn raises a signal it was stopped by once more when it is done; by then there is nothing left to stop.
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: list[str] | None = None) -> None:
    """`python -m ghl_payments.sandbox.server`, with the options of `ghl-payments sandbox`."""
    parser = argparse.ArgumentParser(prog="ghl_payments.sandbox.server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--orders", type=int, default=DEFAULT_ORDERS)
    parser.add_argument("--limits", choices=("scaled", "vendor"), default="scaled")
    parser.add_argument("--now", type=_instant, default=DEFAULT_NOW)
    parser.add_argument("--write-env", type=Path)
    parser.add_argument("--switch", action="append", default=[], dest="switches", metavar="NAME=VALUE")
    options = vars(parser.parse_args(arguments))
    try:
        serve(**options | {"switches": dict(map(read_switch, options["switches"]))})
    except SwitchError as error:
        parser.error(str(error))


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


if __name__ == "__main__":
    main(sys.argv[1:])
