"""Reading GHL as a whole: slices, sweeps, details and providers, as the loop calls them.

Each part stands in a module of its own; add names here when the loop needs them.
"""

from __future__ import annotations

from ghl_payments.connectors.ghl.details import DetailResult, fetch_details, fetch_providers
from ghl_payments.connectors.ghl.months import month_bounds
from ghl_payments.connectors.ghl.slices import SliceCertificate, new_scan_id, scan_slice
from ghl_payments.connectors.ghl.sweep import SweepResult, sweep

__all__ = [
    "DetailResult",
    "SliceCertificate",
    "SweepResult",
    "fetch_details",
    "fetch_providers",
    "month_bounds",
    "new_scan_id",
    "scan_slice",
    "sweep",
]
