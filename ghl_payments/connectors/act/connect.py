"""How an Act! connector comes out of the settings.

Endpoints belong to `client.py`, the loop's view of Act! to `connector.py`.
"""

from __future__ import annotations

from ghl_payments.connectors.access import Access, SetUp
from ghl_payments.connectors.act.client import ActClient
from ghl_payments.connectors.act.connector import ActConnector
from ghl_payments.connectors.act.options import ActOptions

CONNECTOR = ActConnector
OPTIONS = ActOptions
SET_UP = SetUp("Act!", "https://apius.act.com/act.web.api", ("user", "password", "database"))

VENDOR_REQUESTS, VENDOR_SECONDS = 60, 60.0
"""Act! announces a limit a minute and publishes no number: one request a second until its headers say otherwise."""


def connect(access: Access) -> ActConnector:
    """A connector for one database; SettingsError names the environment variable that is missing."""
    user = access.secret("user").get_secret_value()
    database = access.secret("database").get_secret_value()
    budget = access.budget(f"{database}/{user}", requests=VENDOR_REQUESTS, seconds=VENDOR_SECONDS)
    client = ActClient(access.connection.base_url, database, user, access.secret("password"), budget)
    options = access.options if isinstance(access.options, ActOptions) else ActOptions()
    return ActConnector(client, access.connection.name, options)
