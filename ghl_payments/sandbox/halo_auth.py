"""Signing in to the sandboxed Halo tenant: client credentials, scoped tokens that expire, the discovery document.

Which scope a resource needs is said in `halo_schema`.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from urllib.parse import parse_qsl

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.wire import Answer, Refused, Request, bare_answer, json_answer

TOKEN_SECONDS = 3600


@dataclass(slots=True)
class _Token:
    scopes: frozenset[str]
    expires: float


class HaloAuth:
    """The tenant's one API application and the tokens issued to it."""

    def __init__(self, identity: SandboxIdentity) -> None:
        self._identity = identity
        self._tokens: dict[str, _Token] = {}

    def expire(self) -> None:
        """Every issued token dies now."""
        self._tokens.clear()

    def info(self, request: Request) -> Answer:
        """`GET /api/authinfo`, which needs no sign-in."""
        return json_answer(200, {"auth_url": f"{request.origin}/halo/auth", "tenant_id": self._identity.halo_tenant})

    def token(self, request: Request) -> Answer:
        """`POST /auth/token`; the tenant stands in the query or in the form, and may be left out (on premises)."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        tenant = request.query.get("tenant") or form.get("tenant") or self._identity.halo_tenant
        if tenant != self._identity.halo_tenant:
            return json_answer(500, {"Message": "An error has occurred."})
        if form.get("grant_type") != "client_credentials":
            return json_answer(400, {"error": "unsupported_grant_type"})
        known = (self._identity.halo_client_id, self._identity.halo_client_secret)
        if (form.get("client_id"), form.get("client_secret")) != known:
            description = "The client credentials are not valid."
            return json_answer(401, {"error": "invalid_client", "error_description": description})
        scope = form.get("scope") or "all"
        token = f"sandbox-{uuid.uuid4()}"
        self._tokens[token] = _Token(frozenset(scope.split()), time.monotonic() + TOKEN_SECONDS)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": scope}
        return json_answer(200, answer)

    def check(self, request: Request, scope: str | None) -> None:
        """401 with an empty body for a dead token, 403 with an empty body for a missing scope."""
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        token = self._tokens.get(text.strip()) if kind.casefold() == "bearer" else None
        if token is None or token.expires <= time.monotonic():
            raise Refused(bare_answer(401))
        if scope is None:
            return
        granted = scope in token.scopes or not token.scopes.isdisjoint({"all", "all:standard"})
        if not granted or scope in request.denied_scopes:
            raise Refused(bare_answer(403))
