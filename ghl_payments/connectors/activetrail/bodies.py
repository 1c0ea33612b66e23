"""What is written to ActiveTrail: canonical fields turned into contacts and commerce orders. Pure, no requests.

Nothing here can send a message or change whether somebody is subscribed: no status, no campaign, no automation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ghl_payments.connectors.activetrail.client import SYSTEM
from ghl_payments.connectors.activetrail.options import MAX_NUMBER, SLOT_OF_FIELD, Options
from ghl_payments.connectors.activetrail.shapes import Doc, folded
from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.domain.keys import parse_key
from ghl_payments.domain.money import MoneyError, major_decimal
from ghl_payments.transport.errors import Rejected

Body = dict[str, Any]

PERSON = {"email": "email", "first_name": "first_name", "last_name": "last_name", "phone": "phone1"}
"""Canonical field of a contact -> its property; written when the contact is created, never afterwards."""

DATES = ("anniversary", "birthday", *(f"date{n}" for n in range(1, 6)))
OWN_FIELDS = (
    "email", "sms", "first_name", "last_name", "city", "fax", "phone1", "phone2", "street", "zip_code", *DATES,
    *(f"ext{n}" for n in range(1, 26)), *(f"num{n}" for n in range(1, 6)),
)  # fmt: skip
"""Everything of a contact that may be written back as it was read; its subscription is not among it."""

ORDER_TEXTS = {
    "order_name": "orderName",
    "contact_id": "externalId",
    "purchase_type": "purchaseType",
    "status": "ext1",
    "currency": "ext2",
    "payment_status": "ext3",
    "fulfillment_status": "ext4",
    "tracking": "ext5",
    "charge_id": "ext6",
    "subscription_ids": "ext7",
    "subscription_status": "ext8",
}
ORDER_AMOUNTS = {"total": "totalAmount", "net": "netAmount", "tax": "tax"}
ORDER_NUMBERS = {"paid": "num1", "refunded": "num2"}
ORDER_DAYS = {"purchase_date": "purchaseDate", "update_date": "lastUpdate"}
ADDRESS = {"firstName": "first_name", "lastName": "last_name", "email": "email", "mobile": "sms"}
"""An order's property -> that of its contact."""

LOCATION_SLOT, HASH_SLOT = "ext9", "ext10"

PUT_NAMES = {
    name: name.lower()
    for name in (
        "externalId", "externalName", "firstName", "lastName", "netAmount", "totalAmount", "purchaseDate", "lastUpdate",
        "purchaseType", "storeId",
    )
}  # fmt: skip
"""The PUT's documentation spells these in lower case, the POST's does not."""

ORDER_FIELDS = (
    "orderName", "externalId", "externalName", "firstName", "lastName", "email", "mobile", "netAmount", "tax",
    "totalAmount", "quantity", "coupon", "address", "city", "url", "products", "purchaseDate", "lastUpdate",
    "purchaseType", "storeId", "locationType", *(f"ext{n}" for n in range(1, 11)), *(f"num{n}" for n in range(1, 6)),
    *(f"date{n}" for n in range(1, 4)),
)  # fmt: skip
"""All that an order has beside its id; a PUT sends what stands there along, as it may replace the whole."""


def refusal(record: DesiredRecord, why: str) -> Rejected:
    """A Rejected for what cannot even be asked; `why` names fields or ids, never a person's data."""
    path = "/api/commerce/Order" if record.record_type == "commerce_order" else "/api/groups/members"
    return Rejected(system=SYSTEM, method="POST", path=path, remedy=f"{record.key}: {why} Nothing was sent.")


def slot_values(record: DesiredRecord, options: Options, names: Iterable[str]) -> Body:
    """The slots of some roll-up fields; an empty value clears its slot."""
    found: Body = {}
    for name in names:
        if name in SLOT_OF_FIELD:
            slot = str(getattr(options, SLOT_OF_FIELD[name]))
            found[slot] = _typed(slot, record.fields.get(name), record)
    return found


def own_slots(record: DesiredRecord, options: Options) -> Body:
    """Key, location and every roll-up field."""
    place: Body = {options.slot_contact_key: record.key, options.slot_location: record.location_id}
    return place | slot_values(record, options, record.fields)


