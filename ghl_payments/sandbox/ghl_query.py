"""Query parameters of GHL's payments endpoints: what is required, what is refused with 422, which dates are meant.

The records themselves and the filters on them belong to `ghl_stream`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ghl_payments.sandbox.clock import day_end_ms, day_start_ms, epoch_ms, is_bare_date
from ghl_payments.sandbox.ghl_auth import refuse
from ghl_payments.sandbox.ghl_stream import FILTERS_OF
from ghl_payments.sandbox.wire import Refused, Request

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
"""Undocumented; every public client pages by 100."""

_PAYMENT_STATUSES = ("paid", "unpaid", "refunded", "partially_paid")
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A valid list request; `first` and `last` are inclusive milliseconds of createdAt."""

    limit: int
    offset: int
    filters: dict[str, str]
    first: int | None
    last: int | None


def check_alt(request: Request, *, alt_type_required: bool) -> None:
    """`altId` is always required, `altType` on everything but orders; 422 with an array of messages otherwise."""
    messages = _alt_problems(request, alt_type_required)
    if messages:
        raise _unprocessable(messages)


def read_query(request: Request, stream: str, date_filter: str) -> ListQuery:
    """The parameters of a list request; 422 names every one that is not valid."""
    query = request.query
    messages = _alt_problems(request, stream != "orders")
    limit = _count(query, "limit", DEFAULT_LIMIT, messages)
    offset = _count(query, "offset", 0, messages)
    first = _instant(query, "startAt", messages)
    last = _instant(query, "endAt", messages)
    if stream == "orders" and query.get("paymentStatus", "paid") not in _PAYMENT_STATUSES:
        messages.append(f"paymentStatus must be one of the following values: {', '.join(_PAYMENT_STATUSES)}")
    if messages:
        raise _unprocessable(messages)
    filters = {name: query[name] for name in FILTERS_OF[stream] if query.get(name)}
    first, last = _window(first, last, is_bare_date(query.get("endAt", "")), date_filter)
    return ListQuery(min(limit, MAX_LIMIT), offset, filters, first, last)


def read_window(request: Request) -> tuple[int, int]:
    """(offset, limit) of the providers' list; its documented default limit of 0 is taken for no limit."""
    messages: list[str] = []
    offset, limit = (_count(request.query, name, 0, messages) for name in ("offset", "limit"))
    if messages:
        raise _unprocessable(messages)
    return offset, limit


def _window(first: int | None, last: int | None, bare_end: bool, date_filter: str) -> tuple[int | None, int | None]:
    if last is not None and bare_end and date_filter != "date_only_exclusive":
        last = day_end_ms(last)
    elif last is not None and bare_end:
        last -= 1
    if date_filter == "wider":
        return first and first - _DAY_MS, last and last + _DAY_MS
    if date_filter == "narrower":
        return first and day_start_ms(first), last and day_start_ms(last) - 1
    return first, last


def _alt_problems(request: Request, alt_type_required: bool) -> list[str]:
    problems = [] if request.query.get("altId") else ["altId must be a string", "altId should not be empty"]
    alt_type = request.query.get("altType")
    if (alt_type is None and alt_type_required) or alt_type not in (None, "location"):
        problems.append("altType must be one of the following values: location")
    return problems


def _count(query: dict[str, str], name: str, default: int, messages: list[str]) -> int:
    text = query.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit():
        return int(text)
    messages.append(f"{name} must be a number conforming to the specified constraints")
    return default


def _instant(query: dict[str, str], name: str, messages: list[str]) -> int | None:
    text = query.get(name)
    if not text:
        return None
    instant = epoch_ms(text)
    if instant is None:
        messages.append(f"{name} must be a valid ISO 8601 date string")
    return instant


def _unprocessable(messages: list[str]) -> Refused:
    return refuse(422, messages, "Unprocessable Entity")
