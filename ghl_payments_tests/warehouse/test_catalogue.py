"""Words about canonical columns: every column of every canonical table has them, and no other."""

from __future__ import annotations

from typing import get_args

from ghl_payments.domain.mapping import Source
from ghl_payments.warehouse.catalogue import catalogue, personal_columns, real_columns
from ghl_payments.warehouse.mapping_check import empty_layout


def test_every_canonical_column_has_a_unit_and_a_meaning_in_the_order_of_the_table() -> None:
    with empty_layout() as con:
        real = {table: [name for name, _ in columns] for table, columns in real_columns(con).items()}
    assert {name: [column.name for column in table.columns] for name, table in catalogue().items()} == real
    for table in catalogue().values():
        assert table.rows.endswith(".")
        for column in table.columns:
            assert column.unit, (table.name, column.name)
            assert column.meaning.endswith("."), (table.name, column.name)


def test_every_source_that_a_mapping_may_name_is_a_canonical_table() -> None:
    assert set(get_args(Source)) == set(catalogue())


def test_units_fit_the_types_of_the_columns() -> None:
    kinds = {"UTC": "TIMESTAMP", "true/false": "BOOLEAN", "count": "BIGINT", "minor units of `currency`": "BIGINT"}
    with empty_layout() as con:
        real = real_columns(con)
    for name, table in catalogue().items():
        types = dict(real[name])
        for column in table.columns:
            assert types[column.name] == kinds.get(column.unit, "VARCHAR"), (name, column.name)


def test_who_somebody_is_and_how_to_reach_them_is_personal() -> None:
    named = {column.name for table in catalogue().values() for column in table.columns}
    assert personal_columns() <= named
    telling = {name for name in named if any(word in name for word in ("mail", "phone", "first_name", "last_name"))}
    assert telling <= personal_columns()
