"""How a location's GHL client comes out of the settings.

Other ways to sign in are added here; endpoints belong to `client.py`.
"""

from __future__ import annotations

from ghl_payments.connections import Location
from ghl_payments.connectors.access import Access
from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.settings import Settings

VENDOR_REQUESTS, VENDOR_SECONDS = 100, 10.0
"""GHL's documented burst limit for each token and location; its response headers correct it."""


def connect_ghl(settings: Settings, location: Location) -> GhlClient:
    """A client for one location with its private integration token; SettingsError when the token is not set."""
    connection = settings.connection(location.ghl.connection)
    token = settings.secret(location.ghl.token)
    credential = f"{location.id}/{token.get_secret_value()}"
    budget = Access(settings, connection).budget(credential, requests=VENDOR_REQUESTS, seconds=VENDOR_SECONDS)
    return GhlClient(connection.base_url, location.id, token, budget)
