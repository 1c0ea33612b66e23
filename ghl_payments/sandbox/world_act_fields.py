"""Custom fields and tables of a seeded Act! database, as the connector would have set them up.

Add a field here when the mapping writes one more; the names agree with the connector's defaults.
"""

from __future__ import annotations

from collections.abc import Mapping

from ghl_payments.sandbox.act_schema import column, default_columns
from ghl_payments.sandbox.act_state import PAYMENT_TABLE, SUBSCRIPTION_TABLE
from ghl_payments.sandbox.codec import Doc

CONTACT = {"ghl_key": 80, "ghl_location": 40}
OPPORTUNITY = {
    "ghl_key": 80, "ghl_location": 40, "ghl_status": 64, "ghl_payment_status": 64, "ghl_amount": 32, "ghl_currency": 3,
    "ghl_subscription_status": 128, "ghl_fulfillment_status": 64,
}  # fmt: skip
_MEMOS = ("ghl_tracking", "ghl_fulfillments")
_DATES = ("ghl_shipped_at", "ghl_updated_at")
_FALLBACK = {"ghl_plan": 128, "ghl_billing_interval": 32}
_FALLBACK_DATES = ("ghl_cancelled_at", "ghl_next_billing_at")
_TABLES: Mapping[str, tuple[Mapping[str, int], tuple[str, ...], tuple[str, ...]]] = {
    PAYMENT_TABLE: (
        {"GHL_ID": 80, "GHL_LOCATION": 40, "CURRENCY": 3, "STATUS": 64, "METHOD": 64, "REFERENCE": 128},
        ("AMOUNT", "REFUNDED"),
        ("PAID_AT", "UPDATED_AT"),
    ),
    SUBSCRIPTION_TABLE: (
        {"GHL_ID": 80, "GHL_LOCATION": 40, "CURRENCY": 3, "STATUS": 64, "PLAN": 128, "BILLING_INTERVAL": 32},
        ("AMOUNT",),
        ("STARTS_AT", "ENDS_AT", "CANCELLED_AT", "NEXT_BILLING_AT", "UPDATED_AT"),
    ),
}

ODD_COLUMN = "CUST_GHLTRACKING_0713"
"""The internal name of `ghl_tracking`: people see another name than records show."""


def columns(*, tables: bool) -> list[Doc]:
    """Every custom field and column of the database."""
    made = default_columns()
    for record_type, texts in (("Contact", CONTACT), ("Opportunity", OPPORTUNITY)):
        made += [column(record_type, name, "Character", length=length) for name, length in texts.items()]
    made += [column("Opportunity", name, "Memo") for name in _MEMOS]
    made += [column("Opportunity", name, "DateTime") for name in _DATES]
    if not tables:
        made += [column("Opportunity", name, "Character", length=length) for name, length in _FALLBACK.items()]
        made += [column("Opportunity", name, "DateTime") for name in _FALLBACK_DATES]
    for table, (columns, numbers, dates) in _TABLES.items() if tables else ():
        made += [column(table, name, "Character", length=length) for name, length in columns.items()]
        made += [column(table, name, "Decimal", precision=18, scale=4) for name in numbers]
        made += [column(table, name, "DateTime") for name in dates]
    for field in made:
        if field["name"] == "ghl_tracking":
            field["columnName"] = ODD_COLUMN
    return made


def entities(*, tables: bool) -> list[Doc]:
    """The database's custom tables."""
    return [
        {"id": name.lower(), "name": name, "displayName": name.replace("_", " ").title(), "isCustom": True,
         "recordType": name, "parents": ["Contacts", "Opportunities"]}
        for name in (_TABLES if tables else ())
    ]  # fmt: skip
