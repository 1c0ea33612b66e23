"""The JSON Schemas in `schemas/`: mappings, overrides of them, and connections.yaml, for editors and other checks.

Add the meaning of a new key of connections.yaml here; a test names those that are missing and holds the files current.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ghl_payments.connections import ConnectionsFile
from ghl_payments.connectors.registry import TargetSystem, target_systems
from ghl_payments.domain.mapping_schema import describe, headed, mapping_schema, override_schema
from ghl_payments.warehouse.queries import SQL_ROOT

FOLDER = SQL_ROOT.parent / "schemas"

MEANINGS: dict[str, dict[str, str]] = {
    "ConnectionsFile": {
        "version": "The version of this layout: 1.",
        "connections": "Name -> one account of one system.",
        "locations": "The GHL sub-accounts.",
        "schedules": "When locations are scanned by themselves; a location may differ.",
    },
    "Connection": {
        "system": "Which system it is.",
        "base_url": "Where its API is; https, or http on loopback.",
        "live": "False for a test account; it gets records of GHL's test mode only.",
        "policy": "off (not read), preview (read, compared, planned; nothing is written), review (each change waits "
        "for a person), auto. Unset: preview, on loopback auto.",
        "rate": "The request budget, where it is not the vendor's usual one.",
        "credentials": "Role -> name of the environment variable that holds the secret.",
        "mapping": "Your own mapping file, which overrides the shipped one field by field; relative to this file.",
        "capabilities": "Capability -> level that is forced instead of being found out.",
        "options": "What only this system needs to know.",
        "brakes": "Limits that hold a plan.",
    },
    "Rate": {"requests": "At most this many requests …", "seconds": "… in any this many seconds."},
    "Brakes": {"shrink_share": "An answer with less than this share of the records before holds all creates."},
    "Location": {
        "id": "GHL's id of the sub-account.",
        "timezone": "Its IANA time zone, for instance America/New_York; decides business days and when it is night.",
        "ghl": "How it is read.",
        "targets": "Names of the connections that its records go to, at most one of each system.",
        "providers": "White-label payment providers that it should have.",
        "schedules": "What differs from the schedules of the file, key by key.",
    },
    "Schedules": {
        "hot": "The current and the previous month.",
        "warm": "13 months, once a night.",
        "cold": "All months, once a week.",
    },
    "Hot": {"every_minutes": "Minutes between two scans of a location."},
    "Warm": {
        "hour": "The hour, 0 to 23, of the location's own time.",
        "spread_minutes": "Over so many minutes from then on the locations are spread.",
    },
    "Cold": {
        "weekday": "The day, in the location's own time.",
        "hour": "The hour, 0 to 23, of the location's own time.",
        "spread_minutes": "Over so many minutes from then on the locations are spread.",
    },
    "GhlAccess": {
        "connection": "Name of the GHL connection.",
        "token": "Name of the environment variable that holds the location's private integration token.",
        "oauth": "A marketplace app to sign in with instead; `ghl-payments connect` fetches its tokens.",
    },
    "OauthApp": {
        "client_id": "Name of the environment variable that holds the app's client id.",
        "client_secret": "Name of the environment variable that holds the app's client secret.",
        "user_type": "What the app is installed on: Location (a sub-account) or Company (the agency).",
        "redirect_uri": "A redirect URL that the app has registered.",
        "authorize_url": "Its consent page, where it is not GHL's own; a query such as ?version_id=... is kept.",
    },
    "Provider": {
        "unique_name": "Its unique name: lower case letters and dashes.",
        "title": "Its title in GHL.",
        "provider": "Whose payments it takes.",
        "description": "What GHL shows about it.",
        "image_url": "Its logo, https.",
    },
}
"""Model -> key -> what it means."""


def schemas() -> dict[str, str]:
    """File name -> text of each schema."""
    made = {
        "mapping.schema.json": mapping_schema(),
        "mapping-override.schema.json": override_schema(),
        "connections.schema.json": connections_schema(),
    }
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in made.items()}


def connections_schema() -> dict[str, Any]:
    """The schema of connections.yaml, with each system's own options and capabilities."""
    schema = ConnectionsFile.model_json_schema()
    for model, part in [("ConnectionsFile", schema), *schema["$defs"].items()]:
        if model == "Connection":
            del part["properties"]["name"]
        describe(part, MEANINGS.get(model, {}))
    for kind, part in schema["$defs"]["Schedules"]["properties"].items():
        part["anyOf"] = [{"$ref": part.pop("$ref", f"#/$defs/{kind.capitalize()}")}, {"enum": ["off", False]}]
    del schema["$defs"]["Location"]["properties"]["schedules"]["default"]  # it has none of its own
    connection = schema["$defs"]["Connection"]
    systems = target_systems()
    connection["properties"]["system"]["enum"] = sorted({"ghl", *systems})
    # A bare off is false where YAML 1.1 is spoken.
    policy = connection["properties"]["policy"]
    policy["enum"] = [*policy["enum"], False]
    del policy["type"]
    connection["allOf"] = [_of_system(system, schema["$defs"]) for system in systems.values()]
    return headed(schema, "connections.yaml: accounts and locations", "connections.schema.json")


def _of_system(system: TargetSystem, definitions: dict[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = {
        "capabilities": {
            "properties": {
                name: {} if "*" in levels else {"enum": list(levels)} for name, levels in system.capabilities.items()
            },
            "additionalProperties": False,
        }
    }
    if system.options is None:
        own["options"] = {"maxProperties": 0}
    else:
        options = system.options.model_json_schema()
        definitions |= options.get("$defs", {})
        own["options"] = {
            key: options[key] for key in ("properties", "required", "additionalProperties") if key in options
        }
    named = {"properties": {"system": {"const": system.name}}, "required": ["system"]}
    return {"if": named, "then": {"properties": own}}


def write_schemas(folder: Path = FOLDER) -> list[Path]:
    """Write them all; the paths of those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in schemas().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed
