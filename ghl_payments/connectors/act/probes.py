"""Finding out what a database can do: filters that work both ways, custom tables, its currency, what PUT does.

Add a probe here with a level in `CAPABILITIES`; a level counts only when a true value is found and nonsense is not.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

from ghl_payments.connectors.act.client import CURRENCIES, ActClient, Entity
from ghl_payments.connectors.act.odata import Query, equals, starts_with
from ghl_payments.connectors.act.search import Keys, criteria, dynamic_column, filtered
from ghl_payments.connectors.base import Level
from ghl_payments.domain.money import CURRENCY_EXPONENTS
from ghl_payments.transport.errors import ApiError, Forbidden, NotFound, Rejected, SchemaDrift, Transient, Unreachable
from ghl_payments.transport.jsontext import decode

logger = logging.getLogger(__name__)

CAPABILITIES: dict[str, tuple[str, ...]] = {
    "custom_fields": ("ready", "creatable", "missing"),
    "custom_tables": ("available", "unavailable"),
    "database_currency": ("*", "unknown"),
    "opportunity_put": ("merges", "replaces"),
    "order_search": ("source_id", "custom_field", "dynamic_list", "scan"),
    "contact_search": ("custom_field", "scan"),
    "payment_search": ("column", "scan"),
}
"""Capability -> levels, best first. `database_currency` is any ISO 4217 code."""

TEST_NAME = "ghl_payments connection test"
"""The opportunity that a probe makes and removes again; one left over is removed the next time."""

TEST_KEYS = "ghl:probe:"
"""How the keys of test records begin; no mapping takes them for those of GHL."""

NONSENSE = "ghl:probe:no-such-record"

Search = Callable[[str], Awaitable[list[Entity]]]
Held = Callable[[Entity], object]

_UNABLE = (Rejected, Forbidden, NotFound, SchemaDrift)
_CODE_MEMBERS = ("code", "isocode", "isocurrencycode", "isocurrencysymbol", "currencycode", "isosymbol", "name")
_CHOSEN_MEMBERS = ("isdefault", "default", "isdatabasecurrency", "iscurrent", "isbase", "isbasecurrency", "isselected")


async def works_both_ways(search: Search, held: Held, true_value: str) -> bool:
    """Whether a search finds what carries the value, only that, and nothing for nonsense; an error is a no."""
    try:
        found = await search(true_value)
        if not found or any(str(held(row)).casefold() != true_value.casefold() for row in found):
            return False
        return not await search(NONSENSE)
    except Unreachable:
        raise
    except (*_UNABLE, Transient):
        return False


def value_search(client: ActClient, path: str, name: str) -> Search:
    """A search of a collection by one OData property."""

    async def search(value: str) -> list[Entity]:
        return await filtered(client, path, equals(name, value))

    return search


def preview_search(client: ActClient, column: tuple[str, str]) -> Search:
    """A search of opportunities by dynamic list."""

    async def search(value: str) -> list[Entity]:
        return await client.preview("opportunity", criteria(*column, value))

    return search


async def order_search(client: ActClient, keys: Keys, example: Entity | None) -> Level:
    """By what opportunities can be searched, best first; `example` is one that carries a key of ours."""
    if example is None:
        return Level("scan", "no opportunity of ours is there yet to try a search with")
    key = next(iter(sorted(keys.keys(example))))
    if example.get("sourceId") == key:
        if await works_both_ways(value_search(client, keys.path, "sourceId"), lambda row: row.get("sourceId"), key):
            return Level("source_id", "sourceId is stored and can be filtered, and nonsense finds nothing")
        why = "sourceId is stored but cannot be filtered"
    else:
        why = "sourceId is dropped on write"
    held = _held_by(keys)
    if await works_both_ways(value_search(client, keys.path, keys.odata_name), held, key):
        return Level("custom_field", f"{why}; the custom field can be filtered")
    try:
        column = await dynamic_column(client, keys.odata_name.rpartition("/")[2])
    except _UNABLE:
        column = None
    if column is not None and await works_both_ways(preview_search(client, column), held, key):
        return Level("dynamic_list", f"{why}; neither can the custom field, but a dynamic list finds it")
    return Level("scan", f"{why}; neither can the custom field, and dynamic lists do not find it")


async def field_search(client: ActClient, keys: Keys, level: str, example: Entity | None) -> Level:
    """Whether a collection can be searched by what holds our key there."""
    if example is None:
        return Level("scan", f"no record of ours is in {keys.path} yet to try a search with")
    key = next(iter(sorted(keys.keys(example))))
    if await works_both_ways(value_search(client, keys.path, keys.odata_name), _held_by(keys), key):
        return Level(level, f"{keys.odata_name} can be filtered, and nonsense finds nothing")
    return Level("scan", f"{keys.odata_name} cannot be filtered")


def _held_by(keys: Keys) -> Held:
    return lambda row: next(iter(sorted(keys.keys(row))), None)


async def example_of(client: ActClient, keys: Keys) -> Entity | None:
    """A record of ours among the newest and the oldest of a collection."""
    async for entity in _newest_and_oldest(client, keys):
        if keys.keys(entity) and not _is_test(entity, keys):
            return entity
    return None


async def _newest_and_oldest(client: ActClient, keys: Keys) -> AsyncIterator[Entity]:
    """What may be ours among them; nothing where the collection cannot be read."""
    for order in ("created desc,id asc", "created asc,id asc"):
        try:
            page = await client.page(keys.path, Query(order=order), priority="fresh")
        except _UNABLE:
            return
        for row in page.rows:
            if b"ghl:" in row.raw or TEST_NAME.encode() in row.raw:
                yield decode(row.raw)


def _is_test(row: Entity, keys: Keys) -> bool:
    """Whether a record was made by a probe: its keys are all a probe's, or it has none and the test's name."""
    held = keys.keys(row)
    if held:
        return all(key.startswith(TEST_KEYS) for key in held)
    return row.get("name") == TEST_NAME and not row.get("sourceId")


async def database_currency(client: ActClient) -> Level:
    """The one currency of the database, as its currency settings show it; their shape is not published."""
    try:
        settings = await client.document(CURRENCIES)
    except (*_UNABLE, Transient) as error:
        if isinstance(error, Unreachable):
            raise
        return Level("unknown", "the currency settings cannot be read; force it under `capabilities` of the connection")
    codes = list(_codes(settings))
    chosen = {code for code, is_chosen in codes if is_chosen} or {code for code, _ in codes}
    if len(chosen) != 1:
        return Level("unknown", f"the currency settings name {len(chosen)} currencies and not which is in use")
    return Level(chosen.pop(), "as the currency settings say")


def _codes(settings: Any) -> Iterator[tuple[str, bool]]:
    """(ISO code, whether it is said to be the one in use) of everything in the settings that looks like a currency."""
    if isinstance(settings, list):
        for part in settings:
            yield from _codes(part)
    elif isinstance(settings, Mapping):
        members = {name.casefold(): value for name, value in settings.items()}
        code = next((members[name] for name in _CODE_MEMBERS if members.get(name) in CURRENCY_EXPONENTS), None)
        if code is not None:
            yield code, any(members.get(name) is True for name in _CHOSEN_MEMBERS)
        for value in settings.values():
            if isinstance(value, list | Mapping):
                yield from _codes(value)


async def put_behaviour(client: ActClient, opportunity: Entity) -> Level:
    """What PUT does to members that are left out, tried on the test opportunity."""
    path, native_id = "opportunities", str(opportunity["id"])
    try:
        await client.put(path, native_id, {"id": native_id, "name": TEST_NAME, "status": opportunity.get("status")})
        after = await client.entity(path, native_id)
    except _UNABLE:
        return Level("replaces", "a PUT of a part of an opportunity was refused")
    if opportunity.get("source") and after.get("source") == opportunity.get("source"):
        return Level("merges", "members left out of a PUT stay; whole entities are sent all the same")
    return Level("replaces", "members left out of a PUT are blanked; whole entities are sent")


class TestRecord:
    """A record of our own to try things with: `async with` gives it as it reads back and removes it again."""

    def __init__(self, client: ActClient, path: str, body: Entity) -> None:
        self._client = client
        self._path = path
        self._body = body
        self._id: str | None = None

    async def __aenter__(self) -> Entity | None:
        """The record, None when the database does not take it."""
        try:
            self._id = (await self._client.post(self._path, self._body)).native_id
            return await self._client.entity(self._path, self._id)
        except _UNABLE:
            return None
        except ApiError:
            await self._remove()  # a context that was not entered is not left either
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._remove()

    async def _remove(self) -> None:
        if self._id is not None:
            try:
                await self._client.delete(self._path, self._id)
            except _UNABLE:
                logger.warning("act: the test record %s in %s could not be removed; delete it", self._id, self._path)


def probe_key() -> str:
    """A key for a test record; no mapping takes it for one of GHL's."""
    return f"{TEST_KEYS}{uuid.uuid4()}"


async def remove_leftovers(client: ActClient, keys: Keys) -> None:
    """Take away test records of a probe that was cut short, by a filter and, where none works, among the newest."""
    by_name = equals("name", TEST_NAME) if keys.path == "opportunities" else starts_with(keys.odata_name, TEST_KEYS)
    try:
        left = await filtered(client, keys.path, by_name)
    except _UNABLE:
        left = []
    left += [row async for row in _newest_and_oldest(client, keys)]
    for native_id in sorted({str(row["id"]) for row in left if _is_test(row, keys)}):
        try:
            await client.delete(keys.path, native_id)
        except _UNABLE:
            logger.warning("act: the test record %s in %s could not be removed; delete it", native_id, keys.path)
