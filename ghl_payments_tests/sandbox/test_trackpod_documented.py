"""Requests to the sandboxed Track-POD and its answers, held against the vendor's own OpenAPI document by openapi-core.

GHL_PAYMENTS_TEST_OPENAPI names a folder with `trackpod/track-pod.yml`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from ghl_payments.sandbox.codec import encode
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.running_sandbox import RunningSandbox, loopback_client

FOLDER = os.environ.get("GHL_PAYMENTS_TEST_OPENAPI", "")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="needs the vendor's OpenAPI document; GHL_PAYMENTS_TEST_OPENAPI names its folder"
)

HOST = "https://api.track-pod.com"
NEW_ORDER = {
    "Number": "GHL-1", "Id": "1", "Date": "2026-11-16", "Type": 0, "Client": "Contact 0001", "Address": "1 Sample Street",
    "ClientId": "contact1", "Phone": "+15550001", "Email": "contact0001@example.com", "COD": 20.45, "Note": "Ring twice",
    "InvoiceId": "1", "CustomerReferenceId": "place1", "Weight": 1.5, "TimeSlotFrom": "2026-11-17T09:00:00",
    "GoodsList": [
        {"OrderLineId": "1:1", "GoodsId": "p1", "GoodsName": "Product 01", "Quantity": 2, "Cost": 2.99},
        {"OrderLineId": "1:2", "GoodsId": "p2", "GoodsName": "Product 02", "Quantity": 1, "Cost": 14.47},
    ],
    "CustomFields": [{"Id": "cf_1", "Value": "text"}],
    "NotificationsPolicy": {"PriorToRouteNotificationEnabled": False, "AtRouteStartNotificationEnabled": False,
                            "EnRouteNotificationEnabled": False, "AtDepartureNotificationEnabled": False},
}  # fmt: skip


class _Request:
    """A request as openapi-core wants it, with the vendor's host."""

    def __init__(self, request: httpx.Request, prefix: str) -> None:
        parts = urlsplit(str(request.url))
        self.host_url = HOST
        self.path = parts.path.removeprefix(prefix)
        self.method = request.method.lower()
        self.content_type = request.headers.get("content-type", "")
        self.body = request.content or None
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(parse_qsl(parts.query)), header=Headers(list(request.headers.items()))
        )


class _Answer:
    def __init__(self, response: httpx.Response) -> None:
        self.data = response.content
        self.status_code = response.status_code
        self.content_type = response.headers.get("content-type", "")
        self.headers = Headers(list(response.headers.items()))


def _is_local_time(value: object) -> bool:
    """The vendor's own examples have no offset, and dates of a day or times only where a date-time is documented."""
    text = r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?)?|\d\d:\d\d(:\d\d)?"
    return not isinstance(value, str) or re.fullmatch(text, value) is not None


def _no_change(value: str) -> str:
    return value


@dataclass(frozen=True)
class Document:
    """The vendor's document as it is written, and as openapi-core reads it."""

    raw: dict[str, Any]
    api: OpenAPI


@pytest.fixture(scope="module")
def document() -> Document:
    raw = yaml.safe_load((Path(FOLDER) / "trackpod" / "track-pod.yml").read_text(encoding="utf-8"))
    raw.setdefault("servers", [{"url": HOST}])
    config = Config(
        extra_format_validators={"date-time": _is_local_time}, extra_format_unmarshallers={"date-time": _no_change}
    )
    return Document(raw, OpenAPI.from_dict(raw, config=config))


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    return sandbox(seed=3, orders=120)


@pytest.fixture
def call(box: RunningSandbox, document: Document) -> Iterator[Callable[..., httpx.Response]]:
    """Sends a request, and holds it and its answer against the document."""
    system = box.ready["systems"]["trackpod"]
    headers = {"X-API-KEY": system["api_key"], "Accept": "application/json"}
    with loopback_client(system["base_url"], headers) as client:

        def send(method: str, path: str, body: Any = None, *, valid: bool = True) -> httpx.Response:
            content = None if body is None else encode(body)
            typed = {} if body is None else {"Content-Type": "application/json"}
            response = client.request(method, path, content=content, headers=typed)
            request, answer = _Request(response.request, "/trackpod"), _Answer(response)
            if valid:
                document.api.validate_request(request)
            operation = _operation(document, request)
            documented = operation["responses"][str(response.status_code)]
            if "content" in documented:
                document.api.validate_response(request, answer)
            return response

        yield send


