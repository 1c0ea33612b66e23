"""The payments API of one sandboxed GHL agency: orders, fulfillments, transactions, subscriptions, providers.

Add an endpoint here; tokens belong to `ghl_auth`, record storage and filters to `ghl_stream`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from ghl_payments.domain.sandbox_identity import SandboxIdentity, SandboxLocation
from ghl_payments.sandbox.codec import Doc, encode, join_array
from ghl_payments.sandbox.ghl_auth import SCOPES, GhlAuth, Grant, refuse
from ghl_payments.sandbox.ghl_query import check_alt, read_query
from ghl_payments.sandbox.ghl_stream import Row, Stream
from ghl_payments.sandbox.limits import Rate, SlidingWindow
from ghl_payments.sandbox.switches import Switches
from ghl_payments.sandbox.wire import Admission, Answer, Refused, Request, header_list, json_answer

STREAMS = ("orders", "transactions", "subscriptions")
_SINGULAR = {"orders": "Order", "transactions": "Transaction", "subscriptions": "Subscription"}
_DAY_MS = 86_400_000


@dataclass(slots=True)
class Location:
    """One sub-account; deliveries are kept encoded by order id, providers as one encoded list."""

    id: str
    timezone: str
    token: str
    streams: dict[str, Stream]
    fulfillments: dict[str, bytes]
    providers: list[Doc]
    scopes: list[str] | None = None

    def dump(self) -> bytes:
        """This location's part of the sandbox state, encoded."""
        head: Doc = {"id": self.id, "timezone": self.timezone, "token": self.token}
        if self.scopes is not None:
            head["scopes"] = self.scopes
        parts = [
            f'"{name}":'.encode() + join_array([row.state() for row in self.streams[name].all()]) for name in STREAMS
        ]
        deliveries = b",".join(encode(order) + b":" + raw for order, raw in self.fulfillments.items())
        parts += [b'"fulfillments":{' + deliveries + b"}", b'"providers":' + encode(self.providers)]
        return encode(head)[:-1] + b"," + b",".join(parts) + b"}"


@dataclass(slots=True)
class GhlData:
    """All locations of a loaded state, by id."""

    locations: dict[str, Location] = field(default_factory=dict)

    def dump(self) -> bytes:
        """The `ghl` part of the sandbox state, encoded."""
        return b'{"locations":' + join_array([location.dump() for location in self.locations.values()]) + b"}"


def load_ghl(part: Doc, identity: SandboxIdentity) -> GhlData:
    """Take over the `ghl` part of a state; ids and tokens that are missing are those of the sandbox's identity."""
    data = GhlData()
    for n, doc in enumerate(part.get("locations") or []):
        own = _own_location(identity, n)
        location_id = doc.get("id") or own.id
        streams = {name: Stream(name) for name in STREAMS}
        for name, stream in streams.items():
            stream.load(doc.get(name) or [], location_id)
        data.locations[location_id] = Location(
            id=location_id,
            timezone=doc.get("timezone") or own.timezone,
            token=doc.get("token") or own.token,
            streams=streams,
            fulfillments={order: encode(rows) for order, rows in (doc.get("fulfillments") or {}).items()},
            providers=doc.get("providers") or [],
            scopes=doc.get("scopes"),
        )
    return data


def _own_location(identity: SandboxIdentity, n: int) -> SandboxLocation:
    if n < len(identity.locations):
        return identity.locations[n]
    name = f"SandboxLocation{n + 1:05d}"
    return SandboxLocation(name, "UTC", f"pit-{uuid.uuid5(uuid.NAMESPACE_URL, name)}")


class GhlSandbox:
    """Answers below `/ghl` as `services.leadconnectorhq.com` does."""

    name = "ghl"

    def __init__(self, identity: SandboxIdentity, rate: Rate, switches: Switches) -> None:
        self.data = GhlData()
        self.auth = GhlAuth(identity)
        self._rate = rate
        self._switches = switches
        self._windows: dict[tuple[str, str], SlidingWindow] = {}

    def use(self, data: GhlData) -> None:
        """Serve another world; tokens issued and requests counted before are forgotten."""
        self.data = data
        self.auth.reset(
            {
                location.token: Grant(location.id, SCOPES if location.scopes is None else frozenset(location.scopes))
                for location in data.locations.values()
            }
        )
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
            match request.method, parts:
                case "POST", ["oauth", "token"]:
                    return self.auth.token(request, list(self.data.locations))
                case "GET", ["payments", "integrations", "provider", "whitelabel"]:
                    return self._providers(request)
                case "GET", ["payments", "orders", order_id, "fulfillments"]:
                    return self._fulfillments(request, order_id)
                case "GET", ["payments", name] if name in STREAMS:
                    return self._list(request, name)
                case "GET", ["payments", name, record_id] if name in STREAMS:
                    return self._detail(request, name, record_id)
        except Refused as refused:
            return refused.answer
        return refuse(404, f"Cannot {request.method} {request.path}", "Not Found").answer

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

    def _providers(self, request: Request) -> Answer:
        location = self._open(request, "integration", alt_type=True)
        return json_answer(200, {"providers": [] if request.empty_lists else location.providers})

    def _not_found(self, name: str) -> Refused:
        message = f"{_SINGULAR[name]} not found"
        if self._switches.ghl_not_found == 400:
            return refuse(400, message)
        body = {"status": 404, "message": message, "name": "HttpException", "traceId": str(uuid.uuid4())}
        return Refused(json_answer(404, body))


def _too_many() -> Answer:
    return json_answer(429, {"statusCode": 429, "message": "Too Many Requests"})
