"""What is written to Track-POD: canonical fields as a whole order, as a PUT may replace what it leaves out. Pure.

Which canonical field is which member stands here; what is compared or written when stands in `mapping.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.connectors.trackpod.client import SYSTEM
from ghl_payments.domain.keys import parse_key
from ghl_payments.domain.money import MoneyError, major_decimal
from ghl_payments.transport.errors import Rejected
from ghl_payments.transport.jsontext import NotJson, decode

Body = dict[str, Any]

NUMBER_PREFIX = "GHL-"
PROCESSED = (2, 3, 4, 5)
"""StatusIds of orders that the driver has dealt with: a PUT answers 405."""

TEXTS = {
    "client_id": ("ClientId", 50),
    "client": ("Client", 255),
    "contact_name": ("ContactName", 255),
    "address": ("Address", 255),
    "phone": ("Phone", 50),
    "email": ("Email", 255),
}
"""Canonical field -> member and its longest text."""

WRITABLE = frozenset({*TEXTS, "order_id", "date", "lines", "cod", "currency"})

_WRITTEN = (
    "Number", "Id", "Date", "Type", "ShipperId", "Shipper", "DepotId", "Depot", "ClientId", "Client", "AddressId",
    "Address", "AddressLat", "AddressLon", "AddressZone", "TimeSlotFrom", "TimeSlotTo", "ServiceTime", "Note",
    "ContactName", "Phone", "Email", "Weight", "Volume", "Pallets", "COD", "InvoiceId", "CustomerReferenceId",
    "Barcode", "Priority", "TeamCode",
)  # fmt: skip
_PICKUP = (
    "ClientId", "Client", "AddressId", "Address", "AddressLat", "AddressLon", "AddressZone", "ContactName", "Phone",
    "Email", "TimeSlotFrom", "TimeSlotTo", "ServiceTime", "COD", "Note",
)  # fmt: skip
_GOODS = (
    "OrderLineId", "GoodsId", "GoodsName", "GoodsUnit", "Note", "Quantity", "Cost", "OrderLineBarcode", "GoodsBarcode",
)  # fmt: skip
_MESSAGES = (
    "PriorToRouteNotificationEnabled", "AtRouteStartNotificationEnabled", "EnRouteNotificationEnabled",
    "AtDepartureNotificationEnabled",
)  # fmt: skip


def refusal(record: DesiredRecord, why: str, *, method: str = "POST", sent: bool = False) -> Rejected:
    """A Rejected for what cannot even be asked; `why` names fields or ids, never a person's data."""
    tail = "" if sent else " Nothing was sent."
    return Rejected(system=SYSTEM, method=method, path="/Order", remedy=f"{record.key}: {why}{tail}")


def order_id_of(key: str) -> str:
    """GHL's id of the order that a key names."""
    return (parse_key(key) or ("", key))[1]


def number_of(key: str) -> str:
    """The Number under which Track-POD's people see an order of ours."""
    return NUMBER_PREFIX + order_id_of(key)


def is_ours(order: Mapping[str, Any], key: str) -> bool:
    """Whether a delivery order carries the key, in its Number or in its Id."""
    return order.get("Type") in (0, None) and (
        order.get("Number") == number_of(key) or order.get("Id") == order_id_of(key)
    )


def is_named(order: Mapping[str, Any], record: DesiredRecord) -> bool:
    """Whether an order already carries all that a record of ours is known by."""
    return all(order.get(member) == value for member, value in _identity(record).items())


def is_elsewhere(order: Mapping[str, Any], location_id: str) -> bool:
    """Whether an order says that it belongs to another location."""
    place = order.get("CustomerReferenceId")
    return isinstance(place, str) and place.strip() not in ("", location_id)


def is_replanned(order: Mapping[str, Any]) -> bool:
    """Whether an order was planned anew, or paid for at the door: goods and cash are what a dispatcher left of it."""
    return any(_is_positive(order.get(member)) for member in ("RescheduledTimes", "CODActual"))


def create_body(record: DesiredRecord, *, quiet: bool) -> Body:
    """A new order; `quiet` switches all messages to the customer off. Raises Rejected when a field cannot be used."""
    body: Body = {**_identity(record), "Type": 0, "Date": record.fields.get("date")}
    for name, (member, longest) in TEXTS.items():
        value = (record.fields.get(name) or "").strip()
        if value:
            body[member] = value[:longest]
    for member in ("Client", "Address", "Date"):
        if not body.get(member):
            raise refusal(record, f"an order needs {member}.")
    body["GoodsList"] = [_new_line(record, line) for line in _lines(record)]
    body["COD"] = cod_amount(record)
    if quiet:
        body["NotificationsPolicy"] = dict.fromkeys(_MESSAGES, False)
    return body


