"""Bodies that GHL's payments endpoints take: what is required, of which type, and what is refused with 422.

Properties that nobody knows are refused, as the vendor's validators do; what a body then does belongs to `ghl_write`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from ghl_payments.sandbox.codec import Doc, decode
from ghl_payments.sandbox.ghl_auth import refuse
from ghl_payments.sandbox.wire import Request

Check = Callable[[str, Any], list[str]]
"""(name, value) -> what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An object: its properties with their checks, and which of them must be there."""

    checks: Mapping[str, Check]
    required: frozenset[str]

    def problems(self, value: Doc, prefix: str = "") -> list[str]:
        """Everything wrong with an object, in the words of the vendor's validators."""
        found = [f"{prefix}property {name} should not exist" for name in value if name not in self.checks]
        for name, check in self.checks.items():
            if name in value:
                found += [prefix + problem for problem in check(name, value[name])]
            elif name in self.required:
                found.append(f"{prefix}{name} should not be empty")
        return found


def read_body(request: Request, shape: Shape) -> Doc:
    """The request's body; 400 for what is no JSON object, 422 with every problem."""
    try:
        body = decode(request.body)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        raise refuse(400, "Bad Request")
    problems = shape.problems(body)
    if problems:
        raise refuse(422, problems, "Unprocessable Entity")
    return body


def _text(name: str, value: Any) -> list[str]:
    if not isinstance(value, str):
        return [f"{name} must be a string"]
    return [] if value else [f"{name} should not be empty"]


def _optional_text(name: str, value: Any) -> list[str]:
    return [] if isinstance(value, str) else [f"{name} must be a string"]


def _flag(name: str, value: Any) -> list[str]:
    return [] if isinstance(value, bool) else [f"{name} must be a boolean value"]


def _number(name: str, value: Any) -> list[str]:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return [] if is_number else [f"{name} must be a number conforming to the specified constraints"]


def _positive(name: str, value: Any) -> list[str]:
    return _number(name, value) or ([] if value > 0 else [f"{name} must be a positive number"])


def _any_object(name: str, value: Any) -> list[str]:
    return [] if isinstance(value, dict) else [f"{name} must be an object"]


def _one_of(*values: str) -> Check:
    def check(name: str, value: Any) -> list[str]:
        return [] if value in values else [f"{name} must be one of the following values: {', '.join(values)}"]

    return check


def _matching(pattern: str) -> Check:
    def check(name: str, value: Any) -> list[str]:
        fits = isinstance(value, str) and re.fullmatch(pattern, value) is not None
        return [] if fits else [f"{name} must match {pattern} regular expression"]

    return check


def _object(shape: Shape) -> Check:
    def check(name: str, value: Any) -> list[str]:
        return shape.problems(value, f"{name}.") if isinstance(value, dict) else [f"{name} must be an object"]

    return check


def _array(shape: Shape) -> Check:
    def check(name: str, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            return [f"{name} must be an array of objects"]
        return [problem for n, row in enumerate(value) for problem in shape.problems(row, f"{name}.{n}.")]

    return check


_ACCOUNT: Mapping[str, Check] = {"altId": _text, "altType": _one_of("location")}
_TRACKING = Shape(dict.fromkeys(("trackingNumber", "shippingCarrier", "trackingUrl"), _optional_text), frozenset())
_ITEM = Shape({"priceId": _text, "qty": _positive}, frozenset({"priceId", "qty"}))
_CARD = Shape({"type": _one_of("visa", "mastercard", "other"), "last4": _text}, frozenset({"type", "last4"}))
_CHEQUE = Shape({"number": _text}, frozenset({"number"}))

FULFILLMENT = Shape(
    {**_ACCOUNT, "trackings": _array(_TRACKING), "items": _array(_ITEM), "notifyCustomer": _flag},
    frozenset({"altId", "altType", "trackings", "items", "notifyCustomer"}),
)
PAYMENT = Shape(
    {
        **_ACCOUNT,
        "mode": _one_of("cash", "card", "cheque", "bank_transfer", "other"),
        "card": _object(_CARD),
        "cheque": _object(_CHEQUE),
        "notes": _optional_text,
        "amount": _number,
        "meta": _any_object,
        "isPartialPayment": _flag,
    },
    frozenset({"altId", "altType", "mode"}),
)
PROVIDER = Shape(
    {
        **_ACCOUNT,
        "uniqueName": _matching("[a-z]([a-z-]*[a-z])?"),
        "title": _text,
        "provider": _one_of("authorize-net", "nmi"),
        "description": _text,
        "imageUrl": _matching("https://.+"),
    },
    frozenset({"altId", "altType", "uniqueName", "title", "provider", "description", "imageUrl"}),
)
