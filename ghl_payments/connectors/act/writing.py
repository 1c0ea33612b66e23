"""Creating, adopting and updating records in Act!: looked for first, written whole, products after their opportunity.

What entities hold belongs to `bodies.py` and `products.py`; whether a change may leave is decided by SQL.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ghl_payments.connectors.act.account import ActAccount
from ghl_payments.connectors.act.bodies import Form, create_body, merge, put_key, refusal, writable
from ghl_payments.connectors.act.client import Entity
from ghl_payments.connectors.act.odata import equals
from ghl_payments.connectors.act.products import lines_of, write_products
from ghl_payments.connectors.act.search import Keys, filtered, newest_rows, scan, search_rows
from ghl_payments.connectors.base import DesiredRecord, WriteAnswer
from ghl_payments.transport.errors import ApiError, Rejected

logger = logging.getLogger(__name__)


async def create(account: ActAccount, record: DesiredRecord) -> WriteAnswer:
    """Create one record carrying its key, or adopt the one that carries it; a contact also by its e-mail address."""
    form = await account.writing_form(record)
    body = create_body(record, form)
    if record.record_type == "opportunity":
        lines_of(record)  # refused before anything is sent
    known = await _known(account, record, form)
    if known is not None:
        return WriteAnswer(known, 200)
    if record.record_type == "contact" and (adopted := await _adopted(account, record, form)) is not None:
        return adopted
    answer = await account.client.post(account.path(record.record_type, form), body)
    if record.record_type == "opportunity":
        await _add_products(account, answer.native_id, record)
    return answer


async def update(account: ActAccount, native_id: str, record: DesiredRecord, changed: Sequence[str]) -> WriteAnswer:
    """Write only the `changed` fields into the entity as it is now; a total is written through the products."""
    if not changed:
        raise refusal(record, "no field was named that could be written.")
    form = await account.writing_form(record)
    others = [name for name in changed if name not in ("lines", "total")]
    answer = WriteAnswer(native_id, 200)
    if others:
        path = account.path(record.record_type, form)
        entity = await account.client.entity(path, native_id)
        merge(entity, record, others, form)
        answer = await account.client.put(path, native_id, writable(entity))
    if len(others) < len(changed):
        await write_products(account.client, native_id, record)
    return answer


async def _known(account: ActAccount, record: DesiredRecord, form: Form) -> str | None:
    """A record that carries the key already, so that none is made twice; Rejected when there are several."""
    keys, where = account.keys(record.record_type, form), (record.key, record.location_id)
    rows = await search_rows(account.client, keys, *where, account.level(record.record_type))
    if rows is None:
        rows = await newest_rows(account.client, keys, *where)
    if len(rows) > 1:
        raise refusal(record, f"{len(rows)} records in Act! carry this key; leave it to one of them.")
    return str(rows[0]["id"]) if rows else None


async def _adopted(account: ActAccount, record: DesiredRecord, form: Form) -> WriteAnswer | None:
    """Give our key to the one contact with this e-mail address that carries none; nothing else of it is changed."""
    email = record.fields.get("email")
    if not email:
        return None
    client, keys = account.client, account.keys("contact", form)
    free = await _unkeyed(account, email, keys)
    if len(free) > 1:
        raise refusal(record, f"{len(free)} contacts in Act! have its e-mail address; merge them first.")
    if not free:
        return None
    entity = await client.entity("contacts", free[0])
    if keys.keys(entity):
        return None  # somebody of the same address has taken it meanwhile
    put_key(entity, record, form)
    return await client.put("contacts", free[0], writable(entity))


async def _unkeyed(account: ActAccount, email: str, keys: Keys) -> list[str]:
    """Contacts with an e-mail address that carry no key; all are read once where addresses cannot be searched for."""
    client, wanted = account.client, email.casefold()
    found: dict[str, Entity] = {}
    try:
        for text in dict.fromkeys((email, wanted)):
            found |= {str(row["id"]): row for row in await filtered(client, "contacts", equals("emailAddress", text))}
        honoured = all(_address(row) == wanted for row in found.values())
    except Rejected:
        honoured = False
    if honoured:
        return [native_id for native_id, row in sorted(found.items()) if not keys.keys(row)]
    if account.by_email is None:
        rows = await scan(client, "contacts", lambda _: True)
        account.by_email = {}
        for row in rows:
            if not keys.keys(row):
                account.by_email.setdefault(_address(row), []).append(str(row["id"]))
    return sorted(account.by_email.get(wanted, []))


def _address(contact: Entity) -> str:
    address = contact.get("emailAddress")
    return address.casefold() if isinstance(address, str) else ""


async def _add_products(account: ActAccount, opportunity_id: str, record: DesiredRecord) -> None:
    """The opportunity stands already, so trouble here must not look as if nothing had been created."""
    try:
        await write_products(account.client, opportunity_id, record)
    except ApiError as error:
        logger.warning("%s: products of %s: %s", account.name, record.key, error)
