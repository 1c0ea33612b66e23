"""How a toy connector comes out of the settings."""

from __future__ import annotations

from ghl_payments.connectors.toy.connector import ToyConnector

from ghl_payments.connectors.access import Access

CONNECTOR = ToyConnector


def connect(access: Access) -> ToyConnector:
    """A connector for one account."""
    token = access.secret("token")
    budget = access.budget(token.get_secret_value(), requests=10, seconds=1.0)
    return ToyConnector(access.connection.base_url, token, budget, access.connection.name)
