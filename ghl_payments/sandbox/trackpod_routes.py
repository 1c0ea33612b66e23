"""Requests as the sandboxed Track-POD takes them: counted in two windows, routed in any case of letters, read.

Add a path here and its answer to `trackpod` under the same name.
"""

from __future__ import annotations

import math
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ghl_payments.sandbox.codec import Doc, decode
from ghl_payments.sandbox.limits import Rate, SlidingWindow
from ghl_payments.sandbox.trackpod_data import naive
from ghl_payments.sandbox.trackpod_orders import refused
from ghl_payments.sandbox.wire import Admission, Answer, Refused, Request, header_list

_ANY_KEY = r"/order/(?P<kind>number|id|trackid)/(?P<key>[^/]+)"
_NAMED_KEY = r"/order/(?P<kind>number|id)/(?P<key>[^/]+)"
_PATHS: tuple[tuple[str, dict[str, str]], ...] = (
    (r"/test", {"GET": "test"}),
    (r"/rejectreason", {"GET": "reasons"}),
    (r"/order", {"POST": "create", "PUT": "update"}),
    (r"/order/bulk", {"POST": "bulk"}),
    (r"/order/date/(?P<key>[^/]+)", {"GET": "of_day"}),
    (r"/order/route/date/(?P<key>[^/]+)", {"GET": "of_route_day"}),
    (r"/order/route/code/(?P<key>[^/]+)", {"GET": "of_route"}),
    (r"/order/status/date/(?P<key>[^/]+)", {"GET": "since"}),
    (r"/order/(?P<kind>number)/(?P<key>[^/]+)/list", {"GET": "of_number"}),
    (r"/order/(?P<kind>trackid)/(?P<key>[^/]+)", {"GET": "read", "PUT": "update_one"}),
    (_NAMED_KEY, {"GET": "read", "DELETE": "delete"}),
    (rf"{_ANY_KEY}/complete", {"PUT": "complete"}),
    (rf"{_ANY_KEY}/reject", {"PUT": "reject"}),
)
_COMPILED = tuple((re.compile(path, re.IGNORECASE), methods) for path, methods in _PATHS)
_KINDS = {"id": "Id", "number": "Number", "trackid": "TrackId"}


@dataclass(frozen=True, slots=True)
class Route:
    """What a request asks for: the name of the answer, and the key in the path with its kind (Id, Number, TrackId)."""

    name: str
    kind: str = ""
    key: str = ""


def not_here(detail: str) -> Refused:
    """A 404."""
    return refused(404, "Not Found", detail)


def find_route(request: Request) -> Route:
    """The route of a request; 404, 405 with Allow (HEAD too), 406 and 415 as the host answers them."""
    path = request.path.rstrip("/")
    for pattern, methods in _COMPILED:
        found = pattern.fullmatch(path)
        if not found:
            continue
        if request.method not in methods:
            raise Refused(Answer(405, b"", b"", header_list([("Allow", ", ".join(sorted(methods)))])))
        _check_types(request)
        parts = found.groupdict()
        kind, key = _KINDS.get((parts.get("kind") or "").lower(), ""), parts.get("key") or ""
        if kind == "TrackId" and not _is_uuid(key):
            raise refused(400, "Bad Request", "TrackId is a UUID")
        return Route(methods[request.method], kind, key)
    raise not_here("There is no such path")


def _check_types(request: Request) -> None:
    accepted = request.headers.get("accept", "")
    if accepted and not any(sign in accepted for sign in ("json", "*/*", "text/plain")):
        raise refused(406, "Not Acceptable", "JSON is answered")
    if request.method in ("POST", "PUT"):
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise refused(415, "Unsupported Media Type", "Content-Type must be application/json")


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def admission(window: SlidingWindow, rate: Rate) -> Admission:
    """Count one request; every answer tells what is left of the minute."""
    admitted = window.admit()
    wait = window.wait()
    # The stamp is compared with the Date header, which is real.
    reset = datetime.now(UTC) + timedelta(seconds=rate.seconds if admitted else wait)
    told = header_list(
        [
            ("X-Rate-Limit-Limit", f"{rate.seconds // 60}m"),
            ("X-Rate-Limit-Remaining", window.left()),
            ("X-Rate-Limit-Reset", f"{naive(reset)}Z"),
        ]
    )
    if admitted:
        return Admission(told)
    told += header_list([("Retry-After", max(1, math.ceil(wait)))])
    return Admission(told, Answer(429, b"Too many requests", b"text/plain; charset=utf-8"))


def moment_of(text: str) -> datetime:
    """A date or a time of a path, UTC; a blank stands for the T as well. Refused (400) for anything else."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise refused(400, "Bad Request", f"{text!r} is not a date") from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def body_of(request: Request) -> Any:
    """The body of a request. Refused (400) for what is no JSON."""
    try:
        return decode(request.body)
    except msgspec.DecodeError:
        raise refused(400, "Bad Request", "The body is not JSON") from None


def object_of(request: Request) -> Doc:
    """The body of a request that must be an object."""
    value = body_of(request)
    if not isinstance(value, dict):
        raise refused(400, "Bad Request", "The body is not an object")
    return value
