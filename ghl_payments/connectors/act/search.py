"""Finding records of ours by key, at whichever level a database can search, without trusting it to honour a filter.

What a hit means for a change is decided by SQL; how levels are found out belongs to `probes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ghl_payments.connectors.act.bodies import read_details
from ghl_payments.connectors.act.client import ActClient, Entity
from ghl_payments.connectors.act.lists import list_all
from ghl_payments.connectors.act.odata import Query, equals
from ghl_payments.connectors.act.shapes import ListPage, ListRow
from ghl_payments.transport.errors import Forbidden, NotFound, Rejected, SchemaDrift, Transient
from ghl_payments.transport.jsontext import decode

NEWEST = 20
"""How many of the newest records are looked through where a search would have to read everything."""

_HISTORY_NAMES = {"ghl_key": "regarding", "ghl_location": "location"}


class Keys:
    """How records of one type carry key and location: `key_names` are custom fields, columns or members."""

    def __init__(self, path: str, names: Mapping[str, str], *, custom: bool, with_source_id: bool = False) -> None:
        self.path = path
        self.custom = custom
        self.with_source_id = with_source_id
        self._key = names.get("ghl_key", "")
        self._location = names.get("ghl_location", "")

    @classmethod
    def of_history(cls) -> Keys:
        """Payments kept as history."""
        return cls("history", _HISTORY_NAMES, custom=False)

    @property
    def odata_name(self) -> str:
        """The OData name of what holds the key."""
        return f"customFields/{self._key}" if self.custom else self._key

    @property
    def searchable(self) -> bool:
        """Whether the database has what would hold the key."""
        return bool(self._key)

    def keys(self, row: Mapping[str, Any]) -> set[str]:
        """The keys of ours that a record carries."""
        held = [self._member(row, self._key), row.get("sourceId") if self.with_source_id else None]
        return {key for key in held if isinstance(key, str) and key.startswith("ghl:")}

    def belongs_to(self, row: Mapping[str, Any], location_id: str) -> bool:
        """Whether a record is a location's, as far as it says."""
        if self.path == "history":
            place = read_details(row.get("details")).get("location")
        else:
            place = self._member(row, self._location)
        return place in (location_id, None, "")

    def _member(self, row: Mapping[str, Any], name: str) -> object:
        held = row.get("customFields") if self.custom else row
        if not isinstance(held, Mapping):
            return None
        folded = name.casefold()
        return next((value for member, value in held.items() if member.casefold() == folded), None)


async def search_rows(client: ActClient, keys: Keys, key: str, location_id: str, level: str) -> list[Entity] | None:
    """All records with the key that are the location's, by a search of the database; None when it cannot search so."""
    try:
        rows = await _candidates(client, keys, key, level)
    except (Rejected, Forbidden, NotFound, SchemaDrift):
        return None  # its abilities changed since they were found out
    return None if rows is None else _ours(keys, rows, key, location_id)


async def scan_rows(client: ActClient, keys: Keys, key: str, location_id: str) -> list[Entity]:
    """The same by reading the whole collection.

    Raises Transient when that could not be completed: nothing may be concluded from a part of it.
    """
    needle = key.encode()
    return _ours(keys, await scan(client, keys.path, lambda row: needle in row.raw), key, location_id)


async def newest_rows(client: ActClient, keys: Keys, key: str, location_id: str) -> list[Entity]:
    """The same among the newest records only: enough to see what was created a moment ago."""
    page = await client.page(keys.path, Query(order="created desc,id asc", top=NEWEST), priority="fresh")
    return _ours(keys, [decode(row.raw) for row in page.rows], key, location_id)


async def scan(client: ActClient, path: str, keep: Callable[[ListRow], bool]) -> list[Entity]:
    """Every record of a collection that is to be kept, read to the end."""
    kept: dict[str, Entity] = {}

    async def fetch(query: Query) -> ListPage:
        return await client.page(path, query, priority="fresh")

    def take(rows: Sequence[ListRow], _: bool) -> None:
        kept.update((row.id, decode(row.raw)) for row in rows if keep(row))

    passed = await list_all(fetch, take)
    if passed.reason is not None:
        remedy = f"The list could not be read completely ({passed.reason}); trying again later can help."
        raise Transient(system="act", method="GET", path=f"/api/{path}", remedy=remedy)
    return list(kept.values())


async def filtered(client: ActClient, path: str, where: str) -> list[Entity]:
    """One page of what a filter lets through."""
    page = await client.page(path, Query(where=where), priority="fresh")
    return [decode(row.raw) for row in page.rows]


def criteria(table: str, column: str, text: str) -> list[Entity]:
    """A dynamic list's condition that a text column equals something."""
    return [{
        "tableName": table, "columnName": column, "domain": "String", "operator": "EqualTo", "leftParentheses": 0,
        "rightParentheses": 0, "values": [{"type": "String", "dataItem": text}], "logicalOperator": "End",
    }]  # fmt: skip


async def dynamic_column(client: ActClient, name: str) -> tuple[str, str] | None:
    """(table, column) under which dynamic lists know an opportunity's custom field; None if they do not."""
    for entity in await client.rows("dynamic-list/metadata"):
        for field in entity.get("fields") or ():
            shown = {str(field.get(member, "")).casefold() for member in ("name", "column")}
            if name.casefold() in shown and "opportunity" in str(field.get("table", "")).casefold():
                return str(field["table"]), str(field["column"])
    return None


async def _candidates(client: ActClient, keys: Keys, key: str, level: str) -> list[Entity] | None:
    """What the database offers for the key; None when it ignored the condition or knows no such search."""
    if level != "source_id" and not keys.searchable:
        return None
    match level:
        case "source_id":
            rows = await filtered(client, keys.path, equals("sourceId", key))
        case "custom_field" | "column":
            rows = await filtered(client, keys.path, equals(keys.odata_name, key))
        case "dynamic_list":
            column = await dynamic_column(client, keys.odata_name.rpartition("/")[2])
            if column is None:
                return None
            rows = await client.preview("opportunity", criteria(*column, key))
        case _:
            return None
    honoured = all(key.casefold() in {held.casefold() for held in keys.keys(row)} for row in rows)
    return rows if honoured else None


def _ours(keys: Keys, rows: Sequence[Entity], key: str, location_id: str) -> list[Entity]:
    """Databases compare without case, and GHL's ids differ by case: only the very key counts."""
    return [row for row in rows if key in keys.keys(row) and keys.belongs_to(row, location_id)]
