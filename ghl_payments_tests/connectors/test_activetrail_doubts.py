"""What ActiveTrail's connector must not believe: short pages, outages that look like a plan, writes without an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghl_payments.connectors.activetrail.connector import ActiveTrailConnector
from ghl_payments.transport import errors
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.activetrail_support import (
    BEST,
    PLACE,
    account,
    contact,
    hold,
    native,
    order,
    own_group,
    with_activetrail,
)

UNSEARCHED = BEST | {"contact_search": "none", "external_pair": "none"}


def test_our_group_is_found_behind_a_page_of_others_that_is_not_full(sandbox: SandboxFactory) -> None:
    box = sandbox()
    names = [f"GHL payments {n}" for n in range(150)] + ["GHL payments"]
    hold(box, groups=[{"id": n, "name": name} for n, name in enumerate(names, 1)])
    # A short page: another client's twenty rows a page are all that is given.
    box.fault("ignored_filter", system="activetrail", method="GET", path="/api/groups", params=["Limit"])
    with_activetrail(box, lambda connector: connector.create(contact()))
    assert len(account(box)["groups"]) == len(names)


def test_two_people_with_one_address_are_not_written_into_one_contact_after_a_lost_answer(
    sandbox: SandboxFactory,
) -> None:
    box = sandbox()

    async def both(connector: ActiveTrailConnector) -> None:
        await connector.create(contact("ghl:contact:C0", email="first@example.com", phone=None))
        box.fault("lost_reply", system="activetrail", method="POST", path="/api/groups/.*/members", times=1)
        with pytest.raises(errors.OutcomeUnknown):
            await connector.create(contact("ghl:contact:C1"))
        with pytest.raises(errors.Rejected, match="is already ghl:contact:C1"):
            await connector.create(contact("ghl:contact:C2"))

    with_activetrail(box, both, levels=UNSEARCHED)
    assert [doc["ext25"] for doc in account(box)["contacts"]] == ["ghl:contact:C0", "ghl:contact:C1"]


@pytest.mark.parametrize(("status", "error"), [(401, errors.Unauthorised), (502, errors.Transient)])
def test_an_outage_or_a_refused_token_is_not_taken_for_a_plan_without_orders(
    sandbox: SandboxFactory, tmp_path: Path, status: int, error: type[errors.ApiError]
) -> None:
    box = sandbox()
    box.fault("status", status=status, system="activetrail", path="/api/commerce/schema")
    with pytest.raises(error):
        with_activetrail(box, lambda c: c.read_details("commerce_order", ["O1"], tmp_path / "a.zst"))
    with pytest.raises(error):
        with_activetrail(box, lambda c: c.create(order()))


@pytest.mark.parametrize("status", [400, 405, 409])
def test_a_contact_that_cannot_be_written_over_leaves_the_safest_level_and_no_error(
    sandbox: SandboxFactory, status: int
) -> None:
    box = sandbox()
    held = native(ext25="ghl:contact:C1", ext24=PLACE, ext22="none")
    hold(box, contacts=[held], **own_group(1))
    box.fault("status", status=status, system="activetrail", method="PUT", path="/api/contacts/.*")
    found = with_activetrail(box, lambda connector: connector.probe_levels(may_write=True), levels={})
    assert found["contact_update"].level == "whole"
    assert "ann@" not in found["contact_update"].evidence
    assert account(box)["contacts"][0]["ext22"] == "none"


@pytest.mark.parametrize("counts", [True, False])
def test_a_list_without_a_count_says_that_a_limit_on_its_pages_would_not_show(
    sandbox: SandboxFactory, tmp_path: Path, *, counts: bool
) -> None:
    box = sandbox()
    hold(box, contacts=[native(ext25="ghl:contact:C1", ext24=PLACE)], **own_group(1))
    box.switches(activetrail_counts=counts)
    certificate = with_activetrail(box, lambda connector: connector.read("contact", tmp_path / "a.zst"))
    assert ("does not count" in (certificate.limits or "")) is not counts
