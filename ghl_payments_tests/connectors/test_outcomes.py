"""What a failed request means for its change, and the schedule of a receiver that knows a repeated request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghl_payments.connectors.outcomes import JITTER, failed, failed_repeatably, jitter
from ghl_payments.domain.delivery_schedule import DELAYS
from ghl_payments.transport.errors import (
    ApiError,
    Conflict,
    EndpointGone,
    Forbidden,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SchemaDrift,
    Transient,
    Unauthorised,
    Unreachable,
)
from ghl_payments.warehouse.outbox import ClaimedChange, SendResult

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHANGE = ClaimedChange("change1", "order", "ghl:order:1", "create", None)


@dataclass
class Receiver:
    """As much of a connector as the schedule asks for."""

    delays: Sequence[float] = DELAYS
    reads_back: bool = True
    keyed_limits: str = ""
    told: Sequence[str] | None = None


def error(kind: type[ApiError], status: int | None = 503) -> ApiError:
    return kind(system="rankr", method="POST", path="(endpoint)", status=status)


def outcome(
    kind: type[ApiError], *, tries: int = 0, reads_back: bool = True, status: int | None = 503
) -> SendResult | None:
    change = replace(CHANGE, tries=tries)
    return failed_repeatably(change, error(kind, status), Receiver(reads_back=reads_back), "rankr", NOW)


def test_the_schedule_is_nine_delays_over_three_days() -> None:
    assert list(DELAYS) == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert 75 < sum(DELAYS) / 3600 < 76


@given(tries=st.integers(0, len(DELAYS) - 1))
def test_each_failure_waits_for_its_delay_give_or_take_a_tenth(tries: int) -> None:
    result = outcome(SchemaDrift, tries=tries)
    assert result is not None
    assert (result.outcome, result.tries) == ("approved", tries + 1)
    assert result.not_before is not None
    waits = (result.not_before - NOW).total_seconds()
    assert DELAYS[tries] * (1 - JITTER) <= waits <= DELAYS[tries] * (1 + JITTER)


@given(name=st.text(), tries=st.integers(1, 10))
def test_jitter_is_the_same_for_the_same_change_and_attempt(name: str, tries: int) -> None:
    assert jitter(name, tries) == jitter(name, tries)
    assert 1 - JITTER <= jitter(name, tries) <= 1 + JITTER


def test_changes_that_failed_together_do_not_come_back_together() -> None:
    assert len({round(jitter(f"change{n}", 1), 6) for n in range(50)}) > 40


def test_after_the_last_attempt_the_change_is_refused_with_the_command_that_tries_anew() -> None:
    result = outcome(Transient, tries=len(DELAYS))
    assert result is not None
    assert result.outcome == "refused"
    assert "tried 10 times" in str(result.detail)
    assert "ghl-payments retry --connection rankr" in str(result.detail)


def test_what_may_have_arrived_is_read_back_first_where_it_can_be() -> None:
    for kind, expected in (
        (Transient, "unknown"),
        (OutcomeUnknown, "unknown"),
        (Unreachable, "approved"),
        (Conflict, "approved"),
    ):
        result = outcome(kind)
        assert result is not None
        assert result.outcome == expected
    blind = outcome(Transient, reads_back=False)
    assert blind is not None
    assert blind.outcome == "approved"


def test_retry_after_is_honoured_when_it_is_longer_than_the_schedule() -> None:
    asked = error(RateLimited, 429)
    asked.retry_after = 4000.0
    result = failed_repeatably(CHANGE, asked, Receiver(), "rankr", NOW)
    assert result is not None
    assert result.not_before == NOW + timedelta(seconds=4000)


def test_a_request_that_was_never_sent_is_no_attempt() -> None:
    held = error(RateLimited, None)
    held.retry_after = 60.0
    result = failed_repeatably(CHANGE, held, Receiver(), "rankr", NOW)
    assert result is not None
    assert (result.tries, result.not_before) == (0, NOW + timedelta(seconds=60))


def test_a_refused_event_is_refused_at_once_and_what_concerns_all_of_them_is_no_ones_outcome() -> None:
    refused = outcome(Rejected, status=422)
    assert refused is not None
    assert (refused.outcome, refused.not_before) == ("refused", None)
    for kind in (Unauthorised, Forbidden, EndpointGone):
        assert outcome(kind) is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (OutcomeUnknown, "unknown"),
        (SchemaDrift, "unknown"),
        (Rejected, "refused"),
        (Conflict, "approved"),
        (Transient, None),
    ],
)
def test_all_other_systems_keep_their_rule(kind: type[ApiError], expected: str | None) -> None:
    result = failed(CHANGE, error(kind))
    assert (result.outcome if result else None) == expected
    assert result is None or result.not_before is None
