"""The HTTP face of the sandboxed Halo tenant: sign-in, lists, details, array POSTs, DELETE.

Add an endpoint here; a resource or property belongs to `halo_schema`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.clock import SandboxClock
from ghl_payments.sandbox.codec import Doc, decode
from ghl_payments.sandbox.halo_auth import HaloAuth
from ghl_payments.sandbox.halo_query import list_answer
from ghl_payments.sandbox.halo_schema import RESOURCES, Resource
from ghl_payments.sandbox.halo_store import HaloData, load_halo
from ghl_payments.sandbox.halo_write import HaloWriter
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.limits import Rate, SlidingWindow
from ghl_payments.sandbox.switches import Switches
from ghl_payments.sandbox.vendor import EffectSink
from ghl_payments.sandbox.wire import Admission, Answer, Refused, Request, bare_answer, json_answer


class HaloSandbox:
    """Answers below `/halo` as a tenant's host does; paths are case-insensitive."""

    name = "halo"

    def __init__(self, identity: SandboxIdentity, rate: Rate, switches: Switches, clock: SandboxClock) -> None:
        self.data = HaloData()
        self.auth = HaloAuth(identity)
        self._rate = rate
        self._window = SlidingWindow(rate)
        self._switches = switches
        self._clock = clock
        self._history = History()
        self._effect: EffectSink | None = None

    def load(self, part: Doc) -> HaloData:
        """This system's part of a state, used up."""
        return load_halo(part, self._clock.text())

    def dump(self) -> bytes:
        """This system's part of the state, encoded."""
        return self.data.dump()

    def rewind(self, data: HaloData) -> None:
        """Ids and stamps back to where they were when the data was loaded."""
        for table in data.tables.values():
            table.rewind()

    def expire_tokens(self) -> None:
        """Every issued access token dies now."""
        self.auth.expire()

    def use(self, data: HaloData, history: History, effect: EffectSink) -> None:
        """Serve another world; requests counted before are forgotten, tokens stay good."""
        self.data = data
        self._history = history
        self._effect = effect
        self._window = SlidingWindow(self._rate)

    def admit(self, request: Request) -> Admission:
        """Count a call of the resource server on arrival; Halo announces its limit only in the text of its 429."""
        if not request.path.casefold().startswith("/api/") or self._window.admit():
            return Admission([])
        minutes = self._rate.seconds // 60
        text = f"Rate Limit Reached - {self._rate.requests} Requests per rolling {minutes} minute window"
        return Admission([], Answer(429, text.encode(), b"text/plain; charset=utf-8"))

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        parts = request.path.casefold().strip("/").split("/")
        try:
            match request.method, parts:
                case "POST", ["auth", "token"]:
                    return self.auth.token(request)
                case "GET", ["api", "authinfo"]:
                    return self.auth.info(request)
                case _, ["api", name, *rest] if name in RESOURCES and len(rest) <= 1:
                    return self._resource(request, RESOURCES[name], rest[0] if rest else None)
        except Refused as refused:
            return refused.answer
        return bare_answer(404)

    def _resource(self, request: Request, resource: Resource, record_id: str | None) -> Answer:
        verb = "read" if request.method == "GET" else "edit"
        self.auth.check(request, f"{verb}:{resource.scope}" if resource.scope else None)
        match request.method, record_id:
            case "GET", None:
                query = {
                    name: value
                    for name, value in request.query.items()
                    if name not in self._switches.halo_ignored_filters
                }
                return list_answer(self.data.table(resource), query, self._switches, empty=request.empty_lists)
            case "GET", str() as text:
                detail = self.data.detail(resource, int(text)) if text.isdigit() else None
                return bare_answer(404) if detail is None else json_answer(200, detail)
            case "POST", None if resource.writable:
                return self._post(request, resource)
            case "DELETE", str() as text if resource.writable:
                return self._delete(request, resource, int(text) if text.isdigit() else 0)
        return bare_answer(405)

    def _writer(self) -> HaloWriter:
        return HaloWriter(self.data, self._history, self._clock, self._switches)

    def _post(self, request: Request, resource: Resource) -> Answer:
        elements = _elements(request.body)
        writer = self._writer()
        saved: list[Doc] = []
        for element in elements:
            doc = writer.save(resource, element)
            self._report(request, resource, doc, element)
            saved.append(self.data.detail(resource, doc["id"]) or doc)
        return json_answer(201, saved[0] if len(saved) == 1 else saved)

    def _delete(self, request: Request, resource: Resource, record_id: int) -> Answer:
        doc = self._writer().delete(resource, record_id)
        self._report(request, resource, doc, None)
        return json_answer(200, doc)

    def _report(self, request: Request, resource: Resource, doc: Doc, body: Any) -> None:
        if self._effect is not None:
            key = self.data.key_of(resource, doc)
            self._effect(request, resource.record_type, key, str(doc["id"]), body)


def _elements(body: bytes) -> list[Doc]:
    """The posted array; anything else is refused, as the API takes arrays only."""
    try:
        value = decode(body)
    except msgspec.DecodeError:
        value = None
    if isinstance(value, list) and value and all(isinstance(element, dict) for element in value):
        return value
    raise Refused(json_answer(400, {"": ["A non-empty JSON array of objects is required."]}))
