"""Signing in to GHL with a marketplace app: a pair of tokens that rotates, and a location's token out of its agency's.

Another way to get a token is added here; how it is shared belongs to `kept_token.py`, the requests to `oauth_api.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from ghl_payments.connections import Location, SettingsError
from ghl_payments.connectors.ghl.client import API_VERSION
from ghl_payments.connectors.ghl.kept_token import KeptToken
from ghl_payments.connectors.ghl.oauth_api import (
    LOCATION_TOKEN_PATH,
    TOKEN_PATH,
    App,
    Granted,
    location_token,
    refresh_pair,
)
from ghl_payments.settings import Settings
from ghl_payments.transport.budget import RateBudget
from ghl_payments.transport.errors import (
    ApiError,
    MissingScope,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Transient,
    Unauthorised,
    Unreachable,
)
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.token_store import StoredToken, TokenStore

STORE = "tokens.json"
"""The token file's name in the home of the installation."""

REFUSED = (Unauthorised, Rejected, NotFound)
"""Errors by which GHL says no to a code or a token."""

_PAUSES = (0.5, 2.0)


class RotatingPair(KeptToken):
    """The token of whoever installed the app, a location or an agency: each refresh replaces the refresh token too.

    GHL does not say whether a refresh token can be used once more when the answer was lost. So the old one is tried
    once more; when it is refused, only a new consent helps.
    """

    def _usable(self, held: StoredToken | None) -> bool:
        if held is None:
            raise self._unauthorised(f"Not connected yet: {self._remedy}")
        if held.app != self._app.fingerprint:
            raise self._unauthorised(f"The stored tokens are of another app, host or user_type: {self._remedy}")
        return True

    async def _fetch(self, http: HttpClient, held: StoredToken | None) -> StoredToken:
        if held is None or held.refresh_token is None:
            raise self._unauthorised(f"There is no refresh token: {self._remedy}")
        lost_before = held.refresh_begun
        # Should this process end before the answer is stored, the next one knows what a refusal means.
        await self._save(msgspec.structs.replace(held, refresh_begun=lost_before or time.time()))
        try:
            granted = await self._pair(http, held.refresh_token)
        except OutcomeUnknown:
            granted = await self._pair_again(http, held.refresh_token)
        except ApiError as error:
            if lost_before is None:
                await self._save(held)  # nothing was replaced
            if isinstance(error, REFUSED):
                raise self._refused(error, lost_before) from None
            raise
        renewed = granted.stored(self._app, refresh_token=granted.refresh_token or held.refresh_token)
        return await self._save(msgspec.structs.replace(renewed, account=held.account | renewed.account))

    async def _pair(self, http: HttpClient, refresh_token: str) -> Granted:
        """One refresh; tries that never left are repeated."""
        for pause in _PAUSES:
            with contextlib.suppress(Unreachable):
                return await refresh_pair(http, self._app, refresh_token)
            await asyncio.sleep(pause)
        return await refresh_pair(http, self._app, refresh_token)

    async def _pair_again(self, http: HttpClient, refresh_token: str) -> Granted:
        """The answer was lost, and with it perhaps the only usable refresh token."""
        try:
            return await self._pair(http, refresh_token)
        except (OutcomeUnknown, Unreachable, RateLimited) as error:
            remedy = "The answer to a token refresh was lost; the next try uses the same refresh token once more."
            raise Transient(system="ghl", method="POST", path=TOKEN_PATH, status=error.status, remedy=remedy) from None
        except REFUSED as error:
            raise self._refused(error, time.time()) from None

    def _refused(self, error: ApiError, lost_at: float | None) -> Unauthorised:
        if lost_at is None:
            why = (
                "GHL refused the refresh token: client id or secret are not the app's, the app was uninstalled, or the "
                "token was not used for a year or was used elsewhere"
            )
        else:
            why = (
                f"The answer to the token refresh of {datetime.fromtimestamp(lost_at, UTC):%Y-%m-%d %H:%M} UTC was "
                "lost, and GHL no longer accepts the refresh token from before it"
            )
        return self._unauthorised(f"{why}. {self._remedy}", error.status)


