"""Who may ask GHL's sandbox for what: the Version header, private integration and OAuth tokens, scopes, locations.

Wordings and statuses follow answers of the live API as its clients report them (401, not 403, for a missing scope).
"""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.codec import decode
from ghl_payments.sandbox.wire import Answer, Refused, Request, json_answer

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

TOKEN_SECONDS = 86_399
_VERSIONS = frozenset({"2021-04-15", "2021-07-28", "2023-02-21", "v3"})
_DATED_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}|v\d+")
_SNAKE = re.compile(r"(?<!^)([A-Z])")


@dataclass(slots=True)
class Grant:
    """What a token opens; `expires` is a monotonic second, None for a private integration token."""

    location_id: str
    scopes: frozenset[str]
    expires: float | None = None


def refuse(status: int, message: str | list[str], error: str | None = None) -> Refused:
    """The gateway's error body: `statusCode`, `message`, sometimes `error`."""
    body: dict[str, Any] = {"statusCode": status, "message": message}
    return Refused(json_answer(status, body | ({"error": error} if error else {})))


class GhlAuth:
    """All tokens of the sandbox's GHL."""

    def __init__(self, identity: SandboxIdentity) -> None:
        self._identity = identity
        self._grants: dict[str, Grant] = {}
        self._refresh_tokens: dict[str, str] = {}

    def reset(self, tokens: dict[str, Grant]) -> None:
        """Only these private integration tokens are valid from now on."""
        self._grants = dict(tokens)
        self._refresh_tokens = {}

    def expire(self) -> None:
        """Every OAuth access token dies now; private integration tokens do not expire."""
        for grant in self._grants.values():
            if grant.expires is not None:
                grant.expires = time.monotonic()

    def bucket(self, request: Request) -> tuple[str, str]:
        """The (token, location) whose rate limit a request counts against."""
        token = bearer(request)
        grant = self._grants.get(token)
        return token, grant.location_id if grant else ""

    def grant(self, request: Request, scope: str | None) -> Grant:
        """The caller's grant, after version, token and scope (None where none is asked for) were found good."""
        _check_version(request.headers.get("version"))
        token = bearer(request)
        grant = self._grants.get(token)
        if grant is None or (grant.expires is not None and grant.expires <= time.monotonic()):
            if token.startswith("pit-"):
                raise refuse(401, "Invalid token: access token is invalid", "Unauthorized")
            raise refuse(401, "Invalid JWT")
        if scope is not None and (scope not in grant.scopes or scope in request.denied_scopes):
            raise refuse(401, "The token is not authorized for this scope.")
        return grant

    def token(self, request: Request, locations: list[str]) -> Answer:
        """OAuth 2.0 `POST /oauth/token`: form fields, or camelCase JSON as version v3 has it."""
        fields, camel = _token_fields(request)
        location_id = self._token_location(fields, locations)
        access, refresh = f"sandbox-{uuid.uuid4()}", f"refresh-{uuid.uuid4()}"
        self._grants[access] = Grant(location_id, SCOPES, time.monotonic() + TOKEN_SECONDS)
        self._refresh_tokens[refresh] = location_id
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "refresh_token": refresh,
            "scope": " ".join(sorted(SCOPES)),
            "userType": "Location",
            "locationId": location_id,
        }
        return json_answer(200, {_camel(name): value for name, value in answer.items()} if camel else answer)

    def _token_location(self, fields: dict[str, str], locations: list[str]) -> str:
        known = (self._identity.oauth_client_id, self._identity.oauth_client_secret)
        if (fields.get("client_id"), fields.get("client_secret")) == known:
            if fields.get("grant_type") == "refresh_token":
                # The old token dies with its use; whether the vendor grants a grace period is not known.
                location = self._refresh_tokens.pop(fields.get("refresh_token", ""), None)
                if location is not None:
                    return location
            location = fields.get("code", "").removeprefix("code-")
            if fields.get("grant_type") == "authorization_code" and location in locations:
                return location
        body = {"error": "UnAuthorized!", "error_description": "Authorization code not found"}
        raise Refused(json_answer(401, body))


def bearer(request: Request) -> str:
    """The token of the Authorization header, empty without one."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def oauth_code(location_id: str) -> str:
    """The authorization code that the sandbox accepts for a location, since it has no consent page."""
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


def _token_fields(request: Request) -> tuple[dict[str, str], bool]:
    if "json" not in request.headers.get("content-type", ""):
        return dict(parse_qsl(request.body.decode("utf-8", "replace"))), False
    try:
        body = decode(request.body)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        raise refuse(400, "Bad Request")
    snake = {_SNAKE.sub(r"_\1", name).lower(): str(value) for name, value in body.items()}
    return snake, snake.keys() != body.keys()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
