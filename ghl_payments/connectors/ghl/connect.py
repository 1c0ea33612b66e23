"""How a location's GHL client and its target connector come out of the settings.

Other ways to sign in are added here; endpoints belong to `client.py`, the loop's view of GHL to `target.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from ghl_payments.connections import Location, SettingsError
from ghl_payments.connectors.access import Access, SetUp
from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.oauth import SignIn, sign_in
from ghl_payments.connectors.ghl.target import GhlTarget
from ghl_payments.settings import Settings
from ghl_payments.transport.budget import RateBudget

CONNECTOR = GhlTarget

SET_UP = SetUp("GHL", "https://services.leadconnectorhq.com", base_url="https://services.leadconnectorhq.com")

VENDOR_REQUESTS, VENDOR_SECONDS = 100, 10.0
"""GHL's documented burst limit for each token and location; its response headers correct it."""


class OPTIONS(BaseModel):
    """Options of a GHL connection that is a target."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notify_customer: bool = False
    """Have GHL mail the customer about each fulfillment that is written."""
    record_cash: bool = False
    """Record cash that was collected at the door as payments of its orders. Nothing can take them back."""


def connect_ghl(settings: Settings, location: Location) -> GhlClient:
    """A client for one location, with its private integration token or its app; SettingsError when one is not set.

    Create it inside the running event loop.
    """
    connection = settings.connection(location.ghl.connection)
    if location.ghl.token is None:
        app = ghl_sign_in(settings, location)
        return GhlClient(connection.base_url, location.id, app.auth(), app.location_budget)
    token = settings.secret(location.ghl.token)
    budget = ghl_budget(settings, location)(f"{location.id}/{token.get_secret_value()}")
    return GhlClient(connection.base_url, location.id, token, budget)


def ghl_sign_in(settings: Settings, location: Location) -> SignIn:
    """How a location signs in with a marketplace app; SettingsError when it has none or a variable is not set."""
    return sign_in(settings, location, ghl_budget(settings, location))


def ghl_budget(settings: Settings, location: Location) -> Callable[[str], RateBudget]:
    """Makes the rate budget of a credential at the location's connection."""
    access = Access(settings, settings.connection(location.ghl.connection))
    name = f"{access.connection.name}/{location.id}"
    return lambda credential: access.budget(credential, requests=VENDOR_REQUESTS, seconds=VENDOR_SECONDS, name=name)


def connect(access: Access) -> GhlTarget:
    """GHL as a target for the location at work; SettingsError without one, as its token is the location's."""
    if access.location is None:
        raise SettingsError(f"connection {access.connection.name}: GHL can be opened for a location only")
    options = access.options if isinstance(access.options, OPTIONS) else OPTIONS()
    client = connect_ghl(access.settings, access.location)
    return GhlTarget(
        client, access.connection.name, notify_customer=options.notify_customer, record_cash=options.record_cash
    )
