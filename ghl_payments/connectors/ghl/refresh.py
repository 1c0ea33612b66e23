"""Reading single GHL records again, as an event asks: list row, detail, fulfillments, charges, subscriptions.

The same tables as those of a sweep are filled, and nothing is taken for gone but what answers 404 by id.
Which records an event names is decided by those who read the inbox; sweeps belong to `extract.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ghl_payments.connectors.ghl.client import MAX_LIMIT
from ghl_payments.connectors.ghl.extract import Extraction, extract_named_details
from ghl_payments.connectors.ghl.months import instant_text
from ghl_payments.connectors.ghl.shapes import Page
from ghl_payments.transport.concurrency import in_order
from ghl_payments.transport.landing import LandingWriter
from ghl_payments.warehouse.landing_load import load_named_rows, naive
from ghl_payments.warehouse.queries import run

logger = logging.getLogger(__name__)

MAX_PAGES = 20
"""Of one contact's orders or one record's charges; who has more waits for the next sweep."""

_CONCURRENCY = 8
_DAY = timedelta(days=1)
_STALE_DETAILS = """
    select l.id from raw.{stream}s as l
    left join raw.{stream}_details as d
        on d.location_id = l.location_id and d.id = l.id and d.is_current and d.list_hash = l.content_hash
    where l.location_id = $location_id and l.is_current and d.id is null
        and (list_contains($ids::varchar[], l.id) or list_contains($ids::varchar[], (l.doc ->> '$.entityId')))
    order by l.id
"""

Filters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Again:
    """What was read again: the records that GHL has, those it answers 404 for, and what could not be read."""

    found: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    requests: int = 0


async def refresh_records(extraction: Extraction, orders: Iterable[str], invoices: Iterable[str]) -> Again:
    """Read these orders, and the charges of these invoices, again, with everything that belongs to them.

    List rows are asked for before details, so that a detail is never older than the row it is current for. Raises what
    makes going on useless; a record that cannot be read alone is `failed`, and the next sweep reads it.
    """
    since, before = datetime.now(UTC), extraction.client.requests
    wanted = list(dict.fromkeys(orders))
    known = _known(extraction, wanted) if wanted else {}
    unknown = [order_id for order_id in wanted if known[order_id].listed_contact is None]
    await extract_named_details(extraction, "order_details", unknown)
    seen = await _list_orders(extraction, _known(extraction, wanted) if unknown else known, wanted)
    await extract_named_details(extraction, "order_details", wanted)
    status = _answers(extraction, wanted, since)
    found = [order_id for order_id in wanted if status.get(order_id) == 200]
    # A contact that was merged lists its orders under another id, which the detail has just named.
    moved = [order_id for order_id in found if order_id not in seen]
    if moved:
        seen |= await _list_orders(extraction, _known(extraction, moved), moved, newest=True)
        await extract_named_details(extraction, "order_details", moved)
    await extract_named_details(extraction, "fulfillments", found)
    entities = [*found, *dict.fromkeys(invoices)]
    await _read_charges(extraction, entities)
    await _read_subscriptions(extraction, entities)
    with extraction.warehouse.open() as con:
        keys = {"location_id": extraction.location_id, "named": entities, "since": naive(since)}
        run(con, "raw/refreshed", keys | {"refreshed_at": naive(datetime.now(UTC))})
    return Again(
        found=found,
        absent=[order_id for order_id in wanted if status.get(order_id) == 404],
        failed=[
            order_id for order_id in wanted if order_id not in status or (order_id in moved and order_id not in seen)
        ],
        requests=extraction.client.requests - before,
    )


async def _read_charges(extraction: Extraction, entities: Sequence[str]) -> None:
    await _list(extraction, "transactions", [{"entityId": entity} for entity in entities], entities)
    await extract_named_details(extraction, "transaction_details", _stale(extraction, "transaction", entities))


async def _read_subscriptions(extraction: Extraction, entities: Sequence[str]) -> None:
    """Those that an item, a charge or an earlier reading speaks of; most orders have none, which costs no request."""
    recurring, named = _billed_again(extraction, entities)
    if not recurring and not named:
        return
    asked: list[Filters] = [{"entityId": entity} for entity in recurring]
    await _list(extraction, "subscriptions", asked, entities)
    left = sorted(named - _known_subscriptions(extraction, named))
    await _list(extraction, "subscriptions", [{"id": subscription_id} for subscription_id in left], left)
    ids = [*recurring, *sorted(named)]
    await extract_named_details(extraction, "subscription_details", _stale(extraction, "subscription", ids))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of an order before it is listed: its contact by list and by detail ("" for none), its creation."""

    listed_contact: str | None
    contact: str | None
    created_at: datetime | None


