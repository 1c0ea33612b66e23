"""The published copy: the file that people, tools and the command line read, replaced whole after each run.

Nobody else may read the live warehouse; new reports are views in `sql/reports/`.
"""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.queries import run

REPORTS = (
    "open_diffs", "reconciliation_summary", "money_at_risk", "push_log", "completeness", "capabilities",
    "webhook_health", "not_deliverable",
)  # fmt: skip


def note_turn(con: duckdb.DuckDBPyConnection, turn_id: str, run_id: str, location_id: str) -> None:
    """Remember which run brought a location's reports up to date, and when (UTC)."""
    con.execute(
        "insert or replace into ops.turns (turn_id, run_id, location_id, ended_at) values (?, ?, ?, ?)",
        [turn_id, run_id, location_id, naive(datetime.now(UTC))],
    )


def publish(warehouse: Warehouse, published: Path) -> int:
    """Refresh the report views, checkpoint, copy beside the target and replace it; returns the bytes published.

    A reader that has the old copy open keeps its consistent rows; a crash leaves the old copy in place.
    """
    published.parent.mkdir(parents=True, exist_ok=True)
    partial = published.with_name(published.name + ".tmp")
    with warehouse.open() as con:
        for report in REPORTS:
            run(con, f"reports/{report}")
        con.execute("checkpoint")
        # Inside the lock, so that two runs never write one temporary file.
        shutil.copyfile(warehouse.path, partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(published)
    return published.stat().st_size
