"""What a person chooses for one ActiveTrail account: the group, the zone of its days, and the slots of contact fields.

Add a choice here when accounts differ in something that no probe can find out.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ghl_payments.domain.time_zones import ZoneName

TextSlot = Annotated[str, Field(pattern="^ext([1-9]|1[0-9]|2[0-5])$")]
NumberSlot = Annotated[str, Field(pattern="^num[1-5]$")]
DateSlot = Annotated[str, Field(pattern="^date[1-5]$")]

MAX_NUMBER = 2**31 - 1
"""ActiveTrail's number slots are 32-bit integers; what does not fit stands in a text slot only."""

DEFAULT_ZONE = "Asia/Jerusalem"
"""The vendor's dates have no zone; Israel's is the likely one, and days are compared as a whole."""


class Options(BaseModel):
    """The `options` of an ActiveTrail connection. A slot is one of the account's free contact fields.

    `label_prefix` begins the labels of slots that are ours; `write_sms` also writes the phone as the mobile number of
    contacts that have an e-mail address; `orders_per_run` bounds how many unchanged orders a reading asks for again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: Annotated[str, Field(min_length=1)] = "GHL payments"
    external_name: Annotated[str, Field(min_length=1)] = "ghl"
    time_zone: ZoneName = DEFAULT_ZONE
    label_prefix: Annotated[str, Field(min_length=1)] = "GHL"
    write_sms: bool = False
    orders_per_run: Annotated[int, Field(ge=0)] | None = None
    slot_contact_key: TextSlot = "ext25"
    slot_location: TextSlot = "ext24"
    slot_last_order: TextSlot = "ext23"
    slot_billing_status: TextSlot = "ext22"
    slot_currency: TextSlot = "ext21"
    slot_lifetime_text: TextSlot = "ext20"
    slot_amount_due_text: TextSlot = "ext19"
    slot_order_count: NumberSlot = "num5"
    slot_lifetime: NumberSlot = "num4"
    slot_amount_due: NumberSlot = "num3"
    slot_last_order_date: DateSlot = "date5"
    slot_next_billing: DateSlot = "date4"
    slot_first_order_date: DateSlot = "date3"

    @model_validator(mode="after")
    def _slots_differ(self) -> Self:
        taken: dict[str, str] = {}
        for option, slot in self.slots.items():
            if slot in taken:
                msg = f"{option} and {taken[slot]} are both {slot}; every slot holds one thing"
                raise ValueError(msg)
            taken[slot] = option
        return self

    @property
    def slots(self) -> dict[str, str]:
        """Option name -> slot, for all slots."""
        return {name: getattr(self, name) for name in type(self).model_fields if name.startswith("slot_")}


SLOT_OF_FIELD = {
    "last_order_id": "slot_last_order",
    "billing_status": "slot_billing_status",
    "currency": "slot_currency",
    "lifetime_text": "slot_lifetime_text",
    "amount_due_text": "slot_amount_due_text",
    "order_count": "slot_order_count",
    "lifetime": "slot_lifetime",
    "amount_due": "slot_amount_due",
    "last_order_date": "slot_last_order_date",
    "next_billing_date": "slot_next_billing",
    "first_order_date": "slot_first_order_date",
}
"""Canonical field of a contact -> the option that names its slot."""
