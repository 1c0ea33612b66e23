"""Migrations: numbered without gaps, applied once, never backwards; reference tables come with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from ghl_payments.domain.diff_kinds import DIFF_KINDS
from ghl_payments.domain.money import CURRENCY_EXPONENTS
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.migrate import MigrationError, migrate, migrations
from ghl_payments.warehouse.queries import SQL_ROOT, SqlStepError, run, run_text, sql
from ghl_payments.warehouse.schemas import CONTRACTS


def layout(path: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        columns = con.execute(
            "select table_schema, table_name, column_name, data_type from information_schema.columns order by all"
        ).fetchall()
        return columns + con.execute("from ops.migrations order by all").fetchall()


def test_migrations_are_numbered_from_one_and_recorded(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    with warehouse.open() as con:
        recorded = con.execute("select number, name from ops.migrations order by number").fetchall()
    assert recorded == migrations()
    assert [number for number, _ in recorded] == list(range(1, len(recorded) + 1))


def test_a_second_open_changes_nothing(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    with warehouse.open():
        pass
    before, bytes_before = layout(warehouse.path), warehouse.path.read_bytes()
    with warehouse.open():
        pass
    assert layout(warehouse.path) == before
    assert warehouse.path.read_bytes() == bytes_before


def test_a_newer_layout_is_refused_and_left_alone(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    with warehouse.open() as con:
        con.execute("insert into ops.migrations values (99, '0099_tomorrow', timestamp '2030-01-01')")
    before = layout(warehouse.path)
    with pytest.raises(MigrationError, match=r"layout 99.*update ghl_payments"), warehouse.open():
        pass
    assert layout(warehouse.path) == before


def test_a_migration_that_fails_leaves_nothing_behind() -> None:
    with duckdb.connect() as con:
        con.execute("create schema ops")
        con.execute("create table ops.turns (in_the_way integer)")
        with pytest.raises(SqlStepError, match=r"sql/migrations/0001_base\.sql"):
            migrate(con)
        assert con.execute("select count(*) from ops.migrations").fetchone() == (0,)
        assert con.execute("select count(*) from duckdb_schemas() where schema_name = 'staging'").fetchone() == (0,)


def test_reference_tables_hold_what_the_domain_says(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "w.duckdb").open() as con:
        assert dict(con.execute("select code, exponent from ops.currencies").fetchall()) == CURRENCY_EXPONENTS
        kinds = con.execute("select kind, pushable, remedy from ops.diff_kinds").fetchall()
    assert set(kinds) == {(kind.name, kind.pushable, kind.remedy) for kind in DIFF_KINDS}


def test_every_table_with_a_contract_has_the_columns_that_identify_its_rows(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "w.duckdb").open() as con:
        for contract in CONTRACTS.values():
            names = {row[0] for row in con.execute(f"describe {contract.table}").fetchall()}
            assert {*contract.key, contract.owner} <= names, contract.table


def test_money_is_never_a_float_in_any_table(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "w.duckdb").open() as con:
        found = con.execute(
            "select table_name, column_name, data_type from information_schema.columns "
            "where column_name like '%minor%' and data_type <> 'BIGINT'"
        ).fetchall()
    assert found == []


def test_a_step_gets_only_the_parameters_it_names_and_returns_its_last_rows() -> None:
    with duckdb.connect() as con:
        rows = run_text(con, "create table t (n integer); insert into t values ($n); from t;", {"n": 7, "unused": 1})
    assert rows == [(7,)]


def test_an_error_names_its_step_and_quotes_no_row() -> None:
    with duckdb.connect() as con:
        con.execute("create table t as select 'contact0001@example.com' as mail")
        with pytest.raises(SqlStepError) as failed:
            run_text(con, "select mail::integer from t", step="sql/raw/x.sql")
        assert "sql/raw/x.sql: ConversionException" in str(failed.value)
        assert "contact0001" not in str(failed.value)
        with pytest.raises(SqlStepError, match="no_such_table"):
            run_text(con, "from no_such_table")


def test_a_missing_sql_file_says_how_to_get_it() -> None:
    with pytest.raises(FileNotFoundError, match="checkout"):
        sql("raw/no_such_step")


@pytest.mark.parametrize("name", sorted(
    str(path.relative_to(SQL_ROOT).with_suffix("")) for path in SQL_ROOT.rglob("*.sql") if path.parent.name == "reports"
))  # fmt: skip
def test_every_report_is_a_view_that_opens_on_an_empty_warehouse(tmp_path: Path, name: str) -> None:
    with Warehouse(tmp_path / "w.duckdb").open() as con:
        run(con, name)
        assert con.execute(f"select count(*) from {name.replace('/', '.')}").fetchone() == (0,)
