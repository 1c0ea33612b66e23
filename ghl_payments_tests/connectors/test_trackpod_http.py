"""What Track-POD's answers mean: one error table, removed orders, foreign pages, orders that are not what they were."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ghl_payments.connectors.trackpod.http import announced_pause, removal_day
from ghl_payments.transport.errors import (
    ApiError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SchemaDrift,
    Transient,
    Unauthorised,
    Unreadable,
)
from ghl_payments_tests.connectors.support import landed
from ghl_payments_tests.connectors.trackpod_support import KEY, ORDER_ID, TRACK_ID, shown, wanted, with_handler
from ghl_payments_tests.loopback import Reply, Request, json_reply

SAID = {"Status": 400, "Title": "Bad Request", "Detail": "Contact 0001 cannot be reached"}
GONE = {
    "Order": {"Id": ORDER_ID, "DeletedBy": "patrik@example.com", "DeletedDate": "2026-02-01T12:30:41"},
    "Status": 410, "Title": "Gone", "Detail": "Order was permanently removed",
}  # fmt: skip


def failure_of_update(reply: Reply, tmp_path: Path) -> tuple[ApiError, list[str]]:
    """What an update meets whose PUT is answered so, and the requests it took."""

    def answer(request: Request) -> Reply:
        return json_reply(shown()) if request.method == "GET" else reply

    async def main() -> tuple[ApiError, list[str]]:
        async def use(connector, server):  # type: ignore[no-untyped-def]
            with pytest.raises(ApiError) as caught:
                await connector.update(TRACK_ID, wanted(), ["cod"])
            return caught.value, [request.method for request in server.seen]

        return await with_handler(answer, use)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected), (401, Unauthorised), (403, Forbidden), (404, NotFound), (405, Rejected), (410, NotFound),
        (415, Rejected), (418, Rejected), (302, SchemaDrift), (500, OutcomeUnknown), (502, OutcomeUnknown),
        (503, OutcomeUnknown),
    ],
)  # fmt: skip
def test_a_refused_write_is_sent_once_and_is_what_its_status_says(
    status: int, kind: type[ApiError], tmp_path: Path
) -> None:
    error, methods = failure_of_update(json_reply(SAID, status), tmp_path)
    assert type(error) is kind
    assert methods == ["GET", "PUT"]
    assert "Contact 0001" not in str(error)


def test_a_write_that_the_limit_refused_was_not_applied_and_is_sent_again() -> None:
    statuses = iter([429, 202])

    def answer(request: Request) -> Reply:
        if request.method == "GET":
            return json_reply(shown())
        status = next(statuses)
        return json_reply({"Status": status}, status, Retry_After="0.01")

    async def use(connector, server):  # type: ignore[no-untyped-def]
        return (await connector.update(TRACK_ID, wanted(), ["cod"])).status, len(server.seen)

    assert asyncio.run(with_handler(answer, use)) == (202, 3)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_read_is_asked_again_and_then_says_so(status: int) -> None:
    async def use(connector, server):  # type: ignore[no-untyped-def]
        with pytest.raises((RateLimited, Transient)) as caught:
            await connector.probe("order")
        return caught.value.status, len(server.seen)

    assert asyncio.run(with_handler(lambda _: json_reply({}, status, Retry_After="0.001"), use)) == (status, 3)


def test_who_removed_an_order_is_never_told_but_when(tmp_path: Path) -> None:
    error, _ = failure_of_update(json_reply(GONE, 410), tmp_path)
    assert "patrik" not in str(error)
    assert "2026-02-01" in str(error)
    assert removal_day(b"not json") is None
    assert removal_day(json.dumps({"Order": None}).encode()) is None


PAGE = b"<!DOCTYPE html><html><body>Not Found</body></html>"


@pytest.mark.parametrize("status", [404, 405])
def test_a_page_that_is_not_the_apis_own_says_nothing_about_an_order(status: int, tmp_path: Path) -> None:
    async def use(connector, _):  # type: ignore[no-untyped-def]
        return await connector.read_details("order", [TRACK_ID], tmp_path / "page.zst")

    found = asyncio.run(with_handler(lambda _: Reply(PAGE, status, {"content-type": "text/html"}), use))
    assert found[TRACK_ID] not in (200, 404)
    error, _ = failure_of_update(Reply(PAGE, status), tmp_path)
    assert type(error) is OutcomeUnknown


@pytest.mark.parametrize("body", [PAGE, b'<?xml version="1.0"?><Orders/>', b"", b"\xff\xfe[]"])
def test_what_is_no_json_is_never_taken_for_an_empty_account(body: bytes, tmp_path: Path) -> None:
    async def use(connector, _):  # type: ignore[no-untyped-def]
        with pytest.raises(Unreadable):
            await connector.read("order", tmp_path / "list.zst")

    asyncio.run(with_handler(lambda _: Reply(body), use, options={"scan_days": 1, "days_ahead": 0}))


@pytest.mark.parametrize(
    "answer", [{"data": []}, {"Status": 200}, "ok", [{"Number": "1"}], [{"TrackId": None}], [7], [[]]]
)
def test_lists_of_another_shape_are_drift(answer: object, tmp_path: Path) -> None:
    async def use(connector, _):  # type: ignore[no-untyped-def]
        with pytest.raises(SchemaDrift):
            await connector.read("order", tmp_path / "list.zst")

    asyncio.run(with_handler(lambda _: json_reply(answer), use, options={"scan_days": 1, "days_ahead": 0}))


def test_a_member_that_no_order_has_any_more_makes_a_reading_incomplete(tmp_path: Path) -> None:
    renamed = shown()
    renamed["CashOnDelivery"] = renamed.pop("COD")

    async def use(connector, _):  # type: ignore[no-untyped-def]
        return await connector.read("order", tmp_path / "list.zst")

    told = asyncio.run(with_handler(lambda _: json_reply([renamed]), use, options={"scan_days": 1}))
    assert (told.complete, told.reason) == (False, "schema_drift: no order has COD")


def test_an_order_without_what_writing_rests_on_is_not_written_over(tmp_path: Path) -> None:
    def answer(_: Request) -> Reply:
        return json_reply({name: value for name, value in shown().items() if name != "StatusId"})

    async def use(connector, server):  # type: ignore[no-untyped-def]
        with pytest.raises(SchemaDrift):
            await connector.update(TRACK_ID, wanted(), ["cod"])
        return [request.method for request in server.seen]

    assert asyncio.run(with_handler(answer, use)) == ["GET"]


def test_another_order_than_the_one_asked_for_is_not_believed(tmp_path: Path) -> None:
    async def use(connector, _):  # type: ignore[no-untyped-def]
        return await connector.read_details("order", ["11111111-1111-4111-8111-111111111111"], tmp_path / "one.zst")

    assert list(asyncio.run(with_handler(lambda _: json_reply(shown()), use)).values()) == [0]
    assert landed(tmp_path / "one.zst")[0]["body"] is None


@pytest.mark.parametrize("reply", [Reply(b"<html>", 202), json_reply({"Status": 500, "Title": "Oops"}, 202)])
def test_a_2xx_that_does_not_read_like_one_leaves_the_outcome_unknown(reply: Reply, tmp_path: Path) -> None:
    error, methods = failure_of_update(reply, tmp_path)
    assert type(error) is OutcomeUnknown
    assert methods == ["GET", "PUT"]


def test_the_key_travels_in_its_header_and_nowhere_else(tmp_path: Path) -> None:
    async def use(connector, server):  # type: ignore[no-untyped-def]
        await connector.find("order", KEY, "location1", tmp_path / "found.zst")
        with pytest.raises(ApiError) as caught:
            await connector.update(TRACK_ID, wanted(), ["cod"])
        assert "a-key" not in str(caught.value) + repr(connector._client._http)
        return server.seen

    seen = asyncio.run(with_handler(lambda _: json_reply({}, 404), use))
    for request in seen:
        assert request.headers["x-api-key"] == "a-key"
        assert request.headers["accept"] == "application/json"
        assert "a-key" not in request.path
        assert "authorization" not in request.headers


def test_a_pause_is_told_by_the_servers_own_clock() -> None:
    now = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    told = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "2026-11-20T10:00:12.5000000Z"}
    assert announced_pause(told, now) == 12.5
    assert announced_pause(told | {"date": "Fri, 20 Nov 2026 10:00:02 GMT"}) == 10.5
    assert announced_pause(told | {"x-rate-limit-reset": "2026-11-20T10:00:07"}, now) == 7
    assert announced_pause(told | {"x-rate-limit-reset": "2026-11-21T10:00:07"}, now) == 60
    assert announced_pause(told | {"x-rate-limit-remaining": "3"}, now) == 0
    assert announced_pause({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "soon"}, now) == 0
