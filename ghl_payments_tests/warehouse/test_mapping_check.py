"""Expressions of a mapping bound against the empty layout: each that does not bind or fit is named with what would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ghl_payments.connectors.registry import target_systems
from ghl_payments.domain.mapping import Mapping
from ghl_payments.domain.yaml_lines import Finding
from ghl_payments.warehouse.mapping_check import empty_layout, kind_of, sql_findings

DOCUMENTS = """
create or replace temp table shop_deal_records as
select '' as native_id, '{}'::json as doc, null::timestamp as read_at, '' as key, '' as location_id, '' as currency,
    2 as exponent, 2 as own_exponent, null::varchar as problem
where false;
create or replace temp table shop_dangling as
select '' as record_type, '' as native_id, '' as key, '' as location_id where false;
"""


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_layout() as opened:
        yield opened


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a connector of the system shop has; written before the layout closes its access to files."""
    path = tmp_path_factory.mktemp("shop") / "documents.sql"
    path.write_text(DOCUMENTS, encoding="utf-8")
    return path


def mapping(record: dict[str, Any] | None = None, **fields: dict[str, Any]) -> Mapping:
    own = {"source": "orders", "fields": fields or {"status": {"desired": "status", "compare": "never"}}} | (
        record or {}
    )
    return Mapping.model_validate(
        {"system": "shop", "version": 1, "source_of": {"deal": "order"}, "record_types": {"deal": own}}
    )


def findings(con: duckdb.DuckDBPyConnection, documents: Path, **parts: Any) -> list[Finding]:
    return sql_findings(con, mapping(**parts), documents)


@pytest.mark.parametrize("system", target_systems())
def test_every_shipped_mapping_binds_and_fits(system: str) -> None:
    source = target_systems()[system].mapping_source
    with empty_layout() as con:
        assert sql_findings(con, target_systems()[system].mapping, source.documents_sql) == []


@pytest.mark.parametrize(("expression", "said", "nearest"), [
    ("amount_minr", "canonical_orders has no column 'amount_minr'", "amount_minor"),
    ("lower(paymentStatus)", "canonical_orders has no column 'paymentStatus'", "payment_status"),
    ("zzzzzzzz", "canonical_orders has no column 'zzzzzzzz'; it has: location_id, live, order_id", None),
    ("canonical_orders.statu", "has no column 'statu'", "status"),
    ("o.status", "'o' is no table here; columns stand alone", None),
    ("instant_txt(created_at)", "there is no function instant_txt", "instant_text"),
    ("sum(amount_minor)", "is an aggregate, a window or a list of rows", None),
    ("row_number() over ()", "is an aggregate, a window or a list of rows", None),
    ("unnest([1, 2])", "is an aggregate, a window or a list of rows", None),
    ("amount_minor +", "does not bind: syntax error", None),
    ("status -- what GHL says", "does not bind: syntax error", None),
    ("1), (2", "is not one expression but several", None),
    ("1) from canonical_orders; select (2", "is not one expression (it holds a `;`)", None),
    ("lower(amount_minor)", "does not bind: No function matches", None),
    ("(select any_value(column0) from read_csv('/etc/hostname'))", "file system operations are disabled", None),
    ("amount_minor / 100.0::double", "gives a floating point number, which no amount may ever be", None),
    ("[status]", "gives nested", None),
])  # fmt: skip
def test_a_desired_side_that_cannot_be_used_names_what_could(
    con: duckdb.DuckDBPyConnection, documents: Path, expression: str, said: str, nearest: str | None
) -> None:
    [found] = findings(con, documents, field={"desired": expression, "compare": "never"})
    assert found.spot == ("record_types", "deal", "fields", "field", "desired")
    assert said in found.what
    assert found.nearest == nearest


@pytest.mark.parametrize(("compare", "desired", "actual", "side", "said"), [
    ("minor", "amount_text", "exponent", "desired", "gives text; `compare: minor` wants minor units are whole"),
    ("minor", "amount_minor", "doc ->> '$.total'", "actual", "gives text; `compare: minor`"),
    ("minor", "amount_minor", "(doc ->> '$.total')::decimal(18, 2)", "actual", "gives decimal"),
    ("minor", "amount_minor", "(doc ->> '$.total')::double", "actual", "gives a floating point number"),
    ("time", "amount_minor", "doc ->> '$.date'", "desired", "gives integer; `compare: time` wants an instant"),
    ("time", "created_at", "doc ->> '$.date' = 'x'", "actual", "gives boolean"),
    ("text", "amount_minor", "doc ->> '$.name'", "desired", "gives integer; `compare: text` wants a text"),
    ("exact", "created_at", "doc ->> '$.date'", "actual", "are never equal as texts: use `compare: time`"),
    ("exact", "status", "dco ->> '$.status'", "actual", "shop_deal_records has no column 'dco'"),
])  # fmt: skip
def test_a_type_that_does_not_fit_its_comparison_is_named_with_what_does(
    con: duckdb.DuckDBPyConnection, documents: Path, compare: str, desired: str, actual: str, side: str, said: str
) -> None:
    [found] = findings(con, documents, field={"desired": desired, "actual": actual, "compare": compare})
    assert found.spot[-1] == side
    assert said in found.what