def adopting_body(record: DesiredRecord, order: Mapping[str, Any]) -> Body:
    """An order that has our Id, made wholly ours; who lives where, and a rest, stay as people wrote them."""
    if is_replanned(order):
        return {**whole_body(order), **_identity(record), "Type": 0}
    return {**changed_body(record, order, ("lines", "cod")), **_identity(record), "Type": 0}


def changed_body(record: DesiredRecord, order: Mapping[str, Any], changed: Sequence[str]) -> Body:
    """The whole order as it was read, with the changed fields. Raises Rejected for fields that are never changed."""
    unknown = [name for name in changed if name not in ("lines", "cod")]
    if unknown or not changed:
        raise refusal(record, f"none of {', '.join(unknown) or '(no field)'} is changed in Track-POD.", method="PUT")
    body = whole_body(order)
    if "lines" in changed:
        known = {str(line.get("OrderLineId")): line for line in body.get("GoodsList") or () if line.get("OrderLineId")}
        lines = [_new_line(record, line) for line in _lines(record)]
        body["GoodsList"] = [{**known.get(line["OrderLineId"], {}), **line} for line in lines]
    if "cod" in changed:
        body["COD"] = cod_amount(record)
    return body


def whole_body(order: Mapping[str, Any]) -> Body:
    """An order as it was read in the form in which it is written, so that a PUT loses nothing that people entered."""
    body = _some(order, _WRITTEN)
    if isinstance(body.get("Date"), str):
        body["Date"] = body["Date"][:10]
    body["GoodsList"] = [_some(line, _GOODS) for line in _objects(order.get("GoodsList"))]
    if fields := _custom_fields(order):
        body["CustomFields"] = fields
    if isinstance(order.get("PickupOrder"), dict):
        pickup = _some(order["PickupOrder"], _PICKUP)
        if fields := _custom_fields(order["PickupOrder"]):
            pickup["CustomFields"] = fields
        if pickup:
            body["PickupOrder"] = pickup
    policy = order.get("NotificationsPolicy")
    if isinstance(policy, dict) and (told := _some(policy, _MESSAGES)):
        body["NotificationsPolicy"] = told
    return body


def cod_amount(record: DesiredRecord) -> Decimal:
    """Major units as Track-POD wants them, from minor units and the currency; exact."""
    amount, currency = record.fields.get("cod"), record.fields.get("currency")
    try:
        return major_decimal(int(amount or ""), currency or "")
    except (ValueError, MoneyError):
        raise refusal(record, "its amount due or currency is not one that can be written.") from None


def _identity(record: DesiredRecord) -> Body:
    order_id = order_id_of(record.key)
    return {"Number": number_of(record.key), "Id": order_id, "CustomerReferenceId": record.location_id}


def _lines(record: DesiredRecord) -> list[Mapping[str, Any]]:
    try:
        lines = decode(record.fields.get("lines") or "")
    except NotJson:
        lines = None
    if not isinstance(lines, list) or not lines or not all(isinstance(line, dict) for line in lines):
        raise refusal(record, "its goods are not a list of objects.")
    return lines


def _new_line(record: DesiredRecord, line: Mapping[str, Any]) -> Body:
    body: Body = {
        "OrderLineId": str(line.get("line_id")),
        "GoodsName": str(line.get("name") or "Item")[:255],
        "Quantity": _amount(record, line.get("quantity")),
        "Cost": _amount(record, line.get("unit_price")),
    }
    return body | ({"GoodsId": str(line["price_id"])} if line.get("price_id") else {})


def _amount(record: DesiredRecord, value: object) -> Decimal:
    """Exact, whether the canonical text gives a JSON number or a text."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise refusal(record, "a line's quantity or price is not a number.")
    return number


def _is_positive(value: object) -> bool:
    """What cannot be read counts as well: it may be cash."""
    if value is None or not str(value).strip():
        return False
    try:
        return not Decimal(str(value)) <= 0
    except InvalidOperation:
        return True


def _custom_fields(owner: Mapping[str, Any]) -> list[Body]:
    """Read as values of any kind, written as texts."""
    found = []
    for field in _objects(owner.get("CustomFields")):
        value = field.get("Value")
        if field.get("Id") and value is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found.append({"Id": field["Id"], "Value": text})
    return found


def _some(owner: Mapping[str, Any], names: Sequence[str]) -> Body:
    return {name: owner[name] for name in names if owner.get(name) is not None}


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
