"""Act! as a system of the sandbox.

Its behaviour stands in the `act*` modules beside this package.
"""

from __future__ import annotations

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.act import ActSandbox
from ghl_payments.sandbox.act_auth import ActLogin
from ghl_payments.sandbox.act_switches import ActSwitches
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.limits import Rate
from ghl_payments.sandbox.oracle_act import judge
from ghl_payments.sandbox.vendor import Setting, VendorModule
from ghl_payments.sandbox.world_act import ActWorld

HISTORY_TYPE = 1001
"""The database's own history type for payments, where it has no custom tables."""


def _login(identity: SandboxIdentity) -> ActLogin:
    return ActLogin("sandbox-api", identity.secret("act", "password"), f"Sandbox{identity.seed}")


def _make(setting: Setting) -> ActSandbox:
    return ActSandbox(setting, _login(setting.identity))


def _secrets(identity: SandboxIdentity) -> dict[str, tuple[str, str]]:
    login = _login(identity)
    return {
        "user": ("ACT_USER", login.user),
        "password": ("ACT_PASSWORD", login.password),
        "database": ("ACT_DATABASE", login.database),
    }


def _connection(identity: SandboxIdentity) -> Doc:
    return {"options": {"history_type_id": HISTORY_TYPE}}


VENDOR = VendorModule(
    name="act",
    # A limit a minute is announced and no number published; one request a second is what the client allows itself.
    rate=Rate(60, 60),
    switches=ActSwitches,
    make=_make,
    secrets=_secrets,
    connection=_connection,
    world=ActWorld,
    judge=judge,
)
