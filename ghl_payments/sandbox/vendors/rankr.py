"""The receiver of signed events as a system of the sandbox.

Its behaviour stands in the `rankr*` modules beside this package, its part of the seeded world in `world_rankr` and
`oracle_rankr`.
"""

from __future__ import annotations

from ghl_payments.domain.sandbox_identity import SandboxIdentity, rankr_target
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.limits import Rate
from ghl_payments.sandbox.oracle_rankr import judge
from ghl_payments.sandbox.rankr import RankrSandbox, RankrSwitches
from ghl_payments.sandbox.vendor import Setting, VendorModule
from ghl_payments.sandbox.world_rankr import RankrWorld


def _make(setting: Setting) -> RankrSandbox:
    secrets = {role: value for role, (_, value) in _secrets(setting.identity).items()}
    return RankrSandbox(setting, secrets, secrets["read_token"])


def _secrets(identity: SandboxIdentity) -> dict[str, tuple[str, str]]:
    return rankr_target(identity).secrets


def _connection(identity: SandboxIdentity) -> Doc:
    return {"options": dict(rankr_target(identity).options)}


VENDOR = VendorModule(
    name="rankr",
    rate=Rate(600, 60),
    switches=RankrSwitches,
    make=_make,
    secrets=_secrets,
    connection=_connection,
    world=RankrWorld,
    judge=judge,
)