def _known(extraction: Extraction, order_ids: Sequence[str]) -> dict[str, _Known]:
    with extraction.warehouse.open() as con:
        rows = con.execute(
            "select w.id, case when l.id is not null then coalesce(l.doc ->> '$.contactId', '') end, "
            "case when d.id is not null then coalesce(d.doc ->> '$.contactId', '') end, "
            "instant(d.doc ->> '$.createdAt') "
            "from (select unnest($2::varchar[]) as id) as w "
            "left join raw.orders as l on l.location_id = $1 and l.id = w.id and l.is_current "
            "left join raw.order_details as d on d.location_id = $1 and d.id = w.id and d.is_current",
            [extraction.location_id, list(order_ids)],
        ).fetchall()
    return {row[0]: _Known(row[1], row[2], row[3].replace(tzinfo=UTC) if row[3] is not None else None) for row in rows}


async def _list_orders(
    extraction: Extraction, known: Mapping[str, _Known], order_ids: Sequence[str], *, newest: bool = False
) -> set[str]:
    """List the orders of the contacts of these; without a contact, those of the days around. Ids that were listed.

    The API has no filter by id. With `newest` the detail's contact counts, not the one of the last list.
    """
    asked: dict[tuple[str, ...], Filters] = {}
    for order_id in order_ids:
        it = known[order_id]
        contact = it.contact if newest or not it.listed_contact else it.listed_contact
        if contact:
            asked[contact,] = {"contactId": contact}
        elif it.created_at is not None:
            start, end = (instant_text(at) or "" for at in (it.created_at - _DAY, it.created_at + _DAY))
            asked[start, end] = {"start_at": start, "end_at": end}
    return await _list(extraction, "orders", list(asked.values()), order_ids)


async def _list(extraction: Extraction, stream: str, asked: Sequence[Filters], ids: Sequence[str]) -> set[str]:
    """Load the list rows that these filters bring and that belong to these records; every id that was listed."""
    if not asked:
        return set()
    seen: set[str] = set()
    path = _file(extraction, stream)
    with LandingWriter(path) as landing:
        async with aclosing(
            in_order(asked, lambda filters: _pages(extraction, stream, filters), _CONCURRENCY)
        ) as lists:
            async for filters, pages in lists:
                for number, page in enumerate(pages):
                    envelope = {
                        "kind": "list", "stream": stream, "location_id": extraction.location_id, "attempt": 1,
                        "page": number, "filters": dict(filters), "fetched_at": datetime.now(UTC).isoformat(),
                        "status": 200,
                    }  # fmt: skip
                    landing.append(envelope, page.body, checked=True)
                    seen |= {row.id for row in page.rows if row.id is not None}
    with extraction.warehouse.open() as con:
        load_named_rows(con, path, stream, extraction.location_id, ids, datetime.now(UTC))
    return seen


async def _pages(extraction: Extraction, stream: str, filters: Filters) -> tuple[Filters, list[Page]]:
    pages: list[Page] = []
    rows = 0
    while len(pages) < MAX_PAGES:
        page = await extraction.client.list_page(
            stream, offset=rows, limit=MAX_LIMIT, priority=extraction.priority, **filters
        )
        pages.append(page)
        rows += len(page.rows)
        if not page.rows or rows >= page.total_count:
            return filters, pages
    logger.warning("%s %s: more than %d pages, the rest waits for a sweep", extraction.location_id, stream, MAX_PAGES)
    return filters, pages


def _file(extraction: Extraction, stream: str) -> Path:
    return extraction.folder / f"{stream}-named-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.ndjson.zst"


def _answers(extraction: Extraction, order_ids: Sequence[str], since: datetime) -> dict[str, int]:
    with extraction.warehouse.open() as con:
        rows = con.execute(
            "select id, status from raw.lookups where location_id = ? and stream = 'order_details' "
            "and looked_up_at >= ? and list_contains(?::varchar[], id)",
            [extraction.location_id, naive(since), list(order_ids)],
        ).fetchall()
    return dict(rows)


def _stale(extraction: Extraction, stream: str, ids: Sequence[str]) -> list[str]:
    """Records whose detail is missing or not that of their list row."""
    with extraction.warehouse.open() as con:
        query = _STALE_DETAILS.format(stream=stream)
        rows = con.execute(query, {"location_id": extraction.location_id, "ids": list(ids)}).fetchall()
    return [row[0] for row in rows]


def _billed_again(extraction: Extraction, entities: Sequence[str]) -> tuple[list[str], set[str]]:
    """Which of these have a subscription, as far as is known, and the subscriptions that their charges name."""
    keys = {"location_id": extraction.location_id, "ids": list(entities)}
    with extraction.warehouse.open() as con:
        return _split(run(con, "raw/billed_again", keys))


def _split(rows: Iterable[tuple[str, str | None]]) -> tuple[list[str], set[str]]:
    pairs = list(rows)
    return sorted({entity for entity, _ in pairs}), {named for _, named in pairs if named}


def _known_subscriptions(extraction: Extraction, ids: Iterable[str]) -> set[str]:
    with extraction.warehouse.open() as con:
        rows = con.execute(
            "select unnest([id, doc ->> '$.subscriptionId']) from raw.subscriptions "
            "where location_id = ? and is_current",
            [extraction.location_id],
        ).fetchall()
    return {row[0] for row in rows} & set(ids)
