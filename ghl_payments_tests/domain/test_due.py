"""When scans are due: nights that the clock is moved in, weeks, missed ticks, and scans that are not over yet."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghl_payments.domain.due import Decision, Seen, decide
from ghl_payments.domain.schedules import (
    KINDS,
    WEEKDAYS,
    Cold,
    Hot,
    Kind,
    Place,
    Schedules,
    Tick,
    Warm,
    delay,
    first_instant,
    newest_tick,
)

ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "UTC",
         "America/Santiago", "Africa/Cairo")  # fmt: skip
PUNCTUAL = Schedules(hot=Hot(), warm=Warm(spread_minutes=0), cold=Cold(spread_minutes=0))

instants = st.integers(0, 10 * 365 * 24 * 60).map(lambda minutes: at("2020-01-01") + timedelta(minutes=minutes))
plans = st.builds(
    Schedules,
    hot=st.builds(Hot, every_minutes=st.integers(1, 15)),
    warm=st.builds(Warm, hour=st.integers(0, 23), spread_minutes=st.integers(0, 240)),
    cold=st.builds(
        Cold, weekday=st.sampled_from(WEEKDAYS), hour=st.integers(0, 23), spread_minutes=st.integers(0, 240)
    ),
)
places = st.builds(Place, st.text("abcXYZ019", min_size=1, max_size=8), st.sampled_from(ZONES), plans)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def place(zone: str = "UTC", plan: Schedules = PUNCTUAL, location_id: str = "LOC1") -> Place:
    return Place(location_id, zone, plan)


def tick(kind: Kind, zone: str, now: str, plan: Schedules = PUNCTUAL) -> Tick:
    found = newest_tick(place(zone, plan), kind, at(now))
    assert found is not None
    return found


def made(of: Tick, state: str = "done", after: timedelta = timedelta(seconds=5)) -> Seen:
    return Seen(of.location_id, of.kind, of.at + after, state, of.name)  # type: ignore[arg-type]


def only(decisions: list[Decision]) -> Decision:
    assert len(decisions) == 1
    return decisions[0]


@pytest.mark.parametrize(
    ("zone", "day", "utc"),
    [
        ("America/New_York", date(2026, 11, 26), "2026-11-26T07:00"),
        ("America/New_York", date(2026, 7, 1), "2026-07-01T06:00"),
        ("America/New_York", date(2026, 3, 8), "2026-03-08T07:00"),  # 02:00 is left out: 03:00 EDT
        ("America/New_York", date(2026, 11, 1), "2026-11-01T07:00"),
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-25T00:00"),  # 02:00 comes twice: the first, CEST
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-29T01:00"),  # 02:00 is left out: 03:00 CEST
        ("Australia/Lord_Howe", date(2026, 10, 4), "2026-10-03T15:30"),  # half an hour is left out: 02:30
        ("Asia/Kolkata", date(2026, 11, 26), "2026-11-25T20:30"),
    ],
)
def test_the_hour_02_begins_once_a_night_also_when_the_clock_is_moved(zone: str, day: date, utc: str) -> None:
    assert first_instant(day, 2, ZoneInfo(zone)) == at(utc)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ZONES), st.dates(date(2020, 1, 2), date(2029, 12, 30)), st.integers(0, 23))
def test_each_night_has_one_start_at_the_hour_or_right_after_the_gap_and_nights_follow_each_other(
    zone: str, day: date, hour: int
) -> None:
    start = first_instant(day, hour, ZoneInfo(zone))
    local = start.astimezone(ZoneInfo(zone))
    assert local.date() == day
    assert hour * 60 <= local.hour * 60 + local.minute <= hour * 60 + 60
    before = (start - timedelta(minutes=1)).astimezone(ZoneInfo(zone))
    assert (before.date(), before.hour) < (day, hour)
    assert (
        timedelta(hours=22) < first_instant(day + timedelta(days=1), hour, ZoneInfo(zone)) - start < timedelta(hours=26)
    )


@settings(max_examples=200, deadline=None)
@given(places, instants, st.sampled_from(KINDS))
def test_the_newest_tick_is_past_at_its_own_start_and_newest_until_the_next_one(
    where: Place, now: datetime, kind: Kind
) -> None:
    found = newest_tick(where, kind, now)
    assert found is not None
    assert found.at <= now
    assert newest_tick(where, kind, found.at) == found
    before = newest_tick(where, kind, found.at - timedelta(seconds=1))
    assert before is not None
    assert before.at < found.at
    assert before.run_key != found.run_key
    longest = {"hot": timedelta(minutes=15), "warm": timedelta(hours=26), "cold": timedelta(days=7, hours=2)}[kind]
    assert found.at - before.at <= longest
    assert found.window <= found.at < found.window + timedelta(minutes=241)


@settings(max_examples=100, deadline=None)
@given(places, instants, st.sampled_from(KINDS), st.lists(st.integers(1, 240), min_size=1, max_size=40))
def test_however_the_clock_is_looked_at_every_tick_gets_one_run_and_one_more_an_hour_after_it_failed(
    where: Place, start: datetime, kind: Kind, steps: list[int]
) -> None:
    now, seen, started = start, list[Seen](), dict[str, datetime]()
    for step in steps:
        for decision in decide(kind, [where], seen, now, [kind]):
            assert decision.reason is None
            assert decision.run_key not in started
            assert not decision.again or now - started[decision.tick.run_key] >= timedelta(hours=1)
            started[decision.run_key] = now
            seen.append(Seen(where.location_id, kind, now, "failed", decision.tick.name))
        assert not decide(kind, [where], seen, now, [kind])  # the same instant again
        now += timedelta(minutes=step)
    most = Counter(run.tick for run in seen).values()
    assert max(most) <= (1 if kind == "hot" else 2)


def test_the_week_turns_at_the_locations_own_midnight() -> None:
    # Monday 00:00 in Berlin is still Sunday in UTC; Monday 00:00 in New York is already Monday there.
    plan = Schedules(cold=Cold(weekday="monday", hour=0, spread_minutes=0))
    assert tick("cold", "Europe/Berlin", "2026-11-22T23:00", plan).at == at("2026-11-22T23:00")
    assert tick("cold", "Europe/Berlin", "2026-11-22T22:59", plan).name == "2026-11-16"
    assert tick("cold", "America/New_York", "2026-11-23T05:00", plan).name == "2026-11-23"
    assert tick("cold", "America/New_York", "2026-11-23T04:59", plan).name == "2026-11-16"


def test_a_missed_night_is_caught_up_in_the_morning_and_older_ones_are_not() -> None:
    last = made(tick("warm", "UTC", "2026-11-20T02:00"))
    morning = only(decide("warm", [place()], [last], at("2026-11-26T08:00"), ["warm"]))
    assert (morning.tick.name, morning.reason) == ("2026-11-26", None)
    caught_up = Seen("LOC1", "warm", at("2026-11-26T08:00"), "done", morning.tick.name)
    assert decide("warm", [place()], [last, caught_up], at("2026-11-26T08:05"), ["warm"]) == []
    assert only(decide("warm", [place()], [last, caught_up], at("2026-11-27T02:00"), ["warm"])).reason is None


def test_after_downtime_the_largest_scan_that_is_due_starts_alone() -> None:
    now = at("2026-11-23T09:00")  # Monday; the night and Sunday's week were missed
    found = {kind: only(decide(kind, [place()], [], now)) for kind in KINDS}
    assert {kind: decision.reason for kind, decision in found.items()} == {
        "hot": "its warm scan is due too and reads all of it",
        "warm": "its cold scan is due too and reads all of it",
        "cold": None,
    }
    cold = Seen("LOC1", "cold", now, "active", found["cold"].tick.name)
    assert [decide(kind, [place()], [cold], now) for kind in KINDS] == [[], [], []]


def test_a_larger_scan_whose_schedule_is_stopped_or_off_keeps_nothing_waiting() -> None:
    now = at("2026-11-23T09:00")
    assert only(decide("hot", [place()], [], now, ["hot"])).reason is None
    plan = PUNCTUAL.model_copy(update={"warm": None, "cold": None})
    assert only(decide("hot", [place(plan=plan)], [], now)).reason is None
    assert decide("warm", [place(plan=plan)], [], now) == []


@pytest.mark.parametrize("running", KINDS)
def test_a_location_is_left_out_while_a_scan_that_reads_as_much_is_not_over(running: Kind) -> None:
    now = at("2026-11-26T09:01")
    active = Seen("LOC1", running, at("2026-11-26T02:00"), "active", "2026-11-26")
    other = place(location_id="LOC2")
    decisions = {d.tick.location_id: d.reason for d in decide("warm", [place(), other], [active], now, ["warm"])}
    if running == "hot":
        assert decisions == {"LOC1": None, "LOC2": None}
    else:
        assert decisions.get("LOC2", "missing") is None
    hot = only(decide("hot", [place()], [active], now, ["hot"]))
    assert hot.reason == f"its {running} scan of 2026-11-26 02:00 UTC is still queued or running"
    over = Seen("LOC1", running, active.created_at, "done", active.tick)
    assert only(decide("hot", [place()], [over], now, ["hot"])).reason is None


def test_a_larger_scan_since_the_tick_settles_it_unless_it_failed() -> None:
    now = at("2026-11-26T09:01")
    since = at("2026-11-26T09:00")
    assert (
        decide(
            "hot", [place(plan=Schedules(hot=Hot(every_minutes=1)))], [Seen("LOC1", "cold", now, "done")], now, ["hot"]
        )
        == []
    )
    by_hand = [Seen("LOC1", "cold", since, "done")]
    assert decide("warm", [place()], by_hand, now, ["warm"]) == []
    failed = [Seen("LOC1", "cold", since, "failed")]
    assert only(decide("warm", [place()], failed, now, ["warm"])).reason is None


@pytest.mark.parametrize("kind", ["warm", "cold"])
def test_a_night_or_a_week_whose_run_failed_is_tried_once_more_an_hour_after_its_end(kind: Kind) -> None:
    due = tick(kind, "UTC", "2026-11-26T09:00")
    failed = replace(made(due, "failed"), ended_at=due.at + timedelta(hours=3))
    for minutes in (1, 180, 239):
        assert decide(kind, [place()], [failed], due.at + timedelta(minutes=minutes), [kind]) == []
    again = due.at + timedelta(hours=4)
    assert only(decide(kind, [place()], [failed], again, [kind])) == Decision(due, again=True)
    for state in ("active", "done", "failed", "canceled"):
        second = Seen("LOC1", kind, again, state, due.name)
        assert decide(kind, [place()], [failed, second], again + timedelta(hours=9), [kind]) == []


def test_what_need_not_be_tried_again_is_not() -> None:
    """A hot scan, whose next tick is near; one that a person cancelled; one that something larger has made good."""
    hot = tick("hot", "UTC", "2026-11-26T09:00")
    assert decide("hot", [place()], [made(hot, "failed")], hot.at + timedelta(minutes=14), ["hot"]) == []
    night = tick("warm", "UTC", "2026-11-26T09:00")
    later = night.at + timedelta(hours=5)
    assert decide("warm", [place()], [made(night, "canceled")], later, ["warm"]) == []
    larger = Seen("LOC1", "cold", night.at + timedelta(hours=1), "done")
    assert decide("warm", [place()], [made(night, "failed"), larger], later, ["warm"]) == []
    running = Seen("LOC1", "cold", night.at - timedelta(hours=1), "active")
    waits = only(decide("warm", [place()], [made(night, "failed"), running], later, ["warm"]))
    assert (waits.again, waits.reason is None) == (True, False)


def test_locations_are_spread_over_the_window_each_at_the_same_place_every_time() -> None:
    ids = [f"location{number}" for number in range(300)]
    starts = Counter(delay(location_id, "warm", 45) for location_id in ids)
    assert set(starts) == set(range(45))
    assert max(starts.values()) < 20
    assert [delay(x, "warm", 45) for x in ids] == [delay(x, "warm", 45) for x in ids]
    assert [delay(x, "warm", 45) for x in ids] != [delay(x, "cold", 45) for x in ids]
    assert {delay(x, "hot", 1) for x in ids} == {delay(x, "warm", 0) for x in ids} == {0}


def test_locations_of_one_window_share_a_turn_and_have_runs_of_their_own() -> None:
    found = [
        newest_tick(place(plan=Schedules(), location_id=x), "hot", at("2026-11-26T09:29:59")) for x in ("A", "B", "C")
    ]
    ticks = [x for x in found if x is not None and x.window == at("2026-11-26T09:15")]
    assert len(ticks) == len({x.run_key for x in ticks}) > 1
    assert {x.turn for x in ticks} == {"hot:2026-11-26T09:15Z"}


def test_a_location_changes_single_keys_of_the_files_schedules() -> None:
    file = Schedules(hot=Hot(every_minutes=5), warm=Warm(hour=4, spread_minutes=10)).model_copy(update={"cold": None})
    own = Schedules.model_validate({"warm": {"hour": 1}, "cold": {"weekday": "friday"}})
    assert file.with_own(own) == Schedules(
        hot=Hot(every_minutes=5), warm=Warm(hour=1, spread_minutes=10), cold=Cold(weekday="friday")
    )
    assert file.with_own(Schedules.model_validate({"hot": False})).hot is None
    assert file.with_own(Schedules()) == file
