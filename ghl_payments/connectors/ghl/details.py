"""Fetching single documents: the details of records that changed or are about to be written from.

Lists belong to `slices.py`; which records need their detail is decided by SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.shapes import Document
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.errors import (
    ApiError,
    Forbidden,
    NotFound,
    RateLimited,
    Unauthorised,
    Unreachable,
)
from ghl_payments.transport.landing import LandingWriter
from ghl_payments.transport.outage import OutageGuard

_HOPELESS = (Unauthorised, Forbidden, RateLimited, Unreachable)


@dataclass(slots=True)
class DetailResult:
    """Outcome of fetching details: how many came, which ids GHL says it does not have, which failed and why."""

    fetched: int = 0
    absent: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    requests: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    id: str
    document: Document | None
    error: ApiError | None
    fetched_at: datetime


async def fetch_details(
    client: GhlClient,
    stream: str,
    ids: Sequence[str],
    landing: LandingWriter,
    *,
    concurrency: int = 8,
    priority: Priority = "sweep",
    on_progress: Callable[[int, int], None] | None = None,
) -> DetailResult:
    """Fetch one document an id of order_details, fulfillments, transaction_details or subscription_details.

    Absent records are landed with status 404 and body null. One bad document fails alone; what would fail for all
    (sign-in, scope, limits, unreachable, an outage) is raised. `on_progress` gets (done, of all).
    """
    result, requests_before, guard = DetailResult(), client.requests, OutageGuard()

    async def one(record_id: str) -> _Answer:
        return await _ask(client, stream, record_id, priority)

    async with aclosing(in_order(ids, one, concurrency)) as answers:
        async for answer in answers:
            guard.note(answer.error)
            _note(client, stream, answer, landing, result)
            if on_progress is not None:
                on_progress(result.fetched + len(result.absent) + len(result.failed), len(ids))
    result.requests = client.requests - requests_before
    return result


async def fetch_providers(client: GhlClient, landing: LandingWriter, *, priority: Priority = "sweep") -> int:
    """Land the location's white-label integration providers as one JSON array; returns the number of requests."""
    requests_before = client.requests
    document = await client.providers(priority=priority)
    envelope = _envelope(client, "integration_providers", "", 200, datetime.now(UTC))
    landing.append(envelope, document.body, checked=True)
    return client.requests - requests_before


async def _ask(client: GhlClient, stream: str, record_id: str, priority: Priority) -> _Answer:
    try:
        document = await client.detail(stream, record_id, priority=priority)
    except _HOPELESS:
        raise
    except ApiError as error:
        return _Answer(record_id, None, error, datetime.now(UTC))
    return _Answer(record_id, document, None, datetime.now(UTC))


def _note(client: GhlClient, stream: str, answer: _Answer, landing: LandingWriter, result: DetailResult) -> None:
    if answer.document is not None:
        envelope = _envelope(client, stream, answer.id, 200, answer.fetched_at)
        landing.append(envelope, answer.document.body, checked=True)
        result.fetched += 1
    elif isinstance(answer.error, NotFound):
        landing.append(_envelope(client, stream, answer.id, 404, answer.fetched_at), b"null", checked=True)
        result.absent.append(answer.id)
    else:
        result.failed[answer.id] = str(answer.error)


def _envelope(client: GhlClient, stream: str, record_id: str, status: int, at: datetime) -> dict[str, object]:
    return {
        "kind": "detail",
        "stream": stream,
        "location_id": client.location_id,
        "id": record_id,
        "fetched_at": at.isoformat(),
        "status": status,
    }
