"""The loss meter: what reading GHL has shown against what webhooks told of it, and how late they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ghl_payments.commands.published import webhooks
from ghl_payments.commands.show import webhook_lines
from ghl_payments.domain.inbox import InboxBatch, InboxCursor, InboxEvent, InboxLine, RecordRef
from ghl_payments.warehouse.inbox_load import load_inbox
from ghl_payments.warehouse.queries import run
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW
from ghl_payments_tests.warehouse.desk import Desk

START = datetime(2026, 2, 10, 12, tzinfo=UTC)


def order(number: int, minutes: int, status: str = "pending", changed: int | None = None) -> dict[str, Any]:
    created, updated = (START + timedelta(minutes=m) for m in (minutes, minutes if changed is None else changed))
    return {"_id": f"o{number}", "status": status, "createdAt": created.isoformat(), "updatedAt": updated.isoformat()}


def told(desk: Desk, number: int, event: str, minutes: float, *, delay: float = 2, location: str = LOCATION) -> None:
    at = START + timedelta(minutes=minutes)
    found = InboxEvent(
        at + timedelta(seconds=delay), "ghl", f"{event}{number}{minutes}", "ed25519", b"{}", location_id=location,
        event=event, event_at=at, records=(RecordRef("order", f"o{number}"),),
    )  # fmt: skip
    load_inbox(desk.con, lambda _: InboxBatch(InboxCursor(), [InboxLine("f", 0, found)]), NOW)


def health(desk: Desk, location: str = LOCATION) -> dict[str, dict[str, Any]]:
    run(desk.con, "reports/webhook_health")
    return {row["event"]: row for row in webhooks(desk.con) if row["location_id"] == location}


def test_orders_without_a_webhook_are_lost_once_they_had_time_to_be_told(desk: Desk) -> None:
    told(desk, 1, "OrderCreate", 0)
    told(desk, 2, "OrderCreate", 5)
    old = order(9, -60)
    desk.list("orders", old, order(1, 0), order(2, 5), order(3, 6), order(4, 7), at=NOW)
    row = health(desk)["OrderCreate"]
    assert (row["expected"], row["delivered"], row["waiting"], row["lost"], row["loss_share"]) == (4, 2, 0, 2, 0.5)
    desk.list("orders", old, order(1, 0), order(2, 5), order(3, 6), order(4, 7), order(5, 8), at=datetime.now(UTC))
    row = health(desk)["OrderCreate"]
    assert (row["expected"], row["waiting"], row["lost"], row["loss_share"]) == (5, 1, 2, 0.5)


def test_a_change_of_status_needs_a_webhook_of_its_own(desk: Desk) -> None:
    told(desk, 1, "OrderCreate", 0)
    told(desk, 1, "OrderStatusUpdate", 1)
    desk.list("orders", order(1, 0), order(2, 1), at=NOW)
    desk.list("orders", order(1, 0, "completed", 10), order(2, 1, "pending", 10), at=NOW + timedelta(hours=1))
    desk.list("orders", order(1, 0, "cancelled", 20), order(2, 1, "pending", 10), at=NOW + timedelta(hours=2))
    row = health(desk)["OrderStatusUpdate"]
    assert (row["expected"], row["delivered"], row["lost"]) == (2, 1, 1)
    told(desk, 1, "OrderStatusUpdate", 20)
    assert health(desk)["OrderStatusUpdate"]["lost"] == 0


def test_copies_unknown_types_and_unknown_locations_are_counted_and_never_expected(desk: Desk) -> None:
    for _ in range(3):
        told(desk, 1, "ContactUpdate", 0)
    told(desk, 1, "OrderCreate", 0, location="elsewhere")
    row = health(desk)["ContactUpdate"]
    assert (row["received"], row["copies"], row["expected"], row["lost"]) == (1, 2, None, None)
    assert health(desk, "elsewhere")["OrderCreate"]["received"] == 1
    assert "ContactUpdate" in webhook_lines(webhooks(desk.con))[0]


def test_delays_are_percentiles_in_seconds(desk: Desk) -> None:
    for number in range(101):
        told(desk, number, "OrderCreate", number, delay=number)
    row = health(desk)["OrderCreate"]
    assert (row["delay_p50"], row["delay_p90"], row["delay_p99"]) == (50, 90, 99)


def test_without_webhooks_there_is_nothing_to_tell(desk: Desk) -> None:
    desk.list("orders", order(1, 0))
    assert health(desk) == {}
    assert webhook_lines([]) == []
