"""The preset `rankr` of the signed HTTP target: which GHL records become events, and how a connector comes out of it.

Rankr publishes no API; the address, the secret and how it can be read are what the receiver's operator says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ghl_payments.connectors.access import Access, SetUp
from ghl_payments.connectors.webhook.connector import WebhookConnector
from ghl_payments.connectors.webhook.events import Shape
from ghl_payments.connectors.webhook.opening import is_signed, open_webhook
from ghl_payments.connectors.webhook.options import Options
from ghl_payments.domain.keys import KeyKind

TYPES: Mapping[str, KeyKind] = {
    "order": "order",
    "transaction": "txn",
    "subscription": "sub",
    "fulfillment": "fulfillment",
}


class RankrConnector(WebhookConnector):
    """Orders, transactions, subscriptions and fulfillments as signed events."""

    system = "rankr"
    record_types: Sequence[str] = tuple(TYPES)
    keyed_types: Sequence[str] = tuple(TYPES)
    kinds: ClassVar[Mapping[str, KeyKind]] = TYPES
    shape: ClassVar[Shape] = Shape(money=frozenset({"amount", "refunded"}), json=frozenset({"items"}))


CONNECTOR = RankrConnector
OPTIONS = Options
SET_UP = SetUp("Rankr, or any receiver of signed events", "https://receiver.example.com/events", ("secret",))


def connect(access: Access) -> RankrConnector:
    """A connector for one receiver; SettingsError names the credential that is missing or malformed."""
    return open_webhook(access, RankrConnector, access.secret("secret") if is_signed(access) else None)
