"""What the receiver tells its operator: counts, and a log line with the remedy at most once a minute for each reason.

Add a reason here when a delivery is answered in a further way. No line holds a path, a header or part of a body.
"""

from __future__ import annotations

import logging
import time
from collections import Counter

logger = logging.getLogger(__name__)

EVERY_SECONDS = 60.0

REASONS = {
    "signature": "401: not signed by GHL. If GHL's own events are refused, give its new public key in "
    "GHL_PAYMENTS_WEBHOOK_PUBLIC_KEY, and see that no proxy changes bodies",
    "secret": "401: without the right secret. Give the sender the address with the secret that the connection's "
    "webhook_secret names",
    "hmac": "401: the signature set up with GHL_PAYMENTS_WEBHOOK_HMAC_HEADER is not right. Compare the header's name "
    "and the signing key with the sender's, or leave the signing key out",
    "replay": "401: signed, but older than GHL_PAYMENTS_WEBHOOK_REPLAY_DAYS. If this machine's clock is right and such "
    "events are wanted, set more days",
    "too_large": "413: larger than GHL_PAYMENTS_WEBHOOK_MAX_BODY_BYTES. If they are genuine, allow more",
    "slow": "408: the body did not arrive in time. See the proxy in front of this receiver and the network",
    "busy": "429: more at once than this receiver holds; senders come again. See whether its disk is slow",
    "inbox": "429: the inbox cannot take them; senders come again. The line about the inbox says what to do",
    "stopping": "429: this receiver is being stopped; senders come again",
    "unexpected": "429: an error of the receiver itself; senders come again. Please report it",
}


class Notices:
    """Counts by reason; `stored` and `copies` are counted too, without a line."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._told: dict[str, tuple[float, int]] = {}

    def count(self, what: str) -> None:
        """One more; a reason of `REASONS` is told, if it was not within the last minute."""
        self.counts[what] += 1
        remedy = REASONS.get(what)
        if remedy is None:
            return
        now = time.monotonic()
        at, counted = self._told.get(what, (0.0, 0))
        if counted and now - at < EVERY_SECONDS:
            return
        logger.warning("Deliveries refused: %d; %s", self.counts[what] - counted, remedy)
        self._told[what] = (now, self.counts[what])
