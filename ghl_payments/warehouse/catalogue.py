"""What the canonical columns mean, for people who write mappings: `canonical.yaml` beside the types of the real tables.

Add words to `canonical.yaml` when a canonical table gets a column; a test names those that are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import yaml

from ghl_payments.warehouse.mapping_check import columns_of

PATH = Path(__file__).with_name("canonical.yaml")


@dataclass(frozen=True, slots=True)
class Column:
    """One canonical column: in what `unit` its values are, and what they mean."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One canonical table under the name that a mapping's `source` gives it; `rows` says what a row is."""

    name: str
    rows: str
    columns: tuple[Column, ...]


@cache
def catalogue() -> Mapping[str, Table]:
    """Source -> table."""
    document = _document()
    found = {}
    for name, table in document["tables"].items():
        words = {column: own or document["common"][column] for column, own in table["columns"].items()}
        columns = tuple(Column(column, *(str(word) for word in said)) for column, said in words.items())
        found[name] = Table(name, table["rows"], columns)
    return found


def personal_columns() -> frozenset[str]:
    """Canonical columns that say who somebody is or how to reach them."""
    return frozenset(_document()["personal"])


def real_columns(con: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str]]]:
    """Source -> (column, DuckDB type) of each canonical table of an `empty_layout`."""
    names = con.execute(
        "select table_name from duckdb_tables() where temporary and starts_with(table_name, 'canonical_') order by 1"
    ).fetchall()
    return {name.removeprefix("canonical_"): columns_of(con, name) for (name,) in names}


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return document
