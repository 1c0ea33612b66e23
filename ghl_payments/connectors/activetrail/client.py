"""The endpoints of ActiveTrail's REST API that this project uses: contacts, groups, external ids, commerce orders.

None of them sends anything to a person. How a list is proven complete belongs to `members.py`, what is written to
`bodies.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from pydantic import SecretStr

from ghl_payments.connectors.activetrail.shapes import (
    EMPTY,
    Doc,
    Page,
    id_text,
    is_blank,
    read_contact,
    read_order,
    read_page,
)
from ghl_payments.transport.budget import Priority, RateBudget
from ghl_payments.transport.errors import Conflict, NotFound, Rejected
from ghl_payments.transport.exchange import Response, Timeouts
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.retry import RetryPolicy

PAGE_SIZE = 100
"""The vendor's documented maximum; without a limit it answers 20 rows."""

SYSTEM = "activetrail"

MERGE_NEEDED = (
    "ActiveTrail says that this e-mail address and mobile number belong to different contacts. Merge them in "
    "ActiveTrail (Contacts > Merge conflicts); nothing was written and nothing is merged from here."
)

Parsed = TypeVar("Parsed")


class Window(NamedTuple):
    """Days that a list of contacts is asked for; without any, ActiveTrail lists the last three months only."""

    first: str
    last: str


EVER = Window("2000-01-01", "2079-01-01")
"""Wider than any account, and within what a database of the vendor's sort can hold as a date."""


class RawToken:
    """ActiveTrail wants its token bare, without a scheme; only a person can replace it."""

    can_refresh = False

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    async def header(self, http: HttpClient) -> str | None:  # noqa: ARG002 - the protocol of all sign-ins
        """The token itself."""
        return self._token.get_secret_value()

    async def refresh(self, http: HttpClient, refused: str | None) -> None:
        """Nothing to refresh."""


