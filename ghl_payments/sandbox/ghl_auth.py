"""Who may ask GHL's sandbox for what: the Version header, private integration and OAuth tokens, scopes, locations.

Wordings and statuses follow answers of the live API as its clients report them (401, not 403, for a missing scope).
How OAuth tokens come about is in `ghl_oauth`.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any, Literal

from ghl_payments.sandbox.wire import Refused, Request, json_answer

SCOPES = frozenset(
    {
        "payments/orders.readonly",
        "payments/transactions.readonly",
        "payments/subscriptions.readonly",
        "payments/integration.readonly",
        "payments/orders.write",
        "payments/orders.collectPayment",
        "payments/integration.write",
    }
)
"""The scopes that the sandbox's tokens have unless a location lists its own."""

_VERSIONS = frozenset({"2021-04-15", "2021-07-28", "2023-02-21", "v3"})
_DATED_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}|v\d+")
_WRONG_CLASS = (
    "This authClass type is not allowed to access this scope. "
    "Please verify your IAM configuration if this is not the case."
)

UserType = Literal["Location", "Company"]


@dataclass(slots=True)
class Grant:
    """What a token opens; `expires` is a monotonic second, None for a private integration token.

    `location_id` is empty for an agency's token.
    """

    location_id: str
    scopes: frozenset[str]
    expires: float | None = None

    @property
    def user_type(self) -> UserType:
        """Whose token it is."""
        return "Location" if self.location_id else "Company"


def refuse(status: int, message: str | list[str], error: str | None = None) -> Refused:
    """The gateway's error body: `statusCode`, `message`, sometimes `error`."""
    body: dict[str, Any] = {"statusCode": status, "message": message}
    return Refused(json_answer(status, body | ({"error": error} if error else {})))


class GhlAuth:
    """All tokens of the sandbox's GHL."""

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}

    def reset(self, tokens: dict[str, Grant]) -> None:
        """Only these private integration tokens are valid from now on."""
        self._grants = dict(tokens)

    def issue(self, token: str, grant: Grant) -> None:
        """One more token is valid."""
        self._grants[token] = grant

    def expire(self) -> None:
        """Every OAuth access token dies now; private integration tokens do not expire."""
        for grant in self._grants.values():
            if grant.expires is not None:
                grant.expires = time.monotonic()

    def scopes_of(self, location_id: str) -> frozenset[str]:
        """What may be granted at a location: what its private integration token has."""
        found = [g.scopes for g in self._grants.values() if g.expires is None and g.location_id == location_id]
        return found[0] if found else SCOPES

    def bucket(self, request: Request) -> tuple[str, str]:
        """The (credential, location) whose rate limit a request counts against; an app's tokens share one."""
        token = bearer(request)
        grant = self._grants.get(token)
        if grant is None:
            return token, ""
        return token if grant.expires is None else "app", grant.location_id

    def grant(self, request: Request, scope: str | None, user_type: UserType = "Location") -> Grant:
        """The caller's grant, after version, token, its class and scope (None: any) were found good."""
        _check_version(request.headers.get("version"))
        token = bearer(request)
        grant = self._grants.get(token)
        if grant is None or (grant.expires is not None and grant.expires <= time.monotonic()):
            if token.startswith("pit-"):
                raise refuse(401, "Invalid token: access token is invalid", "Unauthorized")
            raise refuse(401, "Invalid JWT")
        if grant.user_type != user_type:
            raise refuse(401, _WRONG_CLASS if grant.expires is None else "Token's user type mismatch!")
        if scope is not None and (scope not in grant.scopes or scope in request.denied_scopes):
            raise refuse(401, "The token is not authorized for this scope.")
        return grant


def bearer(request: Request) -> str:
    """The token of the Authorization header, empty without one."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def oauth_code(location_id: str) -> str:
    """An authorisation code that a fresh sandbox accepts once for a location, without its consent page."""
    return f"code-{location_id}"


def _check_version(version: str | None) -> None:
    if version is None:
        raise refuse(401, "version header was not found.")
    if version in _VERSIONS:
        return
    if _DATED_VERSION.fullmatch(version):
        raise refuse(401, "version header is invalid")
    message = f"Invalid API version segment '{version}' at position 0"
    raise Refused(json_answer(400, {"message": message}))
