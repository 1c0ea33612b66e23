"""One receiver over real HTTP: what is sent, how often, where to, and how its lists and records are read."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from ghl_payments.connections import Connection, SettingsError
from ghl_payments.connectors.base import RepeatSafe
from ghl_payments.connectors.rankr.connect import RankrConnector
from ghl_payments.connectors.registry import target_systems
from ghl_payments.transport.errors import ApiError, EndpointGone, SchemaDrift, Transient
from ghl_payments_tests.connectors.support import landed
from ghl_payments_tests.connectors.webhook_support import OTHER, READ, SECRET, connector, order, with_server
from ghl_payments_tests.loopback import Loopback, Reply, Request, json_reply
from ghl_payments_tests.running_sandbox import ROOT

Row = dict[str, Any]


async def tell(opened: RankrConnector, server: Loopback) -> int:
    return (await opened.create(order())).status


async def fail(opened: RankrConnector, server: Loopback) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await opened.create(order())
    return caught.value


def listed(opened: RankrConnector, tmp_path: Path) -> Any:
    async def use() -> tuple[Any, list[Row]]:
        certificate = await opened.read("order", tmp_path / "list.zst")
        return certificate, landed(tmp_path / "list.zst")[0]["body"]

    return use()


def test_an_event_is_verified_by_the_library_over_the_raw_bytes_with_both_secrets() -> None:
    status, server = with_server(
        lambda request: Reply(status=202), tell, secrets={"secret": SECRET, "previous_secret": OTHER}
    )
    [request] = server.seen
    assert status == 202
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(request.body, dict(request.headers))["data"]["entityId"] == "o1"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 10


def test_each_attempt_has_its_own_time_and_all_have_the_same_id_and_body() -> None:
    replies = iter([Reply(status=503, headers={"retry-after": "1"}), Reply(lost=True), Reply(status=200)])
    status, server = with_server(lambda request: next(replies), tell)
    assert status == 200
    assert len({(r.headers["webhook-id"], r.body) for r in server.seen}) == 1
    stamps = [int(request.headers["webhook-timestamp"]) for request in server.seen]
    assert len(stamps) == 3
    assert stamps[1] > stamps[0], "Retry-After of the 503 was not honoured"
    for request in server.seen:
        Webhook(SECRET).verify(request.body, dict(request.headers))


def test_a_receiver_that_asks_for_more_time_than_a_run_has_is_not_tried_again_in_it() -> None:
    error, server = with_server(lambda request: Reply(status=504, headers={"retry-after": "600"}), fail)
    assert isinstance(error, Transient)
    assert (error.retry_after, len(server.seen)) == (600.0, 1)


def test_gone_is_an_error_of_its_own() -> None:
    error, server = with_server(lambda request: Reply(status=410), fail)
    assert isinstance(error, EndpointGone)
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(status: int) -> None:
    def answer(request: Request) -> Reply:
        assert request.path == "/"
        return Reply(status=status, headers={"location": "/elsewhere"})

    error, server = with_server(answer, fail)
    assert isinstance(error, SchemaDrift)
    assert "options.endpoint" in error.remedy
    assert len(server.seen) == 1


def test_no_message_shows_the_path_of_an_endpoint() -> None:
    error, server = with_server(lambda request: Reply(status=422), fail, endpoint="{base}/hooks/T0PSECRET")
    assert server.seen[0].path == "/hooks/T0PSECRET"
    assert "T0PSECRET" not in f"{error} {error.path}"


READABLE = READ | {"get": {"url": "{base}/records/{key}"}}


@pytest.mark.parametrize(
    ("reply", "read_back"),
    [
        (json_reply({"data": [], "key": "ghl:order:o1"}), READABLE),
        (json_reply({}), READABLE),
        (json_reply({"key": "ghl:order:o1"}, 201), READABLE),
        (Reply(status=422), READABLE),
        (Reply(status=503), READABLE),
        (Reply(b"<html>"), READABLE),
        (Reply(lost=True), READABLE),
        (
            Reply(b'{"data":[]}', headers={"link": '<https://evil.example.com/T0PSECRET>; rel="next"'}),
            READABLE | {"list": READ["list"] | {"next": "link"}},  # type: ignore[operator]
        ),
    ],
)
def test_nothing_that_is_read_shows_the_path_of_a_receiver(
    reply: Reply, read_back: Row, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[str] = []

    async def use(_: RankrConnector, server: Loopback) -> None:
        opened = connector(f"{server.base_url}/hooks/T0PSECRET", read_back=read_back)
        reads = (
            lambda: opened.find("order", "ghl:order:o1", "LocationOne", tmp_path / "found.zst"),
            lambda: opened.read("order", tmp_path / "list.zst"),
            lambda: opened.probe_levels(may_write=False),
        )
        try:
            for read in reads:
                try:
                    await read()
                except ApiError as error:
                    said.append(f"{error} {error.path} {error!r} {error.__cause__} {error.__cause__!r}")
        finally:
            said.append(repr(opened._http))
            await opened.aclose()

    with caplog.at_level(logging.DEBUG):
        _, server = with_server(lambda request: reply, use)
    assert {request.path.split("/")[2] for request in server.seen} == {"T0PSECRET"}
    shown = caplog.text + "".join(said)
    assert "(options.read_back.list.url)" in shown
    assert "(options.read_back.get.url)" in shown
    assert "T0PSECRET" not in shown


def test_without_signing_nothing_is_signed() -> None:
    _, server = with_server(lambda request: Reply(), tell, secrets={}, signing="none")
    assert "webhook-signature" not in server.seen[0].headers
    assert server.seen[0].headers["webhook-id"].startswith("msg_")


def test_a_missing_secret_is_told_before_anything_is_sent() -> None:
    with pytest.raises(SettingsError, match="no credential 'secret'"):
        connector("https://receiver.example.com", secrets={})


PAGES = {"": ["a", "b"], "2": ["c", "d"], "4": ["e"]}


def by_cursor(request: Request) -> Reply:
    cursor = request.query.get("cursor", "")
    place = int(cursor or 0) + 2
    rows = [{"key": f"ghl:order:{name}", "n": 1.50} for name in PAGES[cursor]]
    return json_reply({"data": rows, "next": str(place) if str(place) in PAGES else None, "total": 5})


def by_page(request: Request) -> Reply:
    number = int(request.query["page"])
    names = list(PAGES.values())[number - 1] if number <= 3 else []
    return json_reply({"data": [{"key": f"ghl:order:{name}"} for name in names]})


def by_offset(request: Request) -> Reply:
    names = [name for names in PAGES.values() for name in names][int(request.query["offset"]) :][:2]
    return json_reply({"data": [{"key": f"ghl:order:{name}"} for name in names]})


def by_link(request: Request) -> Reply:
    at = request.query.get("at", "")
    place = int(at or 0) + 2
    headers = {"link": f'</records?at={place}>; rel="next"'} if str(place) in PAGES else {}
    rows = [{"key": f"ghl:order:{name}"} for name in PAGES[at]]
    return Reply(json.dumps({"data": rows}).encode(), headers=headers)


@pytest.mark.parametrize(
    ("handler", "template"),
    [
        (by_cursor, {"url": "{base}/records?cursor={cursor}", "next": "$.next", "total": "$.total"}),
        (by_page, {"url": "{base}/records?page={page}"}),
        (by_offset, {"url": "{base}/records?offset={offset}"}),
        (by_link, {"url": "{base}/records", "next": "link"}),
    ],
)
def test_a_list_is_read_to_its_end_however_it_pages(handler: Any, template: Row, tmp_path: Path) -> None:
    read_back = READ | {"list": {"items": "$.data[*]", **template}}
    (certificate, rows), _ = with_server(handler, lambda c, _: listed(c, tmp_path), read_back=read_back)
    assert certificate.complete
    assert [row["key"] for row in rows] == [f"ghl:order:{name}" for name in "abcde"]


def test_a_list_that_counts_more_than_it_lists_proves_nothing(tmp_path: Path) -> None:
    read_back = READ | {"list": READ["list"] | {"total": "$.total"}}  # type: ignore[operator]
    reply = json_reply({"data": [{"key": "ghl:order:a"}], "total": 2})
    (certificate, _), server = with_server(lambda r: reply, lambda c, _: listed(c, tmp_path), read_back=read_back)
    assert not certificate.complete
    assert "counts 2 rows and lists 1" in certificate.reason
    assert len(server.seen) == 3


def one_page(tmp_path: Path, reply: Row, **template: str) -> tuple[Any, list[Request]]:
    """The certificate of a list whose every answer is this one, and what was asked."""
    options = {"items": "$.data[*]", "limit": 2, **template}
    (certificate, _), server = with_server(
        lambda r: json_reply(reply), lambda c, _: listed(c, tmp_path), read_back=READ | {"list": options}
    )
    return certificate, server.seen


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_a_full_page_with_no_way_on_is_no_complete_list_and_names_the_option(names: str, tmp_path: Path) -> None:
    reply = {"data": [{"key": f"ghl:order:{name}"} for name in names]}
    certificate, _ = one_page(tmp_path, reply, url="{base}/records?limit={limit}")
    assert not certificate.complete
    assert "all the 2 rows" in certificate.reason
    assert "options.read_back.list.next" in certificate.reason
    counted, _ = one_page(tmp_path, {**reply, "total": len(names)}, url="{base}/records?limit={limit}", total="$.total")
    assert (counted.complete, "one page" in counted.limits) == (True, False)
    uncounted, _ = one_page(tmp_path, reply, url="{base}/records?limit={limit}", total="$.total")
    assert not uncounted.complete, "a total that the receiver does not tell proves nothing"


@pytest.mark.parametrize("url", ["{base}/records", "{base}/records?limit={limit}"])
def test_one_page_that_is_not_counted_is_said_to_prove_less(url: str, tmp_path: Path) -> None:
    certificate, seen = one_page(tmp_path, {"data": [{"key": "ghl:order:a"}]}, url=url)
    assert (certificate.complete, len(seen)) == (True, 1)
    assert "is one page and does not count its rows" in certificate.limits
    assert "options.read_back.list.total" in certificate.limits


def test_a_list_without_a_limit_is_believed_at_any_length_but_said_to_prove_less(tmp_path: Path) -> None:
    reply = {"data": [{"key": f"ghl:order:{number}"} for number in range(250)]}
    certificate, _ = one_page(tmp_path, reply, url="{base}/records")
    assert (certificate.complete, certificate.rows) == (True, 250)
    assert "is one page and does not count its rows" in certificate.limits


def test_a_full_page_whose_cursor_finds_nothing_is_said_to_prove_less(tmp_path: Path) -> None:
    reply = {"data": [{"key": "ghl:order:a"}, {"key": "ghl:order:b"}]}
    url = "{base}/records?limit={limit}&cursor={cursor}"
    certificate, _ = one_page(tmp_path, reply, url=url, next="$.nxt")
    assert certificate.complete
    assert "names no next one ($.nxt)" in certificate.limits


def test_rows_of_one_key_are_told_apart_and_amounts_keep_their_digits(tmp_path: Path) -> None:
    reply = Reply(b'{"data":[{"key":"ghl:order:a","sum":1.10},{"key":"ghl:order:a","sum":"9007199254740993.01"}]}')
    read_back = READ | {"map": {"key": "$.key", "amount": "$.sum"}}
    (_, rows), _ = with_server(lambda r: reply, lambda c, _: listed(c, tmp_path), read_back=read_back)
    assert [row["id"] for row in rows] == ["ghl:order:a", "ghl:order:a#2"]
    assert [row["amount"] for row in rows] == ["1.10", "9007199254740993.01"]


def test_a_path_that_finds_no_list_names_the_option_and_what_is_there(tmp_path: Path) -> None:
    async def use(opened: RankrConnector, server: Loopback) -> str:
        with pytest.raises(SchemaDrift) as caught:
            await opened.probe_levels(may_write=False)
        return str(caught.value)

    said, _ = with_server(lambda r: json_reply({"rows": []}), use, read_back=READ)
    assert "options.read_back.list.items ($.data[*]) finds no list" in said
    assert "found the keys rows" in said


def test_a_link_to_another_host_is_not_followed(tmp_path: Path) -> None:
    async def use(opened: RankrConnector, server: Loopback) -> None:
        with pytest.raises(SchemaDrift, match="leads to another host"):
            await opened.read("order", tmp_path / "list.zst")

    reply = Reply(b'{"data":[]}', headers={"link": '<https://evil.example.com/>; rel="next"'})
    read_back = READ | {"list": {"url": "{base}/records", "items": "$.data[*]", "next": "link"}}
    with_server(lambda r: reply, use, read_back=read_back)


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"type": "header", "name": "X-Key", "role": "read_token"}, "x-key", "t0ken"),
        ({"type": "bearer", "role": "read_token"}, "authorization", "Bearer t0ken"),
        (
            {"type": "basic", "role": "read_token", "user_role": "read_user"},
            "authorization",
            "Basic " + base64.b64encode(b"me:t0ken").decode(),
        ),
    ],
)
def test_reads_sign_in_as_the_options_say_and_events_do_not(auth: Row, header: str, value: str, tmp_path: Path) -> None:
    async def use(opened: RankrConnector, server: Loopback) -> None:
        await opened.create(order())
        await opened.read("order", tmp_path / "list.zst")

    secrets = {"secret": SECRET, "read_token": "t0ken", "read_user": "me"}
    _, server = with_server(lambda r: json_reply({"data": []}), use, secrets=secrets, read_back=READ | {"auth": auth})
    event, read = server.seen
    assert header not in event.headers
    assert read.headers[header] == value


def test_a_key_that_cannot_exist_must_be_missing_before_single_reads_are_believed() -> None:
    async def use(opened: RankrConnector, server: Loopback) -> Any:
        try:
            return (await opened.probe_levels(may_write=False))["read_back"].level
        except SchemaDrift as error:
            return error.remedy

    read_back = {"get": {"url": "{base}/records/{key}"}, "map": {"key": "$.key"}}
    level, server = with_server(lambda r: Reply(status=404), use, read_back=read_back)
    assert level == "get"
    assert server.seen[0].path == "/records/ghl%3Aorder%3Ano-such-record"
    said, _ = with_server(lambda r: json_reply({"key": "anything"}), use, read_back=read_back)
    assert "options.read_back.get" in said


def test_without_single_reads_a_record_is_looked_up_in_the_list_as_it_is_now(tmp_path: Path) -> None:
    rows: list[Row] = [{"key": "ghl:order:o1", "id": 1}]

    async def use(opened: RankrConnector, server: Loopback) -> tuple[dict[str, int], list[str]]:
        await opened.read("order", tmp_path / "before.zst")
        rows.append({"key": "ghl:order:o2", "id": 2})
        asked = ["ghl:order:o1#1", "ghl:order:o2", "ghl:order:o1#9"]
        answers = await opened.read_details("order", asked, tmp_path / "details.zst")
        return answers, await opened.find("order", "ghl:order:o2", "LocationOne", tmp_path / "found.zst")

    read_back = READ | {"map": {"key": "$.key", "id": "$.id"}}
    (answers, found), _ = with_server(lambda r: json_reply({"data": rows}), use, read_back=read_back)
    assert answers == {"ghl:order:o1#1": 200, "ghl:order:o2": 200, "ghl:order:o1#9": 404}
    assert found == ["ghl:order:o2#2"]
    details = [
        (line["envelope"]["kind"], line["envelope"].get("native_id")) for line in landed(tmp_path / "details.zst")
    ]
    assert details == [("list", None), ("list", None), ("detail", "ghl:order:o1#9")]


def test_the_levels_follow_from_the_options_and_may_be_forced_down_only() -> None:
    both = READ | {"get": {"url": "{base}/records/{key}"}}
    opened = connector("https://receiver.example.com", read_back=both)
    assert isinstance(opened, RepeatSafe)
    for level, reads, keyed in (
        ("list", True, ()),
        ("get", True, opened.record_types),
        ("none", False, opened.record_types),
    ):
        opened.use_levels({"read_back": level})
        assert (opened.reads_back, tuple(opened.keyed_types)) == (reads, tuple(keyed))
    without = connector("https://receiver.example.com")
    without.use_levels({"read_back": "list"})
    assert not without.reads_back


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"read_back": {"map": {"key": "$.key"}}}, "needs `get`, `list` or both"),
        ({"read_back": READ | {"get": {"url": "{base}/x"}}}, "needs {key}"),
        ({"read_back": READ | {"get": {"url": "{base}/{ky}"}}}, "there is no {ky}; known are {base}, {key}"),
        ({"read_back": READ | {"get": {"url": "http://x/{key}"}}}, "must begin with {base}"),
        ({"read_back": READ | {"map": {"key": "key"}}}, "is no JSON path"),
        ({"read_back": READ | {"list": {"url": "{base}?c={cursor}", "items": "$[*]"}}}, "go together"),
        ({"envelope": "cloudevents_binary"}, "not cover"),
        ({"endpoit": "{base}"}, "nearest: endpoint"),
    ],
)
def test_a_wrong_option_is_told_with_its_name_and_what_may_stand_there(options: Row, said: str) -> None:
    connection = Connection(name="rankr", system="rankr", base_url="https://receiver.example.com", options=options)
    with pytest.raises(SettingsError) as caught:
        target_systems()["rankr"].options_of(connection)
    assert said in str(caught.value)
    assert "options" in str(caught.value)


def test_an_address_in_a_private_network_is_refused_before_anything_is_sent() -> None:
    async def use() -> ApiError:
        opened = connector("https://10.1.2.3")
        try:
            with pytest.raises(ApiError, match="allow_private"):
                await opened.create(order())
        finally:
            await opened.aclose()
        return None  # type: ignore[return-value]

    asyncio.run(use())


def test_the_receiver_in_the_docs_takes_events_and_shows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "systems" / "rankr.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    monkeypatch.setenv("RANKR_SECRET", SECRET)
    shown: Row = {}
    exec(compile(code, "receiver", "exec"), shown)  # noqa: S102 - the documentation's own
    shown["Receiver"].log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), shown["Receiver"])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    names = {"key": "key", "location": "locationId", "amount": "amount", "currency": "currency", "status": "status",
             "hash": "contentHash"}  # fmt: skip
    read_back = {"list": {"url": "{base}/records", "items": "$.data[*]"},
                 "map": {name: f"$.{path}" for name, path in names.items()}}  # fmt: skip

    async def use() -> list[Row]:
        opened = connector(base, read_back=read_back)
        stranger = connector(base, secrets={"secret": OTHER})
        try:
            await opened.create(order("100"))
            await opened.create(order("100"))
            await opened.update("ghl:order:o1", order("200", revision=2), ["amount"])
            await opened.update(
                "ghl:order:o1", order("50", revision=3, updated_at="2020-01-01T00:00:00.000Z"), ["amount"]
            )
            with pytest.raises(ApiError, match="refuses the signature"):
                await stranger.create(order("300"))
            await opened.read("order", tmp_path / "list.zst")
        finally:
            await opened.aclose()
            await stranger.aclose()
        rows: list[Row] = landed(tmp_path / "list.zst")[0]["body"]
        return rows

    try:
        [row] = asyncio.run(use())
    finally:
        server.shutdown()
        server.server_close()
    assert (row["key"], row["amount"], row["location_id"], row["hash"]) == (
        "ghl:order:o1", "2.00", "LocationOne", "sha256:200",
    )  # fmt: skip
