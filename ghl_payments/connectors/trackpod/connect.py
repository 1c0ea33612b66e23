"""How a Track-POD connector comes out of the settings.

Endpoints belong to `client.py`, the loop's view of Track-POD to `connector.py`.
"""

from __future__ import annotations

from ghl_payments.connectors.access import Access, SetUp
from ghl_payments.connectors.trackpod.client import TrackPodClient
from ghl_payments.connectors.trackpod.connector import TrackPodConnector
from ghl_payments.connectors.trackpod.options import TrackPodOptions

CONNECTOR = TrackPodConnector
OPTIONS = TrackPodOptions
SET_UP = SetUp("Track-POD", "https://api.track-pod.com", ("api_key",), base_url="https://api.track-pod.com")

VENDOR_REQUESTS, VENDOR_SECONDS = 400, 60.0
VENDOR_BURST = (20, 1.0)
"""Track-POD's documented limits: 400 requests a minute, and 20 a second within it."""


def connect(access: Access) -> TrackPodConnector:
    """A connector for one account; SettingsError names the environment variable that is missing."""
    key = access.secret("api_key")
    budget = access.budget(key.get_secret_value(), requests=VENDOR_REQUESTS, seconds=VENDOR_SECONDS, burst=VENDOR_BURST)
    options = access.options if isinstance(access.options, TrackPodOptions) else TrackPodOptions()
    client = TrackPodClient(access.connection.base_url, key, budget)
    return TrackPodConnector(client, access.connection.name, options, now=access.settings.now)
