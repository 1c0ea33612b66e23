"""Listing a location's white-label providers completely, as far as GHL's API lets that be known.

How one page is asked for belongs to `client.py`; what the providers are compared with, to SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.transport.budget import Priority
from ghl_payments.transport.jsontext import encode

MAX_PAGES = 50


class _Head(msgspec.Struct, gc=False):
    id: Any = msgspec.field(name="_id", default=None)
    route: Any = None


_ROWS: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_HEADS: msgspec.json.Decoder[list[_Head]] = msgspec.json.Decoder(list[_Head])


@dataclass(slots=True)
class ProviderPass:
    """One pass over the list; `reason` is None when it ended by itself. Pages give each row its `_id` as `id` too."""

    pages: list[bytes] = field(default_factory=list)
    by_id: dict[str, bytes] = field(default_factory=dict)
    routes: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None

    def add(self, body: bytes, rows: Sequence[msgspec.Raw]) -> bool:
        """Take a page in; False when it brought nothing new."""
        try:
            heads = _HEADS.decode(body)
        except msgspec.ValidationError:
            self.reason = "schema_drift: a provider is not an object"
            return False
        if any(not isinstance(head.id, str) or not head.id for head in heads):
            self.reason = "row_without_id: a provider has no `_id`"
        pairs = zip(heads, rows, strict=True)
        fresh = {head.id: (head.route, raw) for head, raw in pairs if head.id and head.id not in self.by_id}
        page = {native_id: _with_id(native_id, raw) for native_id, (_, raw) in fresh.items()}
        if page or not self.pages:
            self.pages.append(b"[" + b",".join(page.values()) + b"]")
        self.by_id |= page
        self.routes |= {native_id: route for native_id, (route, _) in fresh.items()}
        return bool(page)

    def named(self, unique_name: str) -> list[str]:
        """Ids of the providers with this unique name, which answers call `route`; ascending."""
        return sorted(native_id for native_id, route in self.routes.items() if route == unique_name)


async def list_providers(client: GhlClient, *, priority: Priority = "sweep") -> ProviderPass:
    """Read pages until one brings nothing new: the API counts nothing, and may ignore `offset` altogether.

    Raises `transport.errors` classes.
    """
    passed, offset = ProviderPass(), 0
    while passed.reason is None:
        body = (await client.providers(offset=offset, priority=priority)).body
        rows = _ROWS.decode(body)
        offset += len(rows)
        if not passed.add(body, rows):
            return passed
        if len(passed.pages) >= MAX_PAGES:
            passed.reason = f"too_many_pages: more than {MAX_PAGES}"
    return passed


def _with_id(native_id: str, raw: msgspec.Raw) -> bytes:
    """The row with its `_id` repeated as `id`, by which the loop knows rows of every system."""
    rest = bytes(raw).lstrip()[1:].lstrip()
    return b'{"id":' + encode(native_id) + (b"," if rest[:1] != b"}" else b"") + rest
