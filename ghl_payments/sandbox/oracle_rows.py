"""A row of the answer key: one diff, how it is made, and what makes two the same.

Add a column here when every diff says one thing more; which diffs there are belongs to the other `oracle_*` modules.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TypedDict

LAG = timedelta(seconds=300)
"""A source record changed less than this before the sandbox's clock is not judged yet."""

Row = TypedDict(
    "Row",
    {
        "location_id": str,
        "live": bool,
        "system": str,
        "record_type": str,
        "key": str,
        "kind": str,
        "class": str | None,
        "fields": list[str],
        "native_ids": list[str],
        "amount_minor": int | None,
        "currency": str | None,
    },
)
"""One diff; `currency` is null whenever `amount_minor` is."""


def identity(row: Row) -> tuple[str, bool, str, str, str, str, str]:
    """What makes two diffs the same diff."""
    return (
        row["location_id"],
        row["live"],
        row["system"],
        row["record_type"],
        row["key"],
        row["kind"],
        row["class"] or "",
    )


def make_row(
    location_id: str,
    record_type: str,
    key: str,
    kind: str,
    *,
    system: str = "halo",
    live: bool = True,
    class_: str | None = None,
    fields: Iterable[str] = (),
    native_ids: Iterable[object] = (),
    minor: int | None = None,
    currency: str | None = None,
) -> Row:
    """One row of the answer key; field names and native ids are sorted as text."""
    return {
        "location_id": location_id,
        "live": live,
        "system": system,
        "record_type": record_type,
        "key": key,
        "kind": kind,
        "class": class_,
        "fields": sorted(fields),
        "native_ids": sorted(map(str, native_ids)),
        "amount_minor": minor,
        "currency": currency if minor is not None else None,
    }
