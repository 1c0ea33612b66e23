"""Writes the environment file and `connections.yaml` that point the product at a running sandbox.

The product's settings read these files; which keys exist is decided there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.codec import encode
from ghl_payments.sandbox.limits import LimitsMode, scaled
from ghl_payments.sandbox.vendor import VendorModule
from ghl_payments.sandbox.vendors import vendor_modules
from ghl_payments.sandbox.webhooks import public_pem


def write_env(path: Path, base_url: str, identity: SandboxIdentity, now: str, limits: LimitsMode) -> None:
    """Write `path` and, in `<stem>.d` beside it, `connections.yaml`; warehouse, landing and inbox will be there too.

    Every sandbox with a file of its own so has a home of its own. OSError if a place cannot be written.
    """
    path = path.resolve()
    home = path.parent / f"{path.stem}.d"
    home.mkdir(parents=True, exist_ok=True)
    connections = home / "connections.yaml"
    connections.write_text(_connections(base_url, identity, limits), encoding="utf-8")
    values = _values(base_url, identity, now, home, connections)
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")


def _values(base_url: str, identity: SandboxIdentity, now: str, home: Path, connections: Path) -> Mapping[str, object]:
    tokens = {f"GHL_TOKEN_{n}": location.token for n, location in enumerate(identity.locations, 1)}
    secrets = [module.secrets(identity).values() for module in vendor_modules().values()]
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
        "GHL_PAYMENTS_WEBHOOK_PUBLIC_KEY": public_pem(identity).replace("\n", r"\n"),
        **tokens,
        **{name: value for pairs in secrets for name, value in pairs},
    }


def _connections(base_url: str, identity: SandboxIdentity, limits: LimitsMode) -> str:
    modules = vendor_modules()
    targets = ", ".join(name for name, module in modules.items() if module.is_target)
    locations = "".join(
        f"  - id: {location.id}\n"
        f"    timezone: {location.timezone}\n"
        f"    ghl: {{connection: ghl, token: GHL_TOKEN_{n}}}\n"
        f"    targets: [{targets}]\n"
        for n, location in enumerate(identity.locations, 1)
    )
    connections = "".join(_connection(module, base_url, identity, limits) for module in modules.values())
    return f"version: 1\nconnections:\n{connections}locations:\n{locations}"


def _connection(module: VendorModule, base_url: str, identity: SandboxIdentity, limits: LimitsMode) -> str:
    """One entry; nested values are written as JSON, which is YAML too."""
    values: dict[str, object] = {"system": module.name, "base_url": f"{base_url}/{module.name}"}
    if module.is_target:
        values |= {"live": True, "policy": "auto"}
    credentials = {role: name for role, (name, _) in module.secrets(identity).items()}
    if credentials:
        values |= {"rate": scaled(module.rate, limits).announced(), "credentials": credentials}
    values |= module.connection(identity)
    lines = [
        f"    {name}: {value if isinstance(value, str) else encode(value).decode()}\n" for name, value in values.items()
    ]
    return f"  {module.name}:\n" + "".join(lines)
