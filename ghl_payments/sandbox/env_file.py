"""Writes the environment file and `connections.yaml` that point the product at a running sandbox.

The product's settings read these files; which keys exist is decided there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.limits import Rate


def write_env(path: Path, base_url: str, identity: SandboxIdentity, now: str, halo_rate: Rate) -> None:
    """Write `path` and, in `<stem>.d` beside it, `connections.yaml`; warehouse, landing and inbox will be there too.

    Every sandbox with a file of its own so has a home of its own. OSError if a place cannot be written.
    """
    path = path.resolve()
    home = path.parent / f"{path.stem}.d"
    home.mkdir(parents=True, exist_ok=True)
    connections = home / "connections.yaml"
    connections.write_text(_connections(base_url, identity, halo_rate), encoding="utf-8")
    values = _values(base_url, identity, now, home, connections)
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")


def _values(base_url: str, identity: SandboxIdentity, now: str, home: Path, connections: Path) -> Mapping[str, object]:
    tokens = {f"GHL_TOKEN_{n}": location.token for n, location in enumerate(identity.locations, 1)}
    return {
        "GHL_PAYMENTS_CONNECTIONS": connections,
        "GHL_PAYMENTS_HOME": home,
        "GHL_PAYMENTS_WAREHOUSE": home / "ghl_payments.duckdb",
        "GHL_PAYMENTS_REPORTS": home / "ghl_payments_reports.duckdb",
        "GHL_PAYMENTS_LANDING": home / "landing",
        "GHL_PAYMENTS_INBOX": home / "inbox",
        "GHL_PAYMENTS_AS_OF": now,
        "GHL_PAYMENTS_SETTLE_SECONDS": 0,
        "GHL_PAYMENTS_SANDBOX_URL": base_url,
        **tokens,
        "HALO_TENANT": identity.halo_tenant,
        "HALO_CLIENT_ID": identity.halo_client_id,
        "HALO_CLIENT_SECRET": identity.halo_client_secret,
    }


def _connections(base_url: str, identity: SandboxIdentity, halo_rate: Rate) -> str:
    locations = "".join(
        f"  - id: {location.id}\n"
        f"    timezone: {location.timezone}\n"
        f"    ghl: {{connection: ghl, token: GHL_TOKEN_{n}}}\n"
        "    targets: [halo]\n"
        for n, location in enumerate(identity.locations, 1)
    )
    return (
        "version: 1\n"
        "connections:\n"
        "  ghl:\n"
        "    system: ghl\n"
        f"    base_url: {base_url}/ghl\n"
        "  halo:\n"
        "    system: halo\n"
        f"    base_url: {base_url}/halo\n"
        "    live: true\n"
        "    policy: auto\n"
        f"    rate: {{requests: {halo_rate.requests}, seconds: {halo_rate.seconds}}}\n"
        "    credentials: {tenant: HALO_TENANT, client_id: HALO_CLIENT_ID, client_secret: HALO_CLIENT_SECRET}\n"
        "locations:\n" + locations
    )
