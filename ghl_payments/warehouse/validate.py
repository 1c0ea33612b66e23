"""Checks whole tables against their contracts and moves rows that break one into `staging.quarantine`.

Extend it when rows must be judged in a new way; the rules themselves stand in `schemas.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pandera.errors

from ghl_payments.warehouse.queries import run
from ghl_payments.warehouse.schemas import CONTRACTS, REMEDIES, TableContract

CHUNK = 50_000
"""Rows judged at a time, so that memory does not grow with the table."""

_DTYPES: dict[str, Any] = {
    "f": pd.Float64Dtype(),
    "b": pd.BooleanDtype(),
    "i": pd.Int64Dtype(),
    "u": pd.Int64Dtype(),
}


@dataclass(frozen=True, slots=True)
class StagedTable:
    """What became of one table's rows: kept and quarantined, by rule."""

    table: str
    kept: int
    quarantined: int
    rules: dict[str, int]

    @property
    def share(self) -> float:
        """Quarantined share of all rows, 0 for an empty table."""
        total = self.kept + self.quarantined
        return self.quarantined / total if total else 0.0


def frame(con: duckdb.DuckDBPyConnection, query: str, parameters: list[Any] | None = None) -> pd.DataFrame:
    """A query as a DataFrame with nullable dtypes; DuckDB's own `.df()` would turn a null BIGINT into float."""
    columns = con.execute(query, parameters or []).fetchnumpy()
    return pd.DataFrame({name: _series(values) for name, values in columns.items()})


def _series(values: Any) -> pd.Series[Any]:
    mask: Any = np.ma.getmaskarray(values)
    data: Any = np.ma.getdata(values)
    if data.dtype.kind in _DTYPES:
        series: pd.Series[Any] = pd.Series(data).astype(_DTYPES[data.dtype.kind])
        return series.mask(mask)
    if data.dtype.kind == "M":
        return pd.Series(data.astype("datetime64[us]")).mask(mask)
    return pd.Series(data).astype("object").mask(mask, None).astype("string")


def breaches(contract: TableContract, rows: pd.DataFrame) -> dict[int, str]:
    """Row label -> the first rule it breaks; an unmet column contract breaks every row."""
    found: dict[int, str] = {}
    try:
        contract.schema.validate(rows, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        for case in errors.failure_cases.itertuples():
            rule = str(case.check) if str(case.check) in REMEDIES else "wrong_type"
            labels = rows.index if case.index is None or pd.isna(case.index) else [int(case.index)]
            for label in labels:
                found.setdefault(int(label), rule)
    duplicated = rows.duplicated(subset=list(contract.key), keep="first")
    for label in rows.index[duplicated.fillna(False)]:
        found.setdefault(int(label), "duplicate_key")
    return found


def stage(con: duckdb.DuckDBPyConnection, table: str, location_id: str, now: datetime) -> StagedTable:
    """Rebuild one location's rows of a staging table: SQL makes candidates, the contract sorts out the unreadable."""
    contract = CONTRACTS[table]
    run(con, table.replace(".", "/"), {"location_id": location_id})
    broken = _judge_candidates(con, contract)
    _quarantine(con, contract, location_id, broken, now)
    names = [row[0] for row in con.execute(f"describe {table}").fetchall()]
    columns = ", ".join(f'"{name}"' for name in names)
    con.execute("begin")
    con.execute(f"delete from {table} where location_id = ?", [location_id])
    con.execute(
        f"insert into {table} ({columns}) select {columns} from candidate "
        "where rowid not in (select row_label from breached)"
    )
    con.execute("commit")
    kept = con.execute(f"select count(*) from {table} where location_id = ?", [location_id]).fetchone()
    rules: dict[str, int] = {}
    for rule in broken.values():
        rules[rule] = rules.get(rule, 0) + 1
    return StagedTable(table, int(kept[0]) if kept else 0, len(broken), rules)


def _judge_candidates(con: duckdb.DuckDBPyConnection, contract: TableContract) -> dict[int, str]:
    wanted = sorted({*contract.schema.columns, *contract.key})
    columns = ", ".join(f'"{name}"' for name in wanted)
    total = con.execute("select count(*) from candidate").fetchone()
    broken: dict[int, str] = {}
    for start in range(0, int(total[0]) if total else 0, CHUNK):
        rows = frame(
            con, f"select rowid as row_label, {columns} from candidate where rowid >= ? and rowid < ?",
            [start, start + CHUNK],
        )  # fmt: skip
        broken.update(breaches(contract, rows.set_index("row_label")))
    return broken


def _quarantine(
    con: duckdb.DuckDBPyConnection, contract: TableContract, owner: str, broken: dict[int, str], now: datetime
) -> None:
    con.execute("create or replace temp table breached (row_label bigint, rule varchar, remedy varchar)")
    con.execute(
        "insert into breached select unnest($labels), unnest($rules), unnest($remedies)",
        {
            "labels": list(broken),
            "rules": list(broken.values()),
            "remedies": [REMEDIES[rule] for rule in broken.values()],
        },
    )
    keys = " || '/' || ".join(f"coalesce(c.\"{name}\"::varchar, '')" for name in contract.key)
    run_keys = {"table": contract.table, "owner": owner, "now": now.replace(tzinfo=None)}
    con.execute(
        f"""create or replace temp table caught as
        select {keys} as record_key, b.rule, any_value(b.remedy) as remedy, any_value(c.payload) as payload
        from breached as b inner join candidate as c on c.rowid = b.row_label group by all"""
    )
    con.execute(
        """delete from staging.quarantine where table_name = $table and owner = $owner
        and (record_key, rule) not in (select (record_key, rule) from caught)""",
        {k: run_keys[k] for k in ("table", "owner")},
    )
    con.execute(
        """insert into staging.quarantine
        select $table, $owner, record_key, rule, remedy, payload, $now, $now from caught
        on conflict do update set last_seen = excluded.last_seen, payload = excluded.payload""",
        run_keys,
    )


def violations(con: duckdb.DuckDBPyConnection, table: str, owner: str) -> dict[str, int]:
    """Rules that rows now in the table break, with counts; empty when the table keeps its contract."""
    contract = CONTRACTS[table]
    names = {row[0] for row in con.execute(f"describe {table}").fetchall()}
    columns = sorted({*contract.schema.columns, *contract.key} & names)
    schema = contract.schema.remove_columns([c for c in contract.schema.columns if c not in names])
    listed = ", ".join(f'"{name}"' for name in columns)
    rows = frame(con, f'select {listed} from {table} where "{contract.owner}" = ?', [owner])
    counts: dict[str, int] = {}
    for rule in breaches(TableContract(table, contract.owner, contract.key, schema), rows).values():
        counts[rule] = counts.get(rule, 0) + 1
    return counts


def quarantined(con: duckdb.DuckDBPyConnection, table: str, owner: str) -> int:
    """Rows of the table in quarantine."""
    row = con.execute(
        "select count(distinct record_key) from staging.quarantine where table_name = ? and owner = ?", [table, owner]
    ).fetchone()
    return int(row[0]) if row else 0
