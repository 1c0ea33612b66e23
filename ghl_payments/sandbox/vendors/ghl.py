"""GHL as a system of the sandbox: the source, and a target of deliveries and providers.

Its behaviour stands in the `ghl*` modules beside this package, its part of the seeded world in `world*`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.ghl import GhlSandbox
from ghl_payments.sandbox.limits import Rate
from ghl_payments.sandbox.oracle_ghl import Ledgers
from ghl_payments.sandbox.oracle_invariants import judge_invariants
from ghl_payments.sandbox.oracle_rows import Row
from ghl_payments.sandbox.switches import Switches
from ghl_payments.sandbox.vendor import Setting, VendorModule


def _make(setting: Setting) -> GhlSandbox:
    return GhlSandbox(setting.identity, setting.rate, setting.switches, setting.clock)


def _secrets(identity: SandboxIdentity) -> dict[str, tuple[str, str]]:
    return {}


def _judge(state: Doc, books: Mapping[str, Ledgers], now: datetime, switches: Any) -> list[Row]:
    return list(judge_invariants(books, now))


VENDOR = VendorModule(
    name="ghl",
    # 100 requests in 10 s and 200,000 a day for each app and location are documented.
    rate=Rate(100, 10, 200_000),
    switches=Switches,
    make=_make,
    secrets=_secrets,
    judge=_judge,
)
