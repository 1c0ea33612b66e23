"""What is written to Act!: canonical fields turned into members of one entity, in each form a record can take. Pure.

Add a member here when the mapping writes one more; requests belong to `connector.py`, products to `products.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ghl_payments.connectors.act.fields import Directory
from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.domain.money import MoneyError, major_decimal, major_text
from ghl_payments.transport.errors import Rejected
from ghl_payments.transport.jsontext import NotJson, decode, encode

Entity = dict[str, Any]

PLAIN: dict[str, dict[str, str]] = {
    "contact": {
        "name": "fullName", "first_name": "firstName", "last_name": "lastName", "email": "emailAddress",
        "phone": "businessPhone",
    },
    "opportunity": {
        "name": "name", "open_date": "openDate", "due_date": "estimatedCloseDate", "close_date": "actualCloseDate",
    },
}  # fmt: skip
"""Canonical field -> member of the entity; fields named `ghl_...` are custom fields of the same name."""

SUBSCRIPTION_AS_OPPORTUNITY = {
    "amount": "ghl_amount", "currency": "ghl_currency", "status": "ghl_status", "plan": "ghl_plan",
    "billing_interval": "ghl_billing_interval", "cancelled_at": "ghl_cancelled_at",
    "next_billing_at": "ghl_next_billing_at", "updated_at": "ghl_updated_at",
}  # fmt: skip
"""Where a subscription's fields stand when it is kept as an opportunity."""

_SUBSCRIPTION_DATES = {"starts_at": "openDate", "ends_at": "estimatedCloseDate"}

MONEY = {"amount": "currency", "refunded": "currency", "ghl_amount": "ghl_currency"}
"""Canonical field in minor units -> the field with its currency."""

STATUS_NAMES = ("Open", "Won", "Lost", "Inactive")

READ_ONLY = frozenset({
    "statusName", "daysOpen", "daysInStage", "productTotal", "weightedTotal", "grossMargin", "totalPerCompany",
    "totalPerContact", "totalPerGroup", "product", "contactNames", "created", "edited", "editedBy",
})  # fmt: skip
"""Members that Act! computes; a PUT leaves them out."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a database keeps our records: what our fields are called, whether it has custom tables, the history type."""

    directory: Directory
    tables: bool
    source: str
    history_type_id: int | None = None

    def is_table(self, record_type: str) -> bool:
        """Whether records of a type are rows of a custom table."""
        return self.tables and record_type in ("payment", "subscription")

    def is_history(self, record_type: str) -> bool:
        """Whether records of a type are history entries."""
        return not self.tables and record_type == "payment"

    def owner(self, record_type: str) -> str:
        """Whose fields a record type uses."""
        return "opportunity" if self.is_opportunity(record_type) else record_type

    def is_opportunity(self, record_type: str) -> bool:
        """Whether records of a type are opportunities."""
        return record_type == "opportunity" or (not self.tables and record_type == "subscription")


def refusal(record: DesiredRecord, why: str) -> Rejected:
    """A Rejected for what cannot even be asked; `why` names fields or ids, never a person's data."""
    remedy = f"{record.key}: {why} Nothing was sent."
    return Rejected(system="act", method="POST", path=f"/api/{record.record_type}", remedy=remedy)


def create_body(record: DesiredRecord, form: Form) -> Entity:
    """A new entity with all its fields, its parents and its key, which stands in the same request as the record."""
    entity: Entity = {}
    if form.is_history(record.record_type):
        if form.history_type_id is None:
            raise refusal(record, "without custom tables payments become history; set options.history_type_id.")
        entity |= {"historyTypeID": form.history_type_id, "regarding": record.key}
    elif form.is_opportunity(record.record_type):
        entity |= {"source": form.source, "sourceId": record.key, "customFields": {}}
    elif record.record_type == "contact":
        entity["customFields"] = {}
    changed = [name for name, value in record.fields.items() if value is not None]
    merge(entity, record, changed, form)
    put_key(entity, record, form)
    if form.is_opportunity(record.record_type):
        entity["contacts"] = _parents(record, "contact")
    elif record.record_type != "contact":
        entity["contacts"] = _parents(record, "contact")
        orders = _parents(record, "opportunity")
        entity |= {"opportunities": orders} if form.is_history(record.record_type) else _only(orders)
    return entity


def put_key(entity: Entity, record: DesiredRecord, form: Form) -> None:
    """Write our key and the location into an entity, wherever its form has them."""
    values = {"ghl_key": record.key, "ghl_location": record.location_id}
    if form.is_history(record.record_type):
        return  # the key is `regarding`, the location stands in the details
    owner, target = _custom(entity, record, form)
    for name, value in values.items():
        target[form.directory.name(owner, name)] = value


