"""What an ActiveTrail account is found to be able to do, and that finding it out leaves no trace."""

from __future__ import annotations

from typing import Any

import pytest

from ghl_payments.connectors.activetrail.options import Options
from ghl_payments.connectors.activetrail.probes import CAPABILITIES
from ghl_payments.connectors.activetrail.slots import check_labels
from ghl_payments.connectors.base import Level
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.activetrail_support import (
    BEST,
    PLACE,
    account,
    contact,
    hold,
    native,
    own_group,
    with_activetrail,
)
from ghl_payments_tests.running_sandbox import RunningSandbox


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    running = sandbox()
    with_activetrail(running, lambda connector: connector.create(contact()))
    return running


def probed(box: RunningSandbox, *, may_write: bool = True) -> dict[str, Level]:
    return with_activetrail(box, lambda connector: connector.probe_levels(may_write=may_write), levels={})


def test_an_account_that_can_do_everything_is_found_to(box: RunningSandbox) -> None:
    before = account(box)
    found = probed(box)
    assert {name: level.level for name, level in found.items()} == BEST
    assert all(level.evidence for level in found.values())
    assert account(box) == before


@pytest.mark.parametrize(
    ("switches", "levels"),
    [
        ({"activetrail_page_base": 0}, {"page_base": "zero"}),
        ({"activetrail_page_zero": "error"}, {"page_base": "one"}),
        ({"activetrail_unknown_order": "empty"}, {"unknown_order": "empty", "commerce": "available"}),
        ({"activetrail_commerce": "missing"}, {"commerce": "unavailable"}),
        ({"activetrail_commerce": "forbidden"}, {"commerce": "unavailable"}),
        ({"activetrail_external": "attach"}, {"external_pair": "attach"}),
        ({"activetrail_external": "none"}, {"external_pair": "none"}),
        ({"activetrail_search": "ignored"}, {"contact_search": "none"}),
        ({"activetrail_contact_put": "replace"}, {"contact_update": "whole"}),
        ({"activetrail_labels": "missing"}, {"slots": "in_doubt"}),
    ],
)
def test_each_open_question_is_answered_by_the_account(
    box: RunningSandbox, switches: dict[str, Any], levels: dict[str, str]
) -> None:
    before = account(box)
    box.switches(**switches)
    found = probed(box)
    known = {name: level.level for name, level in found.items()}
    expected = BEST | levels
    if levels.get("commerce") == "unavailable":
        del expected["unknown_order"]
    assert known == expected
    assert _plain(account(box)) == _plain(before)  # what a probe changed was put back


def test_without_leave_to_write_nothing_is_written_and_the_update_is_the_safest(box: RunningSandbox) -> None:
    before = len(box.requests())
    found = probed(box, may_write=False)
    assert found["contact_update"].level == "whole"
    assert {row["method"] for row in box.requests()[before:]} == {"GET"}


def test_what_an_empty_account_leaves_open_is_not_settled(sandbox: SandboxFactory) -> None:
    found = probed(sandbox())
    assert {name: level.level for name, level in found.items()} == {
        "commerce": "available", "unknown_order": "not_found", "slots": "own",
    }  # fmt: skip


def test_a_foreign_label_is_named_in_the_evidence(sandbox: SandboxFactory) -> None:
    box = sandbox()
    labels = [{"field_name": "Num4", "field_source_column": "Num4", "field_display_name": "Loyalty points"}]
    hold(box, contacts=[native(ext25="ghl:contact:C1", ext24=PLACE)], labels=labels, **own_group(1))
    level = probed(box)["slots"]
    assert (level.level, level.evidence) == ("in_doubt", "slots with a label of somebody else: num4 (Loyalty points)")


@pytest.mark.parametrize("label", ["", "Ext25", "ext 25", "Extra field 25", "GHL contact", "ghl key"])
def test_a_slot_without_a_label_of_its_own_is_free(label: str) -> None:
    check = check_labels(Options(), {"ext25": label})
    assert (check.told, check.foreign) == (True, {})


@pytest.mark.parametrize("label", ["Ext2", "Shirt size", "Our GHL", "25"])
def test_any_other_label_is_somebody_elses(label: str) -> None:
    assert check_labels(Options(), {"ext25": label}).foreign == {"ext25": label}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"slot_location": "ext25"}, "are both ext25"),
        ({"slot_order_count": "num6"}, "slot_order_count"),
        ({"time_zone": "Mars/Base"}, "not an IANA time zone"),
        ({"slots": "ext1"}, "slots"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Options(**options)  # type: ignore[arg-type]


def test_every_capability_has_a_fallback_and_the_connector_begins_there() -> None:
    assert all(len(levels) > 1 for levels in CAPABILITIES.values())
    assert {name: levels[0] for name, levels in CAPABILITIES.items()} == BEST


def _plain(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: value for name, value in doc.items() if value is not None} for doc in part["contacts"]]


def test_a_contact_with_somebody_elses_dates_is_not_written_to_find_out(sandbox: SandboxFactory) -> None:
    box = sandbox()
    held = native(ext25="ghl:contact:C1", ext24=PLACE, ext22="none", birthday="1980-01-01T00:00:00")
    hold(box, contacts=[held], **own_group(1))
    assert "contact_update" not in probed(box)
    assert {row["method"] for row in box.requests()} == {"GET"}
