"""Track-POD as a system of the sandbox.

Its behaviour stands in the `trackpod*` modules beside this package, its part of the seeded world in `world_trackpod`
and `oracle_trackpod`.
"""

from __future__ import annotations

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.limits import Rate
from ghl_payments.sandbox.oracle_trackpod import judge
from ghl_payments.sandbox.trackpod import TrackpodSandbox
from ghl_payments.sandbox.trackpod_data import ACCOUNT_ZONE
from ghl_payments.sandbox.trackpod_switches import TrackpodSwitches
from ghl_payments.sandbox.vendor import Setting, VendorModule
from ghl_payments.sandbox.world_trackpod import TrackpodWorld


def _key(identity: SandboxIdentity) -> str:
    return identity.secret("trackpod", "api-key")


def _make(setting: Setting) -> TrackpodSandbox:
    return TrackpodSandbox(setting, _key(setting.identity))


def _secrets(identity: SandboxIdentity) -> dict[str, tuple[str, str]]:
    return {"api_key": ("TRACKPOD_API_KEY", _key(identity))}


def _connection(identity: SandboxIdentity) -> Doc:
    return {"options": {"timezone": str(ACCOUNT_ZONE)}}


VENDOR = VendorModule(
    name="trackpod",
    # 400 requests a minute and 20 a second are documented.
    rate=Rate(400, 60, burst=(20, 1)),
    switches=TrackpodSwitches,
    make=_make,
    secrets=_secrets,
    connection=_connection,
    world=TrackpodWorld,
    judge=judge,
)
