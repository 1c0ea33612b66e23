"""Mapping files: good ones load and have a fingerprint, bad ones are refused with file and field."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from ghl_payments.connectors.registry import target_systems
from ghl_payments.domain.mapping import MappingError, load_mapping

GOOD = """
    system: shop
    version: 1
    source_of: {deal: order}
    record_types:
      deal:
        source: orders
        fields:
          total: {desired: amount_minor, actual: "doc ->> '$.total'", class: amount, compare: minor}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mapping.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def test_a_field_says_how_it_is_compared_and_who_may_write_it(tmp_path: Path) -> None:
    mapping = load_mapping(written(tmp_path, GOOD))
    rule = mapping.record_types["deal"].fields["total"]
    assert (rule.field_class, rule.compare, rule.tolerance, rule.owner, rule.write) == (
        "amount",
        "minor",
        0,
        "ghl",
        "always",
    )


@pytest.mark.parametrize(("wrong", "right", "where", "what"), [
    ("compare: exact-ish", "compare: minor", "record_types.deal.fields.total.compare", "'exact'"),
    ("clas: amount", "class: amount", "record_types.deal.fields.total.clas", "not permitted"),
    ("source: refunds", "source: orders", "record_types.deal.source", "'orders'"),
    ("version: one", "version: 1", "version", "integer"),
    ("class: money", "class: amount", "record_types.deal.fields.total.class", "'amount'"),
])  # fmt: skip
def test_a_wrong_value_is_refused_with_file_and_field(
    tmp_path: Path, wrong: str, right: str, where: str, what: str
) -> None:
    with pytest.raises(MappingError) as refused:
        load_mapping(written(tmp_path, GOOD.replace(right, wrong)))
    assert f"mapping.yaml: {where}: " in str(refused.value)
    assert what in str(refused.value)


def test_every_wrong_field_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(MappingError) as refused:
        load_mapping(
            written(tmp_path, GOOD.replace("version: 1", "version: x").replace("compare: minor", "compare: x"))
        )
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize("text", ["system: [", "a: b: c", 'system: "x'])
def test_a_file_that_is_no_yaml_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(MappingError, match=r"mapping\.yaml: not readable as YAML"):
        load_mapping(written(tmp_path, text))


@pytest.mark.parametrize("text", ["", "- a list", "just text"])
def test_a_file_of_another_shape_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(MappingError, match=r"mapping\.yaml"):
        load_mapping(written(tmp_path, text))


def test_the_fingerprint_follows_what_the_mapping_says_and_not_how_it_is_written(tmp_path: Path) -> None:
    first = load_mapping(written(tmp_path, GOOD)).fingerprint
    assert load_mapping(written(tmp_path, "# a comment" + GOOD)).fingerprint == first
    assert load_mapping(written(tmp_path, GOOD.replace("amount_minor", "amount_minor + 0"))).fingerprint != first


def test_shipped_mappings_never_write_what_a_target_computes_or_owns() -> None:
    for system in target_systems().values():
        for record_type, record in system.mapping.record_types.items():
            for name, rule in record.fields.items():
                if rule.owner == "target":
                    assert rule.write in ("never", "create"), (record_type, name)
                if rule.via is not None:
                    assert rule.write == "never", (record_type, name)
                    assert rule.via in record.fields, (record_type, name)


def test_shipped_mappings_write_parents_before_children() -> None:
    for system in target_systems().values():
        order = list(system.mapping.record_types)
        for record_type, record in system.mapping.record_types.items():
            assert all(order.index(parent) < order.index(record_type) for parent in record.parents)
        assert set(order) == set(system.record_types) == set(system.mapping.source_of)


def test_a_shipped_mapping_never_compares_what_people_in_the_target_may_change() -> None:
    halo = target_systems()["halo"].mapping
    for record_type in ("client", "user"):
        assert {rule.compare for rule in halo.record_types[record_type].fields.values()} == {"never"}
        assert {rule.write for rule in halo.record_types[record_type].fields.values()} == {"create"}
