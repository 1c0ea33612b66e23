"""The payments API of one sandboxed GHL agency: orders, fulfillments, transactions, subscriptions, providers.

Add an endpoint here; tokens belong to `ghl_auth` and `ghl_oauth`, record storage and filters to `ghl_stream`, writes to
`ghl_write`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from ghl_payments.domain.sandbox_identity import DEFAULT_NOW, SandboxIdentity
from ghl_payments.sandbox.clock import SandboxClock
from ghl_payments.sandbox.codec import Doc, join_array
from ghl_payments.sandbox.ghl_auth import SCOPES, GhlAuth, Grant, refuse
from ghl_payments.sandbox.ghl_bodies import FULFILLMENT, PAYMENT, PROVIDER, Shape, read_body
from ghl_payments.sandbox.ghl_data import STREAMS, GhlData, Location, load_ghl
from ghl_payments.sandbox.ghl_oauth import GhlOauth
from ghl_payments.sandbox.ghl_query import check_alt, read_query, read_window
from ghl_payments.sandbox.ghl_stream import Row, Stream
from ghl_payments.sandbox.ghl_write import GhlWriter
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.limits import Rate, SlidingWindow
from ghl_payments.sandbox.switches import Switches
from ghl_payments.sandbox.wire import Admission, Answer, Refused, Request, header_list, json_answer

_SINGULAR = {"orders": "Order", "transactions": "Transaction", "subscriptions": "Subscription"}
_DAY_MS = 86_400_000
_APP_ONLY = (
    "This authClass type is not allowed to access this scope. "
    "Please verify your IAM configuration if this is not the case."
)


class GhlSandbox:
    """Answers below `/ghl` as `services.leadconnectorhq.com` does."""

    name = "ghl"

    def __init__(
        self, identity: SandboxIdentity, rate: Rate, switches: Switches, clock: SandboxClock | None = None
    ) -> None:
        self.data = GhlData()
        self._identity = identity
        self.auth = GhlAuth()
        self._oauth = GhlOauth(identity, self.auth, switches)
        self._rate = rate
        self._switches = switches
        self._clock = clock or SandboxClock(DEFAULT_NOW)
        self._history = History()
        self._effect: Callable[[Request, str, str | None, Any, Any], None] | None = None
        self._windows: dict[tuple[str, str], SlidingWindow] = {}

    def load(self, part: Doc) -> GhlData:
        """This system's part of a state, used up."""
        return load_ghl(part, self._identity)

    def dump(self) -> bytes:
        """This system's part of the state, encoded."""
        return self.data.dump()

    def rewind(self, data: GhlData) -> None:
        """Ids are drawn anew each time."""

    def expire_tokens(self) -> None:
        """Every issued access token dies now."""
        self.auth.expire()

    def use(
        self,
        data: GhlData,
        history: History | None = None,
        effect: Callable[[Request, str, str | None, Any, Any], None] | None = None,
    ) -> None:
        """Serve another world; tokens issued and requests counted before are forgotten."""
        self.data = data
        self._history = history or History()
        self._effect = effect
        self.auth.reset(
            {
                location.token: Grant(location.id, SCOPES if location.scopes is None else frozenset(location.scopes))
                for location in data.locations.values()
            }
        )
        self._oauth.reset(list(data.locations))
        self._windows.clear()

    def admit(self, request: Request) -> Admission:
        """Count a request on arrival; the six limit headers and the daily reset are on every answer."""
        bucket = self.auth.bucket(request)
        window = self._windows.get(bucket)
        if window is None:
            window = self._windows[bucket] = SlidingWindow(self._rate)
        refusal = None if window.admit() else _too_many()
        return Admission(self._limit_headers(window.left(), window.day_left()), refusal)

    def exhausted(self) -> Admission:
        """The answer of a location whose daily limit is used up."""
        return Admission(self._limit_headers(self._rate.requests, 0), _too_many())

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        parts = request.path.strip("/").split("/")
        try:
            if (answer := self._oauth.handle(request, parts)) is not None:
                return answer
            if request.method == "GET":
                return self._get(request, parts)
            if request.method == "POST":
                return self._post(request, parts)
        except Refused as refused:
            return refused.answer
        return _no_endpoint(request).answer

    def _get(self, request: Request, parts: list[str]) -> Answer:
        match parts:
            case ["payments", "integrations", "provider", "whitelabel"]:
                return self._providers(request)
            case ["payments", "orders", order_id, "fulfillments"]:
                return self._fulfillments(request, order_id)
            case ["payments", "orders", order_id, "notes"]:
                return self._notes(request, order_id)
            case ["payments", name] if name in STREAMS:
                return self._list(request, name)
            case ["payments", name, record_id] if name in STREAMS:
                return self._detail(request, name, record_id)
        raise _no_endpoint(request)

    def selection(self, request: Request) -> tuple[Location, Stream, list[Row]] | None:
        """What a list request pages through, oldest first; None for anything else."""
        parts = request.path.strip("/").split("/")
        location = self.data.locations.get(request.query.get("altId", ""))
        if request.method != "GET" or location is None or len(parts) != 2 or parts[1] not in STREAMS:
            return None
        stream = location.streams[parts[1]]
        try:
            query = read_query(request, parts[1], self._switches.ghl_date_filter)
        except Refused:
            return None
        rows, low, high = stream.select(query.filters, query.first, query.last)
        return location, stream, rows[low:high]

    def _limit_headers(self, left: int, day_left: int) -> list[tuple[bytes, bytes]]:
        return header_list(
            (
                ("X-RateLimit-Limit-Daily", self._rate.daily or 0),
                ("X-RateLimit-Daily-Remaining", max(0, day_left)),
                ("X-RateLimit-Daily-Reset", _DAY_MS),
                ("X-RateLimit-Interval-Milliseconds", self._rate.seconds * 1000),
                ("X-RateLimit-Max", self._rate.requests),
                ("X-RateLimit-Remaining", max(0, left)),
            )
        )

    def _location(self, request: Request, grant: Grant) -> Location:
        asked = request.query["altId"]
        if asked != grant.location_id or request.query.get("locationId", asked) != asked:
            raise refuse(403, "The token does not have access to this location.")
        return self.data.locations[asked]

    def _open(self, request: Request, scope: str, *, alt_type: bool) -> Location:
        grant = self.auth.grant(request, f"payments/{scope}.readonly")
        check_alt(request, alt_type_required=alt_type)
        return self._location(request, grant)

    def _list(self, request: Request, name: str) -> Answer:
        grant = self.auth.grant(request, f"payments/{name}.readonly")
        query = read_query(request, name, self._switches.ghl_date_filter)
        stream = self._location(request, grant).streams[name]
        if request.empty_lists:
            return Answer(200, b'{"data":[],"totalCount":0}')
        rows, low, high = stream.select(query.filters, query.first, query.last)
        end = max(low, high - query.offset)
        page = rows[max(low, end - query.limit) : end]
        page.reverse()
        body = b",".join([row.listed for row in page])
        return Answer(200, b'{"data":[%b],"totalCount":%d}' % (body, high - low))

    def _detail(self, request: Request, name: str, record_id: str) -> Answer:
        location = self._open(request, name, alt_type=name != "orders")
        row = location.streams[name].get(record_id)
        if row is None:
            raise self._not_found(name)
        detail = row.detail
        shape = self._switches.ghl_detail_shape
        if shape == "object":
            return Answer(200, detail)
        return Answer(200, b"[%b]" % detail if shape == "array" else b'{"data":%b}' % detail)

    def _fulfillments(self, request: Request, order_id: str) -> Answer:
        location = self._open(request, "orders", alt_type=True)
        if location.streams["orders"].get(order_id) is None:
            raise self._not_found("orders")
        rows = b"[]" if request.empty_lists else location.fulfillments.get(order_id, b"[]")
        return Answer(200, b'{"status":true,"data":%b}' % rows)

    def _notes(self, request: Request, order_id: str) -> Answer:
        """No scope and no shape is documented; answered like the list beside it."""
        grant = self.auth.grant(request, None)
        check_alt(request, alt_type_required=True)
        location = self._location(request, grant)
        if location.streams["orders"].get(order_id) is None:
            raise self._not_found("orders")
        return json_answer(200, {"status": True, "data": location.notes.get(order_id, [])})

    def _providers(self, request: Request) -> Answer:
        location = self._open(request, "integration", alt_type=True)
        offset, limit = read_window(request)
        rows = [] if request.empty_lists else list(location.providers.values())[offset:]
        return Answer(200, b'{"providers":%b}' % join_array(rows[:limit] if limit else rows))

    def _post(self, request: Request, parts: list[str]) -> Answer:
        match parts:
            case ["payments", "orders", order_id, "fulfillments"]:
                return self._fulfil(request, order_id)
            case ["payments", "orders", order_id, "record-payment"]:
                return self._record_payment(request, order_id)
            case ["payments", "integrations", "provider", "whitelabel"]:
                return self._add_provider(request)
        raise _no_endpoint(request)

    def _fulfil(self, request: Request, order_id: str) -> Answer:
        location, body = self._body(request, "payments/orders.write", FULFILLMENT)
        made = self._writer(location).fulfil(self._order(location, order_id), body)
        self._note(request, "fulfillment", f"ghl:fulfillment:{made['_id']}", f"{order_id}/{made['_id']}", body)
        return json_answer(self._switches.ghl_write_status, {"status": True, "data": made})

    def _record_payment(self, request: Request, order_id: str) -> Answer:
        location, body = self._body(request, "payments/orders.collectPayment", PAYMENT)
        made = self._writer(location).record_payment(self._order(location, order_id), body)
        self._note(request, "order_payment", f"ghl:txn:{made['_id']}", f"{order_id}/{made['_id']}", body)
        return json_answer(self._switches.ghl_write_status, {"success": True})

    def _add_provider(self, request: Request) -> Answer:
        location, body = self._body(request, "payments/integration.write", PROVIDER, app_only=True)
        made = self._writer(location).add_provider(body)
        self._note(request, "provider", f"ghl:provider:{made['route']}", made["_id"], body)
        return json_answer(self._switches.ghl_write_status, made)

    def _body(self, request: Request, scope: str, shape: Shape, *, app_only: bool = False) -> tuple[Location, Doc]:
        """The location and the valid body of a write; `app_only` refuses private integration tokens."""
        grant = self.auth.grant(request, scope)
        if app_only and grant.expires is None:
            text = "This authClass type is not allowed to access this scope. "
            raise Refused(
                json_answer(401, {"message": text + "Please verify your IAM configuration if this is not the case."})
            )
        body = read_body(request, shape)
        if body["altId"] != grant.location_id:
            raise refuse(403, "The token does not have access to this location.")
        return self.data.locations[grant.location_id], body

    def _order(self, location: Location, order_id: str) -> Row:
        row = location.streams["orders"].get(order_id)
        if row is None:
            raise self._not_found("orders")
        return row

    def _writer(self, location: Location) -> GhlWriter:
        return GhlWriter(location, self._history, self._clock, self._switches)

    def _note(self, request: Request, record_type: str, key: str, native_id: str, body: Doc) -> None:
        if self._effect is not None:
            self._effect(request, record_type, key, native_id, body)

    def _not_found(self, name: str) -> Refused:
        message = f"{_SINGULAR[name]} not found"
        if self._switches.ghl_not_found == 400:
            return refuse(400, message)
        body = {"status": 404, "message": message, "name": "HttpException", "traceId": str(uuid.uuid4())}
        return Refused(json_answer(404, body))


def _no_endpoint(request: Request) -> Refused:
    return refuse(404, f"Cannot {request.method} {request.path}", "Not Found")


def _too_many() -> Answer:
    return json_answer(429, {"statusCode": 429, "message": "Too Many Requests"})
