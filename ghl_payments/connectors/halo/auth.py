"""Halo's sign-in: client credentials with a tenant, and a token kept until shortly before it expires.

Which requests need it is not decided here.
"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from ghl_payments.transport.errors import ApiError, Transient, Unauthorised, Unreachable
from ghl_payments.transport.exchange import Response
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.jsontext import decode_as

EARLY = 60.0
"""Seconds before its expiry at which a token is replaced."""


class _AuthInfo(msgspec.Struct):
    auth_url: str | None = None
    tenant_id: str | None = None


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float = 3600.0


_AUTH_INFO = msgspec.json.Decoder(_AuthInfo)
_TOKEN = msgspec.json.Decoder(_Token)


class ClientCredentials:
    """OAuth client credentials against the tenant's authorisation server, found through /api/authinfo.

    However many requests need a token at once, one fetches it and the others wait.
    """

    can_refresh = True

    def __init__(self, tenant: str, client_id: SecretStr, client_secret: SecretStr) -> None:
        self._tenant = tenant
        self._client_id = client_id
        self._client_secret = client_secret
        self._token: SecretStr | None = None
        self._expires = 0.0
        self._address: tuple[str, str] | None = None
        self._lock = asyncio.Lock()

    async def header(self, http: HttpClient) -> str | None:
        """`Bearer <token>` with a token that is still good for a while."""
        if self._token is None or time.monotonic() >= self._expires:
            async with self._lock:
                if self._token is None or time.monotonic() >= self._expires:
                    await self._fetch(http)
        return self._header()

    async def refresh(self, http: HttpClient, refused: str | None) -> None:
        """Fetch a new token, unless another request has done so since `refused` was used."""
        async with self._lock:
            if self._header() == refused:
                await self._fetch(http)

    def _header(self) -> str | None:
        return f"Bearer {self._token.get_secret_value()}" if self._token is not None else None

    async def _fetch(self, http: HttpClient) -> None:
        if self._address is None:
            self._address = await self._discover(http)
        url, tenant = self._address
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id.get_secret_value(),
            "client_secret": self._client_secret.get_secret_value(),
            "scope": "all",
        }
        try:
            # Asking twice for a token changes nothing in Halo, so it may be retried.
            token = await http.request(
                "POST", url, _read_token, params={"tenant": tenant} if tenant else None, form=form,
                idempotent=True, anonymous=True,
            )  # fmt: skip
        except Unreachable:
            raise
        except (Unauthorised, Transient) as error:
            raise _explained(error) from None
        self._token = SecretStr(token.access_token)
        self._expires = time.monotonic() + max(0.0, token.expires_in - EARLY)

    async def _discover(self, http: HttpClient) -> tuple[str, str]:
        """Token URL and tenant name; the well-known path when /api/authinfo does not help."""
        fallback = f"{http.base_url}/auth/token"
        try:
            info = await http.request("GET", "/api/authinfo", _read_info, idempotent=True, anonymous=True)
        except Unreachable:
            raise
        except ApiError:
            return fallback, self._tenant
        tenant = self._tenant or info.tenant_id or ""
        if not info.auth_url:
            return fallback, tenant
        url = info.auth_url if "://" in info.auth_url else f"{http.base_url}/{info.auth_url.lstrip('/')}"
        if urlsplit(http.base_url).scheme == "https" and urlsplit(url).scheme != "https":
            return fallback, tenant  # the secret must not leave in the clear because an answer says so
        return f"{url.rstrip('/')}/token", tenant


def _read_info(response: Response) -> _AuthInfo:
    return decode_as(_AUTH_INFO, response.body, "the sign-in addresses")


def _read_token(response: Response) -> _Token:
    return decode_as(_TOKEN, response.body, "an access_token")


def _explained(error: ApiError) -> Unauthorised:
    """Without a token nothing can be done, so either way it is a failed sign-in and not one bad page."""
    if isinstance(error, Unauthorised):
        remedy = "Halo refused the client id or secret; check the API application under Configuration > Integrations."
    else:
        remedy = "No token could be had: the sign-in server failed, which can also mean a wrong tenant name."
    return Unauthorised(system=error.system, method=error.method, path=error.path, status=error.status, remedy=remedy)
