"""What a person says about a Track-POD account in `options:` of its connection; no request can find these out.

Add an option when accounts differ in something that the API does not tell.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ghl_payments.domain.money import CURRENCY_EXPONENTS
from ghl_payments.domain.time_zones import ZoneName


class TrackPodOptions(BaseModel):
    """`timezone` is the account's: dates and times of the API have no offset.

    `currency` is what its drivers collect; without it every order is taken to be in its own. `deliver_days`: orders
    older than that are not newly sent to drivers. A reading covers order and route dates from `scan_days` ago to
    `days_ahead`. `force_update` also writes orders that the driver has processed; `notify_customers` leaves
    Track-POD's messages to the customer of a new order to the account's own settings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: ZoneName = "UTC"
    currency: str | None = None
    deliver_days: Annotated[int, Field(ge=1, le=365)] = 30
    scan_days: Annotated[int, Field(ge=1, le=730)] = 90
    days_ahead: Annotated[int, Field(ge=0, le=365)] = 14
    force_update: bool = False
    notify_customers: bool = False

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str | None) -> str | None:
        if value is not None and value not in CURRENCY_EXPONENTS:
            msg = f"{value!r} is no ISO 4217 currency such as EUR"
            raise ValueError(msg)
        return value
