"""The mapping a connection works by: a user's override counts in a run, and a wrong one stops it before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghl_payments.connections import SettingsError
from ghl_payments.connectors.mappings import MappingSource, check_mapping, mapping_for
from ghl_payments.connectors.registry import describe_targets, target_systems
from ghl_payments.settings import Settings, load_settings

CONNECTIONS = """\
version: 1
connections:
  ghl: {system: ghl, base_url: https://ghl.example.com}
  halo:
    system: halo
    base_url: https://halo.example.com
    mapping: own/halo.yaml
    credentials: {client_id: HALO_CLIENT_ID, client_secret: HALO_CLIENT_SECRET}
locations:
  - id: LOC1
    timezone: UTC
    ghl: {connection: ghl, token: GHL_TOKEN_1}
    targets: [halo]
"""
OWN = """\
system: halo
record_types:
  sales_order:
    fields:
      date: {tolerance: 60}
"""


def settings(folder: Path, own: str = OWN, connections: str = CONNECTIONS) -> Settings:
    (folder / "own").mkdir(exist_ok=True)
    (folder / "own" / "halo.yaml").write_text(own, encoding="utf-8")
    (folder / "connections.yaml").write_text(connections, encoding="utf-8")
    return load_settings({"GHL_PAYMENTS_CONNECTIONS": str(folder / "connections.yaml")})


def test_a_run_works_by_the_override_that_connections_yaml_names(tmp_path: Path) -> None:
    described = settings(tmp_path)
    [target] = describe_targets(described, described.location("LOC1"))
    shipped = target_systems()["halo"].mapping
    assert target.mapping.record_types["sales_order"].fields["date"].tolerance == 60
    assert shipped.record_types["sales_order"].fields["date"].tolerance == 1
    assert target.mapping.fingerprint != shipped.fingerprint


def test_without_an_override_a_run_works_by_the_shipped_mapping(tmp_path: Path) -> None:
    described = settings(tmp_path, connections=CONNECTIONS.replace("    mapping: own/halo.yaml\n", ""))
    [target] = describe_targets(described, described.location("LOC1"))
    assert target.mapping == target_systems()["halo"].mapping


@pytest.mark.parametrize(("own", "said"), [
    (OWN.replace("date:", "dtae:"), "halo.yaml:5: sales_order.dtae: no such field, and a new one needs `desired`; nearest: date"),
    (OWN.replace("{tolerance: 60}", "{desired: instant_text(createdAt)}"),
     "halo.yaml:5: sales_order.date: desired: canonical_orders has no column 'createdAt'; nearest: created_at"),
    (OWN.replace("{tolerance: 60}", "{actual: docs}"), "halo_sales_order_records has no column 'docs'; nearest: doc"),
    ("system: [", "halo.yaml:1: not readable as YAML"),
])  # fmt: skip
def test_a_wrong_override_stops_a_run_with_file_line_and_field(tmp_path: Path, own: str, said: str) -> None:
    described = settings(tmp_path, own)
    with pytest.raises(SettingsError) as stopped:
        describe_targets(described, described.location("LOC1"))
    assert said in str(stopped.value)


def test_an_override_that_is_changed_counts_from_the_next_look(tmp_path: Path) -> None:
    tolerances = []
    for own in (OWN, OWN.replace("60", "61")):
        described = settings(tmp_path, own)
        [target] = describe_targets(described, described.location("LOC1"))
        tolerances.append(target.mapping.record_types["sales_order"].fields["date"].tolerance)
    assert tolerances == [60, 61]


@pytest.mark.parametrize("system", target_systems())
def test_every_shipped_mapping_is_fine_with_its_connector(system: str) -> None:
    assert check_mapping(target_systems()[system].mapping_source)[1] == []


def test_what_the_connector_does_not_have_is_named(tmp_path: Path) -> None:
    shipped = tmp_path / "mapping.yaml"
    shipped.write_text(
        "system: shop\nversion: 1\nsource_of: {deal: order}\nrecord_types:\n  deal:\n    source: orders\n"
        "    requires: {comerce: [full], tables: [som]}\n    fields:\n      status: {desired: status, compare: never}\n",
        encoding="utf-8",
    )
    source = MappingSource(shipped, None, ("deals",), {"commerce": ("full", "none"), "tables": ("some", "none")})
    problems = [str(problem).partition("mapping.yaml:")[2] for problem in check_mapping(source)[1]]
    assert problems == [
        "5: deal: the connector has no such record type; nearest: deals",
        "7: deal: requires.comerce: the connector has no capability 'comerce'; nearest: commerce",
        "7: deal: requires.tables: tables has no level 'som'; nearest: some",
    ]
    with pytest.raises(SettingsError, match="no capability 'comerce'"):
        mapping_for(source)


def test_a_switch_is_an_option_that_is_true_or_false_and_what_is_irreversible_is_never_written_again(
    tmp_path: Path,
) -> None:
    shipped = tmp_path / "mapping.yaml"
    shipped.write_text(
        "system: shop\nversion: 1\nsource_of: {payment: collection}\nrecord_types:\n  payment:\n"
        "    source: collections\n    irreversible: true\n    enabled_by: record_csh\n    fields:\n"
        "      mode: {desired: mode, compare: never}\n      note: {desired: note, compare: never, write: create}\n",
        encoding="utf-8",
    )
    source = MappingSource(shipped, None, ("payment",), switches=("notify_customer", "record_cash"))
    problems = [str(problem).partition("mapping.yaml:")[2] for problem in check_mapping(source)[1]]
    assert problems == [
        "10: payment.mode: write: what is irreversible is written at its creation only: `create` or `never`",
        "8: payment: enabled_by: the connector has no option 'record_csh' that is true or false; nearest: record_cash",
    ]


def test_cash_is_irreversible_and_off_by_default_and_the_shipped_switch_is_an_option() -> None:
    system = target_systems()["ghl"]
    record = system.mapping.record_types["order_payment"]
    assert record.irreversible
    assert record.enabled_by in (system.mapping_source.switches or ())
    off = [name for name, item in system.mapping.record_types.items() if item.enabled_by is not None]
    assert off == ["order_payment"]


@pytest.mark.parametrize(("line", "said"), [
    ("options: {delivery_traking_field: X}", "yaml:7: halo: options.delivery_traking_field: unknown key, not permitted here"),
    ("options: {delivery_traking_field: X}", "; nearest: delivery_tracking_field. Options of halo: "),
    ("capabilities: {tabels: x}", "connections.yaml:7: halo: no capability 'tabels'"),
])  # fmt: skip
def test_options_and_levels_of_a_system_are_told_with_their_line(tmp_path: Path, line: str, said: str) -> None:
    described = settings(tmp_path, connections=CONNECTIONS.replace("mapping: own/halo.yaml", line))
    system, connection = target_systems()["halo"], described.connection("halo")
    look = system.options_of if line.startswith("options") else system.forced_levels
    with pytest.raises(SettingsError) as refused:
        look(connection)
    assert said in str(refused.value)