def merge(entity: Entity, record: DesiredRecord, changed: Iterable[str], form: Form) -> None:
    """Put the changed fields into an entity as it was read, leaving all else as it is."""
    names = set(changed)
    # An amount means nothing without its currency.
    names |= {amount for amount, currency in MONEY.items() if currency in names and amount in record.fields}
    names |= {"updated_at", "ghl_updated_at"} & record.fields.keys()
    if form.is_history(record.record_type):
        _merge_history(entity, record, names)
    else:
        _merge_members(entity, record, names, form)


def writable(entity: Entity) -> Entity:
    """What a PUT of the whole entity sends."""
    return {name: value for name, value in entity.items() if name not in READ_ONLY}


def _merge_members(entity: Entity, record: DesiredRecord, names: Iterable[str], form: Form) -> None:
    owner, custom = _custom(entity, record, form)
    plain = PLAIN.get(record.record_type, {})
    stored = {} if form.is_table(record.record_type) else SUBSCRIPTION_AS_OPPORTUNITY
    if record.record_type == "subscription" and not form.tables:
        plain = {"name": "name", **_SUBSCRIPTION_DATES}
    for name in names:
        value = record.fields.get(name)
        if name in plain:
            entity[plain[name]] = value
        elif name in ("status", "state") and not form.is_table(record.record_type) and name == _status_of(record):
            entity["status"] = _status(record, value, entity.get("status"), form)
        else:
            field = stored.get(name, name) if record.record_type == "subscription" else name
            if (owner, field) in form.directory.names:
                custom[form.directory.name(owner, field)] = _value(record, name, as_text=owner == "opportunity")


def _status_of(record: DesiredRecord) -> str:
    """The canonical field with the number of an opportunity's status."""
    return "status" if record.record_type == "opportunity" else "state"


def _merge_history(entity: Entity, record: DesiredRecord, names: set[str]) -> None:
    details = read_details(entity.get("details"))
    details["location"] = record.location_id
    for name in names:
        value = _value(record, name, as_text=True)
        if value is None:
            details.pop(name, None)
        else:
            details[name] = value
    entity["details"] = encode(dict(sorted(details.items()))).decode()
    if "paid_at" in names and record.fields.get("paid_at"):
        entity |= dict.fromkeys(("startTime", "endTime"), record.fields["paid_at"])


def read_details(text: object) -> Entity:
    """The JSON object inside a history's details, which Act! may have wrapped into markup; empty when there is none."""
    if not isinstance(text, str):
        return {}
    text = re.sub(r"<[^>]*>", "", text)
    if "{" not in text:
        return {}
    inner = text[text.index("{") : text.rindex("}") + 1] if "}" in text else ""
    for mark, character in (("&quot;", '"'), ("&#34;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        inner = inner.replace(mark, character)
    try:
        details = decode(inner)
    except NotJson:
        return {}
    return details if isinstance(details, dict) else {}


def _custom(entity: Entity, record: DesiredRecord, form: Form) -> tuple[str, Entity]:
    """Whose fields they are, and the object in the entity that holds them."""
    if form.is_table(record.record_type):
        return record.record_type, entity
    custom = entity.get("customFields")
    if not isinstance(custom, dict):
        custom = entity["customFields"] = {}
    return form.owner(record.record_type), custom


def _value(record: DesiredRecord, name: str, *, as_text: bool) -> object:
    value = record.fields.get(name)
    if name not in MONEY or value is None:
        return value
    currency = record.fields.get(MONEY[name]) or ""
    try:
        return major_text(int(value), currency) if as_text else major_decimal(int(value), currency)
    except (ValueError, MoneyError):
        raise refusal(record, f"its {name} or currency is not one that can be written.") from None


def _status(record: DesiredRecord, value: str | None, shown: object, form: Form) -> int | str:
    """By number or by name, whichever this database shows."""
    if value is None or value not in {str(number) for number in range(len(STATUS_NAMES))}:
        raise refusal(record, "its status is not one of Act!'s four.")
    by_name = isinstance(shown, str) if shown is not None else form.directory.named_status
    return STATUS_NAMES[int(value)] if by_name else int(value)


def _parents(record: DesiredRecord, parent: str) -> list[Mapping[str, str]]:
    native_id = record.parents.get(parent)
    return [{"id": native_id}] if native_id else []


def _only(orders: list[Mapping[str, str]]) -> Entity:
    return {"opportunity": orders[0]} if orders else {}
