"""The lines of an order as the products of its opportunity: what to create, change and remove. Pure but for one walk.

Prices and quantities are exact Decimals; whose products they are is told by `itemNumber`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from ghl_payments.connectors.act.bodies import refusal
from ghl_payments.connectors.act.client import ActClient
from ghl_payments.connectors.act.lists import list_all
from ghl_payments.connectors.act.odata import Query
from ghl_payments.connectors.act.shapes import ListPage
from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.transport.errors import NotFound, Transient
from ghl_payments.transport.jsontext import NotJson, decode

MARK = "ghl:line:"
"""How the item numbers of our products begin; products of others are never changed or removed."""

TYPE = "GHL"
_EXACT = Decimal("0.000001")
_COMPUTED = frozenset({"total", "discountPrice", "created", "edited", "editedBy", "createDate", "editDate"})

Product = dict[str, Any]


@dataclass(slots=True)
class Plan:
    """What makes an opportunity's products those of the order."""

    create: list[Product] = field(default_factory=list)
    change: list[tuple[str, Product]] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)


def lines_of(record: DesiredRecord) -> list[Product]:
    """The record's lines as products. Raises Rejected when the canonical text cannot be used; no lines are none."""
    text = record.fields.get("lines")
    if text is None:
        return []
    try:
        lines = decode(text)
    except NotJson:
        lines = None
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise refusal(record, "its lines are not a list of objects.")
    return [
        {
            "name": line.get("name") or "", "price": _number(record, line.get("price")),
            "quantity": _number(record, line.get("quantity")), "itemNumber": line.get("note") or "", "type": TYPE,
        }
        for line in lines
    ]  # fmt: skip


def plan(wanted: Iterable[Product], there: Iterable[Mapping[str, Any]]) -> Plan:
    """Compare by item number; a second product of ours with the same number is one too many."""
    made, missing = Plan(), {product["itemNumber"]: product for product in wanted}
    for product in sorted(there, key=lambda product: str(product.get("id"))):
        number = product.get("itemNumber")
        if not isinstance(number, str) or not number.startswith(MARK):
            continue
        want = missing.pop(number, None)
        if want is None:
            made.remove.append(str(product["id"]))
        elif not _same(want, product):
            kept = {name: value for name, value in product.items() if name not in _COMPUTED}
            made.change.append((str(product["id"]), {**kept, **want}))
    made.create = list(missing.values())
    return made


async def write_products(client: ActClient, opportunity_id: str, record: DesiredRecord) -> None:
    """Bring an opportunity's products in line with the record's lines, one request each, extra ones last."""
    path = f"opportunities/{opportunity_id}/products"
    made = plan(lines_of(record), await _products(client, path))
    for product_id, product in made.change:
        await client.put(path, product_id, product)
    for product in made.create:
        await client.post(path, product)
    for product_id in made.remove:
        try:
            await client.delete(path, product_id)
        except NotFound:
            continue


async def _products(client: ActClient, path: str) -> list[Product]:
    found: list[Product] = []

    async def fetch(query: Query) -> ListPage:
        return await client.page(path, query, priority="fresh")

    passed = await list_all(fetch, lambda rows, _: found.extend(decode(row.raw) for row in rows))
    if passed.reason is not None:
        remedy = f"The products could not be read completely ({passed.reason}); trying again later can help."
        raise Transient(system="act", method="GET", path=f"/api/{path}", remedy=remedy)
    return list({str(product["id"]): product for product in found}.values())


def _same(want: Product, product: Mapping[str, Any]) -> bool:
    return want["name"] == product.get("name") and all(
        _exact(product.get(name)) == want[name].quantize(_EXACT) for name in ("price", "quantity")
    )


def _exact(value: object) -> Decimal | None:
    """A double as the number it stands for."""
    return Decimal(value).quantize(_EXACT) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def _number(record: DesiredRecord, value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise refusal(record, "a line's quantity or price is not a number.")
    return number
