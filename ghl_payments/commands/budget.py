"""`ghl-payments budget`: the rate budget as a table and as JSON.

Only how it is shown stands here; what the book says comes from `transport/budget_report.py`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ghl_payments.commands.show import table
from ghl_payments.transport.budget import SHARES
from ghl_payments.transport.budget_report import BucketState, read_budget

_HEADS = ["account", "host", "credential", "limit", "spent", "in flight", "left", "for sweep", "for backfill",
          "left today", "nothing before"]  # fmt: skip


def read(path: Path) -> list[BucketState]:
    """The book as it is now; none when no request was counted yet."""
    return read_budget(path, int(time.time() * 1000))


def as_text(buckets: Sequence[BucketState], path: Path) -> str:
    """One line a host and credential."""
    if not buckets:
        return f"No request was counted yet: {path} is empty."
    shares = ", ".join(f"{name} {share:.0%}" for name, share in SHARES.items())
    return (
        table([_row(bucket) for bucket in buckets], _HEADS)
        + f"\n\nOf a limit each priority may fill: {shares}. What is beyond its share is reserved for those before it."
    )


def _row(bucket: BucketState) -> list[Any]:
    window = f"{bucket.limit:,} in {bucket.window_ms / 1000:g} s" + (" (told)" if bucket.announced else "")
    stopped = max(bucket.blocked_until_ms, bucket.used_up_until_ms)
    return [
        ", ".join(bucket.names) or "(not named yet)", bucket.host, f"#{bucket.credential}", window,
        bucket.spent, bucket.in_flight, bucket.left, bucket.left_for("sweep"), bucket.left_for("backfill"),
        _today(bucket), _instant(stopped) or "",
    ]  # fmt: skip


def _today(bucket: BucketState) -> str:
    daily = bucket.daily
    if daily is None:
        return ""
    left = "a new day" if daily.left is None else f"{daily.left:,}"
    return left + (f" of {daily.limit:,}" if daily.limit is not None else "")


def as_json(buckets: Sequence[BucketState]) -> list[dict[str, Any]]:
    """The same for programs; instants are ISO 8601 in UTC, null for none."""
    return [
        {
            "names": list(bucket.names),
            "host": bucket.host,
            "credential": bucket.credential,
            "burst": bucket.burst,
            "limit": bucket.limit,
            "window_seconds": bucket.window_ms / 1000,
            "announced": bucket.announced,
            "spent": bucket.spent,
            "in_flight": bucket.in_flight,
            "left": bucket.left,
            "blocked_until": _instant(bucket.blocked_until_ms),
            "daily": {
                "limit": bucket.daily.limit,
                "left": bucket.daily.left,
                "resets_at": _instant(bucket.daily.resets_at_ms),
                "heard_at": _instant(bucket.daily.heard_at_ms),
                "used_up_until": _instant(bucket.used_up_until_ms),
            }
            if bucket.daily is not None
            else None,
            "priorities": {
                name: {
                    "may_use": bucket.may_use(name),
                    "reserved_for_higher": bucket.limit - bucket.may_use(name),
                    "left": bucket.left_for(name),
                }
                for name in SHARES
            },
        }
        for bucket in buckets
    ]


def _instant(at_ms: int | None) -> str | None:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds") if at_ms else None
