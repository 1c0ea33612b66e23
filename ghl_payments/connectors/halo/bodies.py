"""What is written to Halo: canonical fields turned into the properties of one record. Pure, no requests.

Which property holds which field stands in `resources.py`; totals and amounts paid or due are Halo's own and never
written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.connectors.halo.resources import DATES, RESOURCES, Resource
from ghl_payments.domain.keys import parse_key
from ghl_payments.domain.money import MoneyError, major_decimal
from ghl_payments.transport.errors import Rejected
from ghl_payments.transport.jsontext import NotJson, decode

LINE_NOTE = "ghl:line:"
"""How our lines of a sales order begin their note, so that they are known again."""

Body = dict[str, Any]


def refusal(record: DesiredRecord, why: str) -> Rejected:
    """A Rejected for what cannot even be asked; `why` names fields or ids, never a person's data."""
    return Rejected(
        system="halo",
        method="POST",
        path=f"/api/{RESOURCES[record.record_type].path}",
        remedy=f"{record.key}: {why} Nothing was sent.",
    )


def create_body(record: DesiredRecord, currency_id: int | None) -> Body:
    """A new record with all its fields, its parents and its key; `currency_id` where the record type has one."""
    resource = RESOURCES[record.record_type]
    present = [name for name, value in record.fields.items() if value is not None]
    body = _values(resource, record, present)
    for parent, name in resource.parents.items():
        if parent in record.parents:
            body[name] = int(record.parents[parent])
    body |= dict.fromkeys(resource.key_properties, record.key)
    if resource.lines is not None:
        body["lines"] = new_lines(record)
    if currency_id is not None:
        body["currency_code"] = currency_id
    if record.record_type == "invoice_payment":
        body["amount"] = payment_amount(record)
    if resource.link_table is not None:
        body["new_external_link"] = _link(record)
    if resource.quiet:
        body["_dont_fire_automations"] = True
    return body


def update_body(
    native_id: str,
    record: DesiredRecord,
    changed: Sequence[str],
    *,
    currency_id: int | None,
    lines: list[Body] | None,
) -> Body:
    """The changed fields of an existing record; `currency_id` and `lines` when those are among them."""
    resource = RESOURCES[record.record_type]
    body: Body = {"id": int(native_id)} | _values(resource, record, changed)
    if currency_id is not None:
        body["currency_code"] = currency_id
    if lines is not None:
        body["lines"] = lines
    if record.record_type == "invoice_payment" and "amount" in changed:
        body["amount"] = payment_amount(record)
    if len(body) == 1:
        raise refusal(record, f"none of the fields {', '.join(changed) or '(none)'} can be written to Halo.")
    if resource.quiet:
        body["_dont_fire_automations"] = True
    return body


def touches_lines(record: DesiredRecord, changed: Iterable[str]) -> bool:
    """Whether a change has to rewrite the lines: a total can only be changed through them."""
    return RESOURCES[record.record_type].lines is not None and not {"total", "lines"}.isdisjoint(changed)


def new_lines(record: DesiredRecord) -> list[Body]:
    """The record's lines in Halo's properties. Raises Rejected when the canonical text cannot be used."""
    order = RESOURCES[record.record_type].lines == "order"
    lines = []
    for line in _canonical_lines(record):
        quantity, price = _number(record, line.get("quantity")), _number(record, line.get("price"))
        if order:
            lines.append({
                "name": line.get("name") or "", "quantity": quantity, "price": price, "note": line.get("note") or "",
            })  # fmt: skip
        else:
            lines.append({
                "item_shortdescription": line.get("name") or "", "qty_order": quantity, "unit_price": price,
            })  # fmt: skip
    return lines


def merged_lines(record: DesiredRecord, existing: Sequence[Mapping[str, Any]]) -> list[Body]:
    """The whole list for an update: our lines keep the ids they have, so that Halo changes them in place.

    Lines of an order are known by their note, those of an invoice by position. Lines of others are left out, as the
    total must be ours; whether Halo then drops them shows when the record is read back.
    """
    lines = new_lines(record)
    if RESOURCES[record.record_type].lines == "order":
        ids: dict[str, object] = {}
        for line in existing:
            note = line.get("note")
            if isinstance(note, str) and note.startswith(LINE_NOTE):
                ids.setdefault(note, line.get("id"))
        found = [ids.get(line["note"]) for line in lines]
    else:
        found = [line.get("id") for line in existing][: len(lines)]
        found += [None] * (len(lines) - len(found))
    pairs = zip(found, lines, strict=True)
    return [line if native_id is None else {"id": native_id} | line for native_id, line in pairs]


def payment_amount(record: DesiredRecord) -> Decimal:
    """Major units as Halo wants them, from minor units and the currency."""
    amount, currency = record.fields.get("amount"), record.fields.get("currency")
    try:
        return major_decimal(int(amount or ""), currency or "")
    except (ValueError, MoneyError):
        raise refusal(record, "its amount or currency is not one that can be written.") from None


def _values(resource: Resource, record: DesiredRecord, names: Iterable[str]) -> Body:
    body: Body = {}
    custom: list[Body] = []
    for name in names:
        value = record.fields.get(name)
        if value is None and name not in DATES:
            value = ""
        for native in resource.plain.get(name, ()):
            body[native] = value
        if name in resource.custom:
            custom.append({"name": resource.custom[name], "value": value})
    if custom:
        body["customfields"] = custom
    return body


def _link(record: DesiredRecord) -> Body:
    kind, _ = parse_key(record.key) or ("record", "")
    return {
        "third_party_id": record.key,
        "third_party_secondary_id": record.location_id,
        "third_party_type": kind,
        "third_party_desc": f"GoHighLevel {kind}",
    }


def _canonical_lines(record: DesiredRecord) -> list[Mapping[str, Any]]:
    try:
        lines = decode(record.fields.get("lines") or "")
    except NotJson:
        lines = None
    if not isinstance(lines, list) or not lines or not all(isinstance(line, dict) for line in lines):
        raise refusal(record, "its lines are not a list of objects.")
    return lines


def _number(record: DesiredRecord, value: object) -> Decimal:
    """Exact, whether the canonical text gives a JSON number or a text."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise refusal(record, "a line's quantity or price is not a number.")
    return number
