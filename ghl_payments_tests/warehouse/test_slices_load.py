"""A slice's landing file becomes versions of rows: nothing twice, nothing lost, nothing older over something newer."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ghl_payments.warehouse.landing_load import load_providers, load_slice, record_sweep
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, OLD, ago, order
from ghl_payments_tests.warehouse.desk import FEBRUARY, Desk, later

Document = dict[str, Any]
CURRENT = "is_current and location_id = 'LocationOne'"
PAGE = {"kind": "list", "stream": "orders", "attempt": 1, "offset": 0}
JANUARY_DAY = "2026-01-20T10:00:00.000Z"


def held(desk: Desk) -> dict[str, Any]:
    """Amounts of the current versions."""
    rows = desk.con.execute(f"select id, (doc ->> '$.amount')::double from raw.orders where {CURRENT}").fetchall()
    return dict(rows)


def absent(desk: Desk, stream: str = "orders") -> set[str]:
    rows = desk.con.execute(f"select id from raw.{stream} where is_current and absent_at is not null").fetchall()
    return {row[0] for row in rows}


def test_the_same_slice_again_brings_no_new_version(desk: Desk) -> None:
    assert desk.list("orders", order(), order("o2")) == 2
    assert desk.list("orders", order(), order("o2"), at=later(hours=1)) == 0
    assert len(desk.rows("raw.orders")) == 2


def test_a_changed_row_is_a_new_version_and_the_old_one_stays(desk: Desk) -> None:
    for number, amount in enumerate([10, 20, 30, 40]):
        desk.list("orders", order(amount=amount, updatedAt=ago(days=9 - number)), at=later(hours=number))
    versions = desk.con.execute(
        "select (doc ->> '$.amount')::integer, is_current from raw.orders order by valid_from"
    ).fetchall()
    assert versions == [(10, False), (20, False), (30, False), (40, True)]


def test_an_answer_older_than_the_row_held_changes_nothing(desk: Desk) -> None:
    desk.list("orders", order(amount=20, updatedAt=ago(days=1)))
    assert desk.list("orders", order(amount=10, updatedAt=ago(days=2)), at=later(hours=1)) == 0
    assert held(desk) == {"o1": 20}
    assert absent(desk) == set()


def test_without_a_readable_update_time_the_answer_that_came_last_counts(desk: Desk) -> None:
    desk.list("orders", order(amount=10, updatedAt=None))
    desk.list("orders", order(amount=20, updatedAt="lately"), at=later(hours=1))
    desk.list("orders", order(amount=30, updatedAt=None), at=later(hours=2))
    assert held(desk) == {"o1": 30}


@pytest.mark.parametrize(("complete", "gone"), [(True, {"o2"}), (False, set())])
def test_only_a_complete_slice_says_that_a_row_left_the_list(desk: Desk, complete: bool, gone: set[str]) -> None:
    desk.list("orders", order(), order("o2"))
    desk.list("orders", order(), complete=complete, at=later(hours=1))
    assert absent(desk) == gone
    assert set(held(desk)) == {"o1", "o2"}


def test_a_row_that_comes_back_is_absent_no_longer(desk: Desk) -> None:
    desk.list("orders", order(), order("o2"))
    desk.list("orders", order(), at=later(hours=1))
    assert desk.list("orders", order(), order("o2"), at=later(hours=2)) == 0
    assert absent(desk) == set()


def test_a_slice_says_nothing_about_other_months_streams_and_locations(desk: Desk) -> None:
    desk.list("orders", order("o1", createdAt=JANUARY_DAY), month=date(2026, 1, 1))
    desk.list("transactions", order("o2"))
    desk.list("orders", order("o3"), location_id="LocationTwo")
    desk.list("orders", at=later(hours=1))
    assert (absent(desk), absent(desk, "transactions")) == (set(), set())


def test_the_same_id_in_two_locations_is_two_rows(desk: Desk) -> None:
    desk.list("orders", order(amount=10))
    desk.list("orders", order(amount=99), location_id="LocationTwo")
    assert held(desk) == {"o1": 10}
    assert len(desk.rows("raw.orders", "is_current")) == 2


def test_a_sweep_that_found_everything_empties_the_months_it_did_not_read(desk: Desk) -> None:
    desk.list("orders", order("o1", createdAt=JANUARY_DAY), month=date(2026, 1, 1))
    desk.list("orders", order("o2"), at=later(days=1))
    record_sweep(desk.con, LOCATION, "orders", (1, 1), "exact", later(days=1))
    assert absent(desk) == {"o1"}
    january = desk.row("raw.slices", "month = '2026-01-01'")
    assert (january["row_count"], january["complete"]) == (0, True)


@pytest.mark.parametrize(("totals", "verdict", "complete"), [
    ((2, 1), "exact", True), ((1, 1), "wider", True), ((1, 1), "exact", False), ((None, 1), "exact", True),
])  # fmt: skip
def test_a_sweep_that_proves_nothing_empties_nothing(
    desk: Desk, totals: tuple[int | None, int], verdict: str, complete: bool
) -> None:
    desk.list("orders", order("o1", createdAt=JANUARY_DAY), month=date(2026, 1, 1))
    desk.list("orders", order("o2"), at=later(days=1), complete=complete)
    record_sweep(desk.con, LOCATION, "orders", totals, verdict, later(days=1))
    assert absent(desk) == set()


def test_only_the_last_attempt_counts_and_overlapping_pages_count_once(desk: Desk) -> None:
    pages = (
        (PAGE, {"data": [order("stale"), order("o1", amount=1)]}),
        (PAGE | {"attempt": 2}, {"data": [order("o1", amount=5), order("o2")]}),
        (PAGE | {"attempt": 2, "offset": 1}, {"data": [order("o2"), order("o3")]}),
    )
    assert desk.slice(desk.land(*pages), "orders", 3) == 3
    assert held(desk)["o1"] == 5
    assert set(held(desk)) == {"o1", "o2", "o3"}


def test_a_page_of_html_is_skipped_and_the_rest_is_loaded(desk: Desk) -> None:
    path = desk.land((PAGE, {"data": [order()]}), (PAGE | {"offset": 1}, b"<html>502 Bad Gateway</html>"))
    assert desk.slice(path, "orders", 1, complete=False) == 1
    certificate = desk.row("raw.slices")
    assert (certificate["complete"], certificate["reason"]) == (False, "the pages did not agree")


@pytest.mark.parametrize("body", [{"data": []}, {"orders": []}, {"data": None}, {}])
def test_a_page_without_rows_is_no_error(desk: Desk, body: Document) -> None:
    assert desk.slice(desk.land((PAGE, body)), "orders", 0) == 0
    assert desk.rows("raw.orders") == []


@pytest.mark.parametrize(
    "nameless", [{"amount": 5, "createdAt": OLD}, {"_id": None, "amount": 5}, {"_id": "", "amount": 5}]
)
def test_a_row_without_an_id_goes_to_quarantine_with_its_payload(desk: Desk, nameless: Document) -> None:
    desk.list("orders", order(), nameless)
    caught = desk.row("staging.quarantine")
    assert (caught["table_name"], caught["owner"], caught["rule"]) == ("raw.orders", LOCATION, "id_missing")
    assert '"amount":5' in caught["payload"]
    assert set(held(desk)) == {"o1"}


def test_quarantine_of_nameless_rows_keeps_its_first_day_and_forgets_what_was_mended(desk: Desk) -> None:
    nameless = {"amount": 5, "createdAt": OLD}
    desk.list("orders", nameless)
    desk.list("orders", nameless, {"amount": 6, "createdAt": OLD}, at=later(days=1))
    seen = desk.con.execute("select first_seen, last_seen from staging.quarantine order by first_seen").fetchall()
    assert [(first.day, last.day) for first, last in seen] == [(1, 2), (2, 2)]
    desk.list("orders", order(), at=later(days=2))
    assert desk.rows("staging.quarantine") == []


def test_two_nameless_rows_of_other_months_do_not_push_each_other_out(desk: Desk) -> None:
    desk.list("orders", {"amount": 5, "createdAt": OLD})
    desk.list("orders", {"amount": 6, "createdAt": JANUARY_DAY}, month=date(2026, 1, 1), at=later(hours=1))
    assert len(desk.rows("staging.quarantine")) == 2


def test_a_slice_is_loaded_whole_or_not_at_all(desk: Desk) -> None:
    path = desk.land((PAGE, {"data": [order()]}))
    with pytest.raises(Exception, match="no_such_column"):
        load_slice(desk.con, path, {"stream": "orders", "month": FEBRUARY, "complete": True, "no_such_column": 1},
                   LOCATION, NOW)  # fmt: skip
    assert desk.rows("raw.orders") == []
    assert desk.list("orders", order()) == 1


def test_a_stream_that_does_not_exist_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="not a stream"):
        desk.list("refunds; drop table raw.orders", order())


@pytest.mark.parametrize("body", [
    {"providers": [{"_id": "p1", "title": "One"}]}, {"providers": {"_id": "p1", "title": "One"}},
    [{"_id": "p1", "title": "One"}],
])  # fmt: skip
def test_providers_are_read_in_every_documented_shape(desk: Desk, body: object) -> None:
    path = desk.land(({"kind": "detail", "stream": "integration_providers"}, body))
    assert load_providers(desk.con, path, LOCATION, NOW) == 1
    desk.stage("integration_providers")
    assert desk.row("staging.integration_providers")["provider_id"] == "p1"


def test_a_provider_that_is_gone_from_the_snapshot_is_gone_from_staging(desk: Desk) -> None:
    envelope = {"kind": "detail", "stream": "integration_providers"}
    load_providers(desk.con, desk.land((envelope, [{"_id": "p1"}, {"_id": "p2"}])), LOCATION, NOW)
    load_providers(desk.con, desk.land((envelope, [{"_id": "p2"}])), LOCATION, later(days=1))
    desk.stage("integration_providers")
    assert desk.row("staging.integration_providers")["provider_id"] == "p2"
