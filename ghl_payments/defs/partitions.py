"""The one partitioning of every asset: by location, as listed in connections.yaml.

Months are slices inside the tables, never partitions: payments change long after their month.
"""

import dagster as dg

from ghl_payments.settings import load_settings


def location_partitions() -> dg.StaticPartitionsDefinition:
    """One partition a location, in the order of connections.yaml."""
    return dg.StaticPartitionsDefinition([location.id for location in load_settings().locations])
