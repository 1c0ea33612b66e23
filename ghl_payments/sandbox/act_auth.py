"""Signing in to the sandboxed Act! database: user, password and database name for a JWT that expires.

What a signed-in user may see belongs to `act_data`.
"""

from __future__ import annotations

import base64
import binascii
import time
import uuid
from dataclasses import dataclass

from ghl_payments.sandbox.act_switches import ActSwitches
from ghl_payments.sandbox.codec import Doc, encode
from ghl_payments.sandbox.wire import Answer, Refused, Request, json_answer

_CODES = {"incompatible": 4030, "no_subscription": 4031, "no_api_access": 4032}


@dataclass(frozen=True, slots=True)
class ActLogin:
    """The one user of the database's API."""

    user: str
    password: str
    database: str


def failure(status: int, message: str, kind: str = "System.Exception", **more: object) -> Refused:
    """An error in the form of ASP.NET."""
    body: Doc = {
        "message": "An error has occurred.", "exceptionMessage": message, "exceptionType": kind,
        "stackTrace": "   at Act.Web.Api.Controllers.BaseController.Invoke()", **more,
    }  # fmt: skip
    return Refused(json_answer(status, body))


class ActAuth:
    """Tokens issued so far."""

    def __init__(self, login: ActLogin, switches: ActSwitches) -> None:
        self._login = login
        self._switches = switches
        self._tokens: dict[str, float] = {}

    def expire(self) -> None:
        """Every issued token dies now."""
        self._tokens.clear()

    def authorize(self, request: Request) -> Answer:
        """`GET /authorize`: a bare token as text/html, also for a token that is still good."""
        if request.headers.get("act-database-name") != self._login.database:
            raise failure(401, "The database is not known.")
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        known = self._is_user(text) if kind.casefold() == "basic" else self._is_good(text)
        if not known:
            raise failure(401, "Authorization has been denied for this request.")
        if self._switches.act_access != "ok":
            code = _CODES[self._switches.act_access]
            raise failure(403, f"Access to the API was denied ({code}).", subCode=code)
        token = self._issue()
        text = f'"{token}"\r\n' if self._switches.act_token_quoted else token
        return Answer(200, text.encode(), b"text/html; charset=utf-8")

    def check(self, request: Request) -> None:
        """Whether a request below `/api` may pass; a missing header is met badly, as on the real servers."""
        header = request.headers.get("authorization")
        if header is None:
            raise failure(500, "Object reference not set to an instance of an object.", "System.NullReferenceException")
        kind, _, text = header.partition(" ")
        if kind.casefold() != "bearer" or not self._is_good(text):
            raise failure(401, "Authorization has been denied for this request.")

    def _is_user(self, text: str) -> bool:
        try:
            pair = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        return pair == f"{self._login.user}:{self._login.password}"

    def _is_good(self, text: str) -> bool:
        return self._tokens.get(text.strip(), 0.0) > time.monotonic()

    def _issue(self) -> str:
        seconds = self._switches.act_token_seconds
        claims = {"sub": self._login.user, "db": self._login.database, "exp": int(time.time()) + seconds}
        parts = (encode({"typ": "JWT", "alg": "HS256"}), encode(claims), uuid.uuid4().bytes)
        token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        self._tokens[token] = time.monotonic() + seconds
        return token
