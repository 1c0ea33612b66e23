"""The keys by which records are known in every system: `ghl:order:ID`, `ghl:txn:ID` and their kin.

Add a kind here when a new sort of GHL record is written to a target.
How a target stores or finds a key belongs to its connector.
"""

from __future__ import annotations

from typing import Literal

KeyKind = Literal["order", "txn", "sub", "fulfillment", "contact", "invoice", "provider"]

STREAM_OF_KIND: dict[str, str] = {
    "order": "orders",
    "txn": "transactions",
    "sub": "subscriptions",
    "fulfillment": "fulfillments",
    "provider": "integration_providers",
}
"""Kinds whose record can be looked up by id in a GHL stream; contacts and invoices are outside the payments scopes."""


def ghl_key(kind: KeyKind, record_id: str) -> str:
    """`ghl:{kind}:{id}`; ids are GHL's own `_id` (or `id` for contacts)."""
    return f"ghl:{kind}:{record_id}"


def parse_key(key: str) -> tuple[str, str] | None:
    """(kind, id) of one of our keys, or None for text that is not ours."""
    prefix, _, rest = key.partition(":")
    kind, _, record_id = rest.partition(":")
    if prefix != "ghl" or not kind or not record_id:
        return None
    return kind, record_id
