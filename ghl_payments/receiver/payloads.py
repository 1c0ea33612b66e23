"""What a delivery says about itself: event, time, location, delivery id, and the records it names.

Add a vendor's envelope here. Nothing of a payload becomes a record of ours: it only says what to read again.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from ghl_payments.domain.inbox import RecordRef, instant

_FAMILY = re.compile(r"(Order|Invoice|Contact|Product|Price)[A-Z]")
LONGEST = 200
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it may be None or empty: a payload that says nothing is kept all the same."""

    event: str | None = None
    event_at: datetime | None = None
    location_id: str | None = None
    webhook_id: str | None = None
    records: tuple[RecordRef, ...] = ()


class _Payload(msgspec.Struct):
    """The fields that are looked at, of whatever type they come; the rest is skipped unread."""

    type: Any = None
    locationId: Any = None  # noqa: N815 - the vendors' own names
    altId: Any = None  # noqa: N815
    altType: Any = None  # noqa: N815
    location: Any = None
    location_id: Any = None
    underscore_id: Any = msgspec.field(name="_id", default=None)
    id: Any = None
    contact_id: Any = None
    timestamp: Any = None
    webhookId: Any = None  # noqa: N815
    event_type: Any = None
    Metadata: Any = None
    Data: Any = None


_decoder = msgspec.json.Decoder(_Payload)


def read_payload(system: str, body: bytes, event: str | None = None) -> Facts:
    """What a body says in the envelope of its system; `event` is what the address said, for payloads without a type."""
    try:
        payload = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Facts(event=event)
    if system == "ghl":
        return _ghl(payload, event)
    if system == "trackpod":
        return _trackpod(payload)
    return _other(payload)


def sha256_id(body: bytes) -> str:
    """The delivery id of a body that carries none."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _ghl(payload: _Payload, event: str | None) -> Facts:
    # A price has a `type` of its own (one_time, recurring); the address then knows better.
    own = _shown(payload.type)
    if event is None or (own and _FAMILY.match(own)):
        event = own
    family = _FAMILY.match(event or "")
    record_id = _id(payload.underscore_id) or _id(payload.id)
    records = (RecordRef(family[1].lower(), record_id),) if family and record_id else ()
    alternative = payload.altId if payload.altType == "location" else None
    within = payload.location.get("id") if isinstance(payload.location, dict) else None
    return Facts(
        event=event,
        event_at=instant(payload.timestamp),
        location_id=_shown(payload.locationId) or _shown(alternative) or _shown(within),
        webhook_id=_shown(payload.webhookId),
        records=records,
    )


def _trackpod(payload: _Payload) -> Facts:
    about = payload.Metadata if isinstance(payload.Metadata, dict) else {}
    data = payload.Data if isinstance(payload.Data, dict) else {}
    event = _shown(about.get("Event"))
    records: tuple[RecordRef, ...] = ()
    if track_id := _id(data.get("TrackId")):
        records = (RecordRef("order", track_id),)
    elif (number := _id(data.get("Number"))) and (event or "").startswith("Order"):
        records = (RecordRef("order_number", number),)
    return Facts(event, instant(about.get("Date")), _shown(data.get("CustomerReferenceId")), None, records)


def _other(payload: _Payload) -> Facts:
    record_id = _id(_digits(payload.contact_id) or payload.contact_id)
    return Facts(
        event=_shown(payload.event_type) or _shown(payload.type),
        event_at=instant(payload.timestamp),
        location_id=_shown(payload.location_id) or _shown(payload.locationId),
        records=(RecordRef("contact", record_id),) if record_id else (),
    )


def _id(value: object) -> str | None:
    """A record's id, if it is a text that may go into the path of a request."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def _shown(value: object) -> str | None:
    """A text as it was given, if it may stand in a report."""
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable() else None


def _digits(value: object) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