def _operation(document: Document, request: _Request) -> Any:
    paths = document.raw["paths"]
    same = [name for name in paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", name), request.path)]
    return paths[min(same, key=lambda name: name.count("{"))][request.method]


def test_what_is_sent_and_answered_about_one_order_is_documented(
    box: RunningSandbox, call: Callable[..., httpx.Response]
) -> None:
    assert call("GET", "/Test").json() == "ok"
    assert call("POST", "/Order", NEW_ORDER).status_code == 201
    order = call("GET", "/Order/Id/1").json()
    assert call("PUT", "/Order", NEW_ORDER | {"COD": 5}).status_code == 202
    assert call("PUT", f"/Order/TrackId/{order['TrackId']}", NEW_ORDER).status_code == 202
    for path in (f"/Order/TrackId/{order['TrackId']}", "/Order/Number/GHL-1"):
        assert call("GET", path).status_code == 200
    assert len(call("GET", "/Order/Number/GHL-1/List").json()) == 1
    box.control("POST", "/trackpod/route", {"id": "1"})
    complete = {"CODActual": 20.45, "GoodsList": [{"GoodsId": "p1", "QuantityFact": 1}]}
    assert call("PUT", "/Order/Id/1/Complete", complete).status_code == 200
    partly = call("GET", "/Order/Id/1").json()
    assert (partly["StatusId"], partly["CODActual"]) == (4, "20.45")
    assert call("PUT", "/Order", NEW_ORDER).status_code == 405
    assert call("PUT", "/Order?forceUpdate=true", NEW_ORDER).status_code == 202
    assert call("DELETE", "/Order/Id/1").status_code == 400


def test_a_removed_order_is_answered_as_documented(call: Callable[..., httpx.Response]) -> None:
    call("POST", "/Order", NEW_ORDER)
    assert call("DELETE", "/Order/Number/GHL-1").status_code == 200
    for method, path, body in (
        ("GET", "/Order/Id/1", None), ("GET", "/Order/Number/GHL-1", None), ("GET", "/Order/Number/GHL-1/List", None),
        ("PUT", "/Order", NEW_ORDER),
    ):  # fmt: skip
        assert call(method, path, body).status_code == 410


def test_every_list_of_a_seeded_account_is_documented(box: RunningSandbox, call: Callable[..., httpx.Response]) -> None:
    orders = box.state()["trackpod"]["Order"]
    seen = 0
    for day in sorted({doc["Date"][:10] for doc in orders}):
        seen += len(call("GET", f"/Order/Date/{day}").json())
    assert seen == len(orders)
    routed = next(doc for doc in orders if doc["RouteNumber"])
    assert call("GET", f"/Order/Route/Date/{routed['RouteDate'][:10]}").json()
    assert call("GET", f"/Order/Route/Code/{routed['RouteNumber']}").json()
    assert call("GET", "/Order/Status/Date/2026-11-15T12:00:00").json()
    assert call("GET", "/RejectReason").json()


def test_bulk_and_reject_are_documented(box: RunningSandbox, call: Callable[..., httpx.Response]) -> None:
    rows = [NEW_ORDER | {"Number": f"B-{n}", "Id": f"b{n}"} for n in range(3)]
    assert [row["Error"] for row in call("POST", "/Order/Bulk", rows).json()] == [None] * 3
    box.control("POST", "/trackpod/route", {"id": "b1"})
    assert call("PUT", "/Order/Id/b1/Reject", {"RejectReasonId": 4}).status_code == 200
    assert call("GET", "/Order/Id/b1").json()["StatusId"] == 5


def test_refusals_are_documented(box: RunningSandbox, call: Callable[..., httpx.Response]) -> None:
    assert call("GET", "/Order/Id/nobody").status_code == 404
    assert call("PUT", "/Order", NEW_ORDER | {"Id": "nobody", "Number": "none"}).status_code == 404
    assert call("POST", "/Order", {"Number": "GHL-9"}).status_code == 400
    assert call("GET", "/Order/Status/Date/2026-11-10T00:00:00").status_code == 400
    assert call("POST", "/Order", NEW_ORDER | {"Number": "9" * 51}, valid=False).status_code == 400


def test_the_check_itself_sees_what_is_not_documented(call: Callable[..., httpx.Response], document: Document) -> None:
    with pytest.raises(OpenAPIError):
        call("POST", "/Order", NEW_ORDER | {"Colour": "red"})
    with pytest.raises(OpenAPIError):
        call("POST", "/Order", NEW_ORDER | {"Date": "16.11.2026"})
    call("POST", "/Order", NEW_ORDER)
    response = call("GET", "/Order/Id/1")
    request, answer = _Request(response.request, "/trackpod"), _Answer(response)
    for wrong in ({"CODActual": 20.45}, {"Paid": True}, {"COD": None}):
        answer.data = encode(response.json() | wrong)
        with pytest.raises(OpenAPIError):
            document.api.validate_response(request, answer)
