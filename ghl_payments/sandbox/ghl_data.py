"""What the sandboxed GHL holds: its locations with their records, loaded from a state and dumped into one.

Add a kind of record here; how it is listed, filtered or written belongs to `ghl_stream` and `ghl_write`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from ghl_payments.domain.sandbox_identity import SandboxIdentity, SandboxLocation
from ghl_payments.sandbox.codec import Doc, encode, join_array
from ghl_payments.sandbox.ghl_stream import Stream
from ghl_payments.sandbox.ghl_write import Kept

STREAMS = ("orders", "transactions", "subscriptions")


@dataclass(slots=True)
class Location:
    """One sub-account; fulfillments and notes are kept encoded by order id, providers by their own."""

    id: str
    timezone: str
    token: str
    streams: dict[str, Stream]
    fulfillments: Kept
    providers: Kept
    notes: dict[str, list[Doc]]
    scopes: list[str] | None = None

    def dump(self) -> bytes:
        """This location's part of the sandbox state, encoded."""
        head: Doc = {"id": self.id, "timezone": self.timezone, "token": self.token}
        if self.scopes is not None:
            head["scopes"] = self.scopes
        parts = [
            f'"{name}":'.encode() + join_array([row.state() for row in self.streams[name].all()]) for name in STREAMS
        ]
        deliveries = b",".join(encode(order) + b":" + raw for order, raw in self.fulfillments.items())
        parts += [b'"fulfillments":{' + deliveries + b"}", b'"providers":' + join_array(list(self.providers.values()))]
        if self.notes:
            parts.append(b'"notes":' + encode(self.notes))
        return encode(head)[:-1] + b"," + b",".join(parts) + b"}"


@dataclass(slots=True)
class GhlData:
    """All locations of a loaded state, by id."""

    locations: dict[str, Location] = field(default_factory=dict)

    def dump(self) -> bytes:
        """The `ghl` part of the sandbox state, encoded."""
        return b'{"locations":' + join_array([location.dump() for location in self.locations.values()]) + b"}"


def load_ghl(part: Doc, identity: SandboxIdentity) -> GhlData:
    """Take over the `ghl` part of a state; ids and tokens that are missing are those of the sandbox's identity."""
    data = GhlData()
    for n, doc in enumerate(part.get("locations") or []):
        own = _own_location(identity, n)
        location_id = doc.get("id") or own.id
        streams = {name: Stream(name) for name in STREAMS}
        for name, stream in streams.items():
            stream.load(doc.get(name) or [], location_id)
        data.locations[location_id] = Location(
            id=location_id,
            timezone=doc.get("timezone") or own.timezone,
            token=doc.get("token") or own.token,
            streams=streams,
            fulfillments=Kept((order, encode(rows)) for order, rows in (doc.get("fulfillments") or {}).items()),
            providers=Kept((str(row.get("_id", n)), encode(row)) for n, row in enumerate(doc.get("providers") or [])),
            notes=doc.get("notes") or {},
            scopes=doc.get("scopes"),
        )
    return data


def _own_location(identity: SandboxIdentity, n: int) -> SandboxLocation:
    if n < len(identity.locations):
        return identity.locations[n]
    name = f"SandboxLocation{n + 1:05d}"
    return SandboxLocation(name, "UTC", f"pit-{uuid.uuid5(uuid.NAMESPACE_URL, name)}")