def person(record: DesiredRecord, options: Options) -> Body:
    """Who the contact is. Its mobile number is its identity only without an e-mail address: two contacts may share one.

    Rejected when it has neither, as ActiveTrail wants one of them.
    """
    found: Body = {name: record.fields[key] for key, name in PERSON.items() if record.fields.get(key)}
    phone = record.fields.get("phone")
    if phone and ("email" not in found or options.write_sms):
        found["sms"] = phone
    if "email" not in found and "sms" not in found:
        raise refusal(record, "ActiveTrail takes contacts with an e-mail address or a mobile number only.")
    return found


def member_body(values: Mapping[str, object]) -> Body:
    """A group member as it is posted; nothing of it starts an automation."""
    return {**values, "is_trigger_events": False}


def whole_contact(document: Doc, values: Mapping[str, object]) -> Body:
    """A contact as it stands, with some values changed: for accounts whose PUT replaces the whole."""
    return {name: document[name] for name in OWN_FIELDS if document.get(name) is not None} | dict(values)


def ghl_id(record: DesiredRecord) -> str:
    """GHL's own id of the record; of an order it is the commerce order's id as well."""
    parsed = parse_key(record.key)
    if parsed is None:
        raise refusal(record, "its key names no GHL record.")
    return parsed[1]


def order_body(record: DesiredRecord, options: Options, contact: Doc | None) -> Body:
    """A commerce order with all fields that are ours, tied to a contact by the contact's own address.

    Without a contact the order keeps whose it is.
    """
    body: Body = {
        "externalName": options.external_name,
        LOCATION_SLOT: record.location_id,
        HASH_SLOT: fingerprint(record),
    }
    if contact is not None:
        body |= {name: contact.get(own) or "" for name, own in ADDRESS.items()}
    body |= _some(ORDER_TEXTS, record, lambda text: text or "")
    body |= _some(ORDER_NUMBERS, record, lambda text: _number(text, record))
    body |= _some(ORDER_DAYS, record, _noon)
    body |= {
        name: _amount(record, key) for key, name in ORDER_AMOUNTS.items() if record.fields.get(key) is not None
    }  # an amount that GHL does not name is not 0
    if record.fields.get("quantity") is not None:
        body["quantity"] = _decimal(record, "quantity")
    return body


def put_body(existing: Doc, body: Mapping[str, object]) -> Body:
    """The full set of fields for a PUT: what stands there, ours put over it, in the names that the PUT documents."""
    standing = folded(existing)
    kept = {name: standing[name.lower()] for name in ORDER_FIELDS if standing.get(name.lower()) is not None}
    return {PUT_NAMES.get(name, name): value for name, value in {**kept, **body}.items()}


def fingerprint(record: DesiredRecord) -> str:
    """Sixteen hexadecimal digits of the canonical fields, for people who compare by eye."""
    text = "|".join(f"{name}={value or ''}" for name, value in sorted(record.fields.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _some(names: Mapping[str, str], record: DesiredRecord, typed: Callable[[str | None], Any]) -> Body:
    return {name: typed(record.fields[key]) for key, name in names.items() if key in record.fields}


def _typed(slot: str, text: str | None, record: DesiredRecord) -> object:
    if slot.startswith("ext"):
        return text or ""
    return _number(text, record) if slot.startswith("num") else _noon(text)


def _noon(day: str | None) -> str | None:
    """A day as an instant without a zone; at noon it stays the same day in whatever zone the system puts it."""
    return f"{day}T12:00:00" if day else None


def _number(text: str | None, record: DesiredRecord) -> int | None:
    """A 32-bit integer; what does not fit is left out rather than cut."""
    if text is None:
        return None
    try:
        value = int(text)
    except ValueError:
        raise refusal(record, "a number of it is no whole number.") from None
    return value if -MAX_NUMBER - 1 <= value <= MAX_NUMBER else None


def _amount(record: DesiredRecord, name: str) -> Decimal:
    try:
        return major_decimal(int(record.fields[name] or ""), record.fields.get("currency") or "")
    except (ValueError, MoneyError):
        raise refusal(record, f"its {name} cannot be written exactly.") from None


def _decimal(record: DesiredRecord, name: str) -> Decimal:
    try:
        return Decimal(record.fields[name] or "")
    except InvalidOperation:
        raise refusal(record, f"its {name} is no number.") from None
