"""JSON as the sandbox reads and writes it: numbers with decimals are Decimal both ways, so money keeps its digits.

Anything about one vendor's shapes belongs to that vendor's modules.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)

Doc = dict[str, Any]


def encode(value: Any) -> bytes:
    """Compact JSON; Decimal becomes a JSON number with exactly its digits."""
    return _ENCODER.encode(value)


def decode(raw: bytes) -> Any:
    """Plain Python values; msgspec.DecodeError for anything that is not JSON."""
    return _DECODER.decode(raw)


def decode_doc(raw: bytes) -> Doc:
    """One JSON object that the sandbox itself encoded."""
    doc: Doc = _DECODER.decode(raw)
    return doc


def join_array(parts: list[bytes]) -> bytes:
    """A JSON array of values that are encoded already."""
    return b"[" + b",".join(parts) + b"]"
