"""Overrides of a mapping: merged field by field, limited to what they may say, every problem with its line."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import get_args

import pytest

from ghl_payments.connectors.registry import target_systems
from ghl_payments.domain.mapping import FieldRule, MappingError
from ghl_payments.domain.mapping_files import FieldOverride, effective_mapping, read_text
from ghl_payments.domain.yaml_lines import choices_at, names_at

SHIPPED = """\
system: shop
version: 1
source_of: {person: contact, deal: order}
record_types:
  person:
    source: contacts
    amount: "null"
    currency: "null"
    fields:
      name: {desired: name, compare: never, write: create}
  deal:
    source: orders
    parents: {person: contact_key}
    fields:
      lines: {desired: lines, compare: never}
      total: {desired: amount_minor, actual: doc, class: amount, compare: minor, write: never, via: lines}
      status: {desired: status, actual: doc, class: status}
      date: {desired: created_at, actual: doc, class: date, compare: time, tolerance: 1}
      stage: {desired: status, actual: doc, owner: target, write: create}
not_representable:
  - {record_type: deal, source: orders}
"""


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.yaml"
    path.write_text(SHIPPED, encoding="utf-8")
    return path


def override(shipped: Path, fields: str, record_type: str = "deal", system: str = "shop") -> Path:
    """An override of some fields; the first of them stands on line 5."""
    path = shipped.with_name("own.yaml")
    head = f"system: {system}\nrecord_types:\n  {record_type}:\n    fields:\n"
    path.write_text(head + "".join(f"      {line}\n" for line in dedent(fields).strip().splitlines()), encoding="utf-8")
    return path


def refusal(shipped: Path, own: Path | None = None) -> str:
    with pytest.raises(MappingError) as refused:
        effective_mapping(shipped, own)
    return str(refused.value)


def test_without_an_override_the_shipped_mapping_counts(shipped: Path) -> None:
    assert effective_mapping(shipped).record_types["deal"].fields["date"].tolerance == 1


def test_an_override_changes_what_it_says_and_nothing_else(shipped: Path) -> None:
    before = effective_mapping(shipped)
    after = effective_mapping(shipped, override(shipped, "date: {tolerance: 60}\nstatus: {desired: payment_status}"))
    fields = after.record_types["deal"].fields
    assert fields["date"] == before.record_types["deal"].fields["date"].model_copy(update={"tolerance": 60})
    assert fields["status"].desired == "payment_status"
    assert (fields["status"].actual, fields["status"].field_class) == ("doc", "status")
    same = [name for name in fields if fields[name] == before.record_types["deal"].fields[name]]
    assert same == ["lines", "total", "stage"]
    assert after.record_types["person"] == before.record_types["person"]
    assert list(after.record_types) == list(before.record_types)


def test_the_fingerprint_is_that_of_the_merged_mapping(shipped: Path) -> None:
    first = effective_mapping(shipped).fingerprint
    changed = effective_mapping(shipped, override(shipped, "date: {tolerance: 60}")).fingerprint
    same = effective_mapping(shipped, override(shipped, "date: {tolerance: 1}")).fingerprint
    assert first == same != changed


def test_a_field_can_be_switched_off(shipped: Path) -> None:
    rule = effective_mapping(shipped, override(shipped, "status: {compare: never, write: never}")).record_types["deal"]
    assert (rule.fields["status"].compare, rule.fields["status"].write) == ("never", "never")


def test_a_field_of_ones_own_is_compared_only(shipped: Path) -> None:
    own = override(shipped, "shop: {desired: source_name, actual: doc, compare: text, write: never}")
    assert effective_mapping(shipped, own).record_types["deal"].fields["shop"].compare == "text"


def test_a_field_that_the_connector_can_write_may_be_added_and_written(shipped: Path) -> None:
    own = override(shipped, "shop: {desired: source_name, actual: doc}")
    assert "shipped" not in refusal(shipped, own)
    mapping = effective_mapping(shipped, own, writable={"deal": ["shop", "status"]})
    assert mapping.record_types["deal"].fields["shop"].write == "always"


@pytest.mark.parametrize(("fields", "line", "said"), [
    ("statsu: {compare: never}", 5, "deal.statsu: no such field, and a new one needs `desired`; nearest: status"),
    ("status: {comare: never}", 5, "deal.status: comare: unknown key, not permitted here; nearest: compare"),
    ("status: {compare: exactly}", 5, "nearest: exact"),
    ("status: {owner: target}", 5, "deal.status: owner: cannot be changed"),
    ("status:\n  via: lines", 6, "deal.status: via: cannot be changed"),
    ("status:", 5, "deal.status: a field cannot be taken away; switch it off with"),
    ("date: {tolerance: -1}", 5, "deal.date: tolerance: must be 0 or more"),
    ("date: {tolerance: 9999999}", 5, "more than a month"),
    ("status: {tolerance: 5}", 5, "has no effect with `compare: exact`"),
    ("date:\n  compare: exact", 5, "has no effect with `compare: exact`"),
    ("total: {write: always}", 5, "deal.total: write: the connector cannot write 'total' of deal"),
    ("stage: {write: always}", 5, "a field that the target owns is never written again"),
    ("shop: {desired: source_name, actual: doc}", 5, "a field of your own is compare-only: say `write: never`"),
    ("shop: {desired: source_name, write: never}", 5, "deal.shop: is compared (exact) and has no `actual`"),
    ("Shop: {desired: status, actual: doc, write: never}", 5, "must be lower case letters, digits and _"),
    ("lines: {write: never}", 16, "deal.total: via: 'lines' is not written always"),
    ("status: {class: money}", 5, "deal.status: class: "),
    ("status: {compare: null}", 5, "deal.status: compare: "),
    ("date: {tolerance: 60}\ndate: {tolerance: 6}", 6, "stands twice; only the last one would count"),
])  # fmt: skip
def test_what_an_override_may_not_say_is_told_with_line_field_and_remedy(
    shipped: Path, fields: str, line: int, said: str
) -> None:
    text = refusal(shipped, override(shipped, fields))
    assert said in text
    file = "mapping.yaml" if line == 16 else "own.yaml"
    assert f"{file}:{line}: " in text


@pytest.mark.parametrize(("changes", "said"), [
    ({"system": "shpo"}, "own.yaml:1: system: is 'shpo'; a mapping cannot be moved to another system"),
    ({"record_type": "deals"}, "own.yaml:3: deals: no such record type; an override changes fields of those there are"),
    ({"record_type": "deals"}, "; nearest: deal"),
])  # fmt: skip
def test_an_override_cannot_name_another_system_or_record_type(
    shipped: Path, changes: dict[str, str], said: str
) -> None:
    assert said in refusal(shipped, override(shipped, "status: {compare: never}", **changes))


@pytest.mark.parametrize(("text", "said"), [
    ("system: shop\nrecord_types:\n  deal:\n    where: 'true'\n    fields: {}\n",
     "own.yaml:4: deal: where: unknown key; an override changes `fields` only"),
    ("system: shop\nsource_of: {}\nrecord_types: {}\n", "own.yaml:2: source_of: not permitted in an override"),
    ("system: shop\nrecord_types: {}\nversion: 2\n", "own.yaml:3: version: "),
    ("record_types: {}\n", "own.yaml:1: system: Field required"),
    ("- a list\n", "own.yaml:1: the file: "),
    ("", "own.yaml:1: the file: "),
    ("system: [\n", "own.yaml:2: not readable as YAML"),
    ("system: 2026-13-45\n", "own.yaml: not readable as YAML"),
])  # fmt: skip
def test_an_override_of_another_shape_is_told_with_its_line(shipped: Path, text: str, said: str) -> None:
    own = shipped.with_name("own.yaml")
    own.write_text(text, encoding="utf-8")
    assert said in refusal(shipped, own)


@pytest.mark.parametrize(("old", "new", "line", "said"), [
    ("source_of: {person: contact, deal: order}", "source_of: {person: contact}", 3, "says nothing of the keys of 'deal'"),
    ("deal: order}", "deal: ordr}", 3, "'ordr' is no kind of key"),
    ("deal: order}", "deal: order, dael: txn}", 3, "no record type 'dael'; nearest: deal"),
    ("parents: {person: contact_key}", "parents: {persn: contact_key}", 13, "no record type 'persn'; nearest: person"),
    ("    source: contacts", "    source: contacts\n    parents: {deal: key}", 7,
     "person: parents.deal: 'deal' is written after 'person'"),
    ("parents: {person: contact_key}", "parents: {deal: key}", 13, "is written after"),
    ("    source: orders\n    parents", "    source: orders\n    optional_parents: [persona]\n    parents", 13,
     "'persona' is not among the parents; nearest: person"),
    ("via: lines", "via: line", 16, "deal.total: via: no field 'line' in this record type; nearest: lines"),
    ("write: never, via: lines", "via: lines", 16, "a field that follows from another (`via`) is not written itself"),
    ("via: lines", "via: total", 16, "'total' is not written always"),
    ("{record_type: deal, source: orders}", "{record_type: dela, source: orders}", 21, "no record type 'dela'; nearest: deal"),
    ("system: shop", "system: my-shop", 1, "must be lower case letters"),
    ("  deal:\n", "  Deal:\n", 11, "must be lower case letters"),
    ("source: orders\n", "source: ordres\n", 12, "deal: source: Input should be"),
    ("source: orders\n", "source: ordres\n", 12, "nearest: orders"),
])  # fmt: skip
def test_a_rule_that_a_mapping_breaks_is_told_with_its_line(
    shipped: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in SHIPPED
    shipped.write_text(SHIPPED.replace(old, new), encoding="utf-8")
    text = refusal(shipped)
    assert said in text
    assert f"mapping.yaml:{line}: " in text


def test_every_problem_is_told_once_and_in_the_order_of_lines(shipped: Path) -> None:
    own = override(shipped, "status: {compare: x}\nstatsu: {tolerance: 1}\ntotal: {class: y}")
    lines = [line.split(":")[1] for line in refusal(shipped, own).splitlines()]
    assert lines == ["5", "7"]  # what does not fit the structure comes before what an override may say


def test_a_connectors_own_file_is_shown_by_its_short_name() -> None:
    for name, system in target_systems().items():
        assert read_text(system.mapping_source.shipped).shipped.name == f"{name}/mapping.yaml"


def test_an_override_knows_every_key_that_a_field_has() -> None:
    assert names_at(FieldOverride, ()) == names_at(FieldRule, ())
    for key in ("class", "compare", "owner", "write"):
        assert choices_at(FieldOverride, (key,)) == choices_at(FieldRule, (key,)) != ()
    assert get_args(FieldRule.model_fields["compare"].annotation) == choices_at(FieldRule, ("compare",))


def test_shipped_mappings_keep_every_rule() -> None:
    for system in target_systems().values():
        assert effective_mapping(system.mapping_source.shipped) == system.mapping
