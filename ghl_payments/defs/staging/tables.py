"""staging/*: GHL's rows typed, in minor units and UTC, judged by their contracts, the unreadable in quarantine.

A further staging table is a file in `sql/staging/`, a contract in `warehouse/schemas.py` and its upstreams here.
"""

import dagster as dg

from ghl_payments.defs.checks import column_schema, contract_result, contract_spec
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.turn import explained, turn_of
from ghl_payments.warehouse.validate import stage

UPSTREAM: dict[str, tuple[str, ...]] = {
    "contact_aliases": ("raw/transactions",),
    "orders": ("raw/orders", "raw/order_details", "staging/contact_aliases"),
    "order_items": ("raw/order_details",),
    "fulfillments": ("raw/fulfillments",),
    "transactions": ("raw/transactions", "raw/transaction_details", "staging/contact_aliases"),
    "refunds": ("raw/transactions", "staging/transactions"),
    "subscriptions": (
        "raw/subscriptions",
        "raw/subscription_details",
        "staging/contact_aliases",
        "staging/transactions",
    ),
    "contacts": ("raw/orders", "raw/order_details", "raw/transactions", "staging/contact_aliases"),
    "integration_providers": ("raw/integration_providers",),
}
"""Table -> the assets it is made from."""

READ_AGAIN = "raw/webhook_events"
"""Reads single records of any stream again, so that every table is made after it."""


def staging_asset(table: str, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The asset of one staging table."""
    key = dg.AssetKey(["staging", table])

    @dg.asset(
        key=key,
        group_name="staging",
        kinds={"sql", "duckdb"},
        owners=["team:payments"],
        partitions_def=partitions,
        deps=[dg.AssetKey(name.split("/")) for name in (*UPSTREAM[table], READ_AGAIN)],
        check_specs=[contract_spec(key)],
        description=f"Typed {table.replace('_', ' ')} of one location; rows that break the contract are in quarantine.",
    )
    def build(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        turn = turn_of(context)
        with explained(), turn.warehouse.open() as con:
            staged = stage(con, f"staging.{table}", turn.location.id, turn.as_of)
            check = contract_result(con, key, [f"staging.{table}"], turn.location.id)
            schema = column_schema(con, f"staging.{table}")
        return dg.MaterializeResult(
            metadata={
                "dagster/partition_row_count": staged.kept,
                "dagster/table_name": f"staging.{table}",
                "dagster/column_schema": schema,
                "quarantined": staged.quarantined,
                "rules": dg.MetadataValue.json(staged.rules),
            },
            check_results=[check],
        )

    return build


@dg.definitions
def staging() -> dg.Definitions:
    """One asset a table."""
    partitions = location_partitions()
    return dg.Definitions(assets=[staging_asset(table, partitions) for table in UPSTREAM])
