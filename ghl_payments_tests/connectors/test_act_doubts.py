"""What Act!'s connector must not believe: filters that mean another time, words of a failed write, its own leftovers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ghl_payments.connectors.act.bodies import read_details
from ghl_payments.connectors.act.lists import ListPass, list_all
from ghl_payments.connectors.act.odata import Query
from ghl_payments.connectors.act.probes import TEST_NAME
from ghl_payments.connectors.act.shapes import ListPage, ListRow
from ghl_payments.transport import errors
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.act_support import OWNER, client_of, contact, order, probe, with_act
from ghl_payments_tests.running_sandbox import RunningSandbox

START = datetime(2026, 11, 1, tzinfo=UTC)
TABLE_ROW = "custom/entities/GHL_PAYMENT"


def row(number: int, minutes: int) -> ListRow:
    at = START + timedelta(minutes=minutes)
    return ListRow(f"{number:03}", at.isoformat(), at, b"{}")


def listed(rows: list[ListRow], *, filter_ahead: timedelta = timedelta(0), skips: bool = True) -> ListPass:
    """List a collection whose filter on `edited` is off by some hours, or that ignores $skip."""

    asked: list[Query] = []

    async def fetch(query: Query) -> ListPage:
        asked.append(query)
        assert len(asked) < 400, "paging does not end"
        assert query.order is not None
        found = sorted(rows, key=lambda r: (r.edited_at, r.id)) if query.order.startswith("edited") else list(rows)
        if query.where is not None:
            bound = datetime.fromisoformat(query.where.rpartition(" ")[2]) + filter_ahead
            found = [r for r in found if r.edited_at is not None and r.edited_at >= bound]
        return ListPage(found[query.skip if skips else 0 :][: query.top])

    async def main() -> ListPass:
        return await list_all(fetch, lambda _rows, _again: None)

    return asyncio.run(main())


@example(hours=3, minutes=list(range(0, 2000, 10)))
@given(hours=st.integers(-12, 12), minutes=st.lists(st.integers(0, 2000), max_size=350))
def test_a_list_is_read_to_its_end_in_whatever_zone_its_filter_takes_the_time(hours: int, minutes: list[int]) -> None:
    rows = [row(number, at) for number, at in enumerate(minutes)]
    passed = listed(rows, filter_ahead=timedelta(hours=hours))
    assert (passed.reason, passed.rows) == (None, len(rows))


@pytest.mark.parametrize("count", [1, 2, 150])
def test_a_list_whose_skip_is_ignored_ends_and_is_not_called_complete(count: int) -> None:
    passed = listed([row(number, 0) for number in range(count)], skips=False)
    assert (passed.reason or "").startswith("paging_unsteady")


def test_a_write_that_ended_in_a_500_has_an_unknown_outcome_whatever_the_words_of_the_error(
    sandbox: SandboxFactory,
) -> None:
    box = sandbox()
    _hold(box, contacts=[OWNER])
    levels = _levels(box)
    words = {"message": "An error has occurred.", "exceptionMessage": "A property of the query was null."}
    box.fault("status_after_commit", status=500, body=words, system="act", method="POST", path=".*/opportunities$")
    with pytest.raises(errors.OutcomeUnknown):
        with_act(box, lambda act: act.create(order()), levels=levels)
    box.clear_faults()
    held = [doc for doc in _act(box)["opportunities"] if doc.get("sourceId") == "ghl:order:O1"]
    assert len(held) == 1


def test_a_person_is_adopted_though_the_search_for_an_address_is_ignored(sandbox: SandboxFactory) -> None:
    box = sandbox()
    others = [{"id": _guid(n), "fullName": "Other", "emailAddress": f"other{n}@example.com"} for n in range(2, 250)]
    _hold(box, contacts=[*others, OWNER])
    levels = _levels(box) | {"contact_search": "scan"}
    box.fault("ignored_filter", system="act", method="GET", path=".*/contacts$", params=["$filter"])
    answer = with_act(box, lambda act: act.create(contact()), levels=levels)
    assert answer.native_id == OWNER["id"]
    assert len(_act(box)["contacts"]) == len(others) + 1


def test_test_records_of_a_probe_that_was_cut_short_are_gone_after_the_next(sandbox: SandboxFactory) -> None:
    box = sandbox()
    levels = _levels(box)
    assert levels["custom_tables"] == "available"

    async def leave() -> None:
        client = client_of(box)
        await client.post(TABLE_ROW, {"GHL_ID": "ghl:probe:1"})
        await client.post("opportunities", {"name": TEST_NAME, "sourceId": "ghl:probe:2"})
        await client.aclose()

    asyncio.run(leave())
    box.fault("status", status=400, system="act", method="GET", path=".*/opportunities$", times=1)
    found = probe(box)
    assert _probe_traces(box) == []
    assert found["payment_search"].level == "column"


def test_a_test_record_that_cannot_be_read_back_is_removed_all_the_same(sandbox: SandboxFactory) -> None:
    box = sandbox()
    _levels(box)
    box.fault("status", status=503, system="act", method="GET", path=".*/opportunities/.+", times=3)
    with pytest.raises(errors.RateLimited):
        probe(box)
    box.clear_faults()
    assert _probe_traces(box) == []


def test_fields_that_may_not_be_created_are_asked_for_once_and_not_for_every_record(sandbox: SandboxFactory) -> None:
    box = sandbox()
    box.switches(act_define_fields=False, act_custom_tables=False)
    levels = {"custom_fields": "creatable", "custom_tables": "unavailable"}
    before = len(box.requests())

    async def three(act: Any) -> int:
        refused = 0
        for number in range(3):
            with pytest.raises(errors.Rejected, match="Nothing was sent"):
                await act.create(contact(f"ghl:contact:C{number}"))
            refused += 1
        return refused

    assert with_act(box, three, levels=levels) == 3
    tried = [r for r in box.requests()[before:] if r["method"] == "POST" and r["path"].casefold().endswith("/fields")]
    assert len(tried) == 1


@pytest.mark.parametrize(
    "text", ['<p>{"amount": "1.00",<br/>"status": "paid"}</p>', '<p>{&quot;amount&quot;: "1.00", "status": "paid"}</p>']
)
def test_details_are_read_through_any_markup(text: str) -> None:
    assert read_details(text) == {"amount": "1.00", "status": "paid"}


def _levels(box: RunningSandbox) -> dict[str, str]:
    return {name: level.level for name, level in probe(box).items()}


def _act(box: RunningSandbox) -> dict[str, Any]:
    part: dict[str, Any] = box.state()["act"]
    return part


def _hold(box: RunningSandbox, **part: Any) -> None:
    box.put_state(box.state() | {"act": part})


def _guid(number: int) -> str:
    return f"c0000000-0000-4000-8000-{number:012}"


def _probe_traces(box: RunningSandbox) -> list[str]:
    act = _act(box)
    rows = [*act["opportunities"]]
    for table in act["custom"].values():
        rows += table if isinstance(table, list) else table.get("rows", [])
    return [str(held["id"]) for held in rows if "ghl:probe:" in str(held) or held.get("name") == TEST_NAME]
