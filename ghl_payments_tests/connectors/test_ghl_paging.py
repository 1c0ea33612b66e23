"""Properties of paging: whatever moves between two requests, a slice is either complete and true or incomplete."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.scan import SliceCertificate, scan_slice
from ghl_payments.transport.errors import SchemaDrift
from ghl_payments.transport.landing import LandingWriter
from ghl_payments_tests.connectors.support import QUICK, landed, listed_ids, unlimited
from ghl_payments_tests.loopback import Reply, Request, json_reply, loopback

MONTH = date(2026, 11, 1)
Mutation = tuple[int, int | None, int | None]


@dataclass
class MovingList:
    """A list whose rows come and go before the nth request; `versions` are all states that a request could see.

    A mutation is (request number, position to delete at, position to insert at); both at once leave the count as it
    is, which only the overlap of pages can give away.
    """

    rows: list[str]
    mutations: list[Mutation]
    cap: int = 100
    versions: list[list[str]] = field(default_factory=list)
    asked: int = 0
    new: int = 0

    def answer(self, request: Request) -> Reply:
        self.asked += 1
        for at, delete, insert in self.mutations:
            if at == self.asked and delete is not None and self.rows:
                del self.rows[delete % len(self.rows)]
            if at == self.asked and insert is not None:
                self.new += 1
                self.rows.insert(insert % (len(self.rows) + 1), f"new{self.new}")
        self.versions.append(list(self.rows))
        offset, limit = int(request.query["offset"]), min(self.cap, int(request.query["limit"]))
        rows = [{"_id": row, "createdAt": "2026-11-05T00:00:00.000Z"} for row in self.rows[offset : offset + limit]]
        return json_reply({"data": rows, "totalCount": len(self.rows)})


def scan(handler: object, path: Path, *, limit: int = 100, concurrency: int = 4, attempts: int = 3) -> SliceCertificate:
    async def main() -> SliceCertificate:
        async with loopback(handler) as server:  # type: ignore[arg-type]
            client = GhlClient(server.base_url, "location1", SecretStr("t"), unlimited(), retry=QUICK)
            try:
                with LandingWriter(path) as landing:
                    return await scan_slice(
                        client, "orders", MONTH, landing, limit=limit, concurrency=concurrency, max_attempts=attempts
                    )
            finally:
                await client.aclose()

    return asyncio.run(main())


POSITIONS = st.none() | st.integers(0, 40)
MUTATIONS = st.lists(st.tuples(st.integers(1, 14), POSITIONS, POSITIONS), max_size=5)


@settings(max_examples=100, deadline=None)
@given(count=st.integers(0, 40), limit=st.integers(2, 12), cap=st.integers(2, 12), concurrency=st.integers(1, 5),
       mutations=MUTATIONS)  # fmt: skip
def test_a_complete_slice_has_every_row_that_stayed_and_none_that_never_was(
    tmp_path_factory: pytest.TempPathFactory, count: int, limit: int, cap: int, concurrency: int,
    mutations: list[Mutation],
) -> None:  # fmt: skip
    moving = MovingList([f"row{n}" for n in range(count)], mutations, cap)
    path = tmp_path_factory.mktemp("scan") / "x.zst"
    certificate = scan(moving.answer, path, limit=limit, concurrency=concurrency, attempts=1)
    stayed = set.intersection(*(set(version) for version in moving.versions))
    ever = set.union(*(set(version) for version in moving.versions))
    listed = set(listed_ids(path))
    if certificate.complete:
        assert stayed <= listed <= ever
        assert len(listed) == certificate.unique_ids == certificate.rows == certificate.total_last
    else:
        assert certificate.reason
    if all(version == moving.versions[0] for version in moving.versions):
        assert certificate.complete
        assert listed == set(moving.rows)


@settings(max_examples=40, deadline=None)
@given(count=st.integers(0, 40), limit=st.integers(2, 12), mutations=MUTATIONS)
def test_a_list_that_comes_to_rest_is_read_completely_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, count: int, limit: int, mutations: list[Mutation]
) -> None:
    moving = MovingList([f"row{n}" for n in range(count)], mutations)
    path = tmp_path_factory.mktemp("scan") / "x.zst"
    certificate = scan(moving.answer, path, limit=limit, attempts=30)
    assert certificate.complete
    assert set.intersection(*(set(version) for version in moving.versions)) <= set(listed_ids(path))


def test_rows_without_a_usable_id_count_as_rows(tmp_path: Path) -> None:
    rows = [{"_id": "a"}, {"_id": 7}, {"createdAt": "2026-11-02T00:00:00.000Z"}, {"_id": ""}]
    certificate = scan(lambda request: json_reply({"data": rows, "totalCount": 4}), tmp_path / "x.zst")
    assert certificate.complete
    assert (certificate.rows, certificate.unique_ids, certificate.unidentified) == (4, 1, 3)


def test_an_id_listed_twice_is_never_complete(tmp_path: Path) -> None:
    rows = [{"_id": "a", "amount": 1}, {"_id": "a", "amount": 2}]
    certificate = scan(lambda request: json_reply({"data": rows, "totalCount": 2}), tmp_path / "x.zst")
    assert not certificate.complete
    assert (certificate.reason or "").startswith("id_twice")


def test_a_row_that_changes_between_two_pages_that_both_show_it_is_read_again(tmp_path: Path) -> None:
    asked = 0

    def changing(request: Request) -> Reply:
        nonlocal asked
        asked += 1
        offset = int(request.query["offset"])
        rows = [{"_id": str(n), "amount": 1 if asked == 1 else 2} for n in range(offset, min(offset + 3, 5))]
        return json_reply({"data": rows, "totalCount": 5})

    certificate = scan(changing, tmp_path / "x.zst", limit=3)
    assert (certificate.complete, certificate.attempts) == (True, 2)
    last = [line for line in landed(tmp_path / "x.zst") if line["envelope"]["attempt"] == 2]
    assert {row["amount"] for line in last for row in line["body"]["data"]} == {2}


def test_a_created_at_in_another_offset_belongs_to_its_utc_month(tmp_path: Path) -> None:
    rows = [
        {"_id": "a", "createdAt": "2026-12-01T01:00:00.000+02:00"},
        {"_id": "b", "createdAt": "2026-11-30T23:00:00.000-02:00"},
        {"_id": "c", "createdAt": "not a date"},
    ]
    certificate = scan(lambda request: json_reply({"data": rows, "totalCount": 3}), tmp_path / "x.zst")
    assert (certificate.complete, certificate.outside) == (True, 1)


@pytest.mark.parametrize(
    "answer",
    [{"orders": [], "totalCount": 0}, {"data": []}, {"data": [], "totalCount": "0"}, {"data": {}, "totalCount": 0},
     {"data": [1], "totalCount": 1}, [], "text"],
)  # fmt: skip
def test_an_answer_in_another_shape_is_drift_that_names_keys_and_no_values(tmp_path: Path, answer: object) -> None:
    certificate = scan(lambda request: json_reply(answer), tmp_path / "x.zst")
    assert not certificate.complete
    assert (certificate.reason or "").startswith("schema_drift: Expected a list `data`")
    assert "text" not in (certificate.reason or "")


@pytest.mark.parametrize(
    "answer", [{"_id": "other"}, {"name": "x"}, [], [{"_id": "id1"}, {"_id": "id2"}], {"data": []}]
)
def test_a_detail_that_is_not_the_record_asked_for_is_drift(answer: object) -> None:
    async def main() -> None:
        async with loopback(lambda request: Reply(json.dumps(answer).encode())) as server:
            client = GhlClient(server.base_url, "location1", SecretStr("t"), unlimited(), retry=QUICK)
            try:
                with pytest.raises(SchemaDrift):
                    await client.order("id1")
            finally:
                await client.aclose()

    asyncio.run(main())


def test_odd_ids_cannot_reach_another_endpoint() -> None:
    async def main() -> str:
        async with loopback(lambda request: json_reply({"_id": "../x?y"})) as server:
            client = GhlClient(server.base_url, "location1", SecretStr("t"), unlimited(), retry=QUICK)
            try:
                await client.order("../x?y")
                return server.seen[0].path
            finally:
                await client.aclose()

    assert asyncio.run(main()) == "/payments/orders/..%2Fx%3Fy"
