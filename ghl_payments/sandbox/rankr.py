"""The HTTP face of a sandboxed receiver of signed events: one address that takes them, a list and single records.

Rankr publishes no API, so this is what any careful receiver does; what a row holds belongs to `rankr_data`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from ghl_payments.sandbox.clock import epoch_ms
from ghl_payments.sandbox.codec import Doc, decode
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.limits import SlidingWindow
from ghl_payments.sandbox.rankr_data import RankrData, load_rankr, native_id
from ghl_payments.sandbox.vendor import EffectSink, Setting
from ghl_payments.sandbox.wire import Admission, Answer, Refused, Request, bare_answer, header_list, json_answer

TOLERANCE = 300
"""Seconds by which the time of an attempt may be off."""

MAX_LIMIT, USUAL_LIMIT = 200, 50


class RankrSwitches(msgspec.Struct, forbid_unknown_fields=True):
    """Ways in which a receiver of events may behave.

    `takes` says what becomes of an event that was answered 202: a row, `nothing`, or a new row kept `twice`. `secrets`
    are those it knows while they are exchanged; `clock_seconds` is by how much its clock is ahead. `gone` answers 410
    to every event, `redirects` 302.
    """

    rankr_takes: Literal["rows", "nothing", "twice"] = "rows"
    rankr_secrets: Literal["both", "current", "previous"] = "both"
    rankr_clock_seconds: float = 0.0
    rankr_gone: bool = False
    rankr_redirects: bool = False


class RankrSandbox:
    """Answers below `/rankr`: `POST /events`, `GET /records`, `GET /records/KEY`.

    `secrets` are the signing secrets by role, `secret` and `previous_secret`; `read_token` opens the reads.
    """

    name = "rankr"

    def __init__(self, setting: Setting, secrets: Mapping[str, str], read_token: str) -> None:
        self.data = RankrData()
        self._setting = setting
        self._secrets = secrets
        self._read_token = read_token
        self._switches: RankrSwitches = setting.switches
        self._window = SlidingWindow(setting.rate)
        self._history = History()
        self._effect: EffectSink | None = None

    def load(self, part: Doc) -> RankrData:
        """This system's part of a state; its documents are used up."""
        return load_rankr(part)

    def use(self, data: RankrData, history: History, effect: EffectSink) -> None:
        """Serve another world; requests counted before are forgotten."""
        self.data = data
        self._history = history
        self._effect = effect
        self._window = SlidingWindow(self._setting.rate)

    def dump(self) -> bytes:
        """This system's part of the state, encoded."""
        return self.data.dump()

    def rewind(self, data: RankrData) -> None:
        """Ids begin again where they did when the data was loaded."""
        data.rewind()

    def expire_tokens(self) -> None:
        """Secrets are fixed: only a person replaces them."""

    def admit(self, request: Request) -> Admission:
        """Count a request on arrival; the 429 says when to come back."""
        if self._window.admit():
            return Admission([])
        refusal = json_answer(429, {"error": "too many requests"})
        refusal.headers = header_list([("retry-after", self._setting.rate.seconds)])
        return Admission([], refusal)

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        try:
            match request.method, request.path.strip("/").split("/", 1):
                case "POST", ["events"]:
                    return self._event(request)
                case "GET", ["records"]:
                    self._reader(request)
                    return self._list(request)
                case "GET", ["records", key]:
                    self._reader(request)
                    found = self.data.of_key(key)
                    return json_answer(200, found[0]) if found else _error(404, "no such record")
        except Refused as refusal:
            return refusal.answer
        return _error(404, "no such address")

    def _reader(self, request: Request) -> None:
        if not hmac.compare_digest(request.headers.get("x-api-key", "").encode(), self._read_token.encode()):
            raise Refused(_error(401, "the API key is missing or wrong"))

    def _event(self, request: Request) -> Answer:
        if self._switches.rankr_gone:
            return bare_answer(410)
        if self._switches.rankr_redirects:
            return Answer(302, b"", b"", header_list([("location", f"{request.origin}/rankr/elsewhere")]))
        event_id = self._verified(request)
        data = _event_data(request)
        if event_id in self.data.events:
            return json_answer(200, {"status": "known already"})
        self._history.write(self.data.events, event_id, True)
        rows = self.data.of_key(str(data["key"]))
        if rows and (epoch_ms(data.get("version")) or 0) < (epoch_ms(rows[0].get("updatedAt")) or 0):
            return json_answer(200, {"status": "older than what is kept"})
        if self._switches.rankr_takes != "nothing":
            self._keep(request, data, rows)
        return json_answer(202, {"status": "accepted"})

    def _keep(self, request: Request, data: Doc, rows: list[Doc]) -> None:
        times = 2 if self._switches.rankr_takes == "twice" and not rows else 1
        ids = [rows[0]["id"]] if rows else [self.data.next_id() for _ in range(times)]
        for record_id in ids:
            record = self.data.record(record_id, data)
            self._history.write(self.data.records, record_id, record)
            if self._effect is not None:
                self._effect(request, str(data["entity"]), str(data["key"]), native_id(record), data)

    def _verified(self, request: Request) -> str:
        """The event's id, once its signature fits the raw body and its time is near ours."""
        event_id, stamp, told = (
            request.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        if not event_id or not stamp.isdigit() or not told:
            raise Refused(_error(400, "webhook-id, webhook-timestamp and webhook-signature are required"))
        if abs(time.time() + self._switches.rankr_clock_seconds - int(stamp)) > TOLERANCE:
            raise Refused(_error(401, "webhook-timestamp is too far from now"))
        roles = {"both": ("secret", "previous_secret"), "current": ("secret",), "previous": ("previous_secret",)}
        signed = f"{event_id}.{stamp}.".encode() + request.body
        for role in roles[self._switches.rankr_secrets]:
            key = base64.b64decode(self._secrets[role].removeprefix("whsec_"))
            right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
            if any(hmac.compare_digest(right, one) for one in told.split(" ")):
                return event_id
        raise Refused(_error(401, "no signature fits"))

    def _list(self, request: Request) -> Answer:
        limit, since = request.query.get("limit") or str(USUAL_LIMIT), request.query.get("updated_since") or ""
        if not limit.isdigit() or not 1 <= int(limit) <= MAX_LIMIT:
            return _error(400, f"limit is 1 to {MAX_LIMIT}")
        if since and epoch_ms(since) is None:
            return _error(400, "updated_since is no instant")
        rows = [] if request.empty_lists else self.data.all()
        if since:
            rows = [row for row in rows if (epoch_ms(row.get("updatedAt")) or 0) >= (epoch_ms(since) or 0)]
        cursor = request.query.get("cursor") or ""
        rest = [row for row in rows if row["id"] > cursor]
        page = rest[: int(limit)]
        following = page[-1]["id"] if len(rest) > len(page) else None
        return json_answer(200, {"data": page, "next_cursor": following, "total": len(rows)})


def _event_data(request: Request) -> Doc:
    """What the event says, in either envelope; 422 for what is no event of ours."""
    try:
        event = decode(request.body)
    except msgspec.DecodeError:
        raise Refused(_error(400, "the body is not JSON")) from None
    data: Any = event.get("data") if isinstance(event, dict) else None
    if not isinstance(data, dict) or not all(isinstance(data.get(name), str) for name in ("entity", "key", "version")):
        raise Refused(_error(422, "data.entity, data.key and data.version are required"))
    return data


def _error(status: int, message: str) -> Answer:
    return json_answer(status, {"error": message})
