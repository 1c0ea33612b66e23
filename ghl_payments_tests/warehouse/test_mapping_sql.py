"""Mappings as SQL: every expression binds against the empty layout, and one that does not is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ghl_payments.connectors.registry import target_systems
from ghl_payments.domain.mapping import Mapping
from ghl_payments.warehouse import reconcile
from ghl_payments.warehouse.mapping_sql import (
    actual_select,
    build_canonical,
    build_desired,
    build_documents,
    desired_select,
    store_field_rules,
)
from ghl_payments.warehouse.queries import SqlStepError, run_text
from ghl_payments_tests.sandbox.oracle_states import LOCATION, order, txn
from ghl_payments_tests.warehouse.desk import HALO, Desk


def mapping(**fields: dict[str, Any]) -> Mapping:
    """A mapping of orders to deals."""
    return Mapping.model_validate({
        "system": "shop", "version": 1, "source_of": {"deal": "order"},
        "record_types": {"deal": {"source": "orders", "fields": fields}},
    })  # fmt: skip


@pytest.mark.parametrize("system", target_systems())
def test_every_shipped_expression_binds_against_the_empty_layout(desk: Desk, system: str) -> None:
    target = target_systems()[system]
    keys = {"connection": "c", "live": True}
    build_canonical(desk.con, LOCATION)
    build_documents(desk.con, target.documents_sql, connection="c", only_location=None)
    for record_type in target.mapping.record_types:
        run_text(desk.con, desired_select(target.mapping, record_type), keys)
        run_text(desk.con, actual_select(target.mapping, record_type), keys)
    assert desk.rows("reconciliation.desired") == desk.rows("actual.records") == []


def test_an_expression_with_an_unknown_column_names_itself_and_the_nearest_ones(desk: Desk) -> None:
    build_canonical(desk.con, LOCATION)
    with pytest.raises(SqlStepError, match=r'(?s)"amount_minr".*amount_minor'):
        build_desired(
            desk.con, mapping(total={"desired": "amount_minr"}), connection="c", live=True, location_id=LOCATION
        )


def test_quotes_in_names_and_texts_stay_texts(desk: Desk) -> None:
    desk.purchases([order()], [txn()])
    desk.stage()
    build_canonical(desk.con, LOCATION)
    quoted = mapping(**{"it's": {"desired": "'GHL''s ' || order_id"}})
    assert build_desired(desk.con, quoted, connection="c", live=True, location_id=LOCATION) == 1
    assert desk.row("reconciliation.desired")["fields"] == '{"it\'s":"GHL\'s o1"}'


def test_the_hash_follows_compared_fields_only(desk: Desk) -> None:
    desk.purchases([order()], [])
    desk.stage()
    build_canonical(desk.con, LOCATION)
    hashes = []
    for name, status in (("one", "'a'"), ("two", "'a'"), ("two", "'b'")):
        wanted = mapping(name={"desired": f"'{name}'", "compare": "never"}, status={"desired": status})
        build_desired(desk.con, wanted, connection="c", live=True, location_id=LOCATION)
        hashes.append(desk.row("reconciliation.desired")["hash"])
    assert hashes[0] == hashes[1] != hashes[2]


def test_desired_rows_of_another_connection_or_location_are_left_alone(desk: Desk) -> None:
    for place in (LOCATION, "LocationTwo"):
        desk.purchases([order()], [], location_id=place)
        desk.stage(location_id=place)
        build_canonical(desk.con, place)
        for connection in ("one", "two"):
            build_desired(
                desk.con, mapping(a={"desired": "status"}), connection=connection, live=True, location_id=place
            )
    desk.con.execute("delete from staging.orders")
    build_canonical(desk.con, LOCATION)
    assert build_desired(desk.con, mapping(a={"desired": "1"}), connection="one", live=True, location_id=LOCATION) == 0
    left = {(row["connection"], row["location_id"]) for row in desk.rows("reconciliation.desired")}
    assert left == {("two", LOCATION), ("one", "LocationTwo"), ("two", "LocationTwo")}


def test_rules_can_be_joined_by_sql(desk: Desk) -> None:
    store_field_rules(desk.con, HALO.mapping)
    store_field_rules(desk.con, HALO.mapping)
    rules = {(row["record_type"], row["field"]): row for row in desk.rows("reconciliation.field_rules")}
    total = rules["sales_order", "total"]
    assert (total["class"], total["compare"], total["write"], total["via"]) == ("amount", "minor", "never", "lines")
    assert len(rules) == sum(len(record.fields) for record in HALO.mapping.record_types.values())


@pytest.mark.parametrize(("rule", "tolerance", "wanted", "got", "differs"), [
    ("exact", 0, "a", "a", False), ("exact", 0, "a", "A", True), ("exact", 0, None, "", False), ("exact", 0, "0", None, True),
    ("text", 0, " Two  Words ", "two words", False), ("text", 0, "a", None, True), ("text", 0, None, "  ", False),
    ("minor", 0, "100", "100", False), ("minor", 0, "100", "101", True), ("minor", 1, "100", "101", False),
    ("minor", 1, "100", "102", True), ("minor", 9, "5", None, True), ("minor", 9, "5", "n/a", True),
    ("minor", 0, None, None, False),
    ("time", 0, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", False),
    ("time", 0, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", True),
    ("time", 1, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", False), ("time", 60, "2026-01-01T00:00:00Z", "soon", True),
    ("time", 0, None, "", False), ("never", 0, "a", "b", False),
])  # fmt: skip
def test_two_texts_differ_by_their_rule_everywhere_alike(
    desk: Desk, rule: str, tolerance: int, wanted: str | None, got: str | None, differs: bool
) -> None:
    sides = [rule, tolerance, wanted, got]
    assert desk.con.execute("select differs(?, ?, ?::varchar, ?::varchar)", sides).fetchone() == (differs,)


def test_parents_are_required_unless_the_mapping_says_otherwise(desk: Desk) -> None:
    reconcile.prepare_target(desk.con, desk.halo)
    found = {(row["record_type"], row["parent_type"]): row["required"] for row in desk.rows("target_all_parents")}
    assert found["invoice", "sales_order"] is False
    assert found["invoice", "client"] is True
    assert ("invoice", "sales_order") not in {
        (row["record_type"], row["parent_type"]) for row in desk.rows("target_parents")
    }


def test_a_record_type_that_the_account_lacks_makes_its_rows_unrepresentable_and_says_why(desk: Desk) -> None:
    desk.purchases([order()], [txn()])
    desk.stage()
    build_canonical(desk.con, LOCATION)
    shop = mapping(total={"desired": "amount_minor"}).model_dump(by_alias=True)
    shop["record_types"]["deal"] |= {"requires": {"deals": ["available"]}, "requires_reason": "the plan has no deals"}
    needy = Mapping.model_validate(shop)

    def built() -> tuple[bool, str | None]:
        assert build_desired(desk.con, needy, connection="c", live=True, location_id=LOCATION) == 1
        row = desk.row("reconciliation.desired")
        return row["representable"], row["reason"]

    assert built() == (False, "the plan has no deals")
    desk.con.execute("insert into ops.capabilities values ('other', 'deals', 'available', '', false, now()::timestamp)")
    assert built() == (False, "the plan has no deals")
    desk.con.execute("insert into ops.capabilities values ('c', 'deals', 'available', '', false, now()::timestamp)")
    assert built() == (True, None)


def test_options_of_the_connection_are_values_in_expressions(desk: Desk) -> None:
    desk.purchases([order()], [txn()])
    desk.stage()
    target = replace(desk.halo, mapping=mapping(slot={"desired": "option('slot') || option('none')"}),
                     options={"slot": 7})  # fmt: skip
    reconcile.derive_desired(desk.con, [target], LOCATION)
    assert desk.row("reconciliation.desired")["fields"] == '{"slot":null}'
    target = replace(target, mapping=mapping(slot={"desired": "option('slot')"}))
    reconcile.derive_desired(desk.con, [target], LOCATION)
    assert desk.row("reconciliation.desired")["fields"] == '{"slot":"7"}'
