"""How a location's GHL client and its target connector come out of the settings.

Other ways to sign in are added here; endpoints belong to `client.py`, the loop's view of GHL to `target.py`.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ghl_payments.connections import Location, SettingsError
from ghl_payments.connectors.access import Access
from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.target import GhlTarget
from ghl_payments.settings import Settings

CONNECTOR = GhlTarget

VENDOR_REQUESTS, VENDOR_SECONDS = 100, 10.0
"""GHL's documented burst limit for each token and location; its response headers correct it."""


class OPTIONS(BaseModel):
    """Options of a GHL connection that is a target."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notify_customer: bool = False
    """Have GHL mail the customer about each fulfillment that is written."""


def connect_ghl(settings: Settings, location: Location) -> GhlClient:
    """A client for one location with its private integration token; SettingsError when the token is not set."""
    connection = settings.connection(location.ghl.connection)
    token = settings.secret(location.ghl.token)
    credential = f"{location.id}/{token.get_secret_value()}"
    budget = Access(settings, connection).budget(credential, requests=VENDOR_REQUESTS, seconds=VENDOR_SECONDS)
    return GhlClient(connection.base_url, location.id, token, budget)


def connect(access: Access) -> GhlTarget:
    """GHL as a target for the location at work; SettingsError without one, as its token is the location's."""
    if access.location is None:
        raise SettingsError(f"connection {access.connection.name}: GHL can be opened for a location only")
    options = access.options if isinstance(access.options, OPTIONS) else OPTIONS()
    client = connect_ghl(access.settings, access.location)
    return GhlTarget(client, access.connection.name, notify_customer=options.notify_customer)
