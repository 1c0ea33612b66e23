"""The paths and methods that the sandboxed Track-POD serves, found in any case of letters.

Add a path here and its answer to `trackpod` under the same name.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from ghl_payments.sandbox.trackpod_orders import refused
from ghl_payments.sandbox.wire import Answer, Refused, Request, header_list

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
