"""A record as an event: its id, its body serialised once, and the envelope around it.

Add what every event says here; which fields a record has is its mapping's to say.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.connectors.webhook.options import Options
from ghl_payments.domain.keys import parse_key
from ghl_payments.domain.money import CURRENCY_EXPONENTS, major_text
from ghl_payments.transport.errors import Rejected
from ghl_payments.transport.jsontext import encode

SCHEMA_VERSION = 1
MAX_BYTES = 20_000
"""What Standard Webhooks receivers are sure to take."""

VERSION, HASH, CREATED = "updated_at", "content_hash", "created_at"
"""Fields that every record type of an event target has: when GHL last changed it, the hash of what it says, and when it
was created, which is when it changed last where GHL tells of no change."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How fields become parts of an event: those in minor units, and those that are JSON texts already."""

    money: frozenset[str] = frozenset({"amount"})
    json: frozenset[str] = frozenset()
    prefix: str = "payment"


@dataclass(frozen=True, slots=True)
class Event:
    """An event ready to be sent, as often as need be: the bytes are always these."""

    event_id: str
    body: bytes
    content_type: str
    data: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def event_of(system: str, record: DesiredRecord, verb: str, options: Options, shape: Shape) -> Event:
    """The event that tells of a record; `verb` is created or updated. Rejected, and nothing sent, if it is too long."""
    event_id, data = event_id_of(record), _data(record, verb, options, shape)
    kind, instant = f"{shape.prefix}.{record.record_type}.{verb}", version_of(record)
    headers = _idempotency(options, event_id)
    if options.envelope == "standard":
        content, body = "application/json", encode({"type": kind, **_told(timestamp=instant), "data": data})
    elif options.envelope == "cloudevents_structured":
        content = "application/cloudevents+json"
        body = encode({**_attributes(record, event_id, kind, instant), "data": data})
    else:
        content, body = "application/json", encode(data)
        attributes = _attributes(record, event_id, kind, instant)
        headers |= {f"ce-{name}": text for name, text in attributes.items() if name != "datacontenttype"}
    if len(body) >= MAX_BYTES:
        raise Rejected(
            system=system, method="POST", path="(endpoint)",
            remedy=f"The event has {len(body):,} bytes, and receivers take fewer than {MAX_BYTES:,}; nothing was sent. "
            "Shorten a field in a mapping file of your own.",
        )  # fmt: skip
    return Event(event_id, body, content, data, headers)


def version_of(record: DesiredRecord) -> str | None:
    """When the record last changed, as far as GHL says; None where it tells no time at all."""
    return record.fields.get(VERSION) or record.fields.get(CREATED) or None


def event_id_of(record: DesiredRecord) -> str:
    """The same for the same state of the same record: sent again it is the same event, and a state that comes back
    later is another, because the revision counts on."""
    content = sorted((name, text) for name, text in record.fields.items() if name != VERSION)
    digest = hashlib.sha256(msgspec.json.encode(content)).hexdigest()
    parts = (record.location_id, record.record_type, _id(record), digest, str(record.revision))
    return "msg_" + hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


def decimal_text(minor: str | None, currency: str | None) -> str | None:
    """Minor units as decimal text with the currency's decimals."""
    if minor is None or currency not in CURRENCY_EXPONENTS:
        return None
    return major_text(int(minor), currency)


def _data(record: DesiredRecord, verb: str, options: Options, shape: Shape) -> dict[str, Any]:
    fields = record.fields
    said: dict[str, Any] = {
        "schemaVersion": SCHEMA_VERSION,
        "source": options.source,
        "eventType": f"{record.record_type}.{verb}",
        "locationId": record.location_id,
        "entity": record.record_type,
        "entityId": _id(record),
        "key": record.key,
        "version": version_of(record),
        "revision": record.revision,
        f"{record.record_type}Id": _id(record),
    }
    for name, text in fields.items():
        if text is None:
            continue
        value: Any = text
        if name in shape.money:
            value = decimal_text(text, fields.get("currency"))
        elif name in shape.json:
            value = msgspec.Raw(text.encode())
        said[camel(name)] = value
    return said


def _attributes(record: DesiredRecord, event_id: str, kind: str, instant: str | None) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/ghl/locations/{record.location_id}",
        "type": kind,
        **_told(time=instant),
        "subject": f"{record.record_type}s/{_id(record)}",
        "datacontenttype": "application/json",
    }


def _told(**given: str | None) -> dict[str, str]:
    """What is known; an empty time is none that a receiver could read."""
    return {name: text for name, text in given.items() if text is not None}


def _idempotency(options: Options, event_id: str) -> dict[str, str]:
    """The draft's header is a quoted string; many servers take the bare text only."""
    values = {"off": None, "bare": event_id, "quoted": f'"{event_id}"'}
    value = values[options.idempotency_key]
    return {} if value is None else {"Idempotency-Key": value}


def _id(record: DesiredRecord) -> str:
    parsed = parse_key(record.key)
    return parsed[1] if parsed else record.key


def camel(name: str) -> str:
    """`payment_status` as `paymentStatus`."""
    return re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), name)
