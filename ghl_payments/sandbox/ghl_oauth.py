"""OAuth of GHL's sandbox: a consent page, codes that work once, refresh tokens that rotate, agency and location tokens.

Add what GHL's token service answers; what a token then opens is decided in `ghl_auth`.
"""

from __future__ import annotations

import hashlib
import html
import re
import time
import uuid
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.codec import decode
from ghl_payments.sandbox.ghl_auth import SCOPES, GhlAuth, Grant, oauth_code, refuse
from ghl_payments.sandbox.switches import Switches
from ghl_payments.sandbox.wire import Answer, Refused, Request, header_list, json_answer

TOKEN_SECONDS = 86_399
AGENCY_SCOPES = frozenset({"oauth.write", "oauth.readonly"})
_SNAKE = re.compile(r"(?<!^)([A-Z])")
_HTML_TYPE = b"text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Consent:
    """What a code or a refresh token stands for; an agency's has no location."""

    location_id: str
    scopes: frozenset[str]
    redirect_uri: str | None = None


@dataclass(slots=True)
class _Used:
    """A refresh token that was replaced: what it gave, and when."""

    at: float
    answer: dict[str, Any]


class GhlOauth:
    """The token service of the sandboxed GHL, for its one app."""

    def __init__(self, identity: SandboxIdentity, auth: GhlAuth, switches: Switches) -> None:
        self._identity = identity
        self._auth = auth
        self._switches = switches
        self._locations: list[str] = []
        self._codes: dict[str, _Consent] = {}
        self._refresh_tokens: dict[str, _Consent] = {}
        self._used: dict[str, _Used] = {}

    def reset(self, locations: list[str]) -> None:
        """Forget all consents; each location has a code that works once."""
        self._locations = locations
        self._codes = {oauth_code(name): _Consent(name, self._auth.scopes_of(name)) for name in locations}
        self._refresh_tokens = {}
        self._used = {}

    def handle(self, request: Request, parts: list[str]) -> Answer | None:
        """The answer to a request of OAuth, None for any other."""
        match request.method, parts:
            case "POST", ["oauth", "token"]:
                return self._token(request)
            case "POST", ["oauth", "locationToken"]:
                return self._location_token(request)
            case "POST", ["oauth", "location-token"] if request.headers.get("version") == "v3":
                return self._location_token(request)
            case "GET", ["oauth", "chooselocation"] | ["v2", "oauth", "chooselocation"]:
                return self._consent(request)
        return None

    def _token(self, request: Request) -> Answer:
        """`POST /oauth/token`: form fields, or camelCase JSON as version v3 has it."""
        fields, camel = _fields(request)
        known = (self._identity.oauth_client_id, self._identity.oauth_client_secret)
        if (fields.get("client_id"), fields.get("client_secret")) != known:
            raise _unknown_code()  # the live service does not tell wrong credentials from a wrong code
        match fields.get("grant_type"):
            case "authorization_code":
                answer = self._by_code(fields)
            case "refresh_token":
                answer = self._by_refresh_token(fields.get("refresh_token", ""))
            case _:
                raise _unknown_code()
        return json_answer(200, {_camel(name): value for name, value in answer.items()} if camel else answer)

    def _by_code(self, fields: dict[str, str]) -> dict[str, Any]:
        consent = self._codes.pop(fields.get("code", ""), None)
        if consent is None or (consent.redirect_uri and fields.get("redirect_uri") not in (None, consent.redirect_uri)):
            raise _unknown_code()
        return self._issue(replace(consent, redirect_uri=None))

    def _by_refresh_token(self, token: str) -> dict[str, Any]:
        """The old token dies with its use; whether the vendor grants a grace period is not known, hence a switch."""
        consent = self._refresh_tokens.pop(token, None)
        if consent is not None:
            answer = self._issue(consent)
            self._used[token] = _Used(time.monotonic(), answer)
            return answer
        used = self._used.get(token)
        if used is None or time.monotonic() >= used.at + self._switches.ghl_refresh_grace_seconds:
            raise _unknown_code()
        return used.answer

    def _issue(self, consent: _Consent) -> dict[str, Any]:
        access, refresh = f"sandbox-{uuid.uuid4()}", f"refresh-{uuid.uuid4()}"
        self._auth.issue(access, Grant(consent.location_id, consent.scopes, time.monotonic() + TOKEN_SECONDS))
        self._refresh_tokens[refresh] = consent
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "refresh_token": refresh,
            "scope": " ".join(sorted(consent.scopes)),
            "userType": "Location" if consent.location_id else "Company",
            "companyId": company_id(self._identity),
        }
        return answer | ({"locationId": consent.location_id} if consent.location_id else {})

    def _location_token(self, request: Request) -> Answer:
        """`POST /oauth/locationToken` with an agency's token; documented as 200, answered live with 201."""
        grant = self._auth.grant(request, "oauth.write", "Company")
        fields, camel = _fields(request)
        location_id = fields.get("location_id") or fields.get("locationId", "")
        company = fields.get("company_id") or fields.get("companyId")
        if location_id not in self._locations or company != company_id(self._identity):
            raise refuse(400, "Location not found")
        scopes = (grant.scopes - AGENCY_SCOPES) & self._auth.scopes_of(location_id)
        answer = self._issue(_Consent(location_id, scopes))
        del answer["userType"], answer["companyId"]
        return json_answer(201, {_camel(name): value for name, value in answer.items()} if camel else answer)

    def _consent(self, request: Request) -> Answer:
        """The page where a person chooses; `choice` (a location's id, `agency`, `deny`) answers in their place."""
        asked = request.query
        if asked.get("response_type") != "code" or asked.get("client_id") != self._identity.oauth_client_id:
            raise refuse(400, "Bad Request")
        redirect_uri, choice = asked.get("redirect_uri", ""), asked.get("choice")
        if not urlsplit(redirect_uri).scheme:
            raise refuse(400, "Bad Request")
        if choice is None:
            return self._page(request)
        if choice == "deny":
            return _redirect(redirect_uri, {"error": "access_denied"}, asked)
        if choice != "agency" and choice not in self._locations:
            raise refuse(400, "Location not found")
        location_id = "" if choice == "agency" else choice
        allowed = SCOPES | AGENCY_SCOPES if choice == "agency" else self._auth.scopes_of(location_id)
        code = uuid.uuid4().hex
        self._codes[code] = _Consent(location_id, allowed & frozenset(asked.get("scope", "").split()), redirect_uri)
        return _redirect(redirect_uri, {"code": code}, asked)

    def _page(self, request: Request) -> Answer:
        links = "".join(
            f'<li><a href="?{html.escape(request.raw_query)}&amp;choice={choice}">{choice}</a></li>'
            for choice in (*self._locations, "agency", "deny")
        )
        page = f"<!doctype html><html><head><title>Sandbox</title></head><body><ul>{links}</ul></body></html>"
        return Answer(200, page.encode(), _HTML_TYPE)


def company_id(identity: SandboxIdentity) -> str:
    """The id of the sandbox's one agency."""
    return hashlib.sha256(f"company/{identity.oauth_client_id}".encode()).hexdigest()[:20]


def _redirect(redirect_uri: str, answer: dict[str, str], asked: dict[str, str]) -> Answer:
    said = answer | ({"state": asked["state"]} if "state" in asked else {})
    target = f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(said)}"
    return Answer(302, b"", b"", header_list([("Location", target)]))


def _unknown_code() -> Refused:
    body = {"error": "UnAuthorized!", "error_description": "Authorization code not found"}
    return Refused(json_answer(401, body))


def _fields(request: Request) -> tuple[dict[str, str], bool]:
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
