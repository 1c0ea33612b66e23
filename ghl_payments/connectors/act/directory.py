"""Finding out what a database calls our fields, and creating those that it lacks.

Requests about metadata belong here; names and types of our fields to `fields.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ghl_payments.connectors.act.client import ActClient, Entity
from ghl_payments.connectors.act.fields import RECORD_TYPES, SPECS, Directory, FieldSpec, json_name, label_of, needed
from ghl_payments.connectors.act.odata import Query
from ghl_payments.connectors.act.options import ActOptions
from ghl_payments.transport.errors import Conflict, Forbidden, NotFound, Rejected, SchemaDrift
from ghl_payments.transport.jsontext import decode

PATHS = {"contact": "contacts", "opportunity": "opportunities"}

TABLE_PARENTS = ("Contacts", "Opportunities")


def table_of(owner: str, options: ActOptions) -> str:
    """The custom table of payments or subscriptions."""
    return options.payment_table if owner == "payment" else options.subscription_table


def path_of(owner: str, options: ActOptions) -> str:
    """The collection in which an owner's records stand when the account has custom tables."""
    return PATHS.get(owner) or f"custom/entities/{table_of(owner, options)}"


async def load_directory(client: ActClient, options: ActOptions, *, tables: bool) -> Directory:
    """What is there now; a missing right to read metadata leaves only what a record itself shows."""
    specs = needed(tables)
    names: dict[tuple[str, str], str] = {}
    named_status = False
    for owner in dict.fromkeys(spec.owner for spec in specs):
        columns = await _columns(client, _record_type(owner, options))
        sample = await _sample(client, path_of(owner, options))
        if owner == "opportunity" and sample:
            named_status = isinstance(sample.get("status"), str)
        seen = _shown(owner, sample)
        for spec in specs:
            if spec.owner == owner and (name := json_name(label_of(spec, options.fields), columns, seen)):
                names[owner, spec.name] = name
    missing = tuple(spec for spec in specs if (spec.owner, spec.name) not in names)
    labels = {(spec.owner, spec.name): label_of(spec, options.fields) for spec in SPECS}
    return Directory(names, missing, labels, named_status)


async def create_fields(client: ActClient, options: ActOptions, missing: Sequence[FieldSpec]) -> None:
    """Create fields one by one. Forbidden, Rejected or NotFound when the user may not, or the database cannot."""
    for spec in missing:
        try:
            await client.define(
                f"metadata/{_record_type(spec.owner, options)}/fields", spec.column(label_of(spec, options.fields))
            )
        except Conflict:
            continue  # another run was quicker


async def missing_tables(client: ActClient, options: ActOptions) -> list[str]:
    """Our custom tables that the database lacks. Forbidden, Rejected or NotFound when it does not say."""
    entities = await client.rows("metadata/entities")
    known = {str(entity.get("name", "")).casefold() for entity in entities}
    return [name for owner in ("payment", "subscription") if (name := table_of(owner, options)).casefold() not in known]


async def create_table(client: ActClient, name: str) -> None:
    """Create one of our custom tables; one that is there already is as good."""
    try:
        await client.define("metadata/entities", {
            "name": name, "displayName": name.replace("_", " ").title(), "description": "Kept by ghl_payments",
            "isDefineField": True, "parentEntities": list(TABLE_PARENTS),
        })  # fmt: skip
    except Conflict:
        return


def remedy(missing: Sequence[FieldSpec], options: ActOptions) -> str:
    """What a person has to create, by record type."""
    told = ", ".join(f"{_record_type(s.owner, options)} {label_of(s, options.fields)!r} ({s.type})" for s in missing)
    return f"Act! lacks the fields {told}; create them under Tools > Define Fields, or name others in options.fields."


def _record_type(owner: str, options: ActOptions) -> str:
    return RECORD_TYPES.get(owner) or table_of(owner, options)


async def _columns(client: ActClient, record_type: str) -> list[Mapping[str, Any]]:
    try:
        return list(await client.rows(f"metadata/{record_type}/fields", showAll="true"))
    except (Forbidden, NotFound, Rejected):
        return []


async def _sample(client: ActClient, path: str) -> Entity:
    """Any one record, for the names it shows."""
    try:
        page = await client.page(path, Query(top=1), priority="fresh")
    except (NotFound, Rejected, SchemaDrift):
        return {}
    first: Entity = decode(page.rows[0].raw) if page.rows else {}
    return first


def _shown(owner: str, sample: Entity) -> Collection[str]:
    if owner not in PATHS:
        return sample.keys()
    custom = sample.get("customFields")
    return custom.keys() if isinstance(custom, dict) else ()
