"""GHL's OAuth requests (docs, OAuth 2.0): a code, a refresh token or an agency's token against new tokens.

Add a request of the token service here; when tokens are fetched and where they are kept belongs to `oauth.py`.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from pydantic import SecretStr

from ghl_payments.transport.errors import MissingScope
from ghl_payments.transport.exchange import Response, is_loopback
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.jsontext import decode_as
from ghl_payments.transport.token_store import StoredToken

TOKEN_PATH = "/oauth/token"  # noqa: S105 - an address
LOCATION_TOKEN_PATH = "/oauth/locationToken"  # noqa: S105 - an address
CONSENT_PAGE = "https://marketplace.gohighlevel.com/v2/oauth/chooselocation"
AGENCY_SCOPE = "oauth.write"
"""What an agency's token needs in order to be exchanged for a location's."""

UserType = Literal["Location", "Company"]


@dataclass(frozen=True, slots=True)
class App:
    """A marketplace app and the API it belongs to; its credentials are the same for everybody who installs it."""

    client_id: SecretStr
    client_secret: SecretStr
    user_type: UserType
    base_url: str

    @property
    def fingerprint(self) -> str:
        """Tells tokens of this app, on this host, from others, without naming it."""
        parts = (urlsplit(self.base_url).netloc, self.user_type, self.client_id.get_secret_value())
        return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]


class Granted(msgspec.Struct):
    """An answer of the token service; names are GHL's own. Never shown: it is nothing but secrets."""

    access_token: str
    expires_in: float
    refresh_token: str | None = None
    scope: str = ""
    userType: str | None = None  # noqa: N815
    locationId: str | None = None  # noqa: N815
    companyId: str | None = None  # noqa: N815

    def __repr__(self) -> str:
        return f"Granted(userType={self.userType!r}, locationId={self.locationId!r}, companyId={self.companyId!r})"

    def stored(self, app: App, *, refresh_token: str | None) -> StoredToken:
        """As the token store keeps it, with the refresh token that is to be kept."""
        now = time.time()
        account = {"locationId": self.locationId, "companyId": self.companyId}
        return StoredToken(
            access_token=self.access_token,
            refresh_token=refresh_token,
            obtained_at=now,
            expires_at=now + self.expires_in,
            app=app.fingerprint,
            scope=self.scope,
            account={name: value for name, value in account.items() if value},
        )


_GRANTED = msgspec.json.Decoder(Granted)


def consent_url(app: App, *, page: str | None, redirect_uri: str, scopes: tuple[str, ...], state: str) -> str:
    """Where a person installs the app; `page` replaces GHL's own, a sandbox has its page at its own address."""
    default = f"{app.base_url}/v2/oauth/chooselocation" if is_loopback(app.base_url) else CONSENT_PAGE
    parts = urlsplit(page or default)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | {
        "response_type": "code",
        "client_id": app.client_id.get_secret_value(),
        "redirect_uri": redirect_uri,
        "scope": " ".join(scopes),
        "state": state,
    }
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query), ""))


async def exchange_code(http: HttpClient, app: App, code: str, redirect_uri: str | None) -> Granted:
    """Tokens for an authorisation code, which works once. OutcomeUnknown when the answer was lost."""
    form = {"grant_type": "authorization_code", "code": code}
    return await _granted(http, app, form | ({"redirect_uri": redirect_uri} if redirect_uri else {}))


async def refresh_pair(http: HttpClient, app: App, refresh_token: str) -> Granted:
    """A new pair for a refresh token, which GHL replaces by it. OutcomeUnknown when the answer was lost."""
    return await _granted(http, app, {"grant_type": "refresh_token", "refresh_token": refresh_token})


async def location_token(agency: HttpClient, company_id: str, location_id: str) -> Granted:
    """A location's token, asked for with its agency's; asking again does no harm."""
    form = {"companyId": company_id, "locationId": location_id}
    try:
        return await agency.request("POST", LOCATION_TOKEN_PATH, _read, form=form, idempotent=True)
    except MissingScope as error:
        remedy = f"The app lacks the scope {AGENCY_SCOPE}: add it to the app, then connect the agency again."
        raise MissingScope(
            system=error.system, method=error.method, path=error.path, status=error.status,
            remedy=remedy, scope=AGENCY_SCOPE,
        ) from None  # fmt: skip


async def _granted(http: HttpClient, app: App, form: dict[str, str]) -> Granted:
    credentials = {
        "client_id": app.client_id.get_secret_value(),
        "client_secret": app.client_secret.get_secret_value(),
        "user_type": app.user_type,
    }
    # Sent once: a code and a refresh token die with their use, so a repetition is the caller's decision.
    return await http.request("POST", TOKEN_PATH, _read, form=credentials | form, idempotent=False, anonymous=True)


def _read(response: Response) -> Granted:
    return decode_as(_GRANTED, response.body, "access_token and expires_in")