@pytest.mark.parametrize(("compare", "desired", "actual"), [
    ("minor", "amount_minor", "to_minor_rounded(doc ->> '$.total', exponent)"),
    ("minor", "null", "null"),
    ("time", "created_at", "instant_text(instant(doc ->> '$.date'))"),
    ("text", "status", "doc ->> '$.status'"),
    ("exact", "amount_plain", "doc ->> '$.amount'"),
    ("exact", "capability('commerce')", "option('shop')"),
    ("never", "case when live then lines end", "null::varchar"),
])  # fmt: skip
def test_what_fits_is_fine(
    con: duckdb.DuckDBPyConnection, documents: Path, compare: str, desired: str, actual: str
) -> None:
    assert findings(con, documents, field={"desired": desired, "actual": actual, "compare": compare}) == []


@pytest.mark.parametrize(("part", "value", "said"), [
    ("key", "amount_minor", "gives integer; a key is a text"),
    ("where", "statu is null", "has no column 'statu'"),
    ("where", "status", "gives text; a condition is true or false"),
    ("amount", "amount_text", "gives text; an amount is in whole minor units"),
    ("currency", "live", "gives boolean; a currency is an ISO 4217 code"),
    ("actual_amount", "doc ->> '$.total'", "gives text; an amount is in whole minor units"),
    ("parents", {"person": "contact_kye"}, "has no column 'contact_kye'"),
])  # fmt: skip
def test_each_part_of_a_record_type_is_bound(
    con: duckdb.DuckDBPyConnection, documents: Path, part: str, value: Any, said: str
) -> None:
    [found] = findings(con, documents, record={part: value})
    assert found.spot[:3] == ("record_types", "deal", part)
    assert said in found.what


def test_rows_without_a_form_are_bound_too(con: duckdb.DuckDBPyConnection, documents: Path) -> None:
    wrong = mapping().model_copy(update={
        "not_representable": Mapping.model_validate({
            "system": "shop", "version": 1, "source_of": {}, "record_types": {},
            "not_representable": [{"record_type": "deal", "source": "orders", "reason": "resaon"}],
        }).not_representable
    })  # fmt: skip
    [found] = sql_findings(con, wrong, documents)
    assert (found.spot, found.nearest) == (("not_representable", 0, "reason"), "reason")


def test_a_record_type_whose_documents_are_not_made_is_named(con: duckdb.DuckDBPyConnection, documents: Path) -> None:
    other = mapping().model_copy(update={"system": "mart"})
    [found] = sql_findings(con, other, documents)
    assert "makes no table mart_deal_records" in found.what


def test_documents_that_do_not_run_are_named(tmp_path: Path) -> None:
    path = tmp_path / "documents.sql"
    path.write_text("select * from nowhere", encoding="utf-8")
    with empty_layout() as con:
        [found] = sql_findings(con, mapping(), path)
    assert "documents.sql" in found.what
    assert "nowhere" in found.what


def test_without_documents_only_the_desired_side_is_bound(con: duckdb.DuckDBPyConnection) -> None:
    fields = {"field": {"desired": "status", "actual": "anything"}}
    assert sql_findings(con, mapping(**fields), None) == []


@pytest.mark.parametrize(("type_name", "kind"), [
    ("BIGINT", "integer"), ("HUGEINT", "integer"), ("UTINYINT", "integer"), ("INTEGER", "integer"),
    ("DECIMAL(18,0)", "integer"), ("DECIMAL(18,2)", "decimal"), ("DOUBLE", "float"), ("VARCHAR", "text"), ("JSON", "text"),
    ("TIMESTAMP", "instant"), ("TIMESTAMP WITH TIME ZONE", "instant"), ("BOOLEAN", "boolean"), ("VARCHAR[]", "nested"),
    ("STRUCT(a INTEGER)", "nested"), ("MAP(VARCHAR, VARCHAR)", "nested"),
])  # fmt: skip
def test_a_type_is_of_one_kind(type_name: str, kind: str) -> None:
    assert kind_of(type_name) == kind
