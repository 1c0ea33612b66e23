"""Act!'s sign-in: user, password and database name for a bare JWT, which is kept until shortly before it expires.

Which requests need it is not decided here.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time

import msgspec
from pydantic import SecretStr

from ghl_payments.transport.errors import Transient, Unauthorised, Unreachable
from ghl_payments.transport.exchange import Response
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.jsontext import WrongShape

EARLY_SECONDS = 120.0
"""A token is replaced this long before its `exp`."""

BLIND_SECONDS = 1200.0
"""How long a token without a readable `exp` is used; its life is not published, public clients saw an hour."""

SHORTEST_SECONDS = 30.0
"""A token is used at least this long, so that a clock that is off does not mean a sign-in for every request."""


class _Claims(msgspec.Struct):
    exp: float | None = None


class BasicLogin:
    """User and password as the sign-in itself wants them."""

    can_refresh = False

    def __init__(self, user: str, password: SecretStr) -> None:
        self._user = user
        self._password = password

    async def header(self, http: HttpClient) -> str | None:  # noqa: ARG002 - the protocol's signature
        """`Basic ...`."""
        pair = f"{self._user}:{self._password.get_secret_value()}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    async def refresh(self, http: HttpClient, refused: str | None) -> None:
        """Nothing to refresh."""


class TokenLogin:
    """Bearer tokens fetched through `door`, a client that signs in with BasicLogin.

    However many requests need a token at once, one fetches it and the others wait.
    """

    can_refresh = True

    def __init__(self, door: HttpClient) -> None:
        self._door = door
        self._token: SecretStr | None = None
        self._expires = 0.0
        self._lock = asyncio.Lock()

    async def header(self, http: HttpClient) -> str | None:  # noqa: ARG002 - the protocol's signature
        """`Bearer <token>` with a token that is still good for a while."""
        if self._token is None or time.monotonic() >= self._expires:
            async with self._lock:
                if self._token is None or time.monotonic() >= self._expires:
                    await self._fetch()
        return self._header()

    async def refresh(self, http: HttpClient, refused: str | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Fetch a new token, unless another request has done so since `refused` was used."""
        async with self._lock:
            if self._header() == refused:
                await self._fetch()

    def _header(self) -> str | None:
        return f"Bearer {self._token.get_secret_value()}" if self._token is not None else None

    async def _fetch(self) -> None:
        try:
            token = await self._door.read("/authorize", read_token, priority="fresh")
        except Unreachable:
            raise
        except Transient as error:
            raise Unauthorised(
                system=error.system, method=error.method, path=error.path, status=error.status,
                remedy="No token could be had: the sign-in failed, which can also mean a wrong database name.",
            ) from None  # fmt: skip
        ends = expiry(token)
        life = BLIND_SECONDS
        if ends is not None:
            life = max(SHORTEST_SECONDS, ends - time.time() - (self._door.clock_ahead or 0.0) - EARLY_SECONDS)
        self._token = SecretStr(token)
        self._expires = time.monotonic() + life


def read_token(response: Response) -> str:
    """The JWT of a text/html answer: one line, now and then in double quotes. Raises WrongShape."""
    text = response.body.decode("utf-8", "replace").strip().strip('"').strip()
    if text.count(".") != 2 or not all(part.isprintable() and " " not in part and part for part in text.split(".")):
        raise WrongShape("Expected a bare token; found something else.")
    return text


def expiry(token: str) -> float | None:
    """Seconds since 1970 at which a JWT ends by its own claim; None when it cannot be read."""
    payload = token.split(".")[1]
    try:
        raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return msgspec.json.decode(raw, type=_Claims).exp
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
