"""The toy system's HTTP face: deals in a table, a bearer token, nothing else."""

from __future__ import annotations

from typing import Any

import msgspec

from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.codec import Doc, decode, encode
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.limits import Rate
from ghl_payments.sandbox.vendor import EffectSink, Setting, VendorModule
from ghl_payments.sandbox.wire import Admission, Answer, Request, bare_answer, json_answer

TOKEN = "toy-token"


class ToySwitches(msgspec.Struct, forbid_unknown_fields=True):
    """The toy knows one way only."""


class Deals(dict[str, Doc]):
    """Deals by id, as the history of changes wants them."""

    def replace(self, key: str, value: Doc | None) -> Doc | None:
        old = self.pop(key, None)
        if value is not None:
            self[key] = value
        return old


class ToySandbox:
    """Answers below `/toy`."""

    name = "toy"

    def __init__(self, setting: Setting) -> None:
        self.data = Deals()

    def load(self, part: Doc) -> Deals:
        return Deals({doc["id"]: doc for doc in part.get("deals", ())})

    def use(self, data: Deals, history: History, effect: EffectSink) -> None:
        self.data, self._history, self._effect = data, history, effect

    def dump(self) -> bytes:
        return encode({"deals": list(self.data.values())})

    def rewind(self, data: Any) -> None:
        """Ids follow from the number of deals."""

    def expire_tokens(self) -> None:
        """The token is for ever."""

    def admit(self, request: Request) -> Admission:
        return Admission([])

    def handle(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return bare_answer(401)
        native_id = request.path.removeprefix("/deals").strip("/")
        if request.method == "GET":
            found: Any = self.data.get(native_id) if native_id else list(self.data.values())
            return bare_answer(404) if found is None else json_answer(200, found)
        body = decode(request.body)
        deal = {**self.data.get(native_id, {}), **body, "id": native_id or f"deal-{len(self.data) + 1}"}
        self._history.write(self.data, deal["id"], deal)
        self._effect(request, "deal", deal["reference"], deal["id"], body)
        return json_answer(200, deal)


def _secrets(identity: SandboxIdentity) -> dict[str, tuple[str, str]]:
    return {"token": ("TOY_TOKEN", TOKEN)}


VENDOR = VendorModule("toy", Rate(10, 1), ToySwitches, ToySandbox, _secrets)
