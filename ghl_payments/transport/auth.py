"""How requests sign in: the protocol every vendor's sign-in follows, and the two that need no request of their own.

A sign-in that fetches tokens belongs to its connector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr

if TYPE_CHECKING:
    from ghl_payments.transport.http import HttpClient


class Auth(Protocol):
    """Gives the Authorization header of a request, and may replace a credential that was refused."""

    can_refresh: bool

    async def header(self, http: HttpClient) -> str | None:
        """The value of the Authorization header, None for an anonymous request."""
        ...

    async def refresh(self, http: HttpClient, refused: str | None) -> None:
        """Replace the credential behind the header value `refused`, unless another task has done so already."""
        ...


class NoAuth:
    """Anonymous requests."""

    can_refresh = False

    async def header(self, http: HttpClient) -> str | None:
        """No header."""
        return None

    async def refresh(self, http: HttpClient, refused: str | None) -> None:
        """Nothing to refresh."""


class BearerToken:
    """A fixed token that only a person can replace, such as GHL's private integration token."""

    can_refresh = False

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    async def header(self, http: HttpClient) -> str | None:
        """`Bearer <token>`."""
        return f"Bearer {self._token.get_secret_value()}"

    async def refresh(self, http: HttpClient, refused: str | None) -> None:
        """Nothing to refresh."""
