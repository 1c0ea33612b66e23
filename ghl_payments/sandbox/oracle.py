"""The answer key of GHL and Halo: every diff that a correct first turn of the loop reports for a state document.

A rule of agreement changes in `oracle_*` first and in `sql/` independently; what a planted defect is belongs to
`world_*`. The systems that are found are added by `world.judge_all`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.sandbox.oracle_halo_account import CLASSES, judge_halo
from ghl_payments.sandbox.oracle_invariants import judge_invariants
from ghl_payments.sandbox.oracle_rows import LAG, Row, identity, make_row

__all__ = ["CLASSES", "LAG", "Row", "identity", "judge", "make_row"]


def judge(state: Mapping[str, Any], now: datetime) -> list[Row]:
    """All diffs inside GHL and between GHL and Halo at `now`, sorted by identity."""
    books = {row["id"]: read_location(row) for row in (state.get("ghl") or {}).get("locations") or ()}
    rows = [*judge_invariants(books, now), *judge_halo(state.get("halo") or {}, books, now)]
    return sorted(rows, key=identity)
