"""The blocking check that every table with a contract carries, and the column schema shown in the UI.

Rules belong to `warehouse/schemas.py`; nothing is judged here.
"""

import dagster as dg
import duckdb

from ghl_payments.warehouse.validate import quarantined, violations

CHECK = "keeps_its_contract"
MAX_SHARE = 0.01
"""More than this share of a table's rows in quarantine stops the run; one single row never does."""

Columns = list[tuple[str, str]]


def contract_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """The blocking check of one asset."""
    return dg.AssetCheckSpec(
        CHECK,
        asset=key,
        blocking=True,
        description="Kept rows satisfy the table's pandera schema, and at most 1 % of the rows are in quarantine.",
    )


def contract_result(
    con: duckdb.DuckDBPyConnection, key: dg.AssetKey, tables: list[str], owner: str
) -> dg.AssetCheckResult:
    """Judge the rows that are in the tables now. Metadata name rules and counts, never values."""
    broken: dict[str, int] = {}
    kept, caught = 0, 0
    for table in tables:
        for rule, count in violations(con, table, owner).items():
            broken[f"{table}: {rule}"] = count
        caught += quarantined(con, table, owner)
        column = "connection" if table.startswith("actual.") else "location_id"
        row = con.execute(f"select count(*) from {table} where {column} = ?", [owner]).fetchone()
        kept += int(row[0]) if row else 0
    share = caught / (kept + caught) if kept + caught else 0.0
    too_many = caught > 1 and share > MAX_SHARE
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=CHECK,
        passed=not broken and not too_many,
        metadata={
            "kept": kept,
            "quarantined": caught,
            "quarantined_share": round(share, 5),
            "violations": dg.MetadataValue.json(broken),
            "remedy": "select rule, remedy, payload from staging.quarantine in the published copy",
        },
    )


def verdict_of(key: dg.AssetKey, verdict: dg.AssetCheckResult | None) -> dg.AssetCheckResult:
    """A verdict that holds for several assets, as one asset's; passed where there was nothing to judge."""
    if verdict is None:
        return dg.AssetCheckResult(asset_key=key, check_name=CHECK, passed=True)
    return dg.AssetCheckResult(asset_key=key, check_name=CHECK, passed=verdict.passed, metadata=verdict.metadata)


def column_schema(con: duckdb.DuckDBPyConnection, table: str) -> dg.TableSchema:
    """The table's columns and types as the warehouse has them."""
    rows = con.execute(f"describe {table}").fetchall()
    return dg.TableSchema([dg.TableColumn(row[0], row[1].lower()) for row in rows])
