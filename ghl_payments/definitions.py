"""The code location: everything found below `ghl_payments/defs`.

Nothing is defined here; assets, checks, jobs, schedules and sensors stand in `defs/`, one family a file.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Everything below `ghl_payments/defs`, run in one process because the API budget is the limit, not the CPU."""
    found = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(found, dg.Definitions(executor=dg.in_process_executor))
