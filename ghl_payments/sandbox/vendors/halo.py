"""Halo as a system of the sandbox.

Its behaviour stands in the `halo*` modules beside this package, its part of the seeded world in `world*`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.halo import HaloSandbox
from ghl_payments.sandbox.limits import Rate
from ghl_payments.sandbox.oracle_deliveries import CARRIER_FIELD, TRACKING_FIELD
from ghl_payments.sandbox.oracle_ghl import Ledgers
from ghl_payments.sandbox.oracle_halo_account import judge_halo
from ghl_payments.sandbox.oracle_rows import Row
from ghl_payments.sandbox.switches import Switches
from ghl_payments.sandbox.vendor import Setting, VendorModule


def _make(setting: Setting) -> HaloSandbox:
    return HaloSandbox(setting.identity, setting.rate, setting.switches, setting.clock)


def _secrets(identity: SandboxIdentity) -> dict[str, tuple[str, str]]:
    return {
        "tenant": ("HALO_TENANT", identity.halo_tenant),
        "client_id": ("HALO_CLIENT_ID", identity.halo_client_id),
        "client_secret": ("HALO_CLIENT_SECRET", identity.halo_client_secret),
    }


def _connection(identity: SandboxIdentity) -> Doc:
    return {"options": {"delivery_tracking_field": TRACKING_FIELD, "delivery_carrier_field": CARRIER_FIELD}}


def _judge(state: Doc, books: Mapping[str, Ledgers], now: datetime, switches: Any) -> list[Row]:
    return list(judge_halo(state, books, now))


VENDOR = VendorModule(
    name="halo",
    # Halo's own 429 text names 300 requests in a rolling 5 minute window.
    rate=Rate(300, 300),
    switches=Switches,
    make=_make,
    secrets=_secrets,
    connection=_connection,
    judge=_judge,
)
