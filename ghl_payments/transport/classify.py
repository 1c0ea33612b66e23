"""Which error class a status and an error message stand for, one table a system.

Add a rule when a vendor is seen to answer differently; the first rule that fits wins.
What the classes mean belongs to `errors.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from ghl_payments.transport.errors import (
    ApiError,
    Conflict,
    Forbidden,
    MissingScope,
    NotFound,
    RateLimited,
    Rejected,
    SchemaDrift,
    Transient,
    Unauthorised,
    WrongTokenClass,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a table: statuses (inclusive range), a pattern the message must contain, the class, the advice.

    `json_only` skips bodies that hold no error message, such as a proxy's page.
    """

    first: int
    last: int
    error: type[ApiError]
    text: str | None = None
    remedy: str | None = None
    json_only: bool = False

    def fits(self, status: int, message: str | None) -> bool:
        """Whether the rule speaks about this answer."""
        if not self.first <= status <= self.last or (self.json_only and message is None):
            return False
        return self.text is None or (message is not None and re.search(self.text, message, re.IGNORECASE) is not None)


_COMMON: tuple[Rule, ...] = (
    Rule(300, 399, SchemaDrift, remedy="The address redirects elsewhere; check the connection's base_url."),
    Rule(401, 401, Unauthorised),
    Rule(403, 403, Forbidden),
    Rule(408, 408, Transient),
    Rule(409, 409, Conflict),
    Rule(429, 429, RateLimited),
    Rule(400, 499, Rejected),
    Rule(500, 599, Transient),
)

# GHL payments API: a missing scope is a 401, an unknown record a 404 in one service and a documented 400 in others.
_GHL: tuple[Rule, ...] = (
    Rule(401, 401, MissingScope, text=r"not authorized for this scope"),
    Rule(
        401,
        401,
        WrongTokenClass,
        text=r"user type mismatch|authclass type",
        remedy="The token is of the wrong class; payments need a sub-account (location) token.",
    ),
    Rule(401, 401, Rejected, text=r"version header", remedy="The Version header was refused; it is a setting."),
    Rule(
        404,
        404,
        SchemaDrift,
        text=r"^cannot (get|post|put|delete) ",
        remedy="The endpoint does not exist at this base_url; this says nothing about the record.",
    ),
    Rule(400, 400, NotFound, text=r"not found"),
    Rule(404, 404, NotFound, json_only=True),
    Rule(404, 404, Transient, remedy="A page that is not the API's own answered; check the connection's base_url."),
    *_COMMON,
)

_HALO: tuple[Rule, ...] = (
    Rule(403, 403, Forbidden, remedy="A scope of the API application or a right of its agent is missing in Halo."),
    Rule(404, 404, NotFound),
    *_COMMON,
)

TABLES: dict[str, tuple[Rule, ...]] = {"ghl": _GHL, "halo": _HALO}
_DEFAULT: tuple[Rule, ...] = (Rule(404, 404, NotFound), *_COMMON)


def error_message(body: bytes) -> str | None:
    """The error text of a JSON body in any of the vendors' shapes; None for anything else.

    Used to classify only: it may quote personal data, so it is never logged or raised.
    """
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    if not isinstance(answer, dict):
        return None
    for name in ("message", "error_description", "errorMessage", "Message", "error"):
        value = answer.get(name)
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, list):
            value = "; ".join(str(part) for part in value)
        if isinstance(value, str):
            return value
    return ""


def classify(*, system: str, method: str, path: str, status: int, body: bytes) -> ApiError:
    """The error a non-2xx answer stands for, ready to raise."""
    message = error_message(body)
    for rule in TABLES.get(system, _DEFAULT):
        if rule.fits(status, message):
            return rule.error(system=system, method=method, path=path, status=status, remedy=rule.remedy)
    return SchemaDrift(system=system, method=method, path=path, status=status)
