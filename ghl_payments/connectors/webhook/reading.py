"""Reading a receiver of events back by templates: pages of its list, single records, and what they say in one form.

Extend it when receivers page in a further way; the templates themselves belong to `options.py`.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from pydantic import SecretStr

from ghl_payments.connectors.webhook.options import ListTemplate, ReadAuth, ReadBack
from ghl_payments.connectors.webhook.templates import fill, is_list, placeholders, text_of, value, values
from ghl_payments.domain.keys import parse_key
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.errors import ApiError, SchemaDrift
from ghl_payments.transport.exchange import Response
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.jsontext import decode

Row = dict[str, Any]

ONE, ALL = "(options.read_back.get.url)", "(options.read_back.list.url)"
"""Stand for addresses in messages: a path may be a secret, and so may what a person wrote into the template."""

MAX_PAGES = 100_000
BEGINNING = "1970-01-01T00:00:00Z"
_NEXT_LINK = re.compile(r'<([^>]+)>\s*;[^,]*\brel="?next"?')


@dataclass(slots=True)
class Listing:
    """One pass over the list: rows in one form, why it proves nothing, if so, and else what it cannot show."""

    rows: list[Row] = field(default_factory=list)
    pages: int = 0
    declared: int | None = None
    reason: str | None = None
    limits: str | None = None


@dataclass(frozen=True, slots=True)
class ReadSecret:
    """What a read signs in with, as a header."""

    name: str
    value: SecretStr


def header_of(auth: ReadAuth, secret: SecretStr, user: SecretStr | None) -> ReadSecret:
    """The header of a sign-in by API key, bearer token or user name and password."""
    plain = secret.get_secret_value()
    if auth.type == "header":
        return ReadSecret(auth.name, secret)
    if auth.type == "bearer":
        return ReadSecret("Authorization", SecretStr(f"Bearer {plain}"))
    pair = f"{user.get_secret_value() if user else ''}:{plain}".encode()
    return ReadSecret("Authorization", SecretStr(f"Basic {base64.b64encode(pair).decode('ascii')}"))


class Reader:
    """One receiver, read by its templates; `http` is signed in already."""

    def __init__(self, http: HttpClient, base: str, read_back: ReadBack) -> None:
        self._http = http
        self._base = base
        self._read_back = read_back

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which the receiver's clock was ahead of ours at its last answer."""
        return self._http.clock_ahead

    @property
    def reads_singly(self) -> bool:
        """Whether one record can be asked for."""
        return self._read_back.get is not None

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    @property
    def by_entity(self) -> bool:
        """Whether each record type has a list of its own."""
        return self._read_back.list is not None and "entity" in placeholders(self._read_back.list.url)

    async def one(self, key: str, entity: str, priority: Priority = "sweep") -> Row | None:
        """The record of a key, None where the receiver says it has none. SchemaDrift names the option to correct."""
        template = self._read_back.get
        assert template is not None
        parsed = parse_key(key)
        url = fill(template.url, self._base, key=key, id=parsed[1] if parsed else key, entity=entity)
        try:
            status, document = await self._http.read(url, _parse, priority=priority, shown=ONE)
        except ApiError as error:
            if error.status in template.missing:
                return None
            raise
        if status not in template.found:
            if status in template.missing:
                return None
            raise self._drift(ONE, f"options.read_back.get.found does not list the status {status}")
        row = self._row(document)
        if row["key"] is None:
            told = f"options.read_back.map.key ({self._read_back.map.key}) finds nothing in the record"
            raise self._drift(ONE, f"{told}; {_outline(document)}")
        return row

    async def all(self, entity: str, *, limit: int | None = None, pages: int = MAX_PAGES) -> Listing:
        """Every record of the list, in one form, native ids made unique; `pages` ends it early."""
        template = self._read_back.list
        assert template is not None
        found, cursor, seen = Listing(), "", set[str]()
        size, names = limit or template.limit, placeholders(template.url)
        url = self._page_url(entity, size, cursor, found)
        while True:
            _, document, link = await self._http.read(url, _parse_page, shown=ALL)
            items = self._items(document)
            found.pages += 1
            found.rows += map(self._row, items)
            if template.total is not None and (total := text_of(value(document, template.total))) is not None:
                found.declared = int(total) if total.isdigit() else None
            if template.next == "link":
                target = self._linked(url, link)
            else:
                cursor = text_of(value(document, template.next)) or ""
                further = bool(cursor) if template.next else bool(items) and bool(names & {"page", "offset"})
                target = self._page_url(entity, size, cursor, found) if further else None
            if target is None:
                _mind_the_end(found, template, size)
                break
            if found.pages >= pages:
                break
            if target in seen:
                found.reason = "the list leads back to a page that was read already"
                break
            seen.add(target)
            url = target
        return _judged(found)

    def _page_url(self, entity: str, size: int, cursor: str, found: Listing) -> str:
        template = self._read_back.list
        assert template is not None
        return fill(
            template.url, self._base, entity=entity, limit=size, cursor=cursor, page=found.pages + 1,
            offset=len(found.rows), since=BEGINNING,
        )  # fmt: skip

    def _items(self, document: Any) -> list[Any]:
        template = self._read_back.list
        assert template is not None
        if not is_list(document, template.items):
            told = f"options.read_back.list.items ({template.items}) finds no list in the answer"
            raise self._drift(ALL, f"{told}; {_outline(document)}")
        return list(values(document, template.items))

    def _linked(self, url: str, link: str | None) -> str | None:
        match = _NEXT_LINK.search(link or "")
        if match is None:
            return None
        target: str = urljoin(url, match.group(1))
        if urlsplit(target)[:2] != urlsplit(url)[:2]:
            raise self._drift(ALL, "the Link header leads to another host, which is not followed")
        return target

    def _row(self, document: Any) -> Row:
        where = self._read_back.map
        key, own = text_of(value(document, where.key)), text_of(value(document, where.id))
        return {
            "id": f"{key or ''}#{own}" if own else key,
            "key": key,
            "own_id": own,
            "location_id": text_of(value(document, where.location)),
            **{name: text_of(value(document, getattr(where, name))) for name in ("amount", "currency", "status")},
            "updated_at": text_of(value(document, where.updated_at)),
            "hash": text_of(value(document, where.hash)),
            "record": document,
        }

    def _drift(self, shown: str, what: str) -> SchemaDrift:
        return SchemaDrift(
            system=self._http.system, method="GET", path=shown,
            remedy=f"{what}. Correct the options of the connection; nothing of this answer was used.",
        )  # fmt: skip


