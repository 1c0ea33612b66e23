"""How a Halo connector comes out of the settings.

Endpoints belong to `client.py`, the loop's view of Halo to `connector.py`.
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ghl_payments.connectors.access import Access, SetUp
from ghl_payments.connectors.halo.client import HaloClient
from ghl_payments.connectors.halo.connector import HaloConnector
from ghl_payments.connectors.halo.resources import RESOURCES

CONNECTOR = HaloConnector

SET_UP = SetUp("Halo", "https://YOUR-TENANT.halopsa.com", ("tenant", "client_id", "client_secret"))

VENDOR_REQUESTS, VENDOR_SECONDS = 300, 300.0
"""The lowest limit that Halo's 429 answers have named; sources disagree, so `rate` in connections.yaml may raise it."""


class OPTIONS(BaseModel):
    """Options of a Halo connection: custom fields of sales orders in which Halo's people note a delivery.

    Without `delivery_tracking_field` nothing is delivered; with it, its text flows into GHL as a tracking number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    delivery_tracking_field: str | None = Field(default=None, min_length=1)
    delivery_carrier_field: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _are_theirs(self) -> Self:
        ours = {name.casefold() for name in RESOURCES["sales_order"].custom.values()}
        for option in ("delivery_tracking_field", "delivery_carrier_field"):
            name = getattr(self, option)
            if name is not None and name.casefold() in ours:
                # What we write ourselves would come back as if somebody had delivered it.
                msg = f"{option}: {name} is written by ghl_payments; name a field that your own people fill"
                raise ValueError(msg)
        if self.delivery_carrier_field and not self.delivery_tracking_field:
            msg = "delivery_carrier_field needs delivery_tracking_field: a delivery is known by its tracking number"
            raise ValueError(msg)
        if self.delivery_carrier_field and self.delivery_carrier_field == self.delivery_tracking_field:
            msg = "delivery_carrier_field and delivery_tracking_field must be two fields"
            raise ValueError(msg)
        return self


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
