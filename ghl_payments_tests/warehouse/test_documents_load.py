"""A target's landing files: bare arrays and envelopes, lists and single documents, and what counts as gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ghl_payments.warehouse.landing_load import load_documents
from ghl_payments_tests.sandbox.oracle_states import NOW
from ghl_payments_tests.warehouse.desk import Desk, later

LIST = {"kind": "list", "record_type": "invoice", "status": 200}
DETAIL = {"kind": "detail", "record_type": "invoice", "status": 200}


def presence(desk: Desk) -> dict[str, tuple[bool, bool]]:
    """Native id -> (present, absence confirmed)."""
    rows = desk.con.execute("select native_id, present, absent_confirmed from actual.documents").fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


@pytest.mark.parametrize("body", [
    [{"id": 1}, {"id": 2}],
    {"record_count": 2, "invoices": [{"id": 1}, {"id": 2}]},
    {"record_count": 2, "columns": [{"id": 77}], "invoices": [{"id": 1}, {"id": 2}], "page_no": 1},
])  # fmt: skip
def test_lists_are_read_bare_or_in_any_envelope(desk: Desk, body: object) -> None:
    assert load_documents(desk.con, desk.land((LIST, body)), "halo", NOW) == 2
    assert presence(desk) == {"1": (True, False), "2": (True, False)}


@pytest.mark.parametrize("body", [[], {"record_count": 0, "invoices": []}, {"record_count": 0}])
def test_an_empty_list_has_no_documents(desk: Desk, body: object) -> None:
    assert load_documents(desk.con, desk.land((LIST, body)), "halo", NOW) == 0


@pytest.mark.parametrize("body", [{"id": 1, "total": 5}, [{"id": 1, "total": 5}]])
def test_a_single_document_is_read_bare_or_in_an_array(desk: Desk, body: object) -> None:
    load_documents(desk.con, desk.land((DETAIL, body)), "halo", NOW)
    assert desk.row("actual.documents")["detail_doc"] == '{"id":1,"total":5}'


def test_only_the_last_attempt_of_a_list_counts(desk: Desk) -> None:
    path = desk.land((LIST, [{"id": 9}]), (LIST | {"attempt": 2}, [{"id": 1}]), (LIST | {"attempt": 2}, [{"id": 2}]))
    load_documents(desk.con, path, "halo", NOW)
    assert set(presence(desk)) == {"1", "2"}


def test_a_page_that_is_no_json_is_left_out(desk: Desk) -> None:
    load_documents(desk.con, desk.land((LIST, [{"id": 1}]), (LIST, b"<html>")), "halo", NOW)
    assert set(presence(desk)) == {"1"}


def test_a_document_missing_from_a_whole_list_is_not_present_but_not_proven_gone(desk: Desk) -> None:
    desk.read("invoice", [{"id": 1}, {"id": 2}])
    desk.read("invoice", [{"id": 2}])
    assert presence(desk) == {"1": (False, False), "2": (True, False)}


def test_a_list_that_is_not_whole_takes_nothing_away(desk: Desk) -> None:
    desk.read("invoice", [{"id": 1}, {"id": 2}])
    desk.read("invoice", [{"id": 2}], complete=False)
    assert presence(desk) == {"1": (True, False), "2": (True, False)}


def test_a_whole_list_of_one_record_type_says_nothing_of_another_nor_of_another_connection(desk: Desk) -> None:
    desk.read("sales_order", [{"id": 1}])
    load_documents(desk.con, desk.land((LIST, [{"id": 5}])), "other", NOW)
    desk.read("invoice", [])
    assert presence(desk) == {"1": (True, False), "5": (True, False)}


def test_only_the_answer_404_proves_that_a_record_is_gone(desk: Desk) -> None:
    desk.read("invoice", [{"id": 1}, {"id": 2}])
    desk.read("invoice", [])
    path = desk.land(
        (DETAIL | {"native_id": "1", "status": 404}, None), (DETAIL | {"native_id": "2", "status": 500}, None)
    )
    load_documents(desk.con, path, "halo", later(hours=1))
    assert presence(desk) == {"1": (False, True), "2": (False, False)}


def test_a_record_that_comes_back_is_present_again(desk: Desk) -> None:
    desk.read("invoice", [{"id": 1}])
    desk.read_singly("invoice", {"1": None})
    desk.read("invoice", [{"id": 1}])
    assert presence(desk) == {"1": (True, False)}


def test_a_list_begun_before_a_record_was_written_does_not_take_it_away(desk: Desk) -> None:
    begun = NOW - timedelta(minutes=1)
    desk.read("invoice", [{"id": 1, "total": 5}])
    load_documents(desk.con, desk.land((DETAIL, {"id": 1, "total": 9}), (DETAIL, {"id": 2})), "halo", later(minutes=1))
    stale = desk.land((LIST, [{"id": 1, "total": 5}]))
    load_documents(desk.con, stale, "halo", later(minutes=2), listed_from=begun, whole="invoice")
    assert presence(desk) == {"1": (True, False), "2": (True, False)}
    assert '"total":9' in desk.row("actual.documents", "native_id = '1'")["detail_doc"]


def test_a_detail_counts_until_the_list_row_changes(desk: Desk) -> None:
    state: dict[str, Any] = {"Currency": [{"id": 7, "code": "USD"}]}
    listed = {"id": 3, "po_number": "ghl:order:o1", "total": 5, "currency_code": 7}
    desk.halo_holds(
        state | {"SalesOrder": [listed | {"customfields": [{"name": "CFGHLStatus", "value": "completed"}]}]}
    )
    desk.read("sales_order", [listed | {"total": 6}])
    from ghl_payments.warehouse import reconcile

    reconcile.derive_actual(desk.con, desk.halo)
    row = desk.row("actual.records", "record_type = 'sales_order'")
    assert (row["amount_minor"], row["problem"]) == (600, "its custom fields could not be read")
