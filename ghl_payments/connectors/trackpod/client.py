"""The endpoints of Track-POD's web API that this project uses: orders by day, by status change, one by one; writes.

None of them starts a route or sends a message. What is written belongs to `bodies.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from urllib.parse import quote

from pydantic import SecretStr

from ghl_payments.connectors.trackpod.http import TrackPodHttp
from ghl_payments.connectors.trackpod.shapes import OrderRow, read_done, read_order, read_orders
from ghl_payments.transport.budget import Priority, RateBudget
from ghl_payments.transport.exchange import Response, Timeouts
from ghl_payments.transport.retry import RetryPolicy

SYSTEM = "trackpod"


class TrackPodClient:
    """One Track-POD account; create it inside the running event loop and `aclose` it there.

    Errors are `transport.errors` classes; a removed order (410) is a NotFound of that status. Writes are sent once; a
    lost answer is OutcomeUnknown.
    """

    def __init__(
        self,
        base_url: str,
        api_key: SecretStr,
        budget: RateBudget,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        headers = {"X-API-KEY": api_key.get_secret_value()}
        self._http = TrackPodHttp(SYSTEM, base_url, None, budget, headers=headers, timeouts=timeouts, retry=retry)

    @property
    def requests(self) -> int:
        """How many requests were sent so far, retries included."""
        return self._http.requests

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which the system's clock was ahead of ours at its last answer; None if it did not say."""
        return self._http.clock_ahead

    async def test(self) -> None:
        """Whether the API can be reached and the key is accepted."""
        await self._http.read("/Test", lambda _: None, priority="fresh")

    async def dated(self, day: date, *, priority: Priority = "sweep") -> list[OrderRow]:
        """Orders by their own date (the account's time zone)."""
        return await self._list(f"/Order/Date/{day.isoformat()}", priority)

    async def routed(self, day: date, *, priority: Priority = "sweep") -> list[OrderRow]:
        """Orders by the date of the route that they are planned into."""
        return await self._list(f"/Order/Route/Date/{day.isoformat()}", priority)

    async def changed(self, since: datetime, *, priority: Priority = "sweep") -> list[OrderRow]:
        """Orders whose delivery status changed since an instant of the last 24 hours; Rejected for an earlier one."""
        at = since.astimezone(UTC)
        return await self._list(f"/Order/Status/Date/{at:%Y-%m-%dT%H:%M:%S}", priority)

    async def numbered(self, number: str, *, priority: Priority = "verify") -> list[OrderRow]:
        """The last 25 orders of one number; NotFound (410) when the last of them was removed."""
        return await self._list(f"/Order/Number/{_part(number)}/List", priority)

    async def by_id(self, order_id: str, *, priority: Priority = "verify") -> OrderRow:
        """The most recent order of an Id; NotFound of status 404 when there never was one, 410 when it was removed."""
        return await self._http.read(
            f"/Order/Id/{_part(order_id)}", lambda response: read_order(response.body), priority=priority
        )

    async def by_track_id(self, track_id: str, *, priority: Priority = "sweep") -> OrderRow:
        """The order of a TrackId, the only key that is never given twice."""
        return await self._http.read(
            f"/Order/TrackId/{_part(track_id)}", lambda response: read_order(response.body, track_id), priority=priority
        )

    async def post(self, body: Mapping[str, object]) -> int:
        """Create an order, also when there is one of this Id or Number; the HTTP status."""
        return await self._http.request("POST", "/Order", _done, json=body, idempotent=False)

    async def put(self, track_id: str, body: Mapping[str, object]) -> int:
        """Replace an order; Rejected (405) when the driver has processed it; the HTTP status."""
        return await self._http.request("PUT", f"/Order/TrackId/{_part(track_id)}", _done, json=body, idempotent=False)

    async def put_forced(self, body: Mapping[str, object]) -> int:
        """Replace the most recent order of the body's Id, processed or not; the HTTP status."""
        return await self._http.request(
            "PUT", "/Order", _done, params={"forceUpdate": "true"}, json=body, idempotent=False
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def _list(self, path: str, priority: Priority) -> list[OrderRow]:
        return await self._http.read(path, lambda response: read_orders(response.body), priority=priority)


def _part(text: str) -> str:
    return quote(text, safe="")


def _done(response: Response) -> int:
    read_done(response.body)
    return response.status
