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
    EndpointGone,
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

# Track-POD: 405 is a state of the order on a write; the body of a 410 is read by its connector.
_TRACKPOD: tuple[Rule, ...] = (
    Rule(401, 401, Unauthorised, remedy="Track-POD refused the API key; see Settings > Integrations > Web API."),
    Rule(
        403,
        403,
        Forbidden,
        remedy="The API key may not do this: see its methods, shipper and depot in Settings > Integrations > Web API.",
    ),
    Rule(404, 404, NotFound),
    Rule(
        405,
        405,
        Rejected,
        remedy="Track-POD does not allow it: the driver has processed the order, or plan or key lack the method.",
    ),
    Rule(410, 410, NotFound, remedy="A person removed the order in Track-POD; it is not made again."),
    Rule(415, 415, Rejected, remedy="Track-POD did not take the body for JSON; nothing was applied."),
    *_COMMON,
)

# A receiver of signed events: only what says that this very event is wrong refuses it, all else may come right.
_WEBHOOK: tuple[Rule, ...] = (
    Rule(
        300,
        399,
        SchemaDrift,
        remedy="Redirects are never followed; put the receiver's final address into base_url or options.endpoint.",
    ),
    Rule(401, 401, Unauthorised, remedy="The receiver refuses the signature: compare the secret with the operator's."),
    Rule(404, 405, SchemaDrift, remedy="Nothing takes events at this address; check base_url and options.endpoint."),
    Rule(409, 409, Conflict, remedy="The receiver is still at work on this event; it is sent again later."),
    Rule(410, 410, EndpointGone),
    Rule(425, 425, Transient),
    *_COMMON,
)

TABLES: dict[str, tuple[Rule, ...]] = {"ghl": _GHL, "halo": _HALO, "trackpod": _TRACKPOD, "webhook": _WEBHOOK}
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


def classify(*, system: str, method: str, path: str, status: int, body: bytes, rules: str | None = None) -> ApiError:
    """The error a non-2xx answer stands for, ready to raise; `rules` names another table than the system's."""
    message = error_message(body)
    for rule in TABLES.get(rules or system, _DEFAULT):
        if rule.fits(status, message):
            return rule.error(system=system, method=method, path=path, status=status, remedy=rule.remedy)
    return SchemaDrift(system=system, method=method, path=path, status=status)
