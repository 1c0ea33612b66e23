"""JSON Schemas: current, complete, fine with every shipped file, and clear about broken ones."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from ghl_payments.commands.init import plan_for
from ghl_payments.commands.init_answers import Answers, LocationAnswer, SystemAnswer
from ghl_payments.commands.init_files import fresh
from ghl_payments.commands.schemas import FOLDER, schemas
from ghl_payments.connectors.registry import target_systems
from ghl_payments_tests.commands.test_mapping import EXAMPLE
from ghl_payments_tests.connectors.test_mappings import CONNECTIONS
from ghl_payments_tests.domain.test_mapping_files import SHIPPED
from ghl_payments_tests.running_sandbox import ROOT
from ghl_payments_tests.test_docs import blocks

Document = dict[str, Any]
NAMES = ("mapping.schema.json", "mapping-override.schema.json", "connections.schema.json")


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((FOLDER / name).read_text(encoding="utf-8")))


def complaint(name: str, document: object) -> str:
    """`path: message` of the error that says most, empty when the document is fine."""
    error = best_match(validator(name).iter_errors(document))
    return "" if error is None else f"{'.'.join(map(str, error.absolute_path))}: {error.message}"


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_in_the_repository_is_the_one_that_the_models_make(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == schemas()[name], "ghl-payments mapping schema --write"
    Draft202012Validator.check_schema(json.loads(schemas()[name]))


@pytest.mark.parametrize("name", NAMES)
def test_every_key_is_explained(name: str) -> None:
    schema = json.loads(schemas()[name])
    own = [part for model, part in schema["$defs"].items()] + [schema]
    unexplained = [
        key for part in own for key, shape in part.get("properties", {}).items() if not shape.get("description")
    ]
    assert unexplained == []


@pytest.mark.parametrize("system", target_systems())
def test_every_shipped_mapping_is_fine(system: str) -> None:
    shipped = target_systems()[system].mapping_source.shipped
    assert complaint("mapping.schema.json", yaml.safe_load(shipped.read_text(encoding="utf-8"))) == ""


def test_examples_and_what_init_writes_are_fine() -> None:
    assert complaint("mapping-override.schema.json", yaml.safe_load(EXAMPLE)) == ""
    assert complaint("mapping.schema.json", yaml.safe_load(SHIPPED)) == ""
    assert complaint("connections.schema.json", yaml.safe_load(CONNECTIONS)) == ""
    assert complaint("connections.schema.json", yaml.safe_load(blocks(ROOT / "README.md", "yaml")[0])) == ""
    off = yaml.safe_load(CONNECTIONS.replace("    system: halo", "    system: halo\n    policy: off"))
    assert complaint("connections.schema.json", off) == ""
    systems = {name: SystemAnswer() for name in ("ghl", "halo")}
    plan = plan_for(Answers(locations=[LocationAnswer(id="L", timezone="UTC")], systems=systems), None)
    assert complaint("connections.schema.json", yaml.safe_load(fresh(plan.connections, plan.locations))) == ""


def broken(document: Document, path: str, value: object) -> Document:
    """A copy with one value put in, or taken out with `...`."""
    changed: Any = deepcopy(document)
    *parents, last = path.split("/")
    at = changed
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at[part]
    if value is ...:
        del at[last]
    elif isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return changed


DEAL = "record_types/deal"
TOTAL = f"{DEAL}/fields/total"


@pytest.mark.parametrize(("path", "value", "said"), [
    ("system", ..., "'system' is a required property"),
    ("version", "one", "version: 'one' is not of type 'integer'"),
    ("source_of/deal", "ordr", "source_of.deal: 'ordr' is not one of ['order',"),
    ("source_off", {}, "'source_off' was unexpected"),
    (f"{DEAL}/source", "ordres", "record_types.deal.source: 'ordres' is not one of ["),
    (f"{DEAL}/fields", {}, "record_types.deal.fields: {} should be non-empty"),
    (f"{DEAL}/fields", ..., "record_types.deal: 'fields' is a required property"),
    (f"{DEAL}/fields/Total", {"desired": "x", "compare": "never"}, "'Total' does not match '^[a-z]"),
    (f"{DEAL}/parents", ["person"], "record_types.deal.parents: ['person'] is not of type 'object'"),
    (f"{DEAL}/wehre", "true", "'wehre' was unexpected"),
    (f"{TOTAL}/desired", ..., "record_types.deal.fields.total: 'desired' is a required property"),
    (f"{TOTAL}/actual", ..., "record_types.deal.fields.total: 'actual' is a required property"),
    (f"{TOTAL}/compare", "exactly", "fields.total.compare: 'exactly' is not one of ['never', 'exact', 'minor'"),
    (f"{TOTAL}/tolerance", -1, "fields.total.tolerance: -1 is less than the minimum of 0"),
    (f"{TOTAL}/tolerance", 0.5, "fields.total.tolerance: 0.5 is not of type 'integer'"),
    (f"{TOTAL}/class", "money", "fields.total.class: 'money' is not one of ['amount',"),
    (f"{TOTAL}/write", "always", "fields.total.write: 'never' was expected"),
    (f"{DEAL}/fields/stage/write", "always", "fields.stage.write: 'always' is not one of ['create', 'never']"),
    (f"{DEAL}/fields/status/tolernce", 1, "'tolernce' was unexpected"),
    ("not_representable/0/record_type", ..., "not_representable.0: 'record_type' is a required property"),
])  # fmt: skip
def test_a_broken_mapping_is_refused_with_its_place_and_what_would_do(path: str, value: object, said: str) -> None:
    assert said in complaint("mapping.schema.json", broken(yaml.safe_load(SHIPPED), path, value))


STATUS = "record_types/sales_order/fields/ship_status"


@pytest.mark.parametrize(("path", "value", "said"), [
    ("system", ..., "'system' is a required property"),
    ("source_of", {}, "'source_of' was unexpected"),
    ("record_types/sales_order/where", "true", "'where' was unexpected"),
    (f"{STATUS}/compare", "nver", "ship_status.compare: 'nver' is not one of ['never',"),
    (f"{STATUS}/tolerance", 5, "ship_status.tolerance: 0 was expected"),
    (STATUS, None, "ship_status: None is not of type 'object'"),
    ("record_types/sales_order/fields/date/tolerance", "60", "date.tolerance: '60' is not of type 'integer'"),
])  # fmt: skip
def test_a_broken_override_is_refused_with_its_place_and_what_would_do(path: str, value: object, said: str) -> None:
    assert said in complaint("mapping-override.schema.json", broken(yaml.safe_load(EXAMPLE), path, value))


@pytest.mark.parametrize(("path", "value", "said"), [
    ("version", 2, "version: 1 was expected"),
    ("locations", [], "locations: [] should be non-empty"),
    ("connections/halo/system", "hallo", "connections.halo.system: 'hallo' is not one of ["),
    ("connections/halo/base_url", ..., "connections.halo: 'base_url' is a required property"),
    ("connections/halo/policy", "atuo", "connections.halo.policy: 'atuo' is not one of ['off', 'preview'"),
    ("connections/halo/polcy", "auto", "'polcy' was unexpected"),
    ("connections/halo/rate", {"requests": 0, "seconds": 1}, "rate.requests: 0 is less than or equal to the minimum of 0"),
    ("connections/halo/brakes", {"shrink_share": 2}, "brakes.shrink_share: 2 is greater than the maximum of 1"),
    ("connections/halo/credentials/client_id", "0a1b-2c", "credentials.client_id: '0a1b-2c' does not match '^[A-Z_]"),
    ("connections/halo/options", {"delivery_traking_field": "X"}, "'delivery_traking_field' was unexpected"),
    ("locations/0/ghl/token", "pit-0a", "locations.0.ghl.token: 'pit-0a' does not match"),
    ("locations/0/id", "LOC 1", "locations.0.id: 'LOC 1' does not match"),
    ("locations/0/timezone", ..., "locations.0: 'timezone' is a required property"),
    ("locations/0/targets", "halo", "locations.0.targets: 'halo' is not of type 'array'"),
    ("schedules", {"hto": "off"}, "'hto' was unexpected"),
    ("schedules", {"hot": {"every_minutes": 16}}, "schedules.hot.every_minutes: 16 is greater than the maximum of 15"),
    ("locations/0/schedules", {"warm": {"hour": "2"}}, "schedules.warm.hour: '2' is not of type 'integer'"),
    ("locations/0/schedules", {"cold": "never"}, "schedules.cold: 'never' is not"),
])  # fmt: skip
def test_a_broken_connections_file_is_refused_with_its_place_and_what_would_do(
    path: str, value: object, said: str
) -> None:
    assert said in complaint("connections.schema.json", broken(yaml.safe_load(CONNECTIONS), path, value))
