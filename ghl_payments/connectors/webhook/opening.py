"""How a connector of a preset comes out of the settings: secrets, the rate budget, and the guard of its addresses.

A credential that receivers ask for in a further way belongs here.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import SecretStr

from ghl_payments.connectors.access import Access
from ghl_payments.connectors.webhook.connector import WebhookConnector
from ghl_payments.connectors.webhook.options import Options
from ghl_payments.connectors.webhook.reading import Reader, header_of
from ghl_payments.connectors.webhook.signing import read_secret
from ghl_payments.transport.addresses import AddressGuard
from ghl_payments.transport.budget import RateBudget
from ghl_payments.transport.exchange import Timeouts
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.retry import RetryPolicy

Preset = TypeVar("Preset", bound=WebhookConnector)

REQUESTS, SECONDS = 10, 1.0
"""No receiver is known beforehand; `rate` of the connection says what this one takes."""

QUICK = RetryPolicy(tries=3, max_seconds=30.0, base=0.5, cap=5.0, retry_after_cap=10.0, refused_base=1.0)
"""Attempts within a push; what takes longer waits for a later one."""

PATIENCE = Timeouts(connect=5.0, read=20.0, total=20.0)


def is_signed(access: Access) -> bool:
    """Whether events to this receiver are signed, so that there must be a secret."""
    return _options(access).signing != "none"


def open_webhook(access: Access, preset: type[Preset], secret: SecretStr | None) -> Preset:
    """A connector of this preset; SettingsError names the credential that is missing or malformed."""
    options = _options(access)
    name, base = access.connection.name, access.connection.base_url
    keys = []
    if secret is not None:
        keys.append(read_secret(secret, "secret", name))
        previous = access.optional_secret("previous_secret")
        if previous is not None:
            keys.append(read_secret(previous, "previous_secret", name))
    guard = AddressGuard(allow_private=options.allow_private)
    budget = access.budget(name, requests=REQUESTS, seconds=SECONDS)
    http = HttpClient(
        preset.system, base, None, budget, timeouts=PATIENCE, retry=QUICK, rules="webhook", guard=guard
    )  # fmt: skip
    return preset(http, _reader(access, options, preset.system, budget, guard), keys, name, options)


def _options(access: Access) -> Options:
    return access.options if isinstance(access.options, Options) else Options()


def _reader(access: Access, options: Options, system: str, budget: RateBudget, guard: AddressGuard) -> Reader | None:
    if options.read_back is None:
        return None
    headers, auth = {}, options.read_back.auth
    if auth is not None:
        user = access.secret(auth.user_role) if auth.type == "basic" else None
        header = header_of(auth, access.secret(auth.role), user)
        headers[header.name] = header.value.get_secret_value()
    base = access.connection.base_url
    return Reader(HttpClient(system, base, None, budget, headers=headers, guard=guard), base, options.read_back)
