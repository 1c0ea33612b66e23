"""raw/webhook_events: what the inbox holds, taken down, and the records that events name, read again at their source.

A run with `take_up` reads what deliveries name that its location has not taken up yet, whichever run took them down.
"""

from contextlib import suppress
from datetime import UTC, datetime

import dagster as dg

from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.taking_up import TakenUp, take_up
from ghl_payments.defs.turn import Turn, explained, turn_of
from ghl_payments.domain.inbox import InboxBatch, InboxCursor
from ghl_payments.receiver.retention import tell_cursor
from ghl_payments.transport.inbox import read_inbox
from ghl_payments.warehouse.inbox_load import load_inbox

KEY = dg.AssetKey(["raw", "webhook_events"])
LOAD_BYTES = 8 * 2**20
ANSWERED = "records_answered"


class TakeUpConfig(dg.Config):
    """`take_up`: also read again what deliveries name; a loop that reads everything need not."""

    take_up: bool = False


def take_down(turn: Turn) -> tuple[int, int]:
    """Load the inbox; (lines, bad lines). Without a folder there never was a receiver."""
    folder = turn.settings.inbox

    def read(cursor: InboxCursor) -> InboxBatch:
        return read_inbox(folder, cursor, LOAD_BYTES)

    if not folder.is_dir():
        return 0, 0
    with turn.warehouse.open() as con:
        taken = load_inbox(con, read, datetime.now(UTC))
        (cursor,) = con.execute("select cursor from ops.inbox").fetchone() or (None,)
    # Not being able to tell only means that no file is removed, which the receiver warns of.
    with suppress(OSError):
        tell_cursor(folder, InboxCursor.parse(cursor))
    return taken


@dg.definitions
def webhook_events() -> dg.Definitions:
    """The one asset of this file."""

    @dg.asset(
        key=KEY,
        group_name="raw",
        kinds={"python", "duckdb"},
        owners=["team:payments"],
        partitions_def=location_partitions(),
        check_specs=[
            dg.AssetCheckSpec(
                ANSWERED, asset=KEY, description="Every record that a delivery names could be read again."
            )
        ],
        description="Webhooks that were received, one row a delivery; the records they name, read again in GHL.",
    )
    def take(context: dg.AssetExecutionContext, config: TakeUpConfig) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained():
            lines, bad = take_down(turn)
            taken = take_up(turn) if config.take_up else TakenUp()
        if bad:
            context.log.warning(f"{bad} lines of the inbox are no events; staging.quarantine names their places")
        for name, error in taken.unread.items():
            context.log.warning(
                f"{name} was not read again; the next refresh or hot scan takes its webhooks up. {error}"
            )
        return dg.MaterializeResult(
            metadata={
                "dagster/table_name": "raw.webhook_events",
                "lines": lines,
                "bad_lines": bad,
                "taken_up": taken.deliveries,
                "found": taken.found,
                "absent": taken.absent,
                "left": taken.left,
                "requests": taken.requests,
                "fulfillments_read": taken.fulfilled,
                "targets": dg.MetadataValue.json(dict(taken.targets)),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=ANSWERED,
                    passed=not taken.unread,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={"unread": dg.MetadataValue.json(taken.unread)},
                )
            ],
        )

    return dg.Definitions(assets=[take])
