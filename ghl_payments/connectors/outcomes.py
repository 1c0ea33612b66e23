"""What the failure of one request means for its change, also where the receiver knows a repeated request.

Extend it when a class of errors must be met in a new way; sending itself belongs to `push.py`.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from ghl_payments.connectors.base import RepeatSafe
from ghl_payments.transport.errors import (
    ApiError,
    Conflict,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SchemaDrift,
    Transient,
    Unreachable,
)
from ghl_payments.warehouse.outbox import ClaimedChange, SendResult

JITTER = 0.1
"""A delay is longer or shorter by up to this share, so that what failed together does not come back together."""


def failed(change: ClaimedChange, error: ApiError) -> SendResult | None:
    """The outcome of a request that failed, None when the error is about more than this one change."""
    if isinstance(error, OutcomeUnknown | SchemaDrift):
        return SendResult(change.change_id, "unknown", change.native_id, error.status, str(error))
    if isinstance(error, Rejected | NotFound):
        return SendResult(change.change_id, "refused", change.native_id, error.status, str(error))
    if isinstance(error, Conflict):
        return SendResult(change.change_id, "approved", change.native_id, error.status, str(error))
    return None


def failed_repeatably(
    change: ClaimedChange, error: ApiError, receiver: RepeatSafe, connection: str, now: datetime
) -> SendResult | None:
    """As `failed`, where the receiver knows a repeated request: it waits for its next attempt in a later push.

    Whether it was applied is read back first where that is possible; after the last attempt it is refused.
    """
    if not isinstance(error, Transient | OutcomeUnknown | RateLimited | Conflict | SchemaDrift):
        return failed(change, error)
    was_sent = not (isinstance(error, RateLimited) and error.status is None)
    tries = change.tries + was_sent
    if tries > len(receiver.delays):
        hours = sum(receiver.delays) / 3600
        remedy = (
            f"{error} It was tried {tries} times over at least {hours:.0f} hours; settle it with the receiver, then "
            f"`ghl-payments retry --connection {connection}`."
        )
        return SendResult(change.change_id, "refused", change.native_id, error.status, remedy, tries=tries)
    delay = receiver.delays[max(0, tries - 1)] * jitter(change.change_id, tries)
    asked = error.retry_after or 0.0
    not_before = now + timedelta(seconds=max(delay if was_sent else 0.0, asked))
    in_doubt = isinstance(error, Transient | OutcomeUnknown) and not isinstance(error, Unreachable)
    return SendResult(
        change.change_id,
        "unknown" if in_doubt and receiver.reads_back else "approved",
        change.native_id,
        error.status,
        f"{error} Try {tries} of {len(receiver.delays) + 1}; the next not before {not_before:%Y-%m-%d %H:%M:%S} UTC.",
        tries=tries,
        not_before=not_before,
    )


def jitter(change_id: str, tries: int) -> float:
    """A factor about 1, the same for the same change and attempt."""
    number = int.from_bytes(hashlib.sha256(f"{change_id}|{tries}".encode()).digest()[:4], "big")
    return 1 - JITTER + 2 * JITTER * number / 0xFFFFFFFF
