"""The pages about GHL and Halo in step with the code: scopes, record types, levels and examples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ghl_payments.connections import Connection, Location
from ghl_payments.connectors.ghl.client import ENDPOINTS, WRITES
from ghl_payments.connectors.halo.levels import CAPABILITIES, FILTERS
from ghl_payments.connectors.halo.resources import RESOURCES
from ghl_payments.connectors.registry import target_systems
from ghl_payments_tests.running_sandbox import ROOT

PAGES = {name: ROOT / "docs" / "systems" / f"{name}.md" for name in ("ghl", "halo")}


def text_of(name: str) -> str:
    return PAGES[name].read_text(encoding="utf-8")


def example(name: str) -> dict[str, Any]:
    (block,) = re.findall(r"```yaml\n(.*?)```", text_of(name), flags=re.DOTALL)
    found: dict[str, Any] = yaml.safe_load(block)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_the_options_shown_are_valid_and_all_are_shown(name: str) -> None:
    shown = example(name)["connections"][name]["options"]
    connection = Connection(name=name, system=name, base_url="http://127.0.0.1:1", options=shown)
    options = target_systems()[name].options_of(connection)
    assert options is not None
    assert set(type(options).model_fields) == set(shown)


def test_the_locations_shown_are_valid() -> None:
    for place in example("ghl")["locations"]:
        assert Location.model_validate(place).providers


def test_every_scope_that_the_loop_needs_is_named() -> None:
    used = {endpoint.scope for endpoint in ENDPOINTS.values()} | {
        WRITES[record_type].scope for record_type in target_systems()["ghl"].record_types
    }
    assert [scope for scope in sorted(used) if f"`{scope}`" not in text_of("ghl")] == []


def test_every_record_type_custom_field_and_capability_is_named() -> None:
    assert all(f"`ghl/{record_type}`" in text_of("ghl") for record_type in target_systems()["ghl"].record_types)
    page = text_of("halo")
    assert [name for name in RESOURCES["sales_order"].custom.values() if f"`{name}`" not in page] == []
    for name, levels in CAPABILITIES.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}`")]
        assert ", ".join(f"`{level}`" for level in levels) in row
        assert name not in FILTERS or name == "external_link_filter" or f"`{FILTERS[name].parameter}`" in row


@pytest.mark.parametrize("path", PAGES.values())
def test_a_page_is_not_longer_than_one_can_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 200
