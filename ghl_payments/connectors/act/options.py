"""What a user may say about an Act! database in `options:` of its connection: names of fields and tables, history type.

Add an option when databases differ in what no request can find out; what requests find out is a capability.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ghl_payments.connectors.act.fields import OWNERS, known_fields


class ActOptions(BaseModel):
    """`fields` maps our names to Act!'s, by contact, opportunity, payment, subscription.

    Act!'s may be display, field or column names. `create_missing` lets a run that may write create fields and tables;
    `history_type_id` is the type under which payments stand as history where the account has no custom tables;
    `source` is what opportunities of ours say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: dict[str, dict[str, str]] = Field(default_factory=dict)
    payment_table: str = Field(default="GHL_PAYMENT", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,26}$")
    subscription_table: str = Field(default="GHL_SUBSCRIPTION", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,26}$")
    create_missing: bool = True
    history_type_id: int | None = Field(default=None, ge=0)
    source: str = Field(default="GoHighLevel", min_length=1)

    @field_validator("fields")
    @classmethod
    def _known(cls, value: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for owner, names in value.items():
            if owner not in OWNERS:
                msg = f"{owner!r} has no fields of ours; there are: {', '.join(OWNERS)}"
                raise ValueError(msg)
            for name in names:
                if name not in known_fields(owner):
                    msg = f"{owner} has no field {name!r}; its fields: {', '.join(known_fields(owner))}"
                    raise ValueError(msg)
        return value
