"""Which level of each capability an account has: the order of probes, and what a writing probe sets up on its way.

Single probes belong to `probes.py`; what a level changes belongs to whoever works at it.
"""

from __future__ import annotations

from ghl_payments.connectors.act import probes
from ghl_payments.connectors.act.account import ActAccount
from ghl_payments.connectors.act.bodies import Form
from ghl_payments.connectors.act.client import Entity
from ghl_payments.connectors.act.directory import create_fields, create_table, missing_tables, path_of, remedy
from ghl_payments.connectors.act.odata import Query
from ghl_payments.connectors.base import Level
from ghl_payments.transport.errors import Forbidden, NotFound, Rejected


async def find_levels(account: ActAccount, *, may_write: bool) -> dict[str, Level]:
    """The level of each capability; with `may_write` missing fields and tables are created on the way.

    Whether custom tables can be had only a writing probe can tell when there are none yet: it is then left out.
    """
    tables = await _tables(account, may_write=may_write)
    form = await account.find_form(tables=tables is not None and tables.level == "available")
    found = {"custom_fields": await _fields(account, form, may_write=may_write)}
    if tables is not None:
        found["custom_tables"] = tables
    if found["custom_fields"].level == "ready":
        form = await account.find_form(tables=form.tables)
    found["database_currency"] = await probes.database_currency(account.client)
    found |= await _orders(account, form, may_write=may_write)
    contacts = account.keys("contact", form)
    example = await probes.example_of(account.client, contacts)
    found["contact_search"] = await probes.field_search(account.client, contacts, "custom_field", example)
    found["payment_search"] = await _payments(account, form, may_write=may_write)
    return found


async def _tables(account: ActAccount, *, may_write: bool) -> Level | None:
    client, options = account.client, account.options
    try:
        lacking = await missing_tables(client, options)
        if lacking and not options.create_missing:
            told = f"there is no table {', '.join(lacking)}, and options.create_missing is off"
            return Level("unavailable", told)
        if lacking and not may_write:
            return None
        for name in lacking:
            await create_table(client, name)
        for owner in ("payment", "subscription"):
            await client.page(path_of(owner, options), Query(top=1), priority="fresh")
    except (Forbidden, NotFound, Rejected) as error:
        return Level("unavailable", error.remedy)
    return Level("available", "both tables are there and can be read")


async def _fields(account: ActAccount, form: Form, *, may_write: bool) -> Level:
    missing = form.directory.missing
    if not missing:
        return Level("ready", "all fields of ours are there")
    told = remedy(missing, account.options)
    if not account.options.create_missing:
        return Level("missing", told)
    if not may_write:
        return Level("creatable", f"{len(missing)} fields will be created by the first run that may write")
    try:
        await create_fields(account.client, account.options, missing)
    except (Forbidden, NotFound, Rejected) as error:
        return Level("missing", f"{error.remedy} {told}")
    left = (await account.find_form(tables=form.tables)).directory.missing
    return Level("missing", remedy(left, account.options)) if left else Level("ready", "missing fields were created")


async def _orders(account: ActAccount, form: Form, *, may_write: bool) -> dict[str, Level]:
    client, keys = account.client, account.keys("opportunity", form)
    put = Level("replaces", "not tried without writing; whole entities are sent in any case")
    if not may_write:
        example = await probes.example_of(client, keys)
        return {"order_search": await probes.order_search(client, keys, example), "opportunity_put": put}
    await probes.remove_leftovers(client, keys)
    key, names = probes.probe_key(), form.directory.names
    custom = {names["opportunity", "ghl_key"]: key} if ("opportunity", "ghl_key") in names else {}
    body = {"name": probes.TEST_NAME, "source": account.options.source, "sourceId": key, "status": 3,
            "customFields": custom}  # fmt: skip
    async with probes.TestRecord(client, keys.path, body) as made:
        example = made if made is not None and keys.keys(made) else await probes.example_of(client, keys)
        search = await probes.order_search(client, keys, example)
        if made is not None:
            put = await probes.put_behaviour(client, made)
    return {"order_search": search, "opportunity_put": put}


async def _payments(account: ActAccount, form: Form, *, may_write: bool) -> Level:
    client, keys = account.client, account.keys("payment", form)
    if may_write and form.tables and keys.searchable:
        await probes.remove_leftovers(client, keys)
    example = await probes.example_of(client, keys)
    if example is not None or not may_write or not form.tables or not keys.searchable:
        return await probes.field_search(client, keys, "column", example)
    body: Entity = {form.directory.name("payment", "ghl_key"): probes.probe_key()}
    async with probes.TestRecord(client, keys.path, body) as made:
        return await probes.field_search(client, keys, "column", made)
