"""The endpoints of Act!'s web API: collections, single entities, writes, metadata.

How lists are read completely belongs to `lists.py`, what is written to `bodies.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from ghl_payments.connectors.act.auth import BasicLogin, TokenLogin
from ghl_payments.connectors.act.http import ActHttp
from ghl_payments.connectors.act.odata import Query
from ghl_payments.connectors.act.shapes import NEEDED, ListPage, read_list, read_record, read_written
from ghl_payments.connectors.base import WriteAnswer
from ghl_payments.transport.budget import Priority, RateBudget
from ghl_payments.transport.exchange import Response, Timeouts
from ghl_payments.transport.jsontext import WrongShape, decode
from ghl_payments.transport.retry import RetryPolicy

Entity = dict[str, Any]
"""An entity as Python values; numbers with decimals are Decimal."""

CURRENCIES = "multilanguage/currencies"


class ActClient:
    """One Act! database; create it inside the running event loop and `aclose` it there.

    Errors are `transport.errors` classes. Writes are sent once; a lost answer is OutcomeUnknown. `path` is what stands
    below `/api/`, such as `opportunities` or `custom/entities/NAME`.
    """

    def __init__(
        self,
        base_url: str,
        database: str,
        user: str,
        password: SecretStr,
        budget: RateBudget,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        headers = {"Act-Database-Name": database}
        self._door = ActHttp(
            "act", base_url, BasicLogin(user, password), budget, headers=headers, timeouts=timeouts, retry=retry
        )
        self._http = ActHttp(
            "act", base_url, TokenLogin(self._door), budget, headers=headers, timeouts=timeouts, retry=retry
        )

    @property
    def requests(self) -> int:
        """How many requests were sent so far, retries and sign-in included."""
        return self._http.requests + self._door.requests

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which the system's clock was ahead of ours at its last answer; None if it did not say."""
        return self._http.clock_ahead

    async def page(self, path: str, query: Query, *, priority: Priority = "sweep") -> ListPage:
        """One page of a collection. A database may honour less of a query than was asked: check the rows."""
        needed = NEEDED.get(path, ())

        def parse(response: Response) -> ListPage:
            return read_list(response.body, needed)

        return await self._http.read(f"/api/{path}", parse, params=query.params(), priority=priority)

    async def get(self, path: str, native_id: str, *, priority: Priority = "sweep") -> bytes:
        """One entity; NotFound when there is none, or when it is another user's private one."""

        def parse(response: Response) -> bytes:
            return read_record(response.body, native_id)

        return await self._http.read(_one(path, native_id), parse, priority=priority)

    async def entity(self, path: str, native_id: str, *, priority: Priority = "fresh") -> Entity:
        """The same as Python values."""
        found: Entity = decode(await self.get(path, native_id, priority=priority))
        return found

    async def rows(self, path: str, **options: str) -> list[Entity]:
        """A collection without pages, such as metadata: an array of objects."""
        return await self._http.read(f"/api/{path}", _objects, params=options, priority="fresh")

    async def document(self, path: str) -> Any:
        """Whatever JSON stands there."""
        return await self._http.read(f"/api/{path}", lambda response: decode(response.body), priority="fresh")

    async def post(self, path: str, entity: Mapping[str, object]) -> WriteAnswer:
        """Create one entity."""

        def parse(response: Response) -> WriteAnswer:
            return WriteAnswer(read_written(response.body), response.status)

        return await self._http.request("POST", f"/api/{path}", parse, json=entity, idempotent=False)

    async def define(self, path: str, description: Mapping[str, object]) -> None:
        """Create a field or a table; Conflict when there is one of this name."""
        await self._http.request("POST", f"/api/{path}", lambda _: None, json=description, idempotent=False)

    async def put(self, path: str, native_id: str, entity: Mapping[str, object]) -> WriteAnswer:
        """Replace one entity by all of its members; what PUT does to members left out is not established."""
        return await self._http.request(
            "PUT", _one(path, native_id), lambda response: WriteAnswer(native_id, response.status), json=entity,
            idempotent=False,
        )  # fmt: skip

    async def delete(self, path: str, native_id: str) -> None:
        """Remove one entity; NotFound when it is gone already."""
        await self._http.request("DELETE", _one(path, native_id), lambda _: None, idempotent=False)

    async def preview(self, kind: str, criteria: Sequence[Mapping[str, object]]) -> list[Entity]:
        """Entities that fulfil the criteria of a dynamic list, which is not kept; a search, though it is a POST."""
        return await self._http.request(
            "POST", f"/api/dynamic-list/{kind}-preview", _objects, params={"includePrivate": "true"}, json=criteria,
            idempotent=True,
        )  # fmt: skip

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()
        await self._door.aclose()


def _one(path: str, native_id: str) -> str:
    return f"/api/{path}/{quote(native_id, safe='')}"


def _objects(response: Response) -> list[Entity]:
    answer = decode(response.body)
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise WrongShape("Expected a bare array of objects.")
    return answer
