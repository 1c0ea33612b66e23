"""The GHL streams we extract, and what each is keyed by.

Add a stream here when a new GHL endpoint is read; its endpoint belongs to `connectors/ghl/client.py`.
"""

from __future__ import annotations

LIST_STREAMS = ("orders", "transactions", "subscriptions")
"""Scanned by slice (location x UTC month of createdAt), each slice with a certificate."""

DETAIL_STREAMS = ("order_details", "fulfillments", "transaction_details", "subscription_details")
"""Fetched one request a record, only for records that changed or are about to be written from."""

SNAPSHOT_STREAMS = ("integration_providers",)
"""Small, read whole each time."""

STREAMS = (
    "orders",
    "order_details",
    "fulfillments",
    "transactions",
    "transaction_details",
    "subscriptions",
    "subscription_details",
    "integration_providers",
)
