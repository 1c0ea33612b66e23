"""Paging through Act!'s bare arrays: nothing is skipped or taken twice, whatever page size or order a database has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ghl_payments.connectors.act.lists import ListPass, list_all
from ghl_payments.connectors.act.odata import PAGE_SIZE, Query, all_of, equals, instant, quoted, since, starts_with
from ghl_payments.connectors.act.shapes import ListPage, ListRow, moment, read_list
from ghl_payments.sandbox.act_odata import Properties, page, read_filter
from ghl_payments.transport.errors import Rejected, Transient

START = datetime(2026, 3, 1, tzinfo=UTC)


class Collection:
    """Rows in memory, answered as a database with a largest page would; `disturb` runs before each request."""

    def __init__(self, edits: Sequence[int], cap: int, *, shown_digits: int = 6) -> None:
        self.rows: dict[str, datetime] = {f"r{n:03d}": START + timedelta(milliseconds=at) for n, at in enumerate(edits)}
        self.cap = cap
        self.shown_digits = shown_digits
        self.requests = 0
        self.disturb: Callable[[int], None] = lambda _: None

    async def fetch(self, query: Query) -> ListPage:
        self.requests += 1
        assert self.requests < 5000, "paging does not end"
        self.disturb(self.requests)
        return self.answer(query)

    def answer(self, query: Query) -> ListPage:
        docs = [{"id": key, "edited": at.isoformat(), "created": key} for key, at in self.rows.items()]
        if query.where:
            docs = list(filter(read_filter(query.where, Properties({"id", "edited"})), docs))
        by_edit = (query.order or "").startswith("edited")
        docs.sort(key=lambda doc: (doc["edited"] if by_edit else "", doc["id"]))
        shown = page(iter(docs), {k: str(v) for k, v in query.params().items()}, self.cap)
        if self.shown_digits == 0:
            shown = [doc | {"edited": doc["edited"][:19] + "Z"} for doc in shown]
        return read_list(json.dumps(shown).encode())


def listed(collection: Any) -> tuple[list[str], ListPass]:
    ids: list[str] = []

    def take(rows: Sequence[ListRow], again: bool) -> None:
        if not again:
            ids.extend(row.id for row in rows)

    passed = asyncio.run(list_all(collection.fetch, take))
    return ids, passed


@given(
    edits=st.lists(st.integers(0, 8_000), max_size=60), cap=st.integers(1, 7), digits=st.sampled_from([0, 6])
)  # fmt: skip
def test_every_row_is_taken_once_under_any_page_cap(edits: list[int], cap: int, digits: int) -> None:
    collection = Collection(edits, cap, shown_digits=digits)
    ids, passed = listed(collection)
    assert sorted(ids) == sorted(collection.rows)
    assert (passed.reason, passed.rows) == (None, len(edits))


@given(
    edits=st.lists(st.integers(0, 8_000), min_size=1, max_size=40), cap=st.integers(2, 7),
    changes=st.lists(st.tuples(st.integers(1, 25), st.integers(0, 39), st.booleans()), max_size=6),
)  # fmt: skip
def test_rows_that_are_edited_or_added_while_paging_hide_no_other_row(
    edits: list[int], cap: int, changes: list[tuple[int, int, bool]]
) -> None:
    collection = Collection(edits, cap)
    before = set(collection.rows)

    def disturb(request: int) -> None:
        for at, which, adds in changes:
            if at == request:
                key = f"new{at}-{which}" if adds else sorted(collection.rows)[which % len(collection.rows)]
                collection.rows[key] = START + timedelta(seconds=60 + request)

    collection.disturb = disturb
    ids, passed = listed(collection)
    assert len(ids) == len(set(ids))
    assert passed.reason is not None or before <= set(ids)


@given(edits=st.lists(st.integers(0, 8_000), max_size=40), cap=st.integers(1, 7))
def test_a_database_that_cannot_filter_by_edited_is_paged_by_position(edits: list[int], cap: int) -> None:
    class Refusing(Collection):
        def answer(self, query: Query) -> ListPage:
            if query.where:
                raise Rejected(system="act", method="GET", path="/api/x", status=400)
            return super().answer(query)

    collection = Refusing(edits, cap)
    ids, passed = listed(collection)
    assert (sorted(ids), passed.reason) == (sorted(collection.rows), None)


@given(edits=st.lists(st.integers(0, 8_000), max_size=40), cap=st.integers(1, 7))
def test_a_database_that_ignores_the_filter_is_paged_by_position(edits: list[int], cap: int) -> None:
    class Deaf(Collection):
        def answer(self, query: Query) -> ListPage:
            return super().answer(Query(None, query.order, query.top, query.skip))

    collection = Deaf(edits, cap)
    ids, passed = listed(collection)
    assert sorted(ids) == sorted(collection.rows)
    assert passed.reason is None


def test_a_database_that_ignores_skip_is_found_out() -> None:
    class Stuck(Collection):
        def answer(self, query: Query) -> ListPage:
            return super().answer(Query(query.where, query.order, query.top, 0))

    _, passed = listed(Stuck([0] * 20, 5))
    assert passed.reason is not None
    assert passed.reason.startswith("paging_unsteady")


def test_a_page_that_fails_leaves_the_list_incomplete() -> None:
    class Failing(Collection):
        def answer(self, query: Query) -> ListPage:
            if self.requests == 3:
                raise Transient(system="act", method="GET", path="/api/x", status=502)
            return super().answer(query)

    ids, passed = listed(Failing([n * 1000 for n in range(20)], 5))
    assert len(ids) < 20
    assert passed.reason is not None
    assert passed.reason.startswith("page_failed")


def test_a_changed_row_is_given_again() -> None:
    collection = Collection([n * 1000 for n in range(6)], 3)

    def disturb(request: int) -> None:
        if request == 2:
            collection.rows["r000"] = START + timedelta(hours=1)

    collection.disturb = disturb
    again: list[str] = []
    asyncio.run(list_all(collection.fetch, lambda rows, seen: again.extend(row.id for row in rows if seen)))
    assert again == ["r000"]


@given(st.text(), st.text())
def test_any_text_survives_quoting(text: str, other: str) -> None:
    matches = read_filter(equals("name", text), Properties({"name"}, exact_case=True))
    assert matches({"name": text})
    assert matches({"name": other}) == (text == other)
    assert read_filter(starts_with("name", text), Properties({"name"}, exact_case=True))({"name": text + other})


@given(st.integers(0, 10**10))
def test_an_instant_is_bare_whole_seconds_in_utc(milliseconds: int) -> None:
    at = START + timedelta(milliseconds=milliseconds)
    assert moment(instant(at)) == at.replace(microsecond=0)
    assert read_filter(since("edited", at), Properties({"edited"}))({"edited": at.isoformat()})


def test_a_query_says_only_what_it_means() -> None:
    assert Query().params() == {"$top": PAGE_SIZE}
    assert Query("a eq 1", "id", 5, 10).params() == {"$filter": "a eq 1", "$orderby": "id", "$top": 5, "$skip": 10}
    assert all_of([None, "a eq 1", "b eq 2"]) == "a eq 1 and b eq 2"
    assert all_of([None]) is None
    assert quoted("O'Neil") == "'O''Neil'"
