"""Our group read completely whatever the account does with pages, and what is no complete reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghl_payments.connectors.base import ReadCertificate
from ghl_payments.transport import errors
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.activetrail_support import (
    BEST,
    PLACE,
    hold,
    native,
    own_group,
    with_activetrail,
)
from ghl_payments_tests.connectors.support import landed
from ghl_payments_tests.running_sandbox import RunningSandbox

ZERO = BEST | {"page_base": "zero"}


def stock(box: RunningSandbox, count: int, **fields: Any) -> None:
    contacts = [
        native(n, email=f"c{n}@example.com", _created=f"20{10 + n % 16}-0{1 + n % 9}-1{n % 10}T00:00:00Z", **fields)
        for n in range(1, count + 1)
    ]
    hold(box, contacts=contacts, **own_group(*range(1, count + 1)))


def read(box: RunningSandbox, path: Path, **more: Any) -> ReadCertificate:
    return with_activetrail(box, lambda connector: connector.read("contact", path), **more)


def listed(path: Path) -> set[int]:
    bodies = [line["body"] for line in landed(path)]
    return {row["id"] for body in bodies for row in (body["contacts"] if isinstance(body, dict) else body)}


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
@pytest.mark.parametrize(
    ("base", "zero", "levels"), [(1, "clamp", BEST), (1, "clamp", ZERO), (1, "error", ZERO), (0, "clamp", ZERO)]
)
def test_every_contact_is_listed_once_wherever_pages_begin(
    sandbox: SandboxFactory, tmp_path: Path, count: int, base: int, zero: str, levels: dict[str, str]
) -> None:
    box = sandbox()
    stock(box, count, ext25="ghl:contact:C1", ext24=PLACE)
    box.switches(activetrail_page_base=base, activetrail_page_zero=zero)
    certificate = read(box, tmp_path / "a.zst", levels=levels)
    assert certificate.complete, certificate
    assert certificate.rows == certificate.unique_ids == certificate.declared == count
    assert listed(tmp_path / "a.zst") == set(range(1, count + 1))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(0, 420), cap=st.integers(1, 3), base=st.integers(0, 1))
def test_a_cap_on_pages_is_got_round_by_windows_of_days(
    sandbox: SandboxFactory, tmp_path: Path, count: int, cap: int, base: int
) -> None:
    box = sandbox()
    stock(box, count, ext25="x")
    box.switches(activetrail_page_cap=cap, activetrail_page_base=base)
    certificate = read(box, tmp_path / f"{count}-{cap}-{base}.zst", levels=ZERO)
    assert certificate.complete, certificate
    assert certificate.unique_ids == count


def test_contacts_of_one_day_that_no_window_can_part_make_the_reading_incomplete(
    sandbox: SandboxFactory, tmp_path: Path
) -> None:
    box = sandbox()
    contacts = [native(n, email=f"c{n}@example.com", _created="2026-01-01T00:00:00Z", ext25="x") for n in range(1, 202)]
    hold(box, contacts=contacts, **own_group(*range(1, 202)))
    box.switches(activetrail_page_cap=2)
    certificate = read(box, tmp_path / "a.zst")
    assert not certificate.complete
    assert certificate.reason == "rows_missing: 200 different contacts of 201 listed"
    assert certificate.attempts == 3


def test_a_list_that_does_not_count_is_read_until_nothing_is_new(sandbox: SandboxFactory, tmp_path: Path) -> None:
    box = sandbox()
    stock(box, 230, ext25="x")
    box.switches(activetrail_counts=False)
    certificate = read(box, tmp_path / "a.zst", levels=ZERO)
    assert (certificate.complete, certificate.unique_ids, certificate.declared) == (True, 230, None)


def test_an_account_without_our_group_holds_nothing_of_ours(sandbox: SandboxFactory, tmp_path: Path) -> None:
    box = sandbox()
    hold(box, contacts=[native()], groups=[{"id": 3, "name": "GHL payments archive"}], members=[[3, 1]])
    certificate = read(box, tmp_path / "a.zst")
    assert (certificate.complete, certificate.rows, certificate.declared) == (True, 0, 0)
    assert "GHL payments" in (certificate.limits or "")


def test_old_contacts_are_listed_though_a_list_without_dates_shows_three_months(
    sandbox: SandboxFactory, tmp_path: Path
) -> None:
    box = sandbox()
    hold(box, contacts=[native(ext25="x", _created="2003-05-05T00:00:00Z")], **own_group(1))
    assert read(box, tmp_path / "a.zst").rows == 1


def test_a_list_without_our_slots_has_changed_its_shape(sandbox: SandboxFactory, tmp_path: Path) -> None:
    box = sandbox()
    hold(box, contacts=[native()], **own_group(1))
    certificate = read(box, tmp_path / "a.zst", slot_contact_key="ext1")
    assert certificate.complete  # the field is there, and empty
    box.fault("status", status=200, system="activetrail", path="/api/groups/7/members",
              body={"count": 1, "contacts": [{"id": 1}]})  # fmt: skip
    certificate = read(box, tmp_path / "b.zst")
    assert (certificate.reason or "").startswith("schema_drift: no contact of the list has the field ext25")


@pytest.mark.parametrize("body", ["[]]", {"count": 0, "a": [], "b": []}])
def test_an_answer_that_is_no_list_makes_the_reading_incomplete(
    sandbox: SandboxFactory, tmp_path: Path, body: Any
) -> None:
    box = sandbox()
    hold(box, contacts=[native()], **own_group(1))
    box.fault("status", status=200, system="activetrail", path="/api/groups/7/members", body=body)
    certificate = read(box, tmp_path / "a.zst")
    assert not certificate.complete
    assert (certificate.reason or "").startswith(("page_unreadable", "schema_drift"))


def test_a_refused_token_is_an_error_and_no_empty_list(sandbox: SandboxFactory, tmp_path: Path) -> None:
    box = sandbox()
    for token in ("wrong", f"Bearer {box.ready['systems']['activetrail']['token']}"):
        with pytest.raises(errors.Unauthorised):
            read(box, tmp_path / "a.zst", token=token)
    assert not (tmp_path / "a.zst").exists()


def test_a_429_is_waited_for(sandbox: SandboxFactory, tmp_path: Path) -> None:
    box = sandbox()
    stock(box, 150, ext25="x")
    box.fault("status", status=429, system="activetrail", times=2, headers={"Retry-After": "0"})
    assert read(box, tmp_path / "a.zst").complete


def test_single_contacts_are_landed_as_lists_of_one_and_deleted_ones_as_gone(
    sandbox: SandboxFactory, tmp_path: Path
) -> None:
    box = sandbox()
    hold(box, contacts=[native(), native(2, email="b@example.com", is_deleted=True)], **own_group(1))
    answers = with_activetrail(box, lambda c: c.read_details("contact", ["1", "2", "9"], tmp_path / "a.zst"))
    assert answers == {"1": 200, "2": 404, "9": 404}
    lines = landed(tmp_path / "a.zst")
    assert [line["envelope"]["kind"] for line in lines] == ["list", "detail", "detail"]
    assert lines[0]["body"][0]["email"] == "ann@example.com"


def test_a_thousand_orders_are_read_in_seconds(sandbox: SandboxFactory, tmp_path: Path) -> None:
    box = sandbox(orders=1000)
    ids = [doc["orderId"] for doc in box.state()["activetrail"]["orders"]]
    answers = with_activetrail(box, lambda c: c.read_details("commerce_order", ids, tmp_path / "a.zst"))
    assert set(answers.values()) == {200}
    assert read(box, tmp_path / "b.zst").complete
