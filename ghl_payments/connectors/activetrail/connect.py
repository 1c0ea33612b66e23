"""How an ActiveTrail connector comes out of the settings.

Endpoints belong to `client.py`, the loop's view of ActiveTrail to `connector.py`.
"""

from __future__ import annotations

from ghl_payments.connectors.access import Access, SetUp
from ghl_payments.connectors.activetrail.client import ActiveTrailClient
from ghl_payments.connectors.activetrail.connector import ActiveTrailConnector
from ghl_payments.connectors.activetrail.options import Options

CONNECTOR = ActiveTrailConnector
OPTIONS = Options
SET_UP = SetUp(
    "ActiveTrail", "https://webapi.mymarketing.co.il", ("token",), base_url="https://webapi.mymarketing.co.il"
)

VENDOR_REQUESTS, VENDOR_SECONDS = 20, 10.0
"""ActiveTrail documents no limit: two requests a second are a polite guess, which `rate` of the connection changes."""


def connect(access: Access) -> ActiveTrailConnector:
    """A connector for one account; SettingsError names the environment variable that is missing."""
    token = access.secret("token")
    budget = access.budget(token.get_secret_value(), requests=VENDOR_REQUESTS, seconds=VENDOR_SECONDS)
    options = access.options if isinstance(access.options, Options) else Options()
    return ActiveTrailConnector(
        ActiveTrailClient(access.connection.base_url, token, budget), access.connection.name, options
    )