def _mind_the_end(found: Listing, template: ListTemplate, size: int) -> None:
    """Nothing leads on from here: is that the end of the list, or of what the receiver gives at a time?"""
    names = placeholders(template.url)
    if found.declared is not None or names & {"page", "offset"}:
        return
    is_full = "limit" in names and len(found.rows) >= size
    if template.next is not None:
        if is_full and found.pages == 1:
            found.limits = (
                f"the list's only page is full and names no next one ({template.next}); that there is none is not "
                "proven, as options.read_back.list.total is not set"
            )
    elif is_full:
        found.reason = (
            f"the list gave all the {size} rows that a page was asked for, and nothing says how to get more: set "
            "options.read_back.list.next, {page} or {offset} in its url, or, if these are all, its total"
        )
    else:
        found.limits = (
            "the list is one page and does not count its rows: what the receiver leaves out of that page is not seen; "
            "options.read_back.list.total or next would prove that nothing is"
        )


def _judged(found: Listing) -> Listing:
    """Native ids made unique where rows have no id of their own; a row that came twice proves the pages wrong."""
    times: dict[str, int] = {}
    for row in found.rows:
        base = row["id"] or "(no key)"
        times[base] = times.get(base, 0) + 1
        if times[base] > 1 and row["own_id"] and found.reason is None:
            found.reason = "a row came twice: the pages moved while they were read"
        row["id"] = base if times[base] == 1 else f"{base}#{times[base]}"
    if found.reason is None and found.declared is not None and found.declared != len(found.rows):
        found.reason = f"the receiver counts {found.declared} rows and lists {len(found.rows)}"
    return found


def _parse(response: Response) -> tuple[int, Any]:
    return response.status, decode(response.body) if response.body else None


def _parse_page(response: Response) -> tuple[int, Any, str | None]:
    return response.status, decode(response.body), response.headers.get("link")


def _outline(document: Any) -> str:
    keys = ", ".join(sorted(document)) if isinstance(document, dict) else ""
    return f"found the keys {keys or '(none)'}"
