"""ActiveTrail as a system of the sandbox.

Its behaviour stands in the `activetrail*` modules beside this package, its part of the seeded world in
`world_activetrail` and `oracle_activetrail`.
"""

from __future__ import annotations

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.activetrail import ActiveTrailSandbox
from ghl_payments.sandbox.activetrail_lists import ActiveTrailSwitches
from ghl_payments.sandbox.limits import Rate
from ghl_payments.sandbox.oracle_activetrail import judge
from ghl_payments.sandbox.vendor import Setting, VendorModule
from ghl_payments.sandbox.world_activetrail import ActiveTrailWorld


def _token(identity: SandboxIdentity) -> str:
    return identity.secret("activetrail", "token")


def _make(setting: Setting) -> ActiveTrailSandbox:
    return ActiveTrailSandbox(setting, _token(setting.identity))


def _secrets(identity: SandboxIdentity) -> dict[str, tuple[str, str]]:
    return {"token": ("ACTIVETRAIL_TOKEN", _token(identity))}


VENDOR = VendorModule(
    name="activetrail",
    # ActiveTrail documents none; two requests a second are what the client allows itself.
    rate=Rate(20, 10),
    switches=ActiveTrailSwitches,
    make=_make,
    secrets=_secrets,
    world=ActiveTrailWorld,
    judge=judge,
)
