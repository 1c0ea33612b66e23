"""The endpoints of Halo's REST API: lists, single records, writes.

How lists are proven complete belongs to `lists.py`, what is written to `bodies.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from pydantic import SecretStr

from ghl_payments.connectors.base import WriteAnswer
from ghl_payments.connectors.halo.auth import ClientCredentials
from ghl_payments.connectors.halo.shapes import ListPage, read_list, read_record, read_written
from ghl_payments.transport.budget import Priority, RateBudget
from ghl_payments.transport.exchange import Response, Timeouts
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.retry import RetryPolicy

PAGE_SIZE = 100
"""The largest page that public clients have seen honoured."""


class HaloClient:
    """One Halo tenant; create it inside the running event loop and `aclose` it there.

    Errors are `transport.errors` classes. Writes are sent once; a lost answer is OutcomeUnknown.
    """

    def __init__(
        self,
        base_url: str,
        tenant: str,
        client_id: SecretStr,
        client_secret: SecretStr,
        budget: RateBudget,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        auth = ClientCredentials(tenant, client_id, client_secret)
        self._http = HttpClient("halo", base_url, auth, budget, timeouts=timeouts, retry=retry)

    @property
    def requests(self) -> int:
        """How many requests were sent so far, retries and sign-in included."""
        return self._http.requests

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which the system's clock was ahead of ours at its last answer; None if it did not say."""
        return self._http.clock_ahead

    async def list_page(
        self,
        path: str,
        page_no: int,
        *,
        page_size: int = PAGE_SIZE,
        filters: Mapping[str, str | int] | None = None,
        priority: Priority = "sweep",
    ) -> ListPage:
        """Page `page_no` (from 1) of a resource by ascending id. Tenants may ignore any filter: check the rows."""
        params: dict[str, str | int] = {
            "pageinate": "true",
            "page_size": page_size,
            "page_no": page_no,
            "order": "id",
            **(filters or {}),
        }

        def parse(response: Response) -> ListPage:
            return read_list(response.body)

        return await self._http.read(f"/api/{path}", parse, params=params, priority=priority)

    async def get(self, path: str, native_id: str, *, priority: Priority = "sweep") -> bytes:
        """One record with its lines, custom fields and cross-references; NotFound when there is none."""

        def parse(response: Response) -> bytes:
            return read_record(response.body, native_id)

        where = f"/api/{path}/{quote(native_id, safe='')}"
        return await self._http.read(where, parse, params={"includedetails": "true"}, priority=priority)

    async def post(self, path: str, document: Mapping[str, object], *, priority: Priority = "fresh") -> WriteAnswer:
        """Create a record, or update the properties given when `document` has an `id`. One record a request."""

        def parse(response: Response) -> WriteAnswer:
            return WriteAnswer(read_written(response.body), response.status)

        # Halo takes arrays only, and what it answers to more than one element is not documented.
        return await self._http.request(
            "POST", f"/api/{path}", parse, json=[document], idempotent=False, priority=priority
        )

    async def delete(self, path: str, native_id: str, *, priority: Priority = "fresh") -> None:
        """Delete one record; only ever used for what a probe itself has made."""

        def parse(response: Response) -> None:
            """Whatever it says, it is gone."""

        where = f"/api/{path}/{quote(native_id, safe='')}"
        await self._http.request("DELETE", where, parse, idempotent=False, priority=priority)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()