class AgencyLocation(KeptToken):
    """A location's token, had with the token of its agency whenever it is needed; nothing of it rotates."""

    def __init__(
        self,
        store: TokenStore,
        key: str,
        app: App,
        remedy: str,
        *,
        location_id: str,
        agency: RotatingPair,
        open_agency: Callable[[], HttpClient],
    ) -> None:
        super().__init__(store, key, app, remedy)
        self._location_id = location_id
        self._agency = agency
        self._open_agency = open_agency

    def _usable(self, held: StoredToken | None) -> bool:
        return held is not None and held.app == self._app.fingerprint

    async def _fetch(self, http: HttpClient, held: StoredToken | None) -> StoredToken:  # noqa: ARG002 - not its client
        client = self._open_agency()
        try:
            account = (await self._agency.token(client)).account
            granted = await location_token(client, account.get("companyId", ""), self._location_id)
        except REFUSED as error:
            if isinstance(error, MissingScope) or error.path != LOCATION_TOKEN_PATH:
                raise
            remedy = f"GHL gives the agency no token for this location; is the app installed there? {self._remedy}"
            raise self._unauthorised(remedy, error.status) from None
        finally:
            await client.aclose()
        # Its refresh token stays unused: the agency's is the only one that has to be kept alive.
        return await self._save(granted.stored(self._app, refresh_token=None))


@dataclass(frozen=True, slots=True)
class SignIn:
    """How one location signs in with its app: where tokens are kept, under which keys, and what helps a person.

    `budget` makes the rate budget of a credential.
    """

    app: App
    store: TokenStore
    location_id: str
    connection: str
    budget: Callable[[str], RateBudget]

    @property
    def command(self) -> str:
        """What connects the location (again)."""
        return f"ghl-payments connect --location {self.location_id}"

    @property
    def location_key(self) -> str:
        """Of the location's own token."""
        return f"{self.connection}/{self.location_id}"

    @property
    def pair_key(self) -> str:
        """Of the tokens that a consent gives; all locations of an agency share them."""
        return f"{self.connection}/agency" if self.app.user_type == "Company" else self.location_key

    @property
    def location_budget(self) -> RateBudget:
        """GHL counts requests for each app and location."""
        return self.budget(f"{self.location_id}/{self.app.fingerprint}")

    def auth(self) -> KeptToken:
        """For the location's HTTP client; create it inside the running event loop."""
        remedy = f"Run: {self.command}"
        pair = RotatingPair(self.store, self.pair_key, self.app, remedy)
        if self.app.user_type == "Location":
            return pair
        return AgencyLocation(
            self.store, self.location_key, self.app, remedy,
            location_id=self.location_id, agency=pair, open_agency=lambda: self.client(pair),
        )  # fmt: skip

    def client(self, pair: RotatingPair | None) -> HttpClient:
        """A client for requests of the agency, or for those without any token."""
        budget = self.budget(f"agency/{self.app.fingerprint}") if pair else self.location_budget
        return HttpClient("ghl", self.app.base_url, pair, budget, headers={"Version": API_VERSION})


def sign_in(settings: Settings, location: Location, budget: Callable[[str], RateBudget]) -> SignIn:
    """The sign-in of a location with `oauth`; SettingsError when it has none or a variable is not set."""
    described = location.ghl.oauth
    if described is None:
        msg = f"location {location.id} has a private integration token; give it `oauth` under `ghl` to connect an app"
        raise SettingsError(msg)
    app = App(
        client_id=settings.secret(described.client_id),
        client_secret=settings.secret(described.client_secret),
        user_type=described.user_type,
        base_url=settings.connection(location.ghl.connection).base_url,
    )
    return SignIn(app, TokenStore(settings.home / STORE), location.id, location.ghl.connection, budget)