class ActiveTrailClient:
    """One ActiveTrail account; create it inside the running event loop and `aclose` it there.

    Errors are `transport.errors` classes. Writes are sent once; a lost answer is OutcomeUnknown.
    """

    def __init__(
        self,
        base_url: str,
        token: SecretStr,
        budget: RateBudget,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._http = HttpClient(SYSTEM, base_url, RawToken(token), budget, timeouts=timeouts, retry=retry)

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which the system's clock was ahead of ours at its last answer; None if it did not say."""
        return self._http.clock_ahead

    async def members(
        self, group_id: str, page_no: int, *, size: int = PAGE_SIZE, window: Window = EVER, priority: Priority = "sweep"
    ) -> Page:
        """A page of a group's contacts in all their states."""
        return await self._list(f"/api/groups/{quote(group_id, safe='')}/members", page_no, size, window, {}, priority)

    async def search(self, text: str, page_no: int) -> Page:
        """A page of the account's contacts that a free text search finds; check every row."""
        return await self._list("/api/contacts", page_no, PAGE_SIZE, EVER, {"SearchTerm": text}, "fresh")

    async def unmapped(self) -> Page:
        """One contact without an external id; NotFound where the account has no external ids at all."""
        params: dict[str, str | int] = {"CustomerStates": "ALL", "Page": 1, "Limit": 1}
        return await self._http.read("/api/external/unmapped", _page, params=params, priority="fresh")

    async def groups(self, page_no: int, name: str) -> Page:
        """A page of groups that a search for a name finds."""
        params: dict[str, str | int] = {"SearchTerm": name, "Page": page_no, "Limit": PAGE_SIZE}
        try:
            return await self._http.read("/api/groups", _page, params=params, priority="fresh")
        except NotFound:
            return EMPTY

    async def create_group(self, name: str) -> None:
        """A new group, which only ever holds contacts of ours."""
        await self._send("POST", "/api/groups", {"name": name}, _status)

    async def labels(self) -> dict[str, str]:
        """Label of each contact field by its name in documents. Raises NotFound, Forbidden or Rejected where
        the account does not tell.
        """
        rows = (await self._http.read("/api/account/contactFields", _page, priority="fresh")).rows
        found: dict[str, str] = {}
        for row in rows:
            label = str(row.get("field_display_name") or "").strip()
            for name in ("field_name", "field_source_column"):
                if isinstance(row.get(name), str):
                    found.setdefault(plain_name(row[name]), label)
        return found

    async def contact(self, native_id: str, *, priority: Priority = "sweep") -> tuple[Doc, bytes]:
        """One contact, also as its bytes; NotFound when there is none or it was deleted."""

        def parse(response: Response) -> tuple[Doc, bytes]:
            return read_contact(response.body, native_id), response.body

        path = f"/api/contacts/{quote(native_id, safe='')}"
        doc, body = await self._http.read(path, parse, priority=priority)
        if doc.get("is_deleted") is True:
            raise NotFound(system=SYSTEM, method="GET", path=path, status=200)
        return doc, body

    async def contact_by_pair(self, external_id: str, name: str) -> str | None:
        """The id of the contact that carries an external id, None for none."""

        def parse(response: Response) -> str | None:
            return None if is_blank(response.body) else id_text(read_contact(response.body)["id"])

        path = f"/api/external/contact/{quote(external_id, safe='')}"
        try:
            return await self._http.read(path, parse, params={"externalName": name}, priority="fresh")
        except NotFound:
            return None

    async def attach_pair(self, contact_id: str, external_id: str, name: str) -> None:
        """Give a contact that has no external id one."""
        body = {"customerId": int(contact_id), "externalId": external_id, "externalName": name}
        await self._send("POST", "/api/external/mapping", body, _status)

    async def add_member(self, group_id: str, body: Mapping[str, object]) -> tuple[Doc | None, int]:
        """Create a contact in a group, or update the one with its e-mail address; the contact if it is answered."""

        def parse(response: Response) -> tuple[Doc | None, int]:
            return (None if is_blank(response.body) else read_contact(response.body)), response.status

        return await self._send("POST", f"/api/groups/{quote(group_id, safe='')}/members", body, parse)

    async def put_contact(self, native_id: str, body: Mapping[str, object]) -> int:
        """Change a contact; the HTTP status."""
        return await self._send("PUT", f"/api/contacts/{quote(native_id, safe='')}", body, _status)

    async def order(self, order_id: str, *, empty_is_none: bool, priority: Priority = "sweep") -> bytes | None:
        """A commerce order's bytes. NotFound where the account answers 404 for none, None where it answers nothing."""

        def parse(response: Response) -> bytes | None:
            return read_order(response.body, order_id, empty_is_none=empty_is_none)

        return await self._http.read(_order_path(order_id), parse, priority=priority)

    async def commerce_schema(self) -> None:
        """Whether the account has a commerce area; raises the class of its refusal."""
        await self._http.read("/api/commerce/schema", _status, priority="fresh")

    async def post_order(self, body: Mapping[str, object]) -> int:
        """Create one commerce order; the HTTP status. What a bulk of them would answer is not documented."""
        return await self._send("POST", "/api/commerce/Order", [body], _status)

    async def put_order(self, order_id: str, body: Mapping[str, object]) -> int:
        """Replace the fields of a commerce order; the HTTP status."""
        return await self._send("PUT", _order_path(order_id), body, _status)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def _list(
        self, path: str, page_no: int, size: int, window: Window, more: Mapping[str, str], priority: Priority
    ) -> Page:
        """A page of contacts; a 404 is how some lists say that there is nothing."""
        params: dict[str, str | int] = {
            "CustomerStates": "ALL",
            "FromDate": window.first,
            "ToDate": window.last,
            "Page": page_no,
            "Limit": size,
            **more,
        }
        try:
            return await self._http.read(path, _page, params=params, priority=priority)
        except NotFound:
            return EMPTY

    async def _send(self, method: str, path: str, body: Any, parse: Callable[[Response], Parsed]) -> Parsed:
        """A write. The API's one documented 409 is no lock that passes: it wants a person to merge contacts."""
        try:
            return await self._http.request(method, path, parse, json=body, idempotent=False)
        except Conflict as error:
            raise Rejected(system=SYSTEM, method=method, path=path, status=error.status, remedy=MERGE_NEEDED) from None


def plain_name(text: str) -> str:
    """A field's name without case and separators: `Ext_25`, `ext 25` and `ext25` are the same field."""
    return "".join(sign for sign in text.lower() if sign.isalnum())


def _order_path(order_id: str) -> str:
    return f"/api/commerce/Order/{quote(order_id, safe='')}"


def _page(response: Response) -> Page:
    return read_page(response.body)


def _status(response: Response) -> int:
    return response.status
