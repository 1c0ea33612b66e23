"""A token that all processes share: one of them replaces it, the others wait and read what it stored.

What must hold while a token is replaced stands here; which requests replace it is decided in `oauth.py`, the file is
`transport/token_store.py`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ghl_payments.connectors.ghl.oauth_api import TOKEN_PATH, App
from ghl_payments.transport.errors import ApiError, Unauthorised
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.token_store import StoredToken, TokenStore, TokenStoreError

log = logging.getLogger("ghl_payments.connectors.ghl.oauth")
Result = TypeVar("Result")

EARLY = 3600.0
"""Seconds before its expiry at which a token is replaced; until then a failed try can be repeated."""

AGAIN = 60.0
"""Seconds until the next try after a failed one, and between two replacements of tokens that were refused."""

_LAST_SECONDS = 30.0


class KeptToken(ABC):
    """An Authorization out of the token store. Create it inside the running event loop.

    Errors are `transport.errors` classes; an Unauthorised of its own says what a person has to do.
    """

    can_refresh = True

    def __init__(self, store: TokenStore, key: str, app: App, remedy: str) -> None:
        self._store = store
        self._key = key
        self._app = app
        self._remedy = remedy
        self._token: StoredToken | None = None
        self._turn = asyncio.Lock()
        self._failure: tuple[float, ApiError] | None = None
        self._told: ApiError | None = None
        self._refused_at: float | None = None

    async def header(self, http: HttpClient) -> str | None:
        """`Bearer <token>`; a token near its end is replaced first, and used on when that fails for now."""
        return _bearer(await self.token(http))

    async def token(self, http: HttpClient) -> StoredToken:
        """The token behind `header`."""
        if self._token is not None and not is_due(self._token):
            return self._token
        try:
            return await self._current(http, is_due)
        except ApiError as error:
            if self._token is None or time.time() >= self._token.expires_at - _LAST_SECONDS:
                raise
            if error is not self._told:
                self._told = error
                log.warning("GHL token of %s is not replaced yet, the old one still works. %s", self._key, error.remedy)
            return self._token

    async def refresh(self, http: HttpClient, refused: str | None) -> None:
        """Replace the token behind `refused`, unless that was done already, here or elsewhere.

        GHL answers 401 for other reasons too, so a second refusal within a minute replaces nothing.
        """
        await self._current(http, lambda token: _bearer(token) == refused, refused=True)

    @abstractmethod
    def _usable(self, held: StoredToken | None) -> bool:
        """Whether a stored token is of this sign-in at all; Unauthorised when a person must act."""

    @abstractmethod
    async def _fetch(self, http: HttpClient, held: StoredToken | None) -> StoredToken:
        """A new token, stored before it is returned; runs in this key's turn."""

    async def _current(
        self, http: HttpClient, stale: Callable[[StoredToken], bool], *, refused: bool = False
    ) -> StoredToken:
        """The token of the store, replaced if `stale` still says so once it is our turn."""
        async with self._turn:
            if self._token is not None and (not stale(self._token) or (refused and self._refused_lately())):
                return self._token
            if self._failure is not None and time.monotonic() < self._failure[0] + AGAIN:
                raise self._failure[1].with_traceback(None)
            try:
                self._token = await self._replaced(http, stale)
            except ApiError as error:
                self._failure = (time.monotonic(), error)
                raise
            self._failure = None
            return self._token

    def _refused_lately(self) -> bool:
        """Whether a refused token was replaced within the last minute; if not, one is being replaced now."""
        before, now = self._refused_at, time.monotonic()
        lately = before is not None and now < before + AGAIN
        if not lately:
            self._refused_at = now
        return lately

    async def _replaced(self, http: HttpClient, stale: Callable[[StoredToken], bool]) -> StoredToken:
        try:
            held = self._held()
            if held is not None and not stale(held):
                return held
            async with self._store.turn(self._key):
                self._token = self._held()  # another process may have replaced it meanwhile
                if self._token is not None and not stale(self._token):
                    return self._token
                return await _to_the_end(self._fetch(http, self._token))
        except TokenStoreError as error:
            raise self._unauthorised(str(error)) from None

    def _held(self) -> StoredToken | None:
        held = self._store.get(self._key)
        return held if self._usable(held) else None

    async def _save(self, token: StoredToken) -> StoredToken:
        await asyncio.to_thread(self._store.put, self._key, token)
        return token

    def _unauthorised(self, remedy: str, status: int | None = None) -> Unauthorised:
        return Unauthorised(system="ghl", method="POST", path=TOKEN_PATH, status=status, remedy=remedy)


async def _to_the_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Run it to its end even when the caller is cancelled: an answer thrown away could be the only usable token."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # looked at, so that nobody complains
        raise cancelled
    return task.result()


def is_due(token: StoredToken) -> bool:
    """Whether it is time for a new one."""
    lifetime = token.expires_at - token.obtained_at
    return time.time() >= token.expires_at - min(EARLY, lifetime / 10)


def _bearer(token: StoredToken) -> str:
    return f"Bearer {token.access_token}"
