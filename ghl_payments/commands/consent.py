"""A person's consent, a code, and the first tokens of a location or its agency.

Extend it when connecting takes a further step; what keeps the tokens alive afterwards is the sign-in of the connector.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ghl_payments.commands.redirect import listening
from ghl_payments.connections import Location, SettingsError
from ghl_payments.connectors.ghl.client import ENDPOINTS, WRITES
from ghl_payments.connectors.ghl.connect import ghl_sign_in
from ghl_payments.connectors.ghl.oauth import REFUSED, SignIn
from ghl_payments.connectors.ghl.oauth_api import AGENCY_SCOPE, TOKEN_PATH, Granted, consent_url, exchange_code
from ghl_payments.settings import Settings
from ghl_payments.transport.errors import OutcomeUnknown, Unauthorised
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.token_store import Consent, StoredToken, TokenStoreError

CONSENT_SECONDS = 3600.0
"""How long an answer to a question for consent is taken."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a location stands with its app; holds no secret. `reason` says why it is not connected and what to do."""

    location: str
    connected: bool
    user_type: str
    reason: str | None = None
    authorize_url: str | None = None
    redirect_uri: str | None = None
    scopes: tuple[str, ...] = ()
    missing_scopes: tuple[str, ...] = ()
    expires_at: str | None = None
    stored_in: str | None = None

    def document(self) -> dict[str, Any]:
        """For `--json`, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class NotConnected(Exception):
    """No tokens came of it; the text says why and what to do."""


def run_connect(
    settings: Settings,
    location_id: str,
    *,
    answer: str | None,
    listen: int | None,
    wait: float,
    tell: Callable[[str], None],
    prompt: Callable[[], str] | None,
) -> Report:
    """Connect one location. `answer` is a code or the whole address that a browser came back to.

    Without it the URL is told, then the answer awaited on port `listen` for `wait` seconds, or prompted for; with
    neither, the report has the URL only. SettingsError for wrong settings, ApiError when GHL cannot be asked.
    """
    location = settings.location(location_id)
    sign = ghl_sign_in(settings, location)
    redirect_uri = location.ghl.oauth.redirect_uri if location.ghl.oauth else None
    try:
        if answer is None and listen is not None:
            answer, redirect_uri = asyncio.run(_listen(sign, location, listen, wait, tell))
        elif answer is None:
            url = _ask(sign, location, redirect_uri, secrets.token_urlsafe(24))
            if prompt is None:
                standing = Report(location.id, connected=False, user_type=sign.app.user_type)
                reason = f"No consent yet: open the URL, then run: {sign.command} --code CODE"
                return replace(standing, reason=reason, authorize_url=url, redirect_uri=redirect_uri)
            tell(url)
            answer = prompt()
        code = _code(sign, answer)
        shared = sign.app.user_type == "Company" and any(
            other.id != location.id and other.ghl.oauth and other.ghl.connection == location.ghl.connection
            for other in settings.locations
        )
        return asyncio.run(_finish(sign, location, code, redirect_uri, shared=shared))
    except NotConnected as error:
        return Report(location.id, connected=False, user_type=sign.app.user_type, reason=str(error))
    except TokenStoreError as error:
        raise SettingsError(str(error)) from None


def wanted_scopes(location: Location) -> tuple[str, ...]:
    """What the app must be granted for this location: reading, and writing where GHL itself is a target."""
    wanted = {endpoint.scope for endpoint in ENDPOINTS.values()}
    if location.ghl.connection in location.targets:
        wanted |= {WRITES[name].scope for name in ("fulfillment", "provider")}
    return tuple(sorted(wanted))


async def _listen(
    sign: SignIn, location: Location, port: int, wait: float, tell: Callable[[str], None]
) -> tuple[str, str]:
    """The address that the browser came back to, and the redirect URI that it was asked with."""
    state = secrets.token_urlsafe(24)
    try:
        async with listening(port) as redirect:
            redirect.state = state
            redirect_uri = (location.ghl.oauth and location.ghl.oauth.redirect_uri) or redirect.url
            tell(_ask(sign, location, redirect_uri, state))
            came = await redirect.answer(wait)
    except OSError as error:
        msg = f"cannot listen on 127.0.0.1:{port} ({error.strerror}); give another port to --listen"
        raise SettingsError(msg) from None
    if came is None:
        raise NotConnected(f"No browser came back within {wait:.0f} s. Run: {sign.command}")
    if "code" not in came:
        raise NotConnected(_denied(sign, came))
    return came["code"], redirect_uri


def _ask(sign: SignIn, location: Location, redirect_uri: str | None, state: str) -> str:
    """The URL of the consent page, once it is noted that its answer is awaited."""
    if redirect_uri is None:
        msg = (
            f"location {location.id} has no `redirect_uri` under `ghl.oauth`; "
            "give it one of the https redirect URLs that the app has registered"
        )
        raise SettingsError(msg)
    asked = Consent(_hash(state), time.time() + CONSENT_SECONDS)
    sign.store.ask(sign.pair_key, asked)
    agency = (AGENCY_SCOPE,) if sign.app.user_type == "Company" else ()
    page = location.ghl.oauth.authorize_url if location.ghl.oauth else None
    scopes = (*wanted_scopes(location), *agency)
    return consent_url(sign.app, page=page, redirect_uri=redirect_uri, scopes=scopes, state=state)


def _code(sign: SignIn, answer: str) -> str:
    """The code of an answer; the state of a whole address must be that of the last question."""
    text = answer.strip()
    if "://" not in text:
        if not text:
            raise NotConnected(f"No code was given. Run: {sign.command}")
        return text
    query = dict(parse_qsl(urlsplit(text).query))
    if "state" in query:
        asked = sign.store.asked(sign.pair_key)
        if asked is None or not hmac.compare_digest(asked.state_hash, _hash(query["state"])):
            raise NotConnected(f"This address answers another question than the last one. Run: {sign.command}")
        if time.time() > asked.until:
            raise NotConnected(f"This address answers a question of more than an hour ago. Run: {sign.command}")
    if "code" not in query:
        raise NotConnected(_denied(sign, query))
    return query["code"]


async def _finish(sign: SignIn, location: Location, code: str, redirect_uri: str | None, *, shared: bool) -> Report:
    http = sign.client(None)
    try:
        pair = _checked(sign, await _exchange(http, sign, code, redirect_uri))
        async with sign.store.turn(sign.pair_key):
            if shared:
                _same_agency(sign, sign.store.get(sign.pair_key), pair)
            sign.store.put(sign.pair_key, pair)
        sign.store.answered(sign.pair_key)
        token = await _location_token(http, sign, pair)
    finally:
        await http.aclose()
    granted = tuple(sorted(token.scope.split()))
    missing = tuple(sorted(set(wanted_scopes(location)) - set(granted))) if granted else ()
    reason = None
    if missing:
        reason = f"Scopes are missing: {', '.join(missing)}. Add them to the app, then run: {sign.command}"
    return Report(
        location.id, connected=True, user_type=sign.app.user_type, reason=reason, scopes=granted,
        missing_scopes=missing, stored_in=str(sign.store.path),
        expires_at=datetime.fromtimestamp(token.expires_at, UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


async def _exchange(http: HttpClient, sign: SignIn, code: str, redirect_uri: str | None) -> Granted:
    try:
        return await exchange_code(http, sign.app, code, redirect_uri)
    except REFUSED:
        why = (
            "GHL refused the code: a code works once and only for minutes, or the client id or secret is not the app's "
            "(GHL does not say which)"
        )
        raise NotConnected(f"{why}. Run: {sign.command}") from None
    except OutcomeUnknown as error:
        remedy = f"The answer was lost, and the code may be used up. For a new one run: {sign.command}"
        raise OutcomeUnknown(system="ghl", method="POST", path=TOKEN_PATH, status=error.status, remedy=remedy) from None


def _checked(sign: SignIn, granted: Granted) -> StoredToken:
    """The tokens, once it is clear that they are of the place that was meant."""
    wanted = sign.app.user_type
    if granted.userType is not None and granted.userType != wanted:
        raise NotConnected(
            f"The app was installed as {granted.userType}, connections.yaml says user_type {wanted}; change either"
        )
    if wanted == "Location" and granted.locationId != sign.location_id:
        raise NotConnected(
            f"The consent was given for location {granted.locationId}, not for {sign.location_id}. "
            f"Choose that one on GHL's page; run: {sign.command}"
        )
    if granted.refresh_token is None or (wanted == "Company" and not granted.companyId):
        raise NotConnected("GHL's answer lacks the refresh token or the agency's id, without which nothing can go on")
    return granted.stored(sign.app, refresh_token=granted.refresh_token)


def _same_agency(sign: SignIn, before: StoredToken | None, now: StoredToken) -> None:
    """Locations that share a connection's agency must not be moved to another one by the way."""
    if before is not None and before.account.get("companyId") != now.account.get("companyId"):
        raise NotConnected(
            f"The connection {sign.connection} is that of another agency, and further locations use it. "
            "Give this agency a connection of its own in connections.yaml"
        )


async def _location_token(http: HttpClient, sign: SignIn, pair: StoredToken) -> StoredToken:
    """What the location is read with: the pair's own token, or one that its agency gets now."""
    if sign.app.user_type == "Location":
        return pair
    sign.store.forget(sign.location_key)  # of an earlier consent
    try:
        return await sign.auth().token(http)
    except Unauthorised as error:
        raise NotConnected(f"The agency is connected, but: {error.remedy}") from None


def _denied(sign: SignIn, query: dict[str, str]) -> str:
    if "error" in query:
        return f"The consent was refused on GHL's page. Run: {sign.command}"
    return f"There is no code in this address. Run: {sign.command}"


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
