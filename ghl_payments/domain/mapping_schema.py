"""JSON Schemas of mapping files for editors: made from the models, with words and rules that models cannot carry.

Add the meaning of a new key to `MEANINGS`; a test names those that are missing.
"""

from __future__ import annotations

from typing import Any

from ghl_payments.domain.mapping import Mapping
from ghl_payments.domain.mapping_files import MappingOverride
from ghl_payments.domain.mapping_rules import KINDS, MAX_TIME_TOLERANCE, NAME

DIALECT = "https://json-schema.org/draft/2020-12/schema"

MEANINGS: dict[str, dict[str, str]] = {
    "Mapping": {
        "system": "The target system, the name of its folder.",
        "version": "The version of this mapping.",
        "source_of": f"Record type -> which GHL keys it carries: {', '.join(KINDS)}.",
        "record_types": "Record types in the order in which they are written, parents above children.",
        "not_representable": "Canonical rows for which the target has no form; reported, never written.",
    },
    "RecordMapping": {
        "source": "The canonical table that gives one row a record.",
        "key": "SQL for the record's key, which the target carries.",
        "where": "SQL condition: which rows are wanted in the target.",
        "amount": "SQL for the money at stake, in minor units.",
        "currency": "SQL for its ISO 4217 code.",
        "parents": "Record type -> SQL for the key of the parent record of that type.",
        "optional_parents": "Parents without which the record is written all the same.",
        "actual_amount": "SQL over the target's document: the amount it holds, in minor units of its own currency.",
        "requires": "Capability -> levels of the account at which the system has this record type.",
        "requires_reason": "What is reported where the account has it not.",
        "may_start_empty": "The container is ours: an empty first list of it is no sign of missing rights.",
        "irreversible": "The system's API neither changes nor takes back what was written.",
        "enabled_by": "The connection's option (true or false) without which such records are planned and shown, and "
        "never written.",
        "fields": "The record's fields by their canonical names.",
    },
    "FieldRule": {
        "desired": "SQL over the canonical row: what the target should hold.",
        "actual": "SQL over the target's document (`doc`) and the columns of documents.sql: what it does hold.",
        "class": "What kind of difference it is when the two differ.",
        "compare": "How they are compared: never, exact, minor (whole minor units, tolerance in minor units), time "
        "(instants, tolerance in seconds), text (case and blanks do not count).",
        "tolerance": "By how much they may differ without being different: minor units or seconds.",
        "owner": "Whose word counts: a field that the target owns is reported and not repaired.",
        "write": "When it may be sent: always, create (only with a new record), never.",
        "via": "The field whose writing changes this one, for values that the target computes itself.",
    },
    "Unrepresentable": {
        "record_type": "The record type that has no form for them.",
        "source": "The canonical table they stand in.",
        "where": "SQL condition: which of its rows.",
        "key": "SQL for the key under which they are reported.",
        "reason": "SQL for the reason.",
        "amount": "SQL for the money at stake, in minor units.",
        "currency": "SQL for its ISO 4217 code.",
    },
}
"""Model -> key -> what it means."""

_OVERRIDES = {"MappingOverride": "Mapping", "RecordOverride": "RecordMapping", "FieldOverride": "FieldRule"}

_TOLERANCE_FITS = {
    "if": {"properties": {"compare": {"enum": ["never", "exact", "text"]}}, "required": ["compare"]},
    "then": {"properties": {"tolerance": {"const": 0}}},
}


def mapping_schema() -> dict[str, Any]:
    """The schema of a shipped `mapping.yaml`."""
    schema = _schema(Mapping.model_json_schema(by_alias=True), "A connector's mapping", "mapping.schema.json")
    field = schema["$defs"]["FieldRule"]
    field["allOf"] = [
        _TOLERANCE_FITS,
        {
            "if": {"properties": {"compare": {"const": "never"}}, "required": ["compare"]},
            "else": {"required": ["actual"]},
        },
        {
            "if": {"properties": {"owner": {"const": "target"}}, "required": ["owner"]},
            "then": {"properties": {"write": {"enum": ["create", "never"]}}, "required": ["write"]},
        },
        {"if": {"required": ["via"]}, "then": {"properties": {"write": {"const": "never"}}, "required": ["write"]}},
    ]
    schema["properties"]["source_of"]["additionalProperties"] = {"enum": list(KINDS)}
    schema["$defs"]["RecordMapping"]["properties"]["fields"]["minProperties"] = 1
    return schema


def override_schema() -> dict[str, Any]:
    """The schema of a user's own file, which changes fields of a shipped mapping."""
    title = "A user's override of a shipped mapping"
    schema = _schema(MappingOverride.model_json_schema(by_alias=True), title, "mapping-override.schema.json")
    field = schema["$defs"]["FieldOverride"]
    field["allOf"] = [_TOLERANCE_FITS]
    for shape in field["properties"].values():
        shape.pop("default", None)  # what is not said stays as it is shipped
    return schema


def _schema(schema: dict[str, Any], title: str, name: str) -> dict[str, Any]:
    for model, part in [(schema["title"], schema), *schema["$defs"].items()]:
        describe(part, MEANINGS[_OVERRIDES.get(model, model)])
        for key, shape in part["properties"].items():
            if key in ("fields", "record_types"):
                shape["propertyNames"] = {"pattern": f"^{NAME.pattern}$"}
            if key == "tolerance":
                shape |= {"minimum": 0, "maximum": MAX_TIME_TOLERANCE}
    return headed(schema, title, name)


def headed(schema: dict[str, Any], title: str, name: str) -> dict[str, Any]:
    """A schema under its own title and file name."""
    return {"$schema": DIALECT, "$id": name, **schema, "title": title}


def describe(part: dict[str, Any], meanings: dict[str, str]) -> None:
    """Put words in place of pydantic's titles, and take `null` out where leaving the key away says the same."""
    part.pop("title", None)
    part.pop("description", None)
    for key, shape in part["properties"].items():
        shape.pop("title", None)
        if "anyOf" in shape:
            shape.update(next(choice for choice in shape.pop("anyOf") if choice.get("type") != "null"))
        if shape.get("default", "") is None:
            del shape["default"]
        shape["description"] = meanings.get(key, "")
