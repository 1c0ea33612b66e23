"""How a Halo connector comes out of the settings.

Endpoints belong to `client.py`, the loop's view of Halo to `connector.py`.
"""

from __future__ import annotations

from ghl_payments.connectors.access import Access
from ghl_payments.connectors.halo.client import HaloClient
from ghl_payments.connectors.halo.connector import HaloConnector

CONNECTOR = HaloConnector

VENDOR_REQUESTS, VENDOR_SECONDS = 300, 300.0
"""The lowest limit that Halo's 429 answers have named; sources disagree, so `rate` in connections.yaml may raise it."""


def connect(access: Access) -> HaloConnector:
    """A connector for one tenant; SettingsError names the environment variable that is missing."""
    client_id = access.secret("client_id")
    budget = access.budget(client_id.get_secret_value(), requests=VENDOR_REQUESTS, seconds=VENDOR_SECONDS)
    tenant = access.optional_secret("tenant")
    client = HaloClient(
        access.connection.base_url,
        tenant.get_secret_value() if tenant else "",
        client_id,
        access.secret("client_secret"),
        budget,
    )
    return HaloConnector(client, access.connection.name)
