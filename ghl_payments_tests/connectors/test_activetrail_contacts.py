"""Contacts written to ActiveTrail: who is created, who is taken over, what is never touched, and lost answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ghl_payments.connectors.activetrail.connector import ActiveTrailConnector
from ghl_payments.connectors.base import DesiredRecord, WriteAnswer
from ghl_payments.transport import errors
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.activetrail_support import (
    BEST,
    OTHER_PLACE,
    PLACE,
    account,
    contact,
    hold,
    native,
    own_group,
    sent,
    with_activetrail,
)
from ghl_payments_tests.connectors.support import landed
from ghl_payments_tests.running_sandbox import RunningSandbox

FORBIDDEN = {"status", "sms_status", "campaign_id", "is_do_not_mail", "double_optin", "subscribe_ip", "is_deleted"}


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    return sandbox()


def create(box: RunningSandbox, record: DesiredRecord, **more: Any) -> WriteAnswer:
    return with_activetrail(box, lambda connector: connector.create(record), **more)


def found(box: RunningSandbox, path: Path, key: str = "ghl:contact:C1", place: str = PLACE, **more: Any) -> list[str]:
    return with_activetrail(box, lambda connector: connector.find("contact", key, place, path), **more)


def test_a_new_contact_carries_key_location_and_rollup_from_its_first_request_on(box: RunningSandbox) -> None:
    answer = create(box, contact())
    (effect,) = box.effects()
    body = effect["body"]
    assert (effect["native_id"], effect["key"]) == (answer.native_id, "ghl:contact:C1")
    assert (body["ext25"], body["ext24"], body["ext23"], body["num5"]) == ("ghl:contact:C1", PLACE, "O1", 3)
    assert (body["email"], body["first_name"], body["phone1"]) == ("ann@example.com", "Ann", "+15550100")
    assert (body["date5"], body["date4"], body["ext20"], body["num4"]) == ("2026-10-01T12:00:00", None, "123.45", 12345)
    part = account(box)
    assert [group["name"] for group in part["groups"]] == ["GHL payments"]
    assert part["members"] == [[part["groups"][0]["id"], int(answer.native_id)]]
    assert [(pair["external_id"], pair["external_name"]) for pair in part["pairs"]] == [("C1", "ghl")]


def test_nothing_that_could_reach_or_resubscribe_a_person_is_ever_sent(box: RunningSandbox) -> None:
    native_id = create(box, contact()).native_id
    with_activetrail(box, lambda connector: connector.update(native_id, contact(order_count="4"), ["order_count"]))
    for effect in box.effects():
        assert not FORBIDDEN & effect["body"].keys()
        assert effect["body"].get("is_trigger_events", False) is False
    assert not [path for path in sent(box, "POST") if "campaign" in path or "message" in path.lower()]


def test_a_second_contact_finds_the_group_that_the_first_made(box: RunningSandbox) -> None:
    create(box, contact())
    create(box, contact("ghl:contact:C2", email="bob@example.com"))
    assert len(account(box)["groups"]) == 1
    assert len(account(box)["members"]) == 2


def test_the_mobile_number_identifies_only_who_has_no_e_mail_address(box: RunningSandbox) -> None:
    create(box, contact())
    create(box, contact("ghl:contact:C2", email=None))
    first, second = account(box)["contacts"]
    assert (first.get("sms"), first["phone1"]) == (None, "+15550100")
    assert (second.get("email"), second["sms"]) == (None, "+15550100")


def test_a_contact_without_any_address_is_refused_before_anything_is_sent(box: RunningSandbox) -> None:
    with pytest.raises(errors.Rejected, match="e-mail address or a mobile number"):
        create(box, contact(email=None, phone=None))
    assert sent(box, "POST") == []


def test_a_number_beyond_32_bits_stands_as_text_only(box: RunningSandbox) -> None:
    create(box, contact(lifetime="2147483648", lifetime_text="21474836.48", amount_due="2147483647"))
    (doc,) = account(box)["contacts"]
    assert (doc["num4"], doc["ext20"], doc["num3"]) == (None, "21474836.48", 2147483647)


@pytest.mark.parametrize("levels", [BEST, BEST | {"external_pair": "none", "contact_update": "whole"}])
def test_a_contact_that_was_there_keeps_its_names_and_gets_our_slots(
    box: RunningSandbox, levels: dict[str, str]
) -> None:
    hold(box, contacts=[native(city="Paris", birthday="1980-01-01T00:00:00")])
    answer = create(box, contact(email="Ann@Example.com"), levels=levels)
    assert answer.native_id == "1"
    (doc,) = account(box)["contacts"]
    assert (doc["first_name"], doc["last_name"], doc["email"]) == ("Anna", "Older", "ann@example.com")
    assert (doc["city"], doc["birthday"], doc.get("phone1")) == ("Paris", "1980-01-01T00:00:00", None)
    assert (doc["ext25"], doc["ext24"], doc["num5"]) == ("ghl:contact:C1", PLACE, 3)
    assert len(account(box)["members"]) == 1


def test_without_a_search_that_works_names_are_written_to_the_nameless_only(box: RunningSandbox) -> None:
    levels = BEST | {"contact_search": "none", "external_pair": "none"}
    hold(box, contacts=[native(), native(2, email="nobody@example.com", first_name=None, last_name=None)])
    create(box, contact(), levels=levels)
    create(box, contact("ghl:contact:C2", email="nobody@example.com"), levels=levels)
    first, second = account(box)["contacts"]
    assert (first["id"], first["first_name"], first["ext25"]) == (1, "Anna", "ghl:contact:C1")
    assert (second["id"], second["first_name"], second["ext25"]) == (2, "Ann", "ghl:contact:C2")


@pytest.mark.parametrize(
    ("key", "place", "words"),
    [
        ("ghl:contact:C9", PLACE, "already ghl:contact:C9"),
        ("ghl:contact:C1", OTHER_PLACE, f"for location {OTHER_PLACE}"),
        ("XXL", None, "holds something that is not ours"),
    ],
)
@pytest.mark.parametrize("is_member", [True, False])
def test_a_contact_that_carries_another_key_is_refused_and_left_alone(
    box: RunningSandbox, key: str, place: str | None, words: str, is_member: bool
) -> None:
    before = native(ext25=key, ext24=place)
    hold(box, contacts=[before], **own_group(*([1] if is_member else [])))
    with pytest.raises(errors.Rejected, match=words):
        create(box, contact())
    (after,) = account(box)["contacts"]
    assert {name: after[name] for name in before} == before
    assert box.effects() == []


def test_a_contact_found_by_its_external_id_is_taken_over_though_its_address_changed(box: RunningSandbox) -> None:
    pair = {"contact_id": 1, "external_id": "C1", "external_name": "ghl"}
    hold(box, contacts=[native(email="new@example.com")], pairs=[pair])
    assert create(box, contact()).native_id == "1"
    assert [doc["email"] for doc in account(box)["contacts"]] == ["new@example.com"]


def test_addresses_of_two_different_contacts_are_for_a_person_to_merge(box: RunningSandbox) -> None:
    hold(box, contacts=[native(), native(2, email="other@example.com", sms="+1 555 0199")], **own_group())
    with pytest.raises(errors.Rejected, match="Merge them in ActiveTrail") as caught:
        create(box, contact(phone="+15550199"), write_sms=True, levels=BEST | {"contact_search": "none"})
    assert caught.value.status == 409
    assert box.effects() == []


def test_a_slot_that_carries_somebody_elses_label_is_never_written(box: RunningSandbox) -> None:
    labels = [
        {"field_name": "Ext22", "field_display_name": "Shirt size"},
        {"field_name": "Ext25", "field_display_name": "GHL x"},
    ]
    hold(box, contacts=[native(ext25="ghl:contact:C1", ext24=PLACE)], labels=labels)
    with pytest.raises(errors.Rejected, match=r"ext22 is labelled 'Shirt size'.*slot_"):
        create(box, contact())
    with pytest.raises(errors.Rejected, match="ext22"):
        with_activetrail(box, lambda connector: connector.update("1", contact(), ["order_count"]))
    assert box.effects() == []
    create(box, contact(), slot_billing_status="ext12")
    assert account(box)["contacts"][0]["ext12"] == "active"


@pytest.mark.parametrize("level", ["own", "in_doubt"])
def test_labels_that_are_not_told_are_for_a_person_to_look_at(box: RunningSandbox, level: str) -> None:
    box.switches(activetrail_labels="missing")
    if level == "own":
        assert create(box, contact(), levels=BEST | {"slots": level}).native_id == "1"
        return
    with pytest.raises(errors.Rejected, match="slots: own"):
        create(box, contact(), levels=BEST | {"slots": level})


def test_a_lost_answer_is_resolved_by_reading_back_and_nobody_is_doubled(box: RunningSandbox, tmp_path: Path) -> None:
    box.fault("lost_reply", system="activetrail", method="POST", path="/api/groups/.*/members", times=1)
    with pytest.raises(errors.OutcomeUnknown):
        create(box, contact())
    assert found(box, tmp_path / "a.zst") == ["1"]
    assert [line["body"][0]["ext25"] for line in landed(tmp_path / "a.zst")] == ["ghl:contact:C1"]
    assert create(box, contact()).native_id == "1"
    assert len(account(box)["contacts"]) == 1


def test_a_contact_that_left_our_group_is_not_found_until_it_is_put_back(box: RunningSandbox, tmp_path: Path) -> None:
    pair = {"contact_id": 1, "external_id": "C1", "external_name": "ghl"}
    hold(box, contacts=[native(ext25="ghl:contact:C1", ext24=PLACE)], pairs=[pair], **own_group())

    async def put_back(connector: ActiveTrailConnector) -> list[list[str]]:
        before = await connector.find("contact", "ghl:contact:C1", PLACE, tmp_path / "a.zst")
        assert (await connector.create(contact())).native_id == "1"
        return [before, await connector.find("contact", "ghl:contact:C1", PLACE, tmp_path / "b.zst")]

    assert with_activetrail(box, put_back) == [[], ["1"]]


def test_the_group_is_read_once_for_all_contacts_whose_answers_were_lost(box: RunningSandbox, tmp_path: Path) -> None:
    hold(box, contacts=[native(n, ext25=f"ghl:contact:C{n}", ext24=PLACE) for n in (1, 2)], **own_group(1, 2))

    async def look(connector: ActiveTrailConnector) -> list[list[str]]:
        keys = ("ghl:contact:C1", "ghl:contact:C2", "ghl:contact:C3")
        return [await connector.find("contact", key, PLACE, tmp_path / f"{key[-1]}.zst") for key in keys]

    assert with_activetrail(box, look) == [["1"], ["2"], []]
    assert len([row for row in box.requests() if row["path"].endswith("/members")]) == 1


def test_an_empty_answer_to_a_create_leaves_its_outcome_to_be_found(box: RunningSandbox, tmp_path: Path) -> None:
    box.switches(activetrail_member_answer="empty")
    with pytest.raises(errors.OutcomeUnknown, match="empty"):
        create(box, contact())
    assert found(box, tmp_path / "a.zst", levels=BEST | {"external_pair": "attach"}) == ["1"]


def test_a_lost_answer_to_making_the_group_makes_no_second_one(box: RunningSandbox) -> None:
    box.fault("lost_reply", system="activetrail", method="POST", path="/api/groups", times=1)
    create(box, contact())
    assert len(account(box)["groups"]) == 1


def test_a_contact_of_another_location_is_no_hit(box: RunningSandbox, tmp_path: Path) -> None:
    hold(box, contacts=[native(ext25="ghl:contact:C1", ext24=OTHER_PLACE)], **own_group(1))
    assert found(box, tmp_path / "a.zst") == []
    assert found(box, tmp_path / "b.zst", place=OTHER_PLACE) == ["1"]


def test_the_external_id_is_no_condition_for_a_contact(box: RunningSandbox) -> None:
    box.fault("status", status=500, system="activetrail", path="/api/external/mapping")
    assert create(box, contact()).native_id == "1"
    assert account(box)["pairs"] == []


@pytest.mark.parametrize("switch", ["partial", "replace"])
def test_an_update_writes_its_slots_and_keeps_everything_else(box: RunningSandbox, switch: str) -> None:
    box.switches(activetrail_contact_put=switch)
    hold(box, contacts=[native(ext25="ghl:contact:C1", ext24=PLACE, ext1="M", num5=3, date5="2026-10-01T12:00:00")])
    levels = BEST | {"contact_update": {"partial": "partial", "replace": "whole"}[switch]}
    record = contact(order_count="4", last_order_date=None)

    async def change(connector: ActiveTrailConnector) -> WriteAnswer:
        return await connector.update("1", record, ["order_count", "last_order_date"])

    with_activetrail(box, change, levels=levels)
    (doc,) = account(box)["contacts"]
    assert (doc["num5"], doc["date5"]) == (4, None)
    assert (doc["first_name"], doc["ext25"], doc["ext1"]) == ("Anna", "ghl:contact:C1", "M")
