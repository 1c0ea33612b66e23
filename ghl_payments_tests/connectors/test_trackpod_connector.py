"""Track-POD as the loop sees it: looked for first, written whole, never made twice, never made again once removed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ghl_payments.connectors.base import ReadCertificate, WriteAnswer
from ghl_payments.transport.errors import Forbidden, OutcomeUnknown, Rejected, Unauthorised
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.support import as_of, landed
from ghl_payments_tests.connectors.trackpod_support import (
    KEY,
    LINES,
    NUMBER,
    ORDER_ID,
    PLACE,
    by_hand,
    entered,
    orders,
    wanted,
    with_handler,
    with_trackpod,
)
from ghl_payments_tests.loopback import Reply, Request, json_reply
from ghl_payments_tests.running_sandbox import RunningSandbox


@pytest.fixture
def account(sandbox: SandboxFactory) -> RunningSandbox:
    """A sandbox whose Track-POD is empty."""
    running = sandbox()
    state = running.state()
    state["trackpod"] = {}
    running.put_state(state)
    return running


def create(
    account: RunningSandbox, order_id: str = ORDER_ID, *, options: dict[str, Any] | None = None, **fields: str
) -> WriteAnswer:
    return with_trackpod(account, lambda c: c.create(wanted(order_id, **fields)), **(options or {}))


def only(account: RunningSandbox) -> dict[str, Any]:
    [order] = orders(account)
    return order


def requests(account: RunningSandbox) -> int:
    return sum(row["system"] == "trackpod" for row in account.requests())


def track_ids(path: Path) -> list[str]:
    return [row["TrackId"] for line in landed(path) if line["envelope"]["kind"] == "list" for row in line["body"]]


def test_a_new_order_carries_its_key_its_goods_and_what_is_due_exactly(account: RunningSandbox) -> None:
    answer = create(account)
    made = only(account)
    assert (answer.native_id, answer.status) == (made["TrackId"], 201)
    assert {name: made[name] for name in ("Number", "Id", "CustomerReferenceId", "Type", "Date")} == {
        "Number": NUMBER, "Id": ORDER_ID, "CustomerReferenceId": PLACE, "Type": 0, "Date": "2026-11-20T00:00:00",
    }  # fmt: skip
    assert made["COD"] == Decimal("20.20")
    assert [(g["OrderLineId"], g["GoodsId"], g["Quantity"], g["Cost"]) for g in made["GoodsList"]] == [
        (f"{ORDER_ID}:1", "p1", 2, Decimal("10.05")), (f"{ORDER_ID}:3", None, 1, Decimal("0.1")),
    ]  # fmt: skip
    [effect] = account.effects()
    assert effect["key"] == KEY
    assert set(effect["body"]["NotificationsPolicy"].values()) == {False}


def test_customers_hear_of_new_orders_only_and_only_where_that_is_wanted(account: RunningSandbox) -> None:
    today = as_of(account).date()
    for number, (day, asked) in enumerate([(today, True), (today - timedelta(days=3), True), (today, False)]):
        create(account, f"65f00000000000000000000{number}", options={"notify_customers": asked}, date=day.isoformat())
    told = ["NotificationsPolicy" in effect["body"] for effect in account.effects()]
    assert told == [False, True, True]


@pytest.mark.parametrize("field", ["client", "address", "date", "lines", "cod"])
def test_an_order_that_cannot_be_delivered_is_not_even_asked_for(account: RunningSandbox, field: str) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        create(account, **{field: ""})
    assert not orders(account)


def test_creating_again_takes_over_what_is_there_and_writes_nothing_that_is_right(account: RunningSandbox) -> None:
    first = create(account)
    assert create(account) == WriteAnswer(first.native_id, 200)
    assert len(account.effects()) == 1


def test_an_order_that_a_person_entered_under_our_id_becomes_ours_and_keeps_what_they_wrote(
    account: RunningSandbox,
) -> None:
    entered(
        account, Id=ORDER_ID, Number="1007", Note="ring twice", Weight=2.5, CustomFields=[{"Id": "cf_7", "Value": "x"}]
    )
    create(account)
    found = only(account)
    assert (found["Number"], found["CustomerReferenceId"], found["COD"]) == (NUMBER, PLACE, Decimal("20.20"))
    assert (found["Client"], found["Address"], found["Note"], found["Weight"]) == (
        "Native", "2 Other Street", "ring twice", Decimal("2.5"),
    )  # fmt: skip
    assert found["CustomFields"][0]["Value"] == "x"


def test_a_collection_under_our_id_is_no_delivery(account: RunningSandbox) -> None:
    entered(account, Id=ORDER_ID, Number=NUMBER, Type=1)
    answer = create(account)
    assert answer.status == 201
    assert sorted(order["Type"] for order in orders(account)) == [0, 1]
    entered(account, Id=ORDER_ID, Number=NUMBER, Type=1)
    assert create(account).native_id == answer.native_id


def test_an_order_of_another_location_is_left_alone(account: RunningSandbox) -> None:
    entered(account, Id=ORDER_ID, Number="1007", CustomerReferenceId="elsewhere")
    with pytest.raises(Rejected, match="belongs elsewhere"):
        create(account)
    assert len(account.effects()) == 1


def test_a_removed_order_is_never_made_again(account: RunningSandbox) -> None:
    create(account)
    by_hand(account, "remove", id=ORDER_ID, by="dispatcher@example.com")
    with pytest.raises(Rejected, match="A person removed the order") as caught:
        create(account)
    assert "dispatcher" not in str(caught.value)
    assert not orders(account)


@pytest.mark.parametrize("fault", ["lost_reply", "status_after_commit"])
def test_a_lost_answer_is_resolved_by_reading_and_never_by_a_second_order(
    account: RunningSandbox, tmp_path: Path, fault: str
) -> None:
    more = {"status": 502} if fault == "status_after_commit" else {}
    account.fault(fault, system="trackpod", method="POST", path=".*/Order", times=1, **more)
    with pytest.raises(OutcomeUnknown):
        create(account)
    found = with_trackpod(account, lambda c: c.find("order", KEY, PLACE, tmp_path / "found.zst"))
    assert found == [only(account)["TrackId"]] == track_ids(tmp_path / "found.zst")


def test_an_accepted_order_that_cannot_be_read_afterwards_is_of_unknown_outcome() -> None:
    def answer(request: Request) -> Reply:
        return json_reply({"Status": 201}, 201) if request.method == "POST" else json_reply({}, 404)

    async def use(connector, server):  # type: ignore[no-untyped-def]
        with pytest.raises(OutcomeUnknown, match="accepted"):
            await connector.create(wanted())
        return [request.method for request in server.seen]

    assert asyncio.run(with_handler(answer, use)) == ["GET", "POST", "GET"]


def test_what_was_just_made_is_not_asked_for_twice(account: RunningSandbox, tmp_path: Path) -> None:
    async def use(connector):  # type: ignore[no-untyped-def]
        answer = await connector.create(wanted())
        first = await connector.read_details("order", [answer.native_id], tmp_path / "1.zst")
        return first | await connector.read_details("order", [answer.native_id], tmp_path / "2.zst")

    assert list(with_trackpod(account, use).values()) == [200]
    assert track_ids(tmp_path / "1.zst") == track_ids(tmp_path / "2.zst") == [only(account)["TrackId"]]
    assert requests(account) == 4  # looked for, made, read, and read again


@pytest.mark.parametrize("put", ["replace", "merge"])
def test_a_change_loses_nothing_that_people_entered(account: RunningSandbox, put: str) -> None:
    account.switches(trackpod_put=put)
    native_id = create(account).native_id
    by_hand(account, "edit", id=ORDER_ID, set={"Note": "ring twice", "TeamCode": "T1", "AddressLat": Decimal("52.5")})
    by_hand(account, "route", id=ORDER_ID)
    before = only(account)
    lines = [LINES[0] | {"quantity": "3"}]
    changed = wanted(lines=lines, cod="3015", address="3 New Street", client="Someone else")
    answer = with_trackpod(account, lambda c: c.update(native_id, changed, ["cod", "lines"]))
    after = only(account)
    assert answer == WriteAnswer(native_id, 202)
    assert (after["COD"], [(g["GoodsId"], g["Quantity"]) for g in after["GoodsList"]]) == (
        Decimal("30.15"),
        [("p1", 3)],
    )
    differing = {name for name in before if before[name] != after[name]}
    assert differing <= {"COD", "GoodsList", "ChangeDate"}


def test_what_people_own_is_never_changed(account: RunningSandbox) -> None:
    native_id = create(account).native_id
    with pytest.raises(Rejected, match="address"):
        with_trackpod(account, lambda c: c.update(native_id, wanted(), ["address"]))
    with pytest.raises(Rejected):
        with_trackpod(account, lambda c: c.update(native_id, wanted(), []))
    assert len(account.effects()) == 1


def test_an_order_that_the_driver_has_processed_is_changed_only_by_force(account: RunningSandbox) -> None:
    native_id = create(account).native_id
    by_hand(account, "deliver", id=ORDER_ID)
    with pytest.raises(Rejected, match="the driver has processed it"):
        with_trackpod(account, lambda c: c.update(native_id, wanted(cod="1"), ["cod"]))
    assert only(account)["COD"] == Decimal("20.20")
    with_trackpod(account, lambda c: c.update(native_id, wanted(cod="1"), ["cod"]), force_update=True)
    assert only(account)["COD"] == Decimal("0.01")


@pytest.mark.parametrize("force", [False, True])
def test_the_rest_that_a_dispatcher_plans_anew_is_never_pushed_up_again(account: RunningSandbox, force: bool) -> None:
    native_id = create(account).native_id
    by_hand(account, "partial", id=ORDER_ID, quantities={"p1": 1})
    by_hand(account, "reschedule", id=ORDER_ID)
    by_hand(account, "edit", id=ORDER_ID, set={"COD": 10})
    written = len(account.effects())
    with pytest.raises(Rejected, match="planned anew"):
        with_trackpod(account, lambda c: c.update(native_id, wanted(), ["cod", "lines"]), force_update=force)
    assert with_trackpod(account, lambda c: c.create(wanted()), force_update=force) == WriteAnswer(native_id, 200)
    assert only(account)["COD"] == 10
    assert len(account.effects()) == written


def test_cash_that_a_driver_took_makes_a_rest_of_an_order(account: RunningSandbox) -> None:
    native_id = create(account).native_id
    by_hand(account, "edit", id=ORDER_ID, set={"CODActual": "5.00"})
    with pytest.raises(Rejected, match="paid for at the door"):
        with_trackpod(account, lambda c: c.update(native_id, wanted(cod="1"), ["cod"]))
    assert only(account)["COD"] == Decimal("20.20")


def test_a_driver_who_comes_first_leads_to_a_refusal(account: RunningSandbox) -> None:
    account.switches(trackpod_in_progress="processed")
    native_id = create(account).native_id
    by_hand(account, "start", id=ORDER_ID)
    with pytest.raises(Rejected, match="the driver has processed the order") as caught:
        with_trackpod(account, lambda c: c.update(native_id, wanted(cod="1"), ["cod"]))
    assert caught.value.status == 405


def test_force_never_hits_the_wrong_one_of_two_orders(account: RunningSandbox) -> None:
    native_id = create(account).native_id
    by_hand(account, "deliver", id=ORDER_ID)
    entered(account, Id=ORDER_ID, Number=NUMBER, CustomerReferenceId=PLACE)
    with pytest.raises(Rejected, match="several orders"):
        with_trackpod(account, lambda c: c.update(native_id, wanted(cod="1"), ["cod"]), force_update=True)


def test_doubled_orders_are_all_found_by_their_key(account: RunningSandbox, tmp_path: Path) -> None:
    create(account)
    entered(account, Id="", Number=NUMBER, CustomerReferenceId=PLACE)
    entered(account, Id=ORDER_ID, Number="other", CustomerReferenceId=PLACE)
    entered(account, Id=ORDER_ID, Number=NUMBER, Type=1)
    entered(account, Id=ORDER_ID, Number=NUMBER, CustomerReferenceId="elsewhere")
    found = with_trackpod(account, lambda c: c.find("order", KEY, PLACE, tmp_path / "found.zst"))
    ours = [
        order["TrackId"] for order in orders(account) if order["Type"] == 0 and order["CustomerReferenceId"] == PLACE
    ]
    assert set(found) <= set(ours)
    assert len(found) == 2  # by Id only the most recent order is shown, which is another location's
    assert found == sorted(found) == sorted(track_ids(tmp_path / "found.zst"))


def test_a_reading_takes_each_order_once_by_its_own_day_or_that_of_its_route(
    account: RunningSandbox, tmp_path: Path
) -> None:
    today = as_of(account).date()
    near, far = today - timedelta(days=2), today - timedelta(days=40)
    for number, day in (("a", near), ("b", near), ("c", far), ("d", far)):
        entered(account, Number=number, Date=day.isoformat())
    by_hand(account, "route", number="a", date=(today + timedelta(days=1)).isoformat())
    by_hand(account, "route", number="c", date=today.isoformat())
    certificate = with_trackpod(account, lambda c: c.read("order", tmp_path / "list.zst"), scan_days=10, days_ahead=2)
    names = {order["TrackId"]: order["Number"] for order in orders(account)}
    assert sorted(names[track_id] for track_id in track_ids(tmp_path / "list.zst")) == ["a", "b", "c"]
    assert (certificate.complete, certificate.rows, certificate.pages, certificate.windowed) == (True, 3, 26, True)
    assert f"from {today - timedelta(days=10)} to {today + timedelta(days=2)}" in str(certificate.limits)


def test_gone_orders_are_404_by_track_id(account: RunningSandbox, tmp_path: Path) -> None:
    native_id = create(account).native_id
    by_hand(account, "remove", id=ORDER_ID)
    found = with_trackpod(account, lambda c: c.read_details("order", [native_id], tmp_path / "gone.zst"))
    assert found == {native_id: 404}
    [line] = landed(tmp_path / "gone.zst")
    assert (line["envelope"]["kind"], line["envelope"]["status"]) == ("detail", 404)


def test_of_missing_keys_it_is_told_which_were_removed(account: RunningSandbox, tmp_path: Path) -> None:
    create(account)
    by_hand(account, "remove", id=ORDER_ID)
    create(account, "65f0000000000000000000b2")
    keys = [KEY, "ghl:order:65f0000000000000000000b2", "ghl:order:65f0000000000000000000c3"]
    assert with_trackpod(account, lambda c: c.removed("order", keys, tmp_path / "asked.zst")) == 1
    gone = [
        line["envelope"]["native_id"] for line in landed(tmp_path / "asked.zst") if line["envelope"]["kind"] == "detail"
    ]
    assert gone == [f"removed/{KEY}"]
    assert track_ids(tmp_path / "asked.zst") == [only(account)["TrackId"]]


def changes(account: RunningSandbox, path: Path, ago: timedelta) -> ReadCertificate | None:
    return with_trackpod(account, lambda c: c.read_changes("order", datetime.now(UTC) - ago, path))


def test_the_feed_shows_status_changes_only_and_says_so(account: RunningSandbox, tmp_path: Path) -> None:
    for order_id in (ORDER_ID, "65f0000000000000000000b2"):
        create(account, order_id)
    by_hand(account, "deliver", id=ORDER_ID)
    certificate = changes(account, tmp_path / "feed.zst", timedelta(hours=1))
    assert certificate is not None
    assert certificate.rows == 1
    assert "status changes only" in str(certificate.limits)
    [track_id] = track_ids(tmp_path / "feed.zst")
    assert [order["Id"] for order in orders(account) if order["TrackId"] == track_id] == [ORDER_ID]


@pytest.mark.parametrize("ago", [timedelta(hours=23, minutes=40), timedelta(days=3)])
def test_the_feed_is_not_asked_for_what_it_may_have_forgotten(
    account: RunningSandbox, tmp_path: Path, ago: timedelta
) -> None:
    assert changes(account, tmp_path / "feed.zst", ago) is None
    assert not requests(account)


def test_a_feed_that_refuses_is_found_out_and_leaves_the_full_reading(account: RunningSandbox, tmp_path: Path) -> None:
    assert with_trackpod(account, lambda c: c.probe_levels(may_write=False))["change_feed"].level == "status"
    account.fault("status", system="trackpod", path=".*/Order/Status/Date/.*", status=400, times=2)
    assert with_trackpod(account, lambda c: c.probe_levels(may_write=False))["change_feed"].level == "none"
    assert changes(account, tmp_path / "feed.zst", timedelta(hours=1)) is None
    assert not account.effects()


def test_a_wrong_key_and_a_key_without_a_method_say_what_to_look_at(account: RunningSandbox) -> None:
    with pytest.raises(Unauthorised, match="API key"):
        with_trackpod(account, lambda c: c.probe("order"), api_key="wrong")
    account.switches(trackpod_key_methods=["GET"])
    with pytest.raises(Forbidden, match="methods"):
        create(account)
    assert not orders(account)
